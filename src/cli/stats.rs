//! `punctual stats`: how often did it work, how long and how late, at what cost?

use std::collections::BTreeMap;

use super::args::{Global, StatsArguments};
use super::history::style_of;
use super::moment::moment;
use super::places::{ask, open_ledger};
use super::screen::{Screen, counted, span};
use super::sparkline::sparkline;
use super::table::Cell;
use super::{Answer, Done, Refusal};
use crate::inquiry::stats;
use crate::report::{JobStats, Seconds, Spread};
use crate::run::Outcome;
use crate::when::Toward;

/// Runs in the sparkline of a row, and where there is a line for it.
const SHORT: usize = 9;
const LONG: usize = 30;

pub fn run(global: &Global, verb: &StatsArguments, screen: &mut Screen) -> Answer {
    let since = verb
        .since
        .as_ref()
        .map(|text| moment("--since", text, Toward::Past, screen))
        .transpose()?
        .map(|meant| meant.first);
    let report = ask(async {
        let ledger = open_ledger(global).await?;
        Ok::<_, Refusal>(stats(&ledger, &verb.jobs, since).await?)
    })??;
    if screen.json {
        screen.value(&report);
        return Ok(Done::Well);
    }
    match &report.jobs[..] {
        [] => screen.note("no entries"),
        [job] if !verb.jobs.is_empty() => describe(job, screen),
        jobs => table(jobs, &report.all, screen),
    }
    Ok(Done::Well)
}

/// A column: its title, and how much it matters where there is no room for all.
struct Column {
    title: &'static str,
    /// The columns of the lowest rank go first.
    rank: u8,
    cell: fn(&JobStats) -> Cell,
}

const COLUMNS: [Column; 14] = [
    Column { title: "JOB", rank: 9, cell: |job| job.job.clone().unwrap_or_else(|| "all".to_owned()).into() },
    Column { title: "RUNS", rank: 9, cell: |job| job.runs.to_string().into() },
    Column { title: "SUCCESS", rank: 9, cell: success },
    Column { title: "TOOK P50", rank: 8, cell: |job| part(job.duration, |spread| spread.p50) },
    Column { title: "P95", rank: 7, cell: |job| part(job.duration, |spread| spread.p95) },
    Column { title: "P99", rank: 2, cell: |job| part(job.duration, |spread| spread.p99) },
    Column { title: "MAX", rank: 4, cell: |job| part(job.duration, |spread| spread.max) },
    Column { title: "LATE P50", rank: 1, cell: |job| part(job.late, |spread| spread.p50) },
    Column { title: "LATE P95", rank: 1, cell: |job| part(job.late, |spread| spread.p95) },
    Column { title: "LATE P99", rank: 6, cell: |job| part(job.late, |spread| spread.p99) },
    Column { title: "LATE MAX", rank: 1, cell: |job| part(job.late, |spread| spread.max) },
    Column { title: "CPU", rank: 5, cell: |job| span(job.cpu.total).into() },
    Column { title: "CPU/RUN", rank: 3, cell: |job| job.cpu.per_run.map_or_else(String::new, span).into() },
    Column { title: "LAST RUNS", rank: 9, cell: |job| sparkline(&job.last, SHORT) },
];

fn table(jobs: &[JobStats], all: &JobStats, screen: &mut Screen) {
    let together = (jobs.len() > 1).then_some(all);
    let row = |job: &JobStats| COLUMNS.iter().map(|column| (column.cell)(job)).collect::<Vec<Cell>>();
    let rows: Vec<Vec<Cell>> = jobs.iter().chain(together).map(row).collect();
    let (titles, ranks): (Vec<&str>, Vec<u8>) = COLUMNS.iter().map(|column| (column.title, column.rank)).unzip();
    let left_out = screen.fitting_table(&titles, &ranks, rows);
    if !left_out.is_empty() {
        screen.note(format!("{} do not fit; stats JOB has all", counted(left_out.len() as u64, "column")));
    }
}

fn part(spread: Option<Spread>, value: fn(&Spread) -> Seconds) -> Cell {
    spread.as_ref().map_or_else(String::new, |spread| span(value(spread))).into()
}

fn success(job: &JobStats) -> Cell {
    let Some(rate) = job.success_rate else {
        return "-".into();
    };
    let outcome = if rate < 1.0 { Outcome::Failed } else { Outcome::Succeeded };
    Cell::painted(percent(rate), style_of(outcome, None))
}

/// Not all is never shown as 100 %, and something never as none.
fn percent(rate: f64) -> String {
    match rate * 100.0 {
        whole if rate >= 1.0 => format!("{whole:.0} %"),
        nearly if nearly > 99.9 => ">99.9 %".to_owned(),
        little if little > 0.0 && little < 0.05 => "<0.1 %".to_owned(),
        some => format!("{some:.1} %"),
    }
}

/// One job, with all that is known.
fn describe(job: &JobStats, screen: &mut Screen) {
    let name = job.job.as_deref().unwrap_or("all");
    let since = job.first.map(|first| format!(" since {}", screen.time(first)));
    screen.line(format!("{name}: {}{}", counted(job.runs, "run"), since.unwrap_or_default()));
    let mut fields: Vec<(&str, String)> = Vec::new();
    if let Some(rate) = job.success_rate {
        fields.push(("success", percent(rate)));
    }
    fields.push(("outcomes", outcomes(&job.outcomes)));
    for (name, spread) in [("took", job.duration), ("late", job.late)] {
        if let Some(Spread { p50, p95, p99, max, of }) = spread {
            let [p50, p95, p99, max] = [p50, p95, p99, max].map(span);
            fields.push((name, format!("p50 {p50}, p95 {p95}, p99 {p99}, max {max} (of {of})")));
        }
    }
    let per_run = job.cpu.per_run.map(|cpu| format!(", {} a run", span(cpu)));
    fields.push(("cpu", format!("{}{}", span(job.cpu.total), per_run.unwrap_or_default())));
    if job.pruned > 0 {
        fields.push(("pruned", format!("{}, of which only the number is left", counted(job.pruned, "run"))));
    }
    let spark = sparkline(&job.last, LONG);
    fields.push(("last runs", screen.paint(&spark.text, spark.style)));
    for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
        let name = screen.dim(&format!("{name:>14}"));
        screen.line(format!("{name}  {value}"));
    }
}

/// `5 succeeded, 1 failed`, the most frequent first.
fn outcomes(counts: &BTreeMap<&'static str, u64>) -> String {
    let mut counts: Vec<_> = counts.iter().collect();
    counts.sort_by_key(|(word, count)| (std::cmp::Reverse(**count), **word));
    let texts: Vec<String> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_not_rounded_to_what_it_is_not() {
        for (rate, expect) in [
            (1.0, "100 %"),
            (0.999_95, ">99.9 %"),
            (0.995, "99.5 %"),
            (0.5, "50.0 %"),
            (0.000_1, "<0.1 %"),
            (0.0, "0.0 %"),
        ] {
            assert_eq!(percent(rate), expect);
        }
    }

    #[test]
    fn the_most_frequent_outcome_comes_first() {
        assert_eq!(outcomes(&[("failed", 1), ("lost", 1), ("succeeded", 5)].into()), "5 succeeded, 1 failed, 1 lost");
        assert_eq!(outcomes(&BTreeMap::new()), "");
    }
}
