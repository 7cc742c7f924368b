//! What do the lines of a unit file set?

use std::ops::Range;

use super::super::Text;
use super::super::quote::in_remark;

/// One assignment, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    pub section: String,
    pub key: String,
    pub value: String,
    /// Which of all texts, the name of its file, and the line in it.
    pub source: usize,
    pub file: String,
    pub line: usize,
    pub span: Range<usize>,
}

impl Setting {
    /// Where it stands, for remarks.
    pub fn place(&self) -> String {
        format!("{}:{}", in_remark(&self.file), self.line)
    }
}

/// The assignments of a text. A line that ends with a backslash goes on with the next one that is no comment.
pub fn settings(source: usize, text: &Text) -> Vec<Setting> {
    let mut settings = Vec::new();
    let file = text.label.rsplit('/').next().unwrap_or_default();
    let mut section = String::new();
    let mut open: Option<Setting> = None;
    let mut start = 0;
    for (at, whole) in text.text.split('\n').enumerate() {
        let line = whole.trim();
        let begin = start + (whole.len() - whole.trim_start().len());
        start += whole.len() + 1;
        if line.starts_with(['#', ';']) {
            continue;
        }
        let (body, goes_on) = match line.strip_suffix('\\') {
            Some(body) => (body, true),
            None => (line, false),
        };
        let mut setting = match open.take() {
            Some(mut before) => {
                before.value.push(' ');
                before.value.push_str(body.trim());
                before.span.end = begin + line.len();
                before
            }
            None => {
                if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                    name.clone_into(&mut section);
                    continue;
                }
                let Some((key, value)) = body.split_once('=') else {
                    continue;
                };
                let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
                let span = begin..begin + line.len();
                Setting { section: section.clone(), key, value, source, file: file.to_owned(), line: at + 1, span }
            }
        };
        if goes_on {
            open = Some(setting);
        } else {
            setting.value.truncate(setting.value.trim_end().len());
            settings.push(setting);
        }
    }
    settings.extend(open);
    settings
}

/// All values of a key, in order; an empty one takes those before it back.
pub fn all<'s>(settings: &'s [Setting], section: &str, key: &str) -> Vec<&'s Setting> {
    let mut found = Vec::new();
    for setting in settings.iter().filter(|setting| setting.section == section && setting.key == key) {
        if setting.value.is_empty() {
            found.clear();
        } else {
            found.push(setting);
        }
    }
    found
}

/// The value that holds.
pub fn last<'s>(settings: &'s [Setting], section: &str, key: &str) -> Option<&'s Setting> {
    all(settings, section, key).pop()
}

/// Yes or no as systemd reads it.
pub fn is_yes(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "1" | "yes" | "y" | "true" | "t" | "on")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined_and_lists_taken_back() {
        let text = Text::of(
            "a.service",
            b"# c\n[Service]\nExecStart=/bin/a \\\n# in between\n   b  \\\n c\nEnvironment=A=1\nEnvironment=\nEnvironment = B=2\n; x\n[Install]\nnothing\nX=\\",
        );
        let settings = settings(0, &text);
        let shown: Vec<(&str, &str, &str, usize)> =
            settings.iter().map(|s| (s.section.as_str(), s.key.as_str(), s.value.as_str(), s.line)).collect();
        assert_eq!(
            shown,
            [
                ("Service", "ExecStart", "/bin/a b c", 3),
                ("Service", "Environment", "A=1", 7),
                ("Service", "Environment", "", 8),
                ("Service", "Environment", "B=2", 9),
                ("Install", "X", "", 13),
            ]
        );
        assert_eq!(all(&settings, "Service", "Environment").len(), 1);
        assert_eq!(last(&settings, "Service", "Environment").map(|s| s.value.as_str()), Some("B=2"));
    }
}
