//! How is somebody told that something lives? By a request to an address of its own, in the manner of healthchecks.io.

use std::fmt::Write as _;
use std::time::Duration;

use ring::digest;
use url::Url;

use super::super::{Accepted, Means, Refusal};
use super::address::{address, origin};
use super::aside;
use super::hidden::Hidden;
use super::request::Request;
use super::verdict::verdict;
use crate::clock::Clock;
use crate::job::Target;
use crate::mail::Conversation;
use crate::web::Method;

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PingMoment {
    Start,
    Success,
    Failure {
        exit_code: Option<i32>,
    },
    /// Of the daemon: it goes on.
    Alive,
}

/// What all signs of one run have in common: by it whoever hears them knows how long it took. It has the form of a UUID, as
/// healthchecks.io wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rid(String);

impl Rid {
    /// The same for the same words, which name a run as nothing else is named.
    pub fn of(words: &str) -> Self {
        let hash = digest::digest(&digest::SHA256, words.as_bytes());
        let mut text = String::new();
        for (at, byte) in hash.as_ref().iter().take(16).enumerate() {
            // RFC 9562: version 8, a hash of one's own making.
            let byte = match at {
                6 => byte & 0x0f | 0x80,
                8 => byte & 0x3f | 0x80,
                _ => *byte,
            };
            let dash = if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" };
            let _ = write!(text, "{dash}{byte:02x}");
        }
        Self(text)
    }
}

pub async fn carry(
    target: &Target,
    moment: PingMoment,
    rid: Option<Rid>,
    means: &Means,
    patience: Duration,
) -> Result<Accepted, Refusal> {
    let preparing = (target.clone(), means.environment.clone());
    let request = aside(move || {
        let mut hidden = Hidden::default();
        let url = address(&preparing.0, &preparing.1, &mut hidden)?;
        Request::new(place(url, moment, rid.as_ref()), Method::GET, hidden)
    });
    let request = request.await?;
    let host = origin(&request.url);
    let heard = request.ask(patience, Conversation::default()).await?;
    verdict(None, &host, &heard, Clock::System.now())
}

/// Where this is told.
fn place(mut url: Url, moment: PingMoment, rid: Option<&Rid>) -> Url {
    let segment = match moment {
        PingMoment::Start => Some("start".to_owned()),
        PingMoment::Success | PingMoment::Alive => None,
        // Zero would be a success, and what did not exit has no code.
        PingMoment::Failure { exit_code: Some(code @ 1..=255) } => Some(code.to_string()),
        PingMoment::Failure { .. } => Some("fail".to_owned()),
    };
    if let Some(segment) = segment
        && let Ok(mut segments) = url.path_segments_mut()
    {
        segments.pop_if_empty().push(&segment);
    }
    if let Some(Rid(rid)) = rid {
        url.query_pairs_mut().append_pair("rid", rid);
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_have_their_places() {
        let fail = |exit_code| PingMoment::Failure { exit_code };
        for (url, moment, expect) in [
            ("https://hc.example/uuid", PingMoment::Start, "https://hc.example/uuid/start"),
            ("https://hc.example/uuid/", PingMoment::Start, "https://hc.example/uuid/start"),
            ("https://hc.example/uuid", PingMoment::Success, "https://hc.example/uuid"),
            ("https://hc.example/uuid", PingMoment::Alive, "https://hc.example/uuid"),
            ("https://hc.example/uuid", fail(Some(3)), "https://hc.example/uuid/3"),
            ("https://hc.example/uuid", fail(Some(0)), "https://hc.example/uuid/fail"),
            ("https://hc.example/uuid", fail(Some(-1)), "https://hc.example/uuid/fail"),
            ("https://hc.example/uuid", fail(None), "https://hc.example/uuid/fail"),
            ("https://kuma.example/p?status=up", PingMoment::Start, "https://kuma.example/p/start?status=up"),
        ] {
            assert_eq!(place(url.parse().unwrap(), moment, None).as_str(), expect);
        }
        let rid = Rid::of("db1/1042");
        assert_eq!(rid, Rid::of("db1/1042"));
        assert_ne!(rid, Rid::of("db1/1043"));
        let with = place("https://hc.example/uuid".parse().unwrap(), PingMoment::Success, Some(&rid));
        let rid = uuid::Uuid::parse_str(with.query().unwrap().strip_prefix("rid=").unwrap()).unwrap();
        assert_eq!(rid.get_version_num(), 8);
    }
}
