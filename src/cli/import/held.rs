//! How is it shown that the imported jobs fire when cron would have started them?

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::super::screen::{Screen, counted, grouped, time_in};
use crate::configuration::Configuration;
use crate::import::{Claim, Draft, Imported, Proof, Verdict, prove};
use crate::job::Job;
use crate::jobfile::Zones;
use crate::report::Time;

/// The name of the machine's zone.
const SYSTEM: &str = "system";
/// So many differences of a job are shown; with `--json` all are.
const SHOWN: usize = 20;

/// Compares each job as it was read again from what was written.
pub fn proofs(imported: &Imported, configuration: &Configuration, from: Timestamp, until: Timestamp) -> Vec<Proof> {
    let jobs = &configuration.checked.jobs;
    let sheet = &imported.sheet;
    let system = configuration.machine.zone(SYSTEM).map_or(TimeZone::UTC, |zone| zone.zone);
    let origins = imported.fields.iter().zip(&imported.random);
    let claims: Vec<Claim> = sheet
        .drafts
        .iter()
        .zip(origins)
        .filter_map(|(draft, (fields, is_random))| {
            let timing = find(jobs, &draft.name)?.timing.as_ref()?;
            let (fields, is_random) = (fields.as_deref(), *is_random);
            let timetable = &timing.timetable;
            // Without CRON_TZ cron goes by the machine, whatever this daemon was told.
            let (cron_zone, cron_zone_name) = match draft.policy("timezone") {
                Some(_) => (&timetable.place.zone, timing.written.zone.as_str()),
                None => (&system, SYSTEM),
            };
            Some(Claim { job: &draft.name, fields, is_random, timetable, cron_zone, cron_zone_name })
        })
        .collect();
    prove(&claims, from, until)
}

fn find<'j>(jobs: &'j [std::sync::Arc<Job>], name: &str) -> Option<&'j Job> {
    jobs.iter().find(|job| job.name.as_str() == name).map(|job| &**job)
}

/// What was made of an entry below a CRON_TZ.
fn cron_tz<'d>(drafts: &'d [Draft], job: &str) -> Option<&'d Draft> {
    drafts.iter().find(|draft| draft.name == job).filter(|draft| draft.policy("timezone").is_some())
}

pub fn show(
    proofs: &[Proof],
    drafts: &[Draft],
    configuration: &Configuration,
    from: Timestamp,
    until: Timestamp,
    screen: &mut Screen,
) {
    let zone = screen.zone().clone();
    let (from, until) = (time_in(from, &zone), time_in(until, &zone));
    let mut lines = vec![format!("Held against Debian's cron, from {from} to {until}:")];
    if proofs.iter().any(|proof| cron_tz(drafts, &proof.job).is_some()) {
        lines.push(
            "those of CRON_TZ against its rules in that zone, as cronie has them; Debian's own cron ignores it"
                .to_owned(),
        );
    }
    let width = proofs.iter().map(|proof| proof.job.len()).max().unwrap_or(0);
    for proof in proofs {
        let verdict = match &proof.verdict {
            Verdict::Unproved(why) => format!("not compared: {}", why.words()),
            Verdict::Compared { same: 0, differences } if differences.is_empty() => {
                "the same: none in that time".to_owned()
            }
            Verdict::Compared { same, differences } if differences.is_empty() => {
                format!("the same: {}", instants(*same))
            }
            Verdict::Compared { same, differences } => {
                format!("differs at {}, the same at {}", instants(differences.len() as u64), grouped(*same))
            }
        };
        let jobs = &configuration.checked.jobs;
        let timing = find(jobs, &proof.job).and_then(|job| job.timing.as_ref());
        let by = timing.filter(|_| cron_tz(drafts, &proof.job).is_some());
        let by = by.map_or_else(String::new, |timing| format!(", by CRON_TZ={}", timing.written.zone));
        lines.push(format!("  {:width$}  {verdict}{by}", proof.job));
        let zone = timing.map_or(&zone, |timing| &timing.timetable.place.zone);
        for difference in proof.differences().iter().take(SHOWN) {
            let (at, cron, ours) = (difference.at, times(difference.cron), times(difference.punctual));
            let at = at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string();
            lines.push(format!("    {at}: cron {cron}, punctual {ours}: {}", difference.reason.words()));
        }
        let more = proof.differences().len().saturating_sub(SHOWN);
        if more > 0 {
            lines.push(format!("    and {} more; --json has all of them", grouped(more as u64)));
        }
    }
    lines.push(summary(proofs));
    screen.note(lines.join("\n"));
}

fn instants(count: u64) -> String {
    if count == 1 { "1 instant".to_owned() } else { format!("{} instants", grouped(count)) }
}

fn times(count: u32) -> String {
    match count {
        0 => "not at all".to_owned(),
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        more => format!("{more} times"),
    }
}

fn summary(proofs: &[Proof]) -> String {
    let differ = proofs.iter().filter(|proof| !proof.differences().is_empty()).count();
    let unproved = proofs.iter().filter(|proof| matches!(proof.verdict, Verdict::Unproved(_))).count();
    let same = proofs.len() - differ - unproved;
    let mut parts = vec![format!("{same} of {} as cron has them", counted(proofs.len() as u64, "job"))];
    if differ > 0 {
        parts.push(format!("{differ} not"));
    }
    if unproved > 0 {
        parts.push(format!("{unproved} not compared"));
    }
    parts.join(", ")
}

#[derive(Serialize)]
pub struct ProofReport<'p> {
    job: &'p str,
    same: Option<u64>,
    differences: Vec<DifferenceReport>,
    not_compared: Option<&'static str>,
    /// Held against cronie's rules for CRON_TZ, which Debian's cron ignores.
    by_cron_tz: bool,
}

#[derive(Serialize)]
struct DifferenceReport {
    at: Time,
    cron: u32,
    punctual: u32,
    why: &'static str,
}

pub fn report<'p>(proofs: &'p [Proof], drafts: &[Draft]) -> Vec<ProofReport<'p>> {
    let one = |proof: &'_ Proof| -> (Option<u64>, Option<&'static str>) {
        match &proof.verdict {
            Verdict::Unproved(why) => (None, Some(why.words())),
            Verdict::Compared { same, .. } => (Some(*same), None),
        }
    };
    proofs
        .iter()
        .map(|proof| {
            let (same, not_compared) = one(proof);
            let by_cron_tz = cron_tz(drafts, &proof.job).is_some();
            let differences = proof.differences().iter().map(|difference| DifferenceReport {
                at: Time(difference.at),
                cron: difference.cron,
                punctual: difference.punctual,
                why: difference.reason.words(),
            });
            ProofReport { job: &proof.job, same, differences: differences.collect(), not_compared, by_cron_tz }
        })
        .collect()
}
