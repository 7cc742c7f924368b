//! `punctual notices`: what was told, what waits to be, and what could not be delivered?

use owo_colors::Style;

use super::args::{Global, NoticesArguments, NoticesVerb, WhichArguments};
use super::places::{ask, in_force_or_file, open_ledger, open_ledger_if_any, running_daemon};
use super::reach::client;
use super::screen::{Screen, counted, span, visible};
use super::table::Cell;
use super::typed::ours;
use super::{Answer, Done, Refusal};
use crate::clock::Clock;
use crate::configuration::Configuration;
use crate::control::{NoticeAct, WhichNotices};
use crate::inquiry::{Count, notices, notices_of_run};
use crate::notice::{Because, NoticeId, Standing};
use crate::report::{DeliveryReport, OutstandingReport, Seconds, Time};
use crate::run::RunId;
use crate::store::{NoticeFilter, Reader};

pub fn run(global: &Global, verb: &NoticesArguments, screen: &mut Screen) -> Answer {
    match &verb.verb {
        Some(NoticesVerb::Retry(which)) => act(global, NoticeAct::Retry, which, screen),
        Some(NoticesVerb::Drop(which)) => act(global, NoticeAct::Drop, which, screen),
        None => list(global, verb, screen),
    }
}

fn list(global: &Global, verb: &NoticesArguments, screen: &mut Screen) -> Answer {
    let standing = match (verb.waiting, verb.sent, verb.undeliverable) {
        (true, ..) => Some(Standing::Waiting),
        (_, true, _) => Some(Standing::Sent),
        (.., true) => Some(Standing::Undeliverable),
        (false, false, false) => None,
    };
    let most = match verb.n {
        Count::Newest(most) if !verb.all => Some(most),
        Count::Newest(_) | Count::All => None,
    };
    let filter = NoticeFilter { standing, channel: verb.channel.clone(), most, ..NoticeFilter::default() };
    // What waits for a channel that is gone says so, where the file can be read.
    let file = in_force_or_file(global, running_daemon(global).as_ref()).ok();
    let file = file.filter(|file| file.checked.is_right());
    let found = ask(async {
        let ledger = open_ledger(global).await?;
        Ok::<_, Refusal>(notices(&ledger, &filter, file.as_ref(), Clock::System.now()).await?)
    })??;
    if screen.json {
        screen.value(&found);
        return Ok(Done::Well);
    }
    table(&found, screen);
    Ok(Done::Well)
}

fn act(global: &Global, act: NoticeAct, which: &WhichArguments, screen: &mut Screen) -> Answer {
    let wanted = if which.all {
        WhichNotices::All
    } else {
        WhichNotices::These(which.notices.iter().copied().map(NoticeId).collect())
    };
    let client = client(global)?;
    let after = ask(client.notices(act, &wanted))??;
    if screen.json {
        screen.value(&after);
        return Ok(Done::Well);
    }
    let count = {
        let mut numbers: Vec<i64> = after.iter().map(|delivery| delivery.notice.0).collect();
        numbers.dedup();
        numbers.len() as u64
    };
    let what = counted(count, "notice");
    screen.line(match (act, count) {
        (NoticeAct::Retry, 0) => "nothing waits, and nothing was undeliverable".to_owned(),
        (NoticeAct::Drop, 0) => "nothing waits to be dropped".to_owned(),
        (NoticeAct::Retry, _) => {
            // At a quiet time nothing is sent, whoever wants it.
            let quiet: Vec<Time> = after
                .iter()
                .filter(|delivery| delivery.held_because == Some(Because::Quiet))
                .filter_map(|delivery| delivery.held_until)
                .collect();
            let when = match quiet.iter().min() {
                None => "now".to_owned(),
                Some(until) if quiet.len() == after.len() => format!("after the quiet hours, {}", screen.time(*until)),
                Some(until) => format!("now, but for those at quiet hours, until {}", screen.time(*until)),
            };
            format!("{what} will be tried again {when}; see what comes of it with: {}", ours(global, "notices"))
        }
        (NoticeAct::Drop, _) => format!("{what} will not be sent"),
    });
    Ok(Done::Well)
}

fn table(found: &[DeliveryReport], screen: &mut Screen) {
    if found.is_empty() {
        screen.note("no notices");
        return;
    }
    let mut header = vec!["NOTICE", "WHEN", "KIND", "JOB", "TO", "STATE", "TRIES", "HELD UNTIL", "ANSWER"];
    let mut rows: Vec<Vec<Cell>> = found.iter().map(|delivery| row(delivery, screen)).collect();
    // Mostly all has arrived, and there is room for the rest.
    if found.iter().all(|delivery| delivery.held_until.is_none()) {
        header.remove(7);
        for row in &mut rows {
            row.remove(7);
        }
    }
    screen.table(&header, rows);
}

fn row(delivery: &DeliveryReport, screen: &Screen) -> Vec<Cell> {
    let DeliveryReport { notice, at, kind, job, channel, carrier, tries, answer, .. } = delivery;
    vec![
        Cell::firm(notice.0.to_string()),
        Cell::firm(screen.time(*at)),
        kind.word().into(),
        job.clone().unwrap_or_else(|| "-".to_owned()).into(),
        format!("{channel} by {}", carrier.word()).into(),
        state(delivery),
        tries.to_string().into(),
        held(delivery, screen).unwrap_or_default().into(),
        visible(answer.as_deref().unwrap_or_default()).lines().collect::<Vec<_>>().join(" ").into(),
    ]
}

/// Until when it waits, and why.
fn held(delivery: &DeliveryReport, screen: &Screen) -> Option<String> {
    let (until, because) = (delivery.held_until?, delivery.held_because?);
    Some(format!("{} ({})", screen.time(until), because.words()))
}

fn state(delivery: &DeliveryReport) -> Cell {
    let style = match delivery.state.as_str() {
        "sent" => Style::new().green(),
        "undeliverable" => Style::new().red(),
        _ => Style::new().yellow(),
    };
    Cell::painted(delivery.state.clone(), style)
}

/// What of the outbox `status` has to say; nothing where all has arrived.
pub fn in_a_line(report: &OutstandingReport, now: Time, global: &Global, screen: &Screen) -> Option<String> {
    let waits = |since: Time| {
        let age = Seconds::from_micros(now.0.as_microsecond() - since.0.as_microsecond());
        let wait = if report.waiting == 1 { "waits" } else { "wait" };
        format!("{} {wait} to be sent, since {} ({})", counted(report.waiting, "notice"), screen.time(since), span(age))
    };
    let next = report.held_until.zip(report.held_because);
    let which = if report.waiting == 1 { "until" } else { "the next one until" };
    let next = next.map(|(until, because)| format!(", {which} {} ({})", screen.time(until), because.words()));
    let waiting = report.oldest_waiting.filter(|_| report.waiting > 0).map(waits);
    let waiting = waiting.map(|waits| waits + next.as_deref().unwrap_or_default());
    let undeliverable = (report.undeliverable > 0)
        .then(|| format!("{} could not be delivered in the last 7 days", counted(report.undeliverable, "notice")));
    let parts: Vec<String> = waiting.into_iter().chain(undeliverable).collect();
    (!parts.is_empty()).then(|| format!("{}; see them with: {}", parts.join("; "), ours(global, "notices")))
}

/// What was told of a run, in lines.
pub async fn of_run(ledger: &Reader, run: RunId) -> Result<Vec<DeliveryReport>, sqlx::Error> {
    notices_of_run(ledger, run).await
}

/// One of them, as `show` has it.
pub fn told(delivery: &DeliveryReport, screen: &Screen) -> String {
    let DeliveryReport { kind, channel, carrier, state, ended, next_try, answer, .. } = delivery;
    let when = match (ended, next_try) {
        (Some(ended), _) => format!(" {}", screen.time(*ended)),
        (None, Some(next)) => format!(", tried again {}", screen.time(*next)),
        (None, None) => String::new(),
    };
    let is_sent = state == Standing::Sent.word();
    let why = answer.as_deref().filter(|_| !is_sent).and_then(|answer| answer.lines().next());
    let why = why.map_or_else(String::new, |why| format!(": {}", visible(why)));
    format!("{kind} to {channel} by {}: {state}{when}{why}", carrier.word())
}

/// How the outbox stands, where there is a ledger that has one.
pub async fn outstanding(global: &Global, file: Option<&Configuration>) -> OutstandingReport {
    let Ok(Some(ledger)) = open_ledger_if_any(global).await else {
        return OutstandingReport::default();
    };
    crate::inquiry::outstanding(&ledger, file, Clock::System.now()).await.unwrap_or_default()
}
