//! Which words stand around the facts? Templates of ours, and in their place those that stand in a folder.

use std::fmt;
use std::path::{Path, PathBuf};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, Error, ErrorKind, escape_formatter};
use serde::Serialize;

use crate::files::{ReadError, read_text};
use crate::job::{Medium, environment};
use crate::report::wrap;

/// Of prose in a message.
const WIDTH: usize = 72;
/// Nobody reads more, and mail servers take some megabytes. HTML is longer by its marks.
const LONGEST: usize = 1 << 20;

/// What a template makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Subject,
    Text,
    Html,
    Short,
}

impl Part {
    pub const ALL: [Self; 4] = [Self::Subject, Self::Text, Self::Html, Self::Short];

    /// The file in which it stands.
    pub fn file(self) -> &'static str {
        match self {
            Self::Subject => "subject.txt",
            Self::Text => "text.txt",
            Self::Html => "html.html",
            Self::Short => "short.txt",
        }
    }

    /// The one that is built in.
    pub fn builtin(self) -> &'static str {
        match self {
            Self::Subject => include_str!("../../../templates/subject.txt"),
            Self::Text => include_str!("../../../templates/text.txt"),
            Self::Html => include_str!("../../../templates/html.html"),
            Self::Short => include_str!("../../../templates/short.txt"),
        }
    }

    fn medium(self) -> Medium {
        match self {
            Self::Html => Medium::Html,
            Self::Subject | Self::Text | Self::Short => Medium::Plain,
        }
    }
}

/// The templates of messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Templates {
    /// Those in place of ours.
    own: Vec<(Part, Own)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Own {
    Text(String),
    /// It is there, and cannot be read.
    Unreadable(String),
}

/// Why there are no templates in a folder.
#[derive(Debug, thiserror::Error)]
pub enum TemplatesError {
    #[error("there is no folder {} for templates; type: punctual notify templates {}", .0.display(), .0.display())]
    Missing(PathBuf),
}

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    pub file: &'static str,
    pub line: Option<usize>,
    pub what: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}, line {line}: {}", self.file, self.what),
            None => write!(f, "{}: {}", self.file, self.what),
        }
    }
}

impl Templates {
    pub fn builtin() -> Self {
        Self::default()
    }

    /// Those that stand in the folder, and ours for the rest. One that is wrong is told in the messages themselves: a notice
    /// must not be lost for it.
    pub fn read(folder: &Path) -> Result<Self, TemplatesError> {
        if !folder.is_dir() {
            return Err(TemplatesError::Missing(folder.to_owned()));
        }
        let own = Part::ALL.into_iter().filter_map(|part| match read_text(&folder.join(part.file())) {
            Ok(text) => Some((part, Own::Text(text))),
            Err(ReadError::Missing(_)) => None,
            Err(error) => Some((part, Own::Unreadable(error.to_string()))),
        });
        Ok(Self { own: own.collect() })
    }

    /// The text of a part, from its own template or, where that is wrong, from ours.
    pub fn fill_in(&self, part: Part, seen: &impl Serialize) -> (String, Option<Wrong>) {
        let wrong = match self.own.iter().find(|(of, _)| *of == part) {
            None => None,
            Some((_, Own::Unreadable(what))) => Some(Wrong { file: part.file(), line: None, what: what.clone() }),
            Some((_, Own::Text(template))) => match filled(part, template, seen) {
                Ok(text) => return (text, None),
                Err(wrong) => Some(wrong),
            },
        };
        match filled(part, part.builtin(), seen) {
            Ok(text) => (text, wrong),
            Err(ours) => (String::new(), Some(wrong.unwrap_or(ours))),
        }
    }
}

fn filled(part: Part, template: &str, seen: &impl Serialize) -> Result<String, Wrong> {
    let environment = with_filters(part.medium());
    let wrong = |error: &Error| Wrong { file: part.file(), line: error.line(), what: said(error) };
    let template = environment.template_from_str(template).map_err(|error| wrong(&error))?;
    let mut room = vec![0; LONGEST];
    let mut left = room.as_mut_slice();
    let filled = template.render_captured_to(Value::from(Serde(seen)), &mut left);
    let free = left.len();
    match filled {
        Err(_) if free == 0 => {
            let what = format!("it becomes longer than {} KiB", LONGEST >> 10);
            Err(Wrong { file: part.file(), line: None, what })
        }
        Err(error) => Err(wrong(&error)),
        Ok(_) => {
            room.truncate(LONGEST - free);
            Ok(String::from_utf8_lossy(&room).into_owned())
        }
    }
}

fn said(error: &Error) -> String {
    match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => "it goes on for too long".to_owned(),
        (_, Some(what)) => what.to_owned(),
        (kind, None) => kind.to_string(),
    }
}

/// Beside what minijinja has: `wrap(indent)` breaks a text between words, `right(width)` puts it at the end of a column.
fn with_filters(medium: Medium) -> Environment<'static> {
    let mut environment = environment(medium);
    // A line that has only a block leaves no empty one. Its marks are the usual ones, so that it can be built.
    if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
        environment.set_syntax(syntax);
    }
    // What is not there is no text: nothing is written of it.
    environment.set_formatter(
        |out, state, value| {
            if value.is_none() { Ok(()) } else { escape_formatter(out, state, value) }
        },
    );
    let text_of = |value: &Value| if value.is_none() { String::new() } else { value.to_string() };
    environment.add_filter("wrap", move |text: Value, indent: Option<usize>| {
        let indent = indent.unwrap_or(0).min(WIDTH);
        wrap(&text_of(&text), Some(WIDTH - indent)).join(&format!("\n{}", " ".repeat(indent)))
    });
    environment.add_filter("right", move |text: Value, width: usize| {
        format!("{:>width$}", text_of(&text), width = width.min(WIDTH))
    });
    environment
}
