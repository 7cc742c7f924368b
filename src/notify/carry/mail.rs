//! How does a message go by mail? As one letter to all addresses of the channel, which is known again however often it comes.

use std::time::Duration;

use super::super::{Accepted, Means, Outgoing, Refusal};
use super::later;
use super::said::{chain, in_a_line};
use crate::clock::Clock;
use crate::job::{Address, ChannelName};
use crate::mail::{Answer, Conversation, Head, Letter, Matter, SendError, Sending, Sent, WhereRefused, send_as};
use crate::report::MessageReport;

/// For how long all wait for one whom the server refuses for now: greylisting takes some minutes, and a mailbox that is full
/// is so for days.
const ALL_WAIT: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);
/// Which an identifier of a message or a list has; RFC 5322, section 3.2.3, allows more than servers like.
const SANE: [char; 3] = ['-', '_', '.'];

pub async fn carry(
    to: &[Address],
    channel: &ChannelName,
    outgoing: &Outgoing,
    means: &Means,
    patience: Duration,
    conversation: Conversation<'_>,
) -> Result<Accepted, Refusal> {
    let Some(smtp) = &means.smtp else {
        return Err(later(format!("the file has no [smtp], by which channel {channel} could send mail")));
    };
    let now = Clock::System.now();
    let is_old = now.duration_since(outgoing.report.at.0) > ALL_WAIT;
    let where_refused = if is_old { WhereRefused::Others } else { WhereRefused::OthersInTheEnd };
    let letter = Letter {
        from: smtp.from.clone(),
        to: to.to_vec(),
        cc: Vec::new(),
        subject: outgoing.written.subject.clone(),
        text: Some(outgoing.written.text.clone()),
        html: Some(outgoing.written.html.clone()).filter(|html| !html.is_empty()),
        attachments: Vec::new(),
        head: head(channel, outgoing),
    };
    let sending = Sending { patience, where_refused, conversation };
    let sent = send_as(sending, smtp, &means.environment, letter, now).await;
    sent.map(|sent| accepted(&sent)).map_err(|error| refusal(&error))
}

fn head(channel: &ChannelName, outgoing: &Outgoing) -> Head {
    let report = &outgoing.report;
    let host = name(&report.host);
    let host = if host.is_empty() { "localhost" } else { &host };
    let message_id = message_id(&report.id, host);
    let follows = outgoing.thread.as_deref().and_then(|first| self::message_id(first, host));
    let job = job(report).map(|job| format!("{}.", name(job))).unwrap_or_default();
    Head {
        follows: follows.filter(|first| message_id.as_ref() != Some(first)),
        message_id,
        list_id: Some(format!("<{job}{}.punctual.{host}>", name(channel.as_str()))),
    }
}

/// The job that all of it is about, if there is one.
fn job(report: &MessageReport) -> Option<&str> {
    let mut jobs = report.notices.iter().map(|notice| notice.job.as_deref());
    let first = jobs.next()??;
    jobs.all(|job| job == Some(first)).then_some(first)
}

/// `<ID@HOST>`; one that has a host already keeps it.
fn message_id(id: &str, host: &str) -> Option<String> {
    let (id, host) = id.split_once('@').map_or((id, host.to_owned()), |(id, host)| (id, name(host)));
    let id = name(id);
    (!id.is_empty() && !host.is_empty()).then(|| format!("<{id}@{host}>"))
}

/// What is left of a name where only few characters are allowed, and dots stand between others.
fn name(text: &str) -> String {
    let sane: String = text
        .chars()
        .filter(|c| !matches!(c, '<' | '>'))
        .map(|c| if c.is_ascii_alphanumeric() || SANE.contains(&c) { c } else { '-' })
        .take(100)
        .collect();
    sane.split('.').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".")
}

fn accepted(sent: &Sent) -> Accepted {
    let refused = sent.refused.iter().map(|(address, answer)| format!("; {address} was refused: {answer}"));
    Accepted { answer: refused.fold(in_a_line(&sent.answer), |all, one| all + &in_a_line(&one)) }
}

fn refusal(error: &SendError) -> Refusal {
    let why = in_a_line(&chain(error));
    let is_for_ever = match error {
        SendError::Letter(_) => true,
        SendError::Recipients { refused, .. } => refused.iter().all(|(_, answer)| is_final(answer)),
        SendError::Refused { what: Matter::Message | Matter::Recipient, answer, .. } => is_final(answer),
        SendError::Refused { what: Matter::Talking | Matter::StartTls | Matter::Login | Matter::Sender, .. }
        | SendError::Password(_)
        | SendError::Certificates { .. }
        | SendError::Connect { .. }
        | SendError::Tls { .. }
        | SendError::NoStartTls { .. }
        | SendError::NoLogin { .. }
        | SendError::Login { .. }
        | SendError::NotAscii { .. }
        | SendError::Broken { .. }
        | SendError::TimedOut { .. }
        | SendError::Program { .. }
        | SendError::Folder { .. }
        | SendError::Stopping => false,
    };
    if is_for_ever { Refusal::Never { why } } else { later(why) }
}

/// Whether the server would say the same of the same message again. RFC 4954 has the codes of who must log in first, and
/// that is for somebody to mend.
fn is_final(answer: &Answer) -> bool {
    (500..600).contains(&answer.code) && !matches!(answer.code, 530 | 534 | 535 | 538)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sane() {
        for (text, expect) in
            [("backup", "backup"), ("größe\r\nBcc: x", "gr--e--Bcc--x"), ("..a..b.", "a.b"), ("<a>", "a"), ("", "")]
        {
            assert_eq!(name(text), expect, "{text:?}");
        }
        assert_eq!(name(&"x".repeat(999)).len(), 100);
    }

    #[test]
    fn messages_are_known_again() {
        for (id, expect) in [
            ("n-1", Some("<n-1@db1>")),
            ("<n-1@db2>", Some("<n-1@db2>")),
            ("n 1\r\nBcc: a@b\r\nc", Some("<n-1--Bcc--a@b--c>")),
            ("", None),
        ] {
            assert_eq!(message_id(id, "db1").as_deref(), expect, "{id:?}");
        }
    }

    #[test]
    fn what_somebody_mends_is_not_for_ever() {
        let server = || "mail.example:25".to_owned();
        let answer = |code| Answer { code, text: "no".to_owned() };
        let recipients = |codes: &[u16]| {
            let refused = codes.iter().map(|code| ("a@b.org".to_owned(), answer(*code))).collect();
            SendError::Recipients { server: server(), refused }
        };
        for (error, expect) in [
            (recipients(&[550, 550]), true),
            (recipients(&[550, 450]), false),
            (recipients(&[530]), false),
            (SendError::Refused { server: server(), what: Matter::Message, answer: answer(554) }, true),
            (SendError::Refused { server: server(), what: Matter::Message, answer: answer(452) }, false),
            (SendError::Refused { server: server(), what: Matter::Sender, answer: answer(550) }, false),
            (SendError::Refused { server: server(), what: Matter::Talking, answer: answer(554) }, false),
            (SendError::Login { server: server(), user: "u".to_owned(), answer: answer(535) }, false),
            (SendError::NoStartTls { server: server() }, false),
            (SendError::Letter("no".to_owned()), true),
        ] {
            assert_eq!(matches!(refusal(&error), Refusal::Never { .. }), expect, "{error}");
        }
    }
}
