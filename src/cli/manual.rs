//! `punctual man`: the manual pages, made of what the command line and the README say, so that they say the same.

mod file;
mod markdown;
mod plain;
mod verbs;

use std::fs;
use std::io::Write;
use std::path::Path;

use super::args::{ManArguments, command};
use super::pager::Pager;
use super::screen::Screen;
use super::typed::as_root;
use super::{Answer, Done, Refusal};
use crate::jobfile::nearest;

/// The page about the file.
const FILE: &str = "jobs.toml";

/// A page in the language of troff.
struct Page {
    name: String,
    section: u8,
    text: String,
}

pub fn run(verb: &ManArguments, screen: &mut Screen) -> Answer {
    if let Some(folder) = &verb.out {
        return write_all(folder, screen);
    }
    let page = page(verb.page.as_deref())?;
    if verb.roff {
        screen.raw(page.text.as_bytes());
        return Ok(Done::Well);
    }
    if screen.width().is_some() && !screen.json {
        if let Some(mut man) = Pager::man() {
            // Who closes the pager early has read enough.
            let _ = man.write_all(page.text.as_bytes());
            man.finish().map_err(|error| Refusal::chain(Done::Failed, &error))?;
            return Ok(Done::Well);
        }
        screen.note("there is no program `man` to show it with; this is its text");
    }
    screen.raw(plain::of_troff(&page.text, screen.width()).as_bytes());
    Ok(Done::Well)
}

/// All pages, as man finds them below a folder.
fn write_all(folder: &Path, screen: &mut Screen) -> Answer {
    let failed = |path: &Path, error: &std::io::Error| {
        let line = as_root().filter(|_| error.kind() == std::io::ErrorKind::PermissionDenied);
        let hint = line.map_or_else(String::new, |line| format!("; type: {line}"));
        Refusal::new(Done::Failed, format!("{} cannot be written: {error}{hint}", path.display()))
    };
    for page in pages() {
        let Page { name, section, text } = page;
        let path = folder.join(format!("man{section}")).join(format!("{name}.{section}"));
        let made = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, text));
        made.map_err(|error| failed(&path, &error))?;
        if screen.json {
            screen.value(&path.display().to_string());
        } else {
            screen.line(path.display().to_string());
        }
    }
    Ok(Done::Well)
}

fn page(wanted: Option<&str>) -> Result<Page, Refusal> {
    let name = match wanted {
        None | Some("punctual") => "punctual".to_owned(),
        Some(FILE | "jobs" | "file") => FILE.to_owned(),
        Some(verb) => format!("punctual-{}", verb.strip_prefix("punctual-").unwrap_or(verb)),
    };
    pages().find(|page| page.name == name).ok_or_else(|| {
        let wanted = wanted.unwrap_or_default();
        let command = command();
        let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set()).map(clap::Command::get_name);
        let help = match nearest(wanted, verbs.chain([FILE])) {
            Some(near) => format!("did you mean: punctual man {near}"),
            None => "they are listed by: punctual man".to_owned(),
        };
        Refusal::new(Done::Misused, format!("there is no page about `{wanted}`; {help}"))
    })
}

fn pages() -> impl Iterator<Item = Page> {
    let text = |(name, text)| Page { name, section: 1, text };
    let file = Page { name: FILE.to_owned(), section: 5, text: file::page() };
    verbs::pages(command()).into_iter().map(text).chain([file]).map(|page| Page { text: in_ascii(&page.text), ..page })
}

/// troff reads other letters by their numbers.
fn in_ascii(text: &str) -> String {
    let one = |letter: char| {
        if letter.is_ascii() { letter.to_string() } else { format!("\\[u{:04X}]", u32::from(letter)) }
    };
    text.chars().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_has_a_page_and_no_part_of_it_is_empty() {
        let pages: Vec<Page> = pages().collect();
        for verb in command().get_subcommands().filter(|verb| !verb.is_hide_set()) {
            let name = format!("punctual-{}", verb.get_name());
            assert!(pages.iter().any(|page| page.name == name), "{name}");
        }
        for Page { name, text, .. } in &pages {
            assert!(text.contains(".TH "), "{name}");
            for part in text.split("\n.SH ").skip(1) {
                let (title, body) = part.split_once('\n').unwrap();
                assert!(body.lines().any(|line| !line.starts_with('.') && !line.trim().is_empty()), "{name}: {title}");
            }
            for part in ["NAME", "SYNOPSIS", "DESCRIPTION"] {
                assert!(text.contains(&format!("\n.SH {part}\n")), "{name} has no {part}");
            }
        }
    }

    #[test]
    fn a_page_is_found_by_the_names_that_people_try() {
        for (wanted, expect) in [
            (None, "punctual"),
            (Some("punctual"), "punctual"),
            (Some("history"), "punctual-history"),
            (Some("punctual-history"), "punctual-history"),
            (Some("jobs.toml"), "jobs.toml"),
        ] {
            assert_eq!(page(wanted).map(|page| page.name).unwrap(), expect);
        }
        let message = page(Some("histroy")).map(|page| page.name).unwrap_err().message;
        assert_eq!(message, "there is no page about `histroy`; did you mean: punctual man history");
    }
}
