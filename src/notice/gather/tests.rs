use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn seconds(seconds: i64) -> Timestamp {
    // Nine in the morning of a day, in Berlin ten.
    at("2026-11-22T09:00:00Z") + SignedDuration::from_secs(seconds)
}

fn waiting(number: i64, time: i64, job: &str, kind: Kind) -> Waiting {
    let job = (!job.is_empty()).then(|| JobName::new(job).unwrap());
    Waiting { number: NoticeId(number), at: seconds(time), kind, job, message: None }
}

fn rules() -> Rules {
    let quiet = Quiet { from: "22:00".parse().unwrap(), until: "07:00".parse().unwrap() };
    let zone = jiff::tz::db().get("Europe/Berlin").unwrap();
    Rules { quiet: Some(quiet), zone, storms: Storms::default() }
}

/// The moves as `1 2, 3, 4 @60 storm`: messages, and the second until which is waited.
fn shown(moves: &[Move]) -> String {
    let each = moves.iter().map(|one| match one {
        Move::Send(notices) => line(notices),
        Move::Hold(notices, Hold { until, because }) => {
            let until = until.duration_since(seconds(0)).as_secs();
            match because {
                Because::Storm => format!("{} @{until} storm", line(notices)),
                Because::Quiet => format!("@{until} quiet"),
                Because::Siblings => format!("@{until}"),
                Because::Refused | Because::Behind => "what gather does not know".to_owned(),
            }
        }
    });
    each.collect::<Vec<_>>().join(", ")
}

fn line(notices: &[NoticeId]) -> String {
    notices.iter().map(|notice| notice.0.to_string()).collect::<Vec<_>>().join(" ")
}

/// These were sent, of which the first came some seconds before.
fn told(rules: &mut Rules, notices: &[Waiting], now: i64) {
    let jobs = notices.iter().filter_map(|notice| notice.job.clone()).collect();
    let first = notices[0].at;
    rules.storms.told(&Sent { at: seconds(now), first, notices: notices.len(), jobs });
}

#[track_caller]
fn check(waiting: &[Waiting], rules: &Rules, now: i64, expect: &str) {
    assert_eq!(shown(&gather(waiting, rules, seconds(now))), expect);
}

/// Failures of jobs, all of one second: `ab` are one of `a` and one of `b`.
fn failures(jobs: &str, time: i64) -> Vec<Waiting> {
    (1..).zip(jobs.chars()).map(|(number, job)| waiting(number, time, &job.to_string(), Kind::Failed)).collect()
}

#[test]
fn siblings_wait_for_each_other() {
    check(&[], &rules(), 0, "");
    check(&failures("a", 0), &rules(), 0, "@3");
    check(&failures("a", 0), &rules(), 2, "@3");
    check(&failures("a", 0), &rules(), 3, "1");
    check(&failures("ab", 0), &rules(), 3, "1, 2");
    check(&failures("aba", 0), &rules(), 3, "1 3, 2");
    check(&failures("aaaaaa", 0), &rules(), 3, "1 2 3 4 5 6");
    check(&failures("abcd", 0), &rules(), 3, "1 2 3 4");
    let told = [waiting(1, 0, "a", Kind::Failed), waiting(2, 1, "a", Kind::Recovered)];
    check(&told, &rules(), 3, "1 2");
    // The clock was set back: what is from the future waits for nothing.
    check(&failures("a", 7200), &rules(), 0, "1");
}

#[test]
fn some_go_alone() {
    let own = |number| waiting(number, 0, "", Kind::FileWrong);
    check(&[own(1), own(2)], &rules(), 0, "1, 2");
    check(&[own(1), waiting(2, 0, "a", Kind::Failed), own(3)], &rules(), 0, "1, @3");
    check(&[own(1), waiting(2, 0, "a", Kind::Failed), own(3)], &rules(), 3, "1, 2, 3");
    let test = waiting(2, 0, "", Kind::Test);
    check(&[waiting(1, 0, "a", Kind::Failed), test.clone()], &rules(), 0, "2, @3");
    let digest = waiting(3, 0, "", Kind::Digest);
    check(&[waiting(1, 0, "a", Kind::Failed), test, digest], &rules(), 3, "2, 1, 3");
}

#[test]
fn what_was_tried_goes_together_again() {
    let mut notices = failures("abcdef", 0);
    notices[0].message = Some(NoticeId(1));
    notices[1].message = Some(NoticeId(1));
    notices[2].message = Some(NoticeId(3));
    check(&notices, &rules(), 0, "1 2, 3, @3");
    check(&notices, &rules(), 3, "1 2, 3, 4, 5, 6");
}

#[test]
fn a_storm_is_told_ever_more_seldom_while_it_goes_on() {
    let mut rules = rules();
    let mut now = 3;
    for gathered in [60, 120, 240, 300, 300, 300] {
        check(&failures("abcd", now - 3), &rules, now, "1 2 3 4");
        told(&mut rules, &failures("abcd", now - 3), now);
        // The next one comes soon, and waits, whatever job it is of.
        check(&failures("a", now + 1), &rules, now + 1, &format!("1 @{} storm", now + gathered));
        check(&failures("ax", now + 1), &rules, now + 4, &format!("1 2 @{} storm", now + gathered));
        now += gathered;
    }
    // What was gathered goes together, however little it is.
    check(&failures("ab", now - 5), &rules, now, "1 2");
    told(&mut rules, &failures("ab", now - 5), now);
    check(&failures("a", now), &rules, now, &format!("@{}", now + 3));
    // One that begins after it was calm is a new one.
    told(&mut rules, &failures("abcd", now), now);
    told(&mut rules, &failures("abcdefghi", now + 100), now + 103);
    check(&failures("a", now + 104), &rules, now + 107, &format!("1 @{} storm", now + 163));
    check(&failures("a", now + 200), &rules, now + 203, "1");
    // The clock was set back: nothing is gathered because of what is to be told one day.
    check(&failures("a", 0), &rules, 3, "1");
}

#[test]
fn a_storm_of_few_jobs_holds_up_no_other() {
    let mut rules = rules();
    let mut now = 3;
    for gathered in [60, 120] {
        told(&mut rules, &failures("aaaab", now - 3), now);
        let held = now + gathered;
        let notices = failures("acabc", now + 1);
        check(&notices, &rules, now + 1, &format!("@{}, 1 3 4 @{held} storm", now + 4));
        check(&notices, &rules, now + 4, &format!("2 5, 1 3 4 @{held} storm"));
        // Nor what is about the daemon.
        let mut notices = failures("a", now + 1);
        notices.push(waiting(2, now + 1, "", Kind::Trouble));
        check(&notices, &rules, now + 1, &format!("2, 1 @{held} storm"));
        now = held;
    }
    // What was gathered of each goes by itself, if it is little.
    check(&failures("abca", now - 5), &rules, now, "1 2 3 4");
    check(&failures("aba", now - 5), &rules, now, "1 3, 2");
    // A few jobs that go on after a storm over all are still in one.
    told(&mut rules, &failures("abcdefg", now), now + 3);
    told(&mut rules, &failures("aaaax", now + 5), now + 63);
    check(&failures("ax", now + 64), &rules, now + 70, &format!("1 2 @{} storm", now + 63 + 120));
}

#[test]
fn at_quiet_times_only_tests_are_sent() {
    let night = 13 * 3600;
    let morning = 21 * 3600;
    let mut notices = failures("ab", night);
    notices.push(waiting(3, night + 60, "", Kind::Trouble));
    notices.push(waiting(4, night + 70, "", Kind::Test));
    check(&notices, &rules(), night + 3, &format!("4, @{morning} quiet"));
    check(&notices, &rules(), morning - 1, &format!("4, @{morning} quiet"));
    notices.truncate(3);
    check(&notices, &rules(), morning, "1 2 3");
    notices.push(waiting(4, morning + 1, "a", Kind::Failed));
    check(&notices, &rules(), morning + 1, &format!("1 2 3, @{}", morning + 4));
    // What was tried before is not tried now.
    notices[0].message = Some(NoticeId(1));
    check(&notices[..1], &rules(), night, &format!("@{morning} quiet"));
    let no_quiet = Rules { quiet: None, ..rules() };
    check(&failures("ab", night), &no_quiet, night + 3, "1, 2");
}

#[test]
fn a_message_has_an_end() {
    let notices: Vec<Waiting> = (1..=1200).map(|number| waiting(number, 0, "a", Kind::Failed)).collect();
    let sizes: Vec<usize> = gather(&notices, &rules(), seconds(3))
        .into_iter()
        .map(|one| match one {
            Move::Send(notices) => notices.len(),
            Move::Hold(..) => 0,
        })
        .collect();
    assert_eq!(sizes, [500, 500, 200]);
}

/// What comes: after how many seconds, of which job, and of which kind.
fn arrivals() -> impl Strategy<Value = Vec<(i64, u8, u8)>> {
    prop::collection::vec((prop_oneof![4 => 0..5i64, 2 => 0..400i64, 1 => 0..40_000i64], 0..5u8, 0..12u8), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    /// A channel that takes everything, looked at when it says so and when something comes.
    #[test]
    fn everything_is_sent_once_in_order_and_in_time(arrivals in arrivals(), begin in 0..86_400i64, has_quiet: bool) {
        let mut rules = Rules { quiet: rules().quiet.filter(|_| has_quiet), ..rules() };
        let mut time = begin;
        let mut coming: Vec<Waiting> = Vec::new();
        for (number, (after, job, kind)) in (1..).zip(arrivals) {
            time += after;
            coming.push(match kind {
                0 => waiting(number, time, "", Kind::Test),
                1 => waiting(number, time, "", Kind::Digest),
                2 => waiting(number, time, "", Kind::FileWrong),
                _ => waiting(number, time, &format!("job{job}"), Kind::Failed),
            });
        }
        let all = coming.clone();
        coming.reverse();
        let mut queue: Vec<Waiting> = Vec::new();
        let mut sent: Vec<NoticeId> = Vec::new();
        let mut last_of_job: std::collections::BTreeMap<Option<JobName>, NoticeId> = std::collections::BTreeMap::new();
        let mut now = seconds(begin);
        let mut looked = 0;
        while !(coming.is_empty() && queue.is_empty()) {
            looked += 1;
            prop_assert!(looked < 1000, "it never ends");
            while coming.last().is_some_and(|next| next.at <= now) {
                queue.extend(coming.pop());
            }
            let mut wake: Option<Timestamp> = None;
            for one in gather(&queue, &rules, now) {
                match one {
                    Move::Send(notices) => {
                        prop_assert!(wake.is_none(), "sent after a wait");
                        let found: Vec<Waiting> =
                            queue.iter().filter(|notice| notices.contains(&notice.number)).cloned().collect();
                        prop_assert_eq!(found.len(), notices.len(), "what is sent waits, and is sent once");
                        prop_assert!(notices.is_sorted());
                        let is_test = found[0].kind == Kind::Test;
                        if let Some(quiet) = rules.quiet.filter(|_| !is_test) {
                            prop_assert!(!is_quiet(quiet, &rules.zone, now), "sent at {now}");
                        }
                        for notice in found.iter().filter(|notice| notice.kind != Kind::Test) {
                            let last = last_of_job.insert(notice.job.clone(), notice.number);
                            prop_assert!(last < Some(notice.number), "{:?} after {last:?}", notice.number);
                            let calm = SignedDuration::from_secs(5 * 60 + 3);
                            let latest = rules.quiet.map_or(notice.at, |quiet| quiet_until(quiet, &rules.zone, notice.at));
                            // What waits may run into the next quiet time.
                            let latest = rules.quiet.map_or(latest, |quiet| quiet_until(quiet, &rules.zone, latest + calm));
                            prop_assert!(now <= latest + calm, "{} was sent {now}", notice.at);
                        }
                        let jobs = found.iter().filter_map(|notice| notice.job.clone()).collect();
                        rules.storms.told(&Sent { at: now, first: found[0].at, notices: found.len(), jobs });
                        queue.retain(|notice| !notices.contains(&notice.number));
                        sent.extend(notices);
                    }
                    Move::Hold(notices, Hold { until, .. }) => {
                        prop_assert!(until > now && !notices.is_empty());
                        wake = wake.into_iter().chain([until]).min();
                    }
                }
            }
            prop_assert!(queue.is_empty() || wake.is_some(), "something waits for nothing");
            let next = [wake, coming.last().map(|next| next.at)].into_iter().flatten().min();
            now = next.unwrap_or(now);
        }
        sent.sort_unstable();
        prop_assert_eq!(sent, all.iter().map(|notice| notice.number).collect::<Vec<_>>());
    }
}
