//! What does a table say about the user, the bounds and the last signal of a job's process?

use super::keys::{LIMITS, MOST_COUNTED};
use super::section::{At, Section, Settable};
use super::wanted::Wanted;
use crate::schedule::{parse_percentage, parse_size};

/// The table `limits`; see [`crate::job::Limits`].
#[derive(Debug, Clone, Default)]
pub struct RawLimits {
    pub memory: Settable<u64>,
    pub cpu: Settable<u32>,
    pub processes: Settable<i64>,
    pub open_files: Settable<i64>,
    pub required: Option<At<bool>>,
}

impl RawLimits {
    pub fn read(section: &mut Section, key: &str) -> Option<At<Self>> {
        let span = section.span(key)?;
        let mut table = section.table(key, &[LIMITS])?;
        let value = Self {
            memory: table.settable("memory", memory),
            cpu: table.settable("cpu", |table, key| table.quantity(key, Wanted::Share, parse_percentage)),
            processes: table.settable("processes", |table, key| table.integer(key, 1, MOST_COUNTED)),
            open_files: table.settable("open_files", |table, key| table.integer(key, 1, MOST_COUNTED)),
            required: table.boolean("required"),
        };
        Some(At { value, span })
    }
}

fn memory(table: &mut Section, key: &str) -> Option<At<u64>> {
    let size = table.quantity(key, Wanted::Size, parse_size)?;
    if size.value == 0 {
        let help = "write \"none\" for no limit".to_owned();
        table.error(key, size.span, "nothing runs without memory", Some(help));
        return None;
    }
    Some(size)
}

/// A name that is not empty and holds nothing that no name holds.
pub fn account(section: &mut Section, key: &str) -> Option<At<String>> {
    let name = section.clean_text(key)?;
    if name.value.is_empty() || name.value.contains([':', '\n', '/']) {
        let help = format!("write the name of a {key}, such as \"nobody\", or \"none\" for the daemon's own");
        section.error(key, name.span, format!("`{}` is no name of a {key}", name.value), Some(help));
        return None;
    }
    Some(name)
}

/// A folder, in which a `~` stands for nothing.
pub fn folder(section: &mut Section, key: &str) -> Option<At<String>> {
    let folder = section.clean_text(key)?;
    if folder.value == "~" || folder.value.starts_with("~/") {
        let rest = &folder.value[1..];
        let message = "`~` is for shells: here it is a folder of this name beside the file";
        let help = format!("write the whole path, such as \"/home/NAME{rest}\"");
        section.warn(key, folder.span.clone(), message, Some(help));
    }
    Some(folder)
}

/// Three or four octal digits; a number would be read as decimal.
pub fn umask(section: &mut Section, key: &str) -> Option<At<u32>> {
    section.parsed(key, Wanted::Umask, |text| {
        let octal = matches!(text.len(), 3 | 4) && text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
        let bits = u32::from_str_radix(text, 8).ok().filter(|bits| octal && *bits <= 0o777);
        bits.ok_or_else(|| format!("`{text}` is no umask; write three octal digits, such as \"027\""))
    })
}
