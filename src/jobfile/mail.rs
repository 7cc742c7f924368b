//! What does a table `mail` say?

use std::ops::Range;

use super::addresses::{Complained, addresses};
use super::checker::Checker;
use super::diagnostic::nearest;
use super::keys::MAIL;
use super::section::{At, Section};
use super::smtp::{NO_SMTP, Outlet, WRITE_SMTP};
use crate::job::{Address, Body, Mail, Medium, SEEN, Template, TemplateError};

/// The table `mail`; see [`crate::job::Mail`].
#[derive(Debug, Clone)]
pub struct RawMail {
    pub from: Option<Address>,
    pub to: Vec<Address>,
    pub cc: Vec<Address>,
    pub subject: Template,
    pub body: Body,
    pub html: Option<Template>,
    pub attach: Vec<String>,
    /// The dotted name of the table, and where it stands.
    path: String,
    span: Range<usize>,
}

impl RawMail {
    pub fn read(section: &mut Section) -> Option<At<Self>> {
        let span = section.span("mail")?;
        let path = section.path_of("mail");
        let mut table = section.table("mail", &[MAIL])?;
        for (key, help) in [("to", "to = [\"ops@example.org\"]"), ("subject", "subject = \"{{ job.name }}\"")] {
            if table.get(key).is_none() {
                let message = format!("this mail has no `{key}`");
                table.error(key, span.clone(), message, Some(format!("write for example {help}")));
            }
        }
        let from = addresses(&mut table, "from");
        let to = addresses(&mut table, "to");
        let cc = addresses(&mut table, "cc");
        let subject = template(&mut table, "subject", Medium::Plain);
        let body = body(&mut table);
        let html = template(&mut table, "html", Medium::Html);
        let attach = files(&mut table);
        let (mut from, to, cc, subject) = (from.ok()?, to.ok()?, cc.ok()?, subject.ok()??);
        if from.len() > 1 {
            let span = table.span("from").unwrap_or(span);
            table.error("from", span, "a mail is from one address", None);
            return None;
        }
        if to.is_empty() {
            return None;
        }
        let (from, body, html, attach) = (from.pop(), body.ok()?, html.ok()?, attach.ok()?);
        let value = Self { from, to, cc, subject, body, html, attach, path, span: span.clone() };
        Some(At { value, span })
    }
}

/// A template, if the key stands.
fn template(table: &mut Section, key: &str, medium: Medium) -> Result<Option<Template>, Complained> {
    if table.get(key).is_none() {
        return Ok(None);
    }
    let text = table.text(key).ok_or(Complained)?;
    let error = match Template::new(&text.value, medium) {
        Ok(template) => return Ok(Some(template)),
        Err(error) => error,
    };
    let (message, help) = complaint(&error);
    table.error(key, text.span, message, help);
    Err(Complained)
}

/// What is wrong with a template, and what to write.
fn complaint(error: &TemplateError) -> (String, Option<String>) {
    match error {
        TemplateError::Syntax { line, message } => (format!("line {line} of the template: {message}"), None),
        TemplateError::Unseen(name) => {
            let help = match nearest(name, SEEN) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it sees {}", SEEN.join(", ")),
            };
            (format!("a template sees no `{name}`"), Some(help))
        }
    }
}

fn body(table: &mut Section) -> Result<Body, Complained> {
    let here = template(table, "body", Medium::Plain);
    let Some(file) = table.span("body_file") else {
        return here.map(Body::Here);
    };
    if table.get("body").is_some() {
        table.error("body_file", file, "there is a `body` already", Some("leave one of them out".to_owned()));
        return Err(Complained);
    }
    table.clean_text("body_file").map(|path| Body::File(path.value.into())).ok_or(Complained)
}

fn files(table: &mut Section) -> Result<Vec<String>, Complained> {
    if table.get("attach").is_none() {
        return Ok(Vec::new());
    }
    let paths = table.texts("attach").ok_or(Complained)?;
    if let Some(wrong) = paths.value.iter().find(|path| path.value.is_empty() || path.value.contains('\0')) {
        table.error("attach", wrong.span.clone(), "this is no path of a file", None);
        return Err(Complained);
    }
    Ok(paths.value.into_iter().map(|path| path.value).collect())
}

impl Checker<'_> {
    pub fn mail(&mut self, raw: &RawMail) -> Option<Mail> {
        let smtp = match &self.outlet {
            Outlet::By(smtp) => smtp.clone(),
            Outlet::Wrong => return None,
            Outlet::Unsaid => {
                self.said.error(&raw.path, raw.span.clone(), NO_SMTP, Some(WRITE_SMTP.to_owned()));
                return None;
            }
        };
        Some(Mail {
            from: raw.from.clone().unwrap_or_else(|| smtp.from.clone()),
            smtp,
            to: raw.to.clone(),
            cc: raw.cc.clone(),
            subject: raw.subject.clone(),
            body: match &raw.body {
                Body::Here(template) => Body::Here(template.clone()),
                Body::File(path) => Body::File(self.folder.join(path)),
            },
            html: raw.html.clone(),
            attach: raw.attach.iter().map(|path| self.folder.join(path)).collect(),
        })
    }
}
