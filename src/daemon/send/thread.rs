//! What is a message called, and which one does it follow?

use jiff::Timestamp;
use uuid::Uuid;

use crate::job::JobName;
use crate::notice::{Kind, Notice};

/// The name of a message, in the form of a Message-ID without its angle brackets (RFC 5322, section 3.6.4).
pub fn new_id(host: &str) -> String {
    let host: String = host.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.')).collect();
    let host = host.trim_matches('.');
    format!("punctual.{}@{}", Uuid::new_v4().simple(), if host.is_empty() { "localhost" } else { host })
}

/// Since when something is wrong with the one job that all of these are about; none where they begin nothing that goes on.
pub fn trouble_of(notices: &[Notice]) -> Option<(&JobName, Timestamp)> {
    let first = notices.first()?;
    let job = first.job.as_ref()?;
    let is_of_it = |notice: &Notice| notice.job.as_ref() == Some(job) && goes_on(notice.kind);
    let since = notices.iter().filter_map(|notice| notice.facts.since).min()?;
    notices.iter().all(is_of_it).then_some((job, since.min(first.at)))
}

/// Whether it is part of a story that begins with a trouble and ends when it is over.
fn goes_on(kind: Kind) -> bool {
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
    fn only_the_troubles_of_one_job_are_a_story() {
        let check = |notices: &[Notice], expect: Option<i64>| {
            assert_eq!(trouble_of(notices).map(|(_, since)| since.as_second()), expect, "{notices:?}");
        };
        check(&[], None);
        check(&[notice(Some("a"), Kind::Failed, Some(50))], Some(50));
        check(&[notice(Some("a"), Kind::Failed, Some(150))], Some(100));
        check(&[notice(Some("a"), Kind::Failed, Some(50)), notice(Some("a"), Kind::Recovered, Some(40))], Some(40));
        check(&[notice(Some("a"), Kind::Failed, Some(50)), notice(Some("b"), Kind::Failed, Some(50))], None);
        check(&[notice(Some("a"), Kind::Succeeded, Some(50))], None);
        check(&[notice(Some("a"), Kind::Failed, None)], None);
        check(&[notice(None, Kind::Trouble, Some(50))], None);
    }

    #[test]
    fn a_name_is_that_of_a_message_and_of_no_other() {
        let (one, other) = (new_id("mail.example"), new_id("mail.example"));
        assert!(one.ends_with("@mail.example") && one != other, "{one}");
        assert!(new_id("ä\r\n <x>").ends_with("@x") && new_id("..").ends_with("@localhost"));
    }
}
