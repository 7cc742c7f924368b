//! What is a message called, and which one does it follow?

use jiff::Timestamp;
use uuid::Uuid;

use crate::job::JobName;
use crate::notice::{Kind, Notice};
use crate::run::RunId;

/// The name of a message, in the form of a Message-ID without its angle brackets (RFC 5322, section 3.6.4).
pub fn new_id(host: &str) -> String {
    let host: String = host.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.')).collect();
    let host = host.trim_matches('.');
    format!("punctual.{}@{}", Uuid::new_v4().simple(), if host.is_empty() { "localhost" } else { host })
}

/// What a message goes on with, if there is an earlier one of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Story<'n> {
    /// Something is wrong with a job, since then at the latest.
    Trouble { job: &'n JobName, since: Timestamp },
    /// Something was told of a run while it went on.
    Run(RunId),
}

/// What all of these are about; none where they are about several things, or go on with nothing.
pub fn story_of(notices: &[Notice]) -> Option<Story<'_>> {
    let first = notices.first()?;
    let job = first.job.as_ref()?;
    if notices.iter().any(|notice| notice.job.as_ref() != Some(job)) {
        return None;
    }
    let is_trouble = notices.iter().all(|notice| is_of_trouble(notice.kind));
    if let Some(since) = notices.iter().filter_map(|notice| notice.facts.since).min().filter(|_| is_trouble) {
        return Some(Story::Trouble { job, since: since.min(first.at) });
    }
    let run = first.run?;
    notices.iter().all(|notice| notice.run == Some(run)).then_some(Story::Run(run))
}

/// Whether it is part of a story that begins with a trouble and ends when it is over.
fn is_of_trouble(kind: Kind) -> bool {
    match kind {
        Kind::Failed | Kind::Recovered | Kind::Missed | Kind::Stuck | Kind::Slow | Kind::Overdue => true,
        Kind::Skipped
        | Kind::Succeeded
        | Kind::Output
        | Kind::FileWrong
        | Kind::FileRight
        | Kind::Trouble
        | Kind::Well
        | Kind::Back
        | Kind::Digest
        | Kind::Test => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::ChannelName;
    use crate::notice::{Facts, NoticeId};

    fn notice(job: Option<&str>, kind: Kind, since: Option<i64>) -> Notice {
        let at = |second| Timestamp::from_second(second).unwrap();
        Notice {
            number: NoticeId(1),
            at: at(100),
            kind,
            job: job.map(|name| JobName::new(name).unwrap()),
            run: None,
            channel: ChannelName::new("ops").unwrap(),
            carriers: Vec::new(),
            facts: Facts { since: since.map(at), ..Facts::default() },
        }
    }

    #[test]
    fn the_troubles_of_one_job_are_a_story_and_so_is_one_run() {
        let check = |notices: &[Notice], expect: &str| {
            let story = match story_of(notices) {
                Some(Story::Trouble { job, since }) => format!("{job} since {}", since.as_second()),
                Some(Story::Run(run)) => format!("run {run}"),
                None => String::new(),
            };
            assert_eq!(story, expect, "{notices:?}");
        };
        let of_run = |notice: Notice, run: i64| Notice { run: Some(RunId(run)), ..notice };
        check(&[], "");
        check(&[notice(Some("a"), Kind::Failed, Some(50))], "a since 50");
        check(&[notice(Some("a"), Kind::Failed, Some(150))], "a since 100");
        check(&[notice(Some("a"), Kind::Failed, Some(50)), notice(Some("a"), Kind::Recovered, Some(40))], "a since 40");
        check(&[notice(Some("a"), Kind::Failed, Some(50)), notice(Some("b"), Kind::Failed, Some(50))], "");
        let slow = of_run(notice(Some("a"), Kind::Slow, Some(50)), 7);
        let success = of_run(notice(Some("a"), Kind::Succeeded, None), 7);
        check(std::slice::from_ref(&slow), "a since 50");
        check(std::slice::from_ref(&success), "run 7");
        check(&[slow.clone(), success.clone()], "run 7");
        check(&[slow, of_run(success, 8)], "");
        check(&[notice(Some("a"), Kind::Succeeded, Some(50))], "");
        check(&[notice(Some("a"), Kind::Failed, None)], "");
        check(&[notice(None, Kind::Trouble, Some(50))], "");
    }

    #[test]
    fn a_name_is_that_of_a_message_and_of_no_other() {
        let (one, other) = (new_id("mail.example"), new_id("mail.example"));
        assert!(one.ends_with("@mail.example") && one != other, "{one}");
        assert!(new_id("ä\r\n <x>").ends_with("@x") && new_id("..").ends_with("@localhost"));
    }
}
