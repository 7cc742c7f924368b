//! What may a message look like? Some to try templates on, which between them have all that there is to say.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::job::ChannelName;
use crate::notice::Kind;
use crate::report::{DigestJob, DigestReport, Entry, MessageReport, NoticeReport, Time};

const NOW: Timestamp = Timestamp::constant(1_750_000_000, 0);

/// Messages, each with what it is.
pub fn samples() -> Vec<(&'static str, MessageReport)> {
    let kinds: Vec<Kind> = (1..).map_while(Kind::from_number).collect();
    let of_all = kinds.into_iter().map(|kind| notice(kind, "job")).collect();
    let job = DigestJob {
        job: "job".to_owned(),
        runs: 3,
        failures: 1,
        missed: 1,
        skipped: 1,
        duration: Some(60.0),
        duration_before: Some(20.0),
        last_failure: run(),
        next: Some(Time(NOW)),
    };
    let digest = DigestReport { since: ago(24), until: Time(NOW), runs: 3, jobs: vec![job], undeliverable: 1 };
    let failure = message(vec![notice(Kind::Failed, "job")]);
    let digest = message(vec![NoticeReport::bare(Kind::Digest, Time(NOW))])
        .map(|message| MessageReport { digest: Some(digest), ..message });
    let samples = [("a failure", failure), ("a message of many notices", message(of_all)), ("a digest", digest)];
    samples.into_iter().filter_map(|(what, message)| Some((what, message?))).collect()
}

fn ago(hours: i64) -> Time {
    Time(NOW.saturating_sub(SignedDuration::from_hours(hours)).unwrap_or(NOW))
}

fn message(notices: Vec<NoticeReport>) -> Option<MessageReport> {
    Some(MessageReport {
        version: MessageReport::VERSION,
        id: "sample".to_owned(),
        host: "host".to_owned(),
        channel: ChannelName::new("channel").ok()?,
        at: Time(NOW),
        shared_cause: Some("exit status 3".to_owned()),
        notices,
        digest: None,
        now: Time(NOW),
        called: "punctual".to_owned(),
    })
}

fn notice(kind: Kind, job: &str) -> NoticeReport {
    NoticeReport {
        job: Some(job.to_owned()),
        description: Some("what it is for".to_owned()),
        run: run(),
        why: "exit status 3".to_owned(),
        detail: Some("what else is known".to_owned()),
        in_a_row: 2,
        since: Some(ago(2)),
        untold: 1,
        instants: 2,
        until: Some(ago(1)),
        last_success: Some(ago(3)),
        next: Some(Time(NOW)),
        error_line: Some("error: x".to_owned()),
        output: vec!["error: x".to_owned()],
        output_before: 9,
        commands: vec!["punctual show 1".to_owned()],
        ..NoticeReport::bare(kind, Time(NOW))
    }
}

fn run() -> Option<Entry> {
    let entry = json!({
        "run": 1, "job": "job", "cause": "schedule", "due": ago(1), "due_last": null, "count": 1, "jitter": 0.0,
        "started": ago(1), "ended": Time(NOW), "late": 0.0, "waited": 0.0, "duration": 3600.0, "state": "ended",
        "outcome": "failed", "reason": "exit-code", "detail": "exit status 3", "exit_code": 3, "signal": null,
        "attempts": 1, "cpu": null, "max_rss": null, "output_bytes": 9, "at": ago(1)
    });
    serde_json::from_value(entry).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_have_all_that_there_is() {
        let samples = samples();
        assert_eq!(samples.len(), 3);
        assert!(samples[0].1.notices[0].run.is_some() && samples[1].1.notices.len() == 16);
        assert!(samples[2].1.digest.is_some());
    }
}
