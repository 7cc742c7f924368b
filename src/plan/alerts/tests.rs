//! What follows from what, step by step: each step happens at its second, and is followed by what is told of it.

use std::time::Duration;

use super::*;
use crate::job::{Carrier, ChannelName, SlowAfter, Tell, Telling};
use crate::notice::Facts;
use crate::plan::follow::Progress;
use crate::run::{GapEntry, Reason, RunId};

const MINUTE: u64 = 60;
const HOUR: u64 = 3600;

fn at(second: u64) -> Timestamp {
    Timestamp::from_second(1_000_000_000 + i64::try_from(second).unwrap()).unwrap()
}

fn second(at: Timestamp) -> u64 {
    u64::try_from(at.as_second() - 1_000_000_000).unwrap()
}

fn channel(name: &str, tell: &[Tell], after_failures: u32) -> Arc<Channel> {
    Arc::new(Channel {
        name: ChannelName::new(name).unwrap(),
        carriers: vec![Carrier::Command(vec!["tell".to_owned()])],
        tell: tell.iter().copied().collect(),
        after_failures,
        at_most_every: Duration::from_secs(HOUR),
        quiet: None,
    })
}

fn job(telling: Telling) -> Arc<Job> {
    Arc::new(Job { telling: Arc::new(telling), ..Job::gone(JobName::new("backup").unwrap()) })
}

fn usual_channels() -> Telling {
    let mut tell = Tell::DEFAULT.to_vec();
    tell.push(Tell::Slow);
    Telling { channels: vec![channel("ops", &tell, 1)], ..Telling::default() }
}

/// A job, what is known of it, and what the ledger has of that.
struct Story {
    job: Option<Arc<Job>>,
    alerts: Alerts,
    kept: BTreeMap<Option<JobName>, Arc<str>>,
    highest: i64,
    run: i64,
    good: Option<Timestamp>,
    writes: usize,
}

impl Story {
    fn of(telling: Telling) -> Self {
        let mut story = Self {
            job: Some(job(telling)),
            alerts: Alerts::default(),
            kept: BTreeMap::new(),
            highest: 0,
            run: 0,
            good: None,
            writes: 0,
        };
        story.restart(0);
        story
    }

    fn restart(&mut self, second: u64) {
        let remembered = RememberedJob {
            name: JobName::new("backup").unwrap(),
            definition: None,
            newest: None,
            gap: None,
            last_end: None,
            progress: Progress { began: None, succeeded: self.good.map(|good| (good, RunId(self.run))) },
            usual: vec![Duration::from_secs(MINUTE); 5],
        };
        let told = self.kept.clone().into_iter().collect();
        let jobs: Vec<_> = self.job.clone().into_iter().collect();
        self.alerts = Alerts::restore(self.highest, told, &[remembered], &jobs, at(second));
        self.told();
    }

    /// What is told now, after it is in the ledger.
    fn told(&mut self) -> Vec<String> {
        for (of, words) in self.alerts.take_words() {
            self.writes += 1;
            match words {
                Some(words) => self.kept.insert(of, words),
                None => self.kept.remove(&of),
            };
        }
        let notices = self.alerts.take_notices();
        let words = notices.iter().map(|notice| {
            assert_eq!(notice.number.0, self.highest + 1);
            self.highest = notice.number.0;
            let Facts { in_a_row, untold, instants, since, .. } = notice.facts.clone();
            let since = since.map_or_else(String::new, |since| format!(" since {}", second(since)));
            format!(
                "{} {}: {in_a_row} in a row, {untold} untold, {instants} instants{since}",
                notice.channel, notice.kind
            )
        });
        words.collect()
    }

    fn hear(&mut self, second: u64, what: What) -> Vec<String> {
        let job = self.job.clone().unwrap();
        self.alerts.hear(vec![Happening { job, what }], |_| true, at(second));
        self.told()
    }

    fn ended(&mut self, second: u64, outcome: Outcome, reason: Option<Reason>) -> Vec<String> {
        self.run += 1;
        let took = Some(Duration::from_secs(MINUTE));
        let (run, due, at) = (RunId(self.run), at(second), at(second));
        if outcome == Outcome::Succeeded {
            self.good = Some(at);
        }
        self.hear(second, What::Ended(Ending { run, due, at, outcome, reason, took, wrote: second % 2 == 1 }))
    }

    fn fails(&mut self, second: u64) -> Vec<String> {
        self.ended(second, Outcome::Failed, Some(Reason::ExitCode))
    }

    fn succeeds(&mut self, second: u64) -> Vec<String> {
        self.ended(second, Outcome::Succeeded, None)
    }

    fn misses(&mut self, second: u64, instants: u64) -> Vec<String> {
        self.hear(second, What::Missed(covered(second, instants, Reason::DaemonDown)))
    }

    fn skips(&mut self, second: u64, count: u64, reason: Reason) -> Vec<String> {
        let gap = GapEntry {
            run: RunId(7),
            outcome: Outcome::Skipped,
            reason,
            due: at(second + 1 - count),
            due_last: at(second),
            count,
        };
        let covered = covered(second, 1, reason);
        self.hear(second, What::Skipped { covered, begins: count == 1, gap: Some(gap) })
    }

    /// Nothing happens but that time passes.
    fn waits(&mut self, second: u64) -> Vec<String> {
        for name in self.alerts.take_due(at(second)) {
            self.alerts.ring(&name, "nothing was due", at(second));
        }
        self.alerts.ring_house(at(second));
        while let Some((run, started)) = self.alerts.take_slow(at(second)) {
            let job = self.job.clone().unwrap();
            self.alerts.slow(&job, true, run, started, at(second));
        }
        assert!(self.alerts.next().is_none_or(|next| next > at(second)));
        self.told()
    }

    fn next(&self) -> Option<u64> {
        self.alerts.next().map(second)
    }

    fn set(&mut self, second: u64, job: Option<Arc<Job>>) {
        self.alerts.set_jobs(job.as_ref(), at(second));
        self.job = job;
        self.told();
    }
}

fn covered(second: u64, instants: u64, reason: Reason) -> Covered {
    Covered { instants, since: at(second), until: at(second), reason: Some(reason), detail: None }
}

const NOTHING: [&str; 0] = [];

#[test]
fn a_failure_is_told_at_most_so_often_while_it_lasts_and_its_end_once() {
    let mut story = Story::of(usual_channels());
    assert_eq!(story.succeeds(10), NOTHING);
    assert_eq!(story.fails(100), ["ops failed: 1 in a row, 0 untold, 0 instants since 100"]);
    assert_eq!(story.fails(200), NOTHING);
    // Neither a failure nor a success.
    assert_eq!(story.ended(250, Outcome::Stopped, Some(Reason::ByHand)), NOTHING);
    assert_eq!(story.fails(300), NOTHING);
    assert_eq!(story.next(), Some(100 + HOUR));
    assert_eq!(story.waits(100 + HOUR), ["ops failed: 3 in a row, 1 untold, 0 instants since 100"]);
    assert_eq!(story.next(), None);
    assert_eq!(story.fails(110 + HOUR), NOTHING);
    assert_eq!(story.succeeds(120 + HOUR), ["ops recovered: 4 in a row, 1 untold, 0 instants since 100"]);
    assert_eq!(story.succeeds(130 + HOUR), NOTHING);
    // Another one, which is told at once.
    assert_eq!(story.fails(140 + HOUR), ["ops failed: 1 in a row, 0 untold, 0 instants since 3740"]);
    assert_eq!(story.succeeds(150 + HOUR), ["ops recovered: 1 in a row, 0 untold, 0 instants since 3740"]);
    // Up and down: where it lasts it is told in the end, and else its end is not told either.
    assert_eq!(story.fails(152 + HOUR), NOTHING);
    assert_eq!(story.succeeds(154 + HOUR), NOTHING);
    assert_eq!(story.next(), None);
    assert_eq!(story.fails(160 + HOUR), NOTHING);
    let told = story.waits(140 + 2 * HOUR);
    assert_eq!(told, ["ops failed: 1 in a row, 1 untold, 0 instants since 3760"]);
    // A stop of the daemon is a failure.
    let shutdown = story.ended(140 + 3 * HOUR, Outcome::Stopped, Some(Reason::Shutdown));
    assert_eq!(shutdown, ["ops failed: 2 in a row, 0 untold, 0 instants since 3760"]);
}

#[test]
fn some_channels_wait_for_several_failures_in_a_row() {
    let tell = [Tell::Failed, Tell::Recovered];
    let channels = vec![channel("soon", &tell, 1), channel("late", &tell, 3), channel("deaf", &[Tell::Missed], 1)];
    let mut story = Story::of(Telling { channels, ..Telling::default() });
    assert_eq!(story.fails(10).len(), 1);
    assert_eq!(story.fails(20), NOTHING);
    assert_eq!(story.succeeds(30), ["soon recovered: 2 in a row, 1 untold, 0 instants since 10"]);
    assert_eq!(story.fails(40), ["soon failed: 1 in a row, 0 untold, 0 instants since 40"]);
    assert_eq!(story.fails(41), NOTHING);
    assert_eq!(story.fails(50), ["late failed: 3 in a row, 0 untold, 0 instants since 40"]);
    let told = ["soon recovered: 3 in a row, 2 untold", "late recovered: 3 in a row, 0 untold"];
    assert_eq!(story.succeeds(60), told.map(|told| format!("{told}, 0 instants since 40")));
}

#[test]
fn of_one_run_a_channel_hears_once() {
    let tell = [Tell::Failed, Tell::Recovered, Tell::Succeeded, Tell::Output];
    let mut story = Story::of(Telling { channels: vec![channel("ops", &tell, 1)], ..Telling::default() });
    // All of these write something.
    assert_eq!(story.fails(11), ["ops failed: 1 in a row, 0 untold, 0 instants since 11"]);
    assert_eq!(story.fails(21), ["ops output: 0 in a row, 0 untold, 0 instants"]);
    assert_eq!(story.succeeds(31), ["ops recovered: 2 in a row, 1 untold, 0 instants since 11"]);
    assert_eq!(story.succeeds(41), ["ops succeeded: 0 in a row, 0 untold, 0 instants"]);
}

#[test]
fn a_restart_tells_nothing_twice_and_forgets_nothing() {
    let mut story = Story::of(usual_channels());
    story.fails(100);
    story.fails(200);
    story.restart(300);
    assert_eq!(story.fails(400), NOTHING);
    story.restart(500);
    assert_eq!(story.next(), Some(100 + HOUR));
    assert_eq!(story.waits(100 + HOUR), ["ops failed: 3 in a row, 1 untold, 0 instants since 100"]);
    story.restart(200 + HOUR);
    assert_eq!(story.waits(200 + HOUR), NOTHING);
    assert_eq!(story.succeeds(300 + HOUR), ["ops recovered: 3 in a row, 0 untold, 0 instants since 100"]);
    // The first success after that says that nothing is left to know, and no later one says anything.
    story.succeeds(100 + 3 * HOUR);
    assert_eq!(story.kept.len(), 0);
    let writes = story.writes;
    (1..100).for_each(|n| assert_eq!(story.succeeds(100 + 3 * HOUR + n), NOTHING));
    assert_eq!((story.writes, story.alerts.jobs.len()), (writes, 0));
    // Words that cannot be read are none.
    story.kept.insert(story.job.as_ref().map(|job| job.name.clone()), "{\"said\":7".into());
    story.restart(200 + 3 * HOUR);
    assert_eq!(story.fails(300 + 3 * HOUR).len(), 1);
}

#[test]
fn a_clock_that_is_set_back_silences_for_no_longer_than_usual() {
    let mut story = Story::of(Telling { overdue_after: Some(Duration::from_secs(HOUR)), ..usual_channels() });
    story.succeeds(9 * HOUR);
    story.fails(10 * HOUR);
    story.alerts.cut_back(at(1000));
    assert_eq!(story.fails(1100), NOTHING);
    assert_eq!(story.next(), Some(1000 + HOUR));
    assert_eq!(story.waits(1000 + HOUR).len(), 2);
    // The same for one that did not see it happen.
    story.restart(100);
    assert_eq!(story.fails(200), NOTHING);
    assert_eq!(story.waits(100 + HOUR).len(), 2);
}

#[test]
fn what_was_missed_is_told_in_the_end_and_not_where_a_run_makes_up_for_it() {
    let mut story = Story::of(usual_channels());
    assert_eq!(story.misses(100, 3), ["ops missed: 0 in a row, 0 untold, 3 instants since 100"]);
    assert_eq!(story.misses(200, 4), NOTHING);
    story.restart(250);
    assert_eq!(story.misses(300, 5), NOTHING);
    assert_eq!(story.waits(100 + HOUR), ["ops missed: 0 in a row, 0 untold, 9 instants since 200"]);
    let job = story.job.clone().unwrap();
    let missed = |second| Happening { job: job.clone(), what: What::Missed(covered(second, 2, Reason::DaemonDown)) };
    let made_up = Happening { job: job.clone(), what: What::MadeUp };
    story.alerts.hear(vec![missed(300), made_up], |_| true, at(5 * HOUR));
    assert_eq!(story.told(), NOTHING);
    // What calendars part is one stretch to whoever hears of it.
    story.alerts.hear(vec![missed(400), missed(500)], |_| true, at(5 * HOUR));
    assert_eq!(story.told(), ["ops missed: 0 in a row, 0 untold, 4 instants since 400"]);
}

#[test]
fn three_instants_in_a_row_in_whose_way_a_run_was_are_told() {
    let mut story = Story::of(usual_channels());
    assert_eq!(story.skips(100, 2, Reason::Overlap), NOTHING);
    assert_eq!(story.skips(101, 3, Reason::Overlap), ["ops stuck: 3 in a row, 0 untold, 3 instants since 99"]);
    assert_eq!(story.skips(102, 4, Reason::Overlap), NOTHING);
    let told = story.skips(101 + HOUR, 5, Reason::QueueFull);
    assert_eq!(told, ["ops stuck: 5 in a row, 1 untold, 5 instants since 3697"]);
    assert_eq!(story.skips(102 + 9 * HOUR, 9, Reason::Paused), NOTHING);
}

#[test]
fn who_asks_for_it_hears_of_skipped_instants_successes_and_output() {
    let tell = [Tell::Skipped, Tell::Succeeded, Tell::Output];
    let mut story = Story::of(Telling { channels: vec![channel("ops", &tell, 1)], ..Telling::default() });
    assert_eq!(story.skips(100, 1, Reason::Paused), ["ops skipped: 0 in a row, 0 untold, 1 instants since 100"]);
    assert_eq!(story.skips(101, 2, Reason::Paused), NOTHING);
    assert_eq!(story.skips(200, 1, Reason::Needs), NOTHING);
    let told = story.skips(100 + HOUR, 1, Reason::Overlap);
    assert_eq!(told, ["ops skipped: 0 in a row, 1 untold, 1 instants since 3700"]);
    // Those of odd seconds write something, which is told with what else is told of them.
    let rest = "0 in a row, 0 untold, 0 instants";
    assert_eq!(story.succeeds(4000), [format!("ops succeeded: {rest}")]);
    assert_eq!(story.succeeds(4001), [format!("ops succeeded: {rest}")]);
    assert_eq!(story.fails(4003), [format!("ops output: {rest}")]);
    assert_eq!(story.ended(4005, Outcome::Stopped, Some(Reason::ByHand)), [format!("ops output: {rest}")]);
}

/// An earlier version kept with each job which of its runs were found slow.
#[test]
fn what_an_earlier_version_found_slow_is_not_found_again() {
    let slow_after = Some(SlowAfter::Time(Duration::from_secs(5 * MINUTE)));
    let mut story = Story::of(Telling { slow_after, ..usual_channels() });
    let job = story.job.clone().unwrap();
    story.kept.insert(Some(job.name.clone()), r#"{"slow":[7]}"#.into());
    story.restart(1000);
    let kept: Vec<_> = story.kept.values().map(AsRef::as_ref).collect();
    assert_eq!(kept, [r#"{"slow":[7]}"#], "of the daemon, not of the job");
    assert!(story.kept.contains_key(&None));
    story.alerts.began(RunId(7), &job, at(100));
    assert_eq!(story.next(), None);
    story.alerts.run_is_over(RunId(7));
    story.told();
    assert!(story.kept.is_empty());
}

#[test]
fn a_run_is_found_slow_once_however_often_it_is_tried() {
    for (slow_after, due) in [
        (SlowAfter::Time(Duration::from_secs(5 * MINUTE)), 5 * MINUTE),
        (SlowAfter::Usual(300), 3 * MINUTE),
        (SlowAfter::Usual(150), 90),
    ] {
        let mut story = Story::of(Telling { slow_after: Some(slow_after), ..usual_channels() });
        let job = story.job.clone().unwrap();
        story.alerts.began(RunId(1), &job, at(100));
        assert_eq!(story.next(), Some(100 + due));
        assert_eq!(story.waits(100 + due), ["ops slow: 0 in a row, 0 untold, 0 instants since 100"]);
        story.restart(1000);
        story.alerts.began(RunId(1), &job, at(100));
        assert_eq!(story.next(), None);
        // Its end is the end of it, and one that is quick enough is none.
        assert_eq!(story.succeeds(1100), NOTHING);
        story.alerts.began(RunId(2), &job, at(1200));
        story.alerts.forget_run(RunId(2));
        assert_eq!(story.next(), None);
        story.alerts.began(RunId(3), &job, at(1300));
        assert_eq!(story.waits(1300 + due), NOTHING);
    }
    // Whether it is known at all decides the ledger.
    let mut story = Story::of(usual_channels());
    let job = job(Telling { slow_after: Some(SlowAfter::Usual(200)), ..usual_channels() });
    story.set(10, Some(job.clone()));
    story.alerts.began(RunId(1), &job, at(100));
    assert_eq!(story.next(), None);
}

#[test]
fn a_job_without_success_is_overdue_whatever_the_cause() {
    let telling = || Telling { overdue_after: Some(Duration::from_secs(2 * HOUR)), ..usual_channels() };
    let mut story = Story::of(telling());
    // Nothing is known of it yet but that it is there, and a restart does not change since when.
    assert_eq!(story.next(), Some(2 * HOUR));
    story.restart(HOUR);
    assert_eq!(story.waits(2 * HOUR), ["ops overdue: 0 in a row, 0 untold, 0 instants since 0"]);
    // It is said again when the time has passed once more.
    story.restart(2 * HOUR + 1);
    assert_eq!(story.next(), Some(4 * HOUR));
    assert_eq!(story.waits(4 * HOUR).len(), 1);
    assert_eq!(story.succeeds(4 * HOUR + 2), ["ops recovered: 0 in a row, 0 untold, 0 instants since 0"]);
    assert_eq!(story.next(), Some(6 * HOUR + 2));
    let writes = story.writes;
    story.succeeds(5 * HOUR);
    story.succeeds(6 * HOUR);
    assert_eq!((story.writes, story.next()), (writes + 1, Some(8 * HOUR)));
    story.restart(7 * HOUR);
    assert_eq!(story.next(), Some(8 * HOUR));
}

#[test]
fn a_job_that_is_gone_is_told_to_be_overdue_once() {
    let telling = || Telling { overdue_after: Some(Duration::from_secs(2 * HOUR)), ..usual_channels() };
    let mut story = Story::of(telling());
    story.succeeds(HOUR);
    story.set(2 * HOUR, None);
    story.restart(2 * HOUR + 1);
    assert_eq!(story.next(), Some(3 * HOUR));
    assert_eq!(story.waits(3 * HOUR), ["ops overdue: 0 in a row, 0 untold, 0 instants since 3600"]);
    assert_eq!(story.next(), None);
    story.restart(4 * HOUR);
    assert_eq!(story.waits(9 * HOUR), NOTHING);
    // One that comes back in time is an ordinary one again.
    let mut story = Story::of(telling());
    story.succeeds(HOUR);
    story.set(2 * HOUR, None);
    story.set(2 * HOUR + 1, Some(job(telling())));
    assert_eq!(story.succeeds(2 * HOUR + 2), NOTHING);
    assert_eq!(story.next(), Some(4 * HOUR + 2));
    // One that is no longer to be watched is not.
    story.set(2 * HOUR + 3, Some(job(usual_channels())));
    assert_eq!((story.next(), story.kept.len()), (None, 0));
}

#[test]
fn another_name_and_other_channels_change_what_is_known() {
    let mut story = Story::of(Telling { overdue_after: Some(Duration::from_secs(2 * HOUR)), ..usual_channels() });
    story.fails(100);
    let (old, new) = (JobName::new("backup").unwrap(), JobName::new("archive").unwrap());
    story.alerts.rename(&old, &new);
    let named = Arc::new(story.job.clone().unwrap().named(new.clone()));
    story.kept = story.kept.values().map(|words| (Some(new.clone()), words.clone())).collect();
    story.set(200, Some(named));
    assert_eq!(story.fails(300), NOTHING);
    assert_eq!(story.next(), Some(100 + HOUR));
    // Without a channel nothing is known of it.
    story.set(400, Some(Arc::new(Job::gone(new.clone()))));
    assert_eq!((story.next(), story.kept.len(), story.alerts.jobs.len()), (None, 0, 0));
}

/// Something happens to the daemon.
fn tell(story: &mut Story, second: u64, kind: Kind, channels: &[&Arc<Channel>]) -> Vec<String> {
    let channels: Vec<_> = channels.iter().map(|channel| (*channel).clone()).collect();
    story.alerts.house(kind, "as it is", &channels, at(second));
    story.told()
}

fn words(channel: &str, kind: Kind, untold: u64) -> String {
    format!("{channel} {kind}: 0 in a row, {untold} untold, 0 instants")
}

#[test]
fn trouble_of_the_daemon_is_told_at_most_so_often_and_its_end_to_whom_was_told() {
    let (ops, other) = (channel("ops", &[], 1), channel("other", &[], 1));
    let mut story = Story::of(Telling::default());
    assert_eq!(tell(&mut story, 10, Kind::FileRight, &[&ops]), NOTHING);
    let (wrong, right) = (Kind::FileWrong, Kind::FileRight);
    assert_eq!(tell(&mut story, 100, wrong, &[&ops]), [words("ops", wrong, 0)]);
    assert_eq!(tell(&mut story, 200, wrong, &[&ops]), NOTHING);
    story.restart(300);
    assert_eq!(tell(&mut story, 100 + HOUR, wrong, &[&ops]), [words("ops", wrong, 1)]);
    assert_eq!(tell(&mut story, 200 + HOUR, right, &[&ops, &other]), [words("ops", right, 0)]);
    assert_eq!(tell(&mut story, 300 + HOUR, right, &[&ops, &other]), NOTHING);
    assert_eq!(tell(&mut story, 400 + HOUR, wrong, &[&ops]), [words("ops", wrong, 0)]);
    // The other trouble is told past the ledger too, so that it is known elsewhere who is to hear of its end.
    assert_eq!(tell(&mut story, 100, Kind::Trouble, &[&ops]), [words("ops", Kind::Trouble, 0)]);
    assert_eq!(tell(&mut story, 200, Kind::Trouble, &[&ops]), NOTHING);
    assert_eq!(tell(&mut story, 300, Kind::Well, &[&other]), [words("other", Kind::Well, 0)]);
    assert_eq!(tell(&mut story, 100, Kind::Back, &[&ops, &other]).len(), 2);
    assert_eq!(tell(&mut story, 200, Kind::Back, &[&ops, &other]), NOTHING);
    story.alerts.cut_back(at(50));
    assert_eq!(tell(&mut story, 50 + HOUR, Kind::Back, &[&ops]), [words("ops", Kind::Back, 1)]);
    for kind in [Kind::Test, Kind::Test, Kind::Digest, Kind::Digest] {
        assert_eq!(tell(&mut story, 500, kind, &[&ops]), [words("ops", kind, 0)]);
    }
}

#[test]
fn what_the_daemon_did_not_tell_of_itself_at_once_it_tells_once_it_may() {
    let (ops, other) = (channel("ops", &[], 1), channel("other", &[], 1));
    let mut story = Story::of(Telling::default());
    let back = |channel: &str, untold| words(channel, Kind::Back, untold);
    assert_eq!(tell(&mut story, 0, Kind::Back, &[&ops, &other]), [back("ops", 0), back("other", 0)]);
    assert_eq!(story.next(), None);
    for second in [60, 70, 80] {
        assert_eq!(tell(&mut story, second, Kind::Back, &[&ops, &other]), NOTHING, "{second}");
    }
    story.restart(90);
    assert_eq!(story.next(), Some(HOUR));
    assert_eq!(story.waits(HOUR - 1), NOTHING);
    assert_eq!(story.waits(HOUR), [back("ops", 2), back("other", 2)]);
    assert_eq!(story.next(), None);
    // At a start it goes before what the start has to tell, which does not wait for it.
    assert_eq!(tell(&mut story, HOUR + 10, Kind::Back, &[&ops]), NOTHING);
    story.restart(3 * HOUR);
    assert_eq!(story.waits(3 * HOUR), [back("ops", 0)]);
    assert_eq!(tell(&mut story, 3 * HOUR, Kind::Back, &[&ops]), [back("ops", 0)]);
    // What is told at its time has what came before with it.
    assert_eq!(tell(&mut story, 3 * HOUR + 10, Kind::Back, &[&ops]), NOTHING);
    assert_eq!(tell(&mut story, 5 * HOUR, Kind::Back, &[&ops]), [back("ops", 1)]);
    assert_eq!(story.next(), None);
    // A file that is right again is not told to be wrong.
    let (wrong, right) = (Kind::FileWrong, Kind::FileRight);
    assert_eq!(tell(&mut story, 5 * HOUR, wrong, &[&ops]), [words("ops", wrong, 0)]);
    assert_eq!(tell(&mut story, 5 * HOUR + 10, wrong, &[&ops]), NOTHING);
    assert_eq!(story.next(), Some(6 * HOUR));
    assert_eq!(tell(&mut story, 5 * HOUR + 20, right, &[&ops]), [words("ops", right, 1)]);
    assert_eq!(story.next(), None);
}
