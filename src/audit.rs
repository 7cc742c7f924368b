//! Does the ledger balance? What should have happened is computed again from the recorded definitions, and compared with
//! what is recorded.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::job::{Job, Timing};
use crate::jobfile::Zones;
use crate::plan::{Balance, Balanced, Difference, DifferenceKind, Scope};
use crate::report::{AuditReport, AuditedJob, DifferenceReport, OwedReport, Time};
use crate::runner::{boot_id, stat};
use crate::schedule::Jitter;
use crate::store::{Account, Books, Doubt, Reader, RunningRun};

/// Jobs whose definitions are held at once.
const JOBS: usize = 500;
/// For how long a run whose process is gone is looked at again: its end is on its way to the ledger.
const PATIENCE: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What is to be audited.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// Only instants at this time or later.
    pub since: Option<Timestamp>,
    pub now: Timestamp,
    /// Whether a daemon works on the ledger.
    pub daemon: bool,
    /// The jobs as far as they are known, for the jitter by which they may be late.
    pub jobs: Vec<Arc<Job>>,
}

/// Compares the ledger with the schedules.
pub async fn audit(reader: &Reader, zones: &dyn Zones, question: &Question) -> Result<AuditReport, sqlx::Error> {
    let mut gone = gone_runs(reader, question).await?;
    let mut books = reader.books(zones).await?;
    let scope = books.scope(question.since.map(just_before), question.now).await?;
    let known: BTreeMap<&str, &Arc<Job>> = question.jobs.iter().map(|job| (job.name.as_str(), job)).collect();
    let mut jobs = books.jobs().await?;
    jobs.sort_unstable();
    let mut audited = Vec::with_capacity(jobs.len());
    let mut since: Option<Timestamp> = None;
    for chunk in jobs.chunks(JOBS) {
        let (first, last) = (chunk[0].0, chunk[chunk.len() - 1].0);
        let mut accounts = books.accounts(first, last, zones).await?;
        for (number, name) in chunk {
            let account = accounts.remove(number).unwrap_or_default();
            since = since.into_iter().chain(account.periods.first().map(|period| period.since)).min();
            let jitter = known.get(name.as_str()).and_then(|job| longest_jitter(job, &account));
            let gone = gone.remove(number).unwrap_or_default();
            audited.push(audit_job(&mut books, &scope, (*number, name), account, jitter, gone).await?);
        }
    }
    audited.sort_by(|a: &AuditedJob, b| a.job.cmp(&b.job));
    let differences = audited.iter().map(|job| job.differences.len() as u64 + job.omitted).sum();
    Ok(AuditReport {
        balances: differences == 0,
        since: question.since.or(since).map(Time),
        until: Time(question.now),
        instants: audited.iter().map(|job| job.instants).sum(),
        differences,
        jobs: audited,
    })
}

/// Ledgers know microseconds, and a scope is what is later than its beginning.
fn just_before(time: Timestamp) -> Timestamp {
    time.checked_sub(SignedDuration::from_micros(1)).unwrap_or(time)
}

async fn audit_job(
    books: &mut Books,
    scope: &Scope,
    (number, name): (i64, &str),
    account: Account,
    jitter: Option<SignedDuration>,
    gone: Vec<Difference>,
) -> Result<AuditedJob, sqlx::Error> {
    let mut balance = Balance::new(scope, account.periods, account.pruned, jitter);
    let mut place = Some(books.begin(number, scope.from).await?);
    while let Some(from) = place {
        let (entries, next) = books.entries(number, from).await?;
        for entry in &entries {
            balance.book(entry);
        }
        place = next;
    }
    for difference in gone {
        balance.differ(difference);
    }
    Ok(report(name, balance.finish(), &account.doubts))
}

/// How much later than its instants a job starts at the most, if the definition in force is the one that is known.
fn longest_jitter(job: &Job, account: &Account) -> Option<SignedDuration> {
    let in_force = account.periods.iter().rfind(|period| period.until.is_none())?.timing.as_ref()?;
    let is_same = |timing: &Arc<Timing>| timing.same_instants(in_force);
    job.active_timing().filter(|timing| is_same(timing))?;
    let within = job.jitter.map_or(Duration::ZERO, Jitter::within);
    SignedDuration::try_from(within).ok()
}

/// Runs that the ledger has as running, and of which nothing is there, by the numbers of their jobs.
async fn gone_runs(reader: &Reader, question: &Question) -> Result<BTreeMap<i64, Vec<Difference>>, sqlx::Error> {
    let boot = boot_id().unwrap_or_default();
    let mut gone: Vec<RunningRun> = reader.running_runs().await?;
    gone.retain(|run| is_gone(run, question.daemon, &boot));
    let mut waited = Duration::ZERO;
    // While a daemon is there, what has ended a moment ago will be recorded in the next.
    while question.daemon && !gone.is_empty() && waited < PATIENCE {
        tokio::time::sleep(LOOK_EVERY).await;
        waited += LOOK_EVERY;
        let still = reader.running_runs().await?;
        gone.retain(|run| still.contains(run));
    }
    let mut by_job: BTreeMap<i64, Vec<Difference>> = BTreeMap::new();
    for run in gone {
        let what = match (&run.process, question.daemon) {
            (Some(process), true) => format!("its process {} is gone, and the daemon has not closed it", process.pid),
            (Some(process), false) => {
                format!("its process {} is gone; the next start of a daemon closes it", process.pid)
            }
            (None, _) => "no daemon is there to tell of its end; the next start of one closes it".to_owned(),
        };
        by_job.entry(run.job).or_default().push(Difference {
            kind: DifferenceKind::Open,
            from: run.due,
            until: run.due,
            count: 1,
            runs: vec![run.run],
            detail: format!("it is recorded as running; {what}"),
        });
    }
    Ok(by_job)
}

/// Whether nothing is there of a run. What runs without a process, or in several, is known to its daemon alone.
fn is_gone(run: &RunningRun, daemon: bool, boot: &str) -> bool {
    let Some(process) = &run.process else {
        return !daemon;
    };
    let is_of_this_boot = run.boot_id.as_deref().is_none_or(|id| id == boot);
    let same = stat(process.pid).filter(|stat| stat.start_ticks == process.start_ticks);
    // A daemon buries the dead of a run when all else of it is done.
    let is_there = same.is_some_and(|stat| daemon || !matches!(stat.state, 'Z' | 'X'));
    !(is_of_this_boot && is_there)
}

fn report(job: &str, balanced: Balanced, doubts: &[Doubt]) -> AuditedJob {
    let Balanced { instants, by_counts, unknown, owed, differences, omitted } = balanced;
    let mut notes: Vec<String> = doubts.iter().map(doubt).collect();
    if by_counts > 0 {
        notes
            .push(format!("{by_counts} of its instants were compared by their number only: their entries were pruned"));
    }
    if unknown > 0 {
        notes.push(format!("of {unknown} instants no entry is left, and none was counted when it was pruned"));
    }
    let told = |difference: Difference| DifferenceReport {
        kind: difference.kind.word(),
        first: Time(difference.from),
        last: Time(difference.until),
        count: difference.count,
        runs: difference.runs,
        detail: difference.detail,
    };
    AuditedJob {
        job: job.to_owned(),
        instants,
        by_counts,
        owed: owed.map(|owed| OwedReport { count: owed.count, first: Time(owed.first), last: Time(owed.last) }),
        differences: differences.into_iter().map(told).collect(),
        omitted,
        notes,
    }
}

fn doubt(doubt: &Doubt) -> String {
    match doubt {
        Doubt::OtherZoneData { zone } => format!(
            "a definition was computed with the data that {zone} has now: what it was then is not kept, and it was another"
        ),
        Doubt::Unreadable { since } => {
            format!("the definition since {since} cannot be computed any more; what it named was not compared")
        }
    }
}
