//! How does a job send its message? Its words are filled in with what the ledger knows, and it goes by the way of `[smtp]`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use minijinja::Value;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::super::native::{Failure, Native};
use super::seen::{Asker, seen};
use super::words::fill_in;
use crate::files::{ReadError, read_bytes, read_text};
use crate::job::{Body, Mail, Medium, Template, TemplateError};
use crate::mail::{Attachment, Head, Letter, SendError, send};
use crate::run::Reason;

/// Of all files of a message together: most servers take no more, even before it grows by a third on its way.
const LARGEST_ATTACHMENTS: u64 = 25 << 20;

pub async fn carry(mail: Arc<Mail>, native: Native) -> Result<(), Failure> {
    let (cancelled, console) = (native.cancelled.clone(), native.console.clone());
    let result = tokio::select! {
        biased;
        // What was said to a server is then cut short, and a message that is not whole is none.
        () = cancelled.cancelled() => Err(failed(Reason::Expectation, "it was given up")),
        result = compose_and_send(mail, native) => result,
    };
    if let Err(Failure::NotStarted { detail, .. } | Failure::Failed { detail, .. }) = &result {
        console.complain(detail).await;
    }
    result
}

async fn compose_and_send(mail: Arc<Mail>, native: Native) -> Result<(), Failure> {
    let tools = native.tools.clone();
    let asker = Asker::new(tools.facts.clone(), Handle::current(), native.cancelled.clone());
    let context = seen(&native.part, asker);
    let composing = mail.clone();
    let letter = in_a_thread(move || compose(&composing, &context)).await?;
    let sent =
        send(&mail.smtp, &tools.environment, letter, tools.clock.now()).await.map_err(|error| not_sent(&error))?;
    for recipient in mail.to.iter().chain(&mail.cc) {
        native.console.line(format!("{recipient}: {} (Message-ID {})", sent.answer, sent.message_id)).await;
    }
    Ok(())
}

fn not_sent(error: &SendError) -> Failure {
    let detail = error.to_string();
    match error {
        SendError::Password(_) | SendError::Certificates { .. } => {
            Failure::NotStarted { reason: Reason::Spawn, detail }
        }
        SendError::TimedOut { .. } => failed(Reason::Timeout, detail),
        SendError::Stopping => failed(Reason::Shutdown, detail),
        SendError::Letter(_)
        | SendError::Connect { .. }
        | SendError::Tls { .. }
        | SendError::NoStartTls { .. }
        | SendError::NoLogin { .. }
        | SendError::Login { .. }
        | SendError::NotAscii { .. }
        | SendError::Recipients { .. }
        | SendError::Refused { .. }
        | SendError::Broken { .. }
        | SendError::Program { .. }
        | SendError::Folder { .. } => failed(Reason::Expectation, detail),
    }
}

fn failed(reason: Reason, detail: impl Into<String>) -> Failure {
    Failure::Failed { reason, detail: detail.into() }
}

/// Reads files and asks the ledger, both of which may take a while, on a thread of its own.
async fn in_a_thread(work: impl FnOnce() -> Result<Letter, Failure> + Send + 'static) -> Result<Letter, Failure> {
    let mut threads = JoinSet::new();
    threads.spawn_blocking(work);
    match threads.join_next().await {
        Some(Ok(letter)) => letter,
        Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime is being taken down.
        Some(Err(_)) | None => Err(failed(Reason::Shutdown, "the daemon stops")),
    }
}

fn compose(mail: &Mail, context: &Value) -> Result<Letter, Failure> {
    let filled = |key: &str, template: &Template| {
        fill_in(template, key, context).map_err(|why| failed(Reason::Expectation, why))
    };
    let text = match &mail.body {
        Body::Here(template) => template.as_ref().map(|template| filled("body", template)).transpose()?,
        Body::File(path) => Some(filled("body_file", &template_in(path)?)?),
    };
    Ok(Letter {
        from: mail.from.clone(),
        to: mail.to.clone(),
        cc: mail.cc.clone(),
        subject: filled("subject", &mail.subject)?,
        text,
        html: mail.html.as_ref().map(|template| filled("html", template)).transpose()?,
        attachments: attachments(&mail.attach)?,
        head: Head::default(),
    })
}

fn template_in(path: &Path) -> Result<Template, Failure> {
    let text = read_text(path).map_err(|error| unreadable("body_file", &error))?;
    Template::new(&text, Medium::Plain).map_err(|error| {
        let what = match error {
            TemplateError::Syntax { line, message } => format!("line {line}: {message}"),
            TemplateError::Unseen(name) => format!("a template sees no `{name}`"),
        };
        Failure::NotStarted { reason: Reason::Spawn, detail: format!("`body_file` {}, {what}", path.display()) }
    })
}

fn attachments(paths: &[PathBuf]) -> Result<Vec<Attachment>, Failure> {
    let mut left = LARGEST_ATTACHMENTS;
    let mut attachments = Vec::with_capacity(paths.len());
    for path in paths {
        let data = read_bytes(path, left).map_err(|error| match error {
            ReadError::TooLarge { .. } => {
                let most = LARGEST_ATTACHMENTS >> 20;
                let detail = format!("`attach`: with {} the files are more than {most} MiB", path.display());
                Failure::NotStarted { reason: Reason::Spawn, detail }
            }
            other => unreadable("attach", &other),
        })?;
        left -= data.len() as u64;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        attachments.push(Attachment { name, data });
    }
    Ok(attachments)
}

fn unreadable(key: &str, error: &ReadError) -> Failure {
    let why = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
    Failure::NotStarted { reason: Reason::Spawn, detail: format!("`{key}`: {error}{why}") }
}
