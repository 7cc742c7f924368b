//! What message does a job send?

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::smtp::{Address, Smtp};
use super::template::Template;

/// A message to people. Its words are filled in when it is sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mail {
    #[serde(serialize_with = "url_of")]
    pub smtp: Arc<Smtp>,
    pub from: Address,
    pub to: Vec<Address>,
    pub cc: Vec<Address>,
    pub subject: Template,
    #[serde(flatten)]
    pub body: Body,
    pub html: Option<Template>,
    /// Files that go with it as they are.
    pub attach: Vec<PathBuf>,
}

impl Mail {
    /// The files without which it cannot be made.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let body = match &self.body {
            Body::File(path) => Some(path),
            Body::Here(_) => None,
        };
        body.into_iter().chain(&self.attach).map(PathBuf::as_path)
    }
}

/// The plain text of a message.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    #[serde(rename = "body")]
    Here(Option<Template>),
    /// A file with the template, read when the message is sent.
    #[serde(rename = "body_file")]
    File(PathBuf),
}

fn url_of<S: Serializer>(smtp: &Arc<Smtp>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&smtp.url)
}
