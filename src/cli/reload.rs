//! `punctual reload`: the daemon takes its file now, and says what came of it.

use super::args::Global;
use super::diff::show_edit;
use super::places::{ask, is_same_file, running_daemon};
use super::reach::client;
use super::screen::{Screen, visible};
use super::typed::ours;
use super::{Answer, Done, Refusal};
use crate::report::DiagnosticReport;

pub fn run(global: &Global, screen: &mut Screen) -> Answer {
    let running = running_daemon(global).map(|holder| holder.config);
    if let Some((named, runs)) = global.config.as_ref().zip(running.as_ref())
        && !is_same_file(named, runs)
    {
        let message =
            format!("this daemon runs {}, and takes no other file while it runs; leave --config out", runs.display());
        return Err(Refusal::new(Done::Misused, message));
    }
    let client = client(global)?;
    let report = ask(client.reload())??;
    let done = if report.in_force { Done::Well } else { Done::Failed };
    if screen.json {
        screen.value(&report);
        return Ok(done);
    }
    for (word, said) in [("error", &report.check.errors), ("warning", &report.check.warnings)] {
        for diagnostic in said {
            screen.note(in_a_line(word, diagnostic));
        }
    }
    if !report.in_force && report.check.errors.is_empty() {
        // It may be right, and not be taken.
        let trouble = running_daemon(global).and_then(|daemon| daemon.file_trouble);
        if let Some(trouble) = trouble {
            let message = format!("the old file stays in force: {}", trouble.message);
            return Err(Refusal::new(done, message));
        }
    }
    if !report.in_force {
        let message =
            format!("the file is wrong, and the old one stays in force; see where with: {}", ours(global, "check"));
        return Err(Refusal::new(done, message));
    }
    let file = running.map_or_else(|| "the file".to_owned(), |path| path.display().to_string());
    screen.line(format!("{file} is in force: {}", report.edit.in_words()));
    show_edit(&report.edit, screen);
    if !report.at_next_start.is_empty() {
        screen.note(format!("[daemon] {}: at the next start", report.at_next_start.join(", ")));
    }
    Ok(done)
}

fn in_a_line(word: &str, diagnostic: &DiagnosticReport) -> String {
    let DiagnosticReport { file, line, column, message, help, .. } = diagnostic;
    let help = help.as_ref().map_or_else(String::new, |help| format!("; {help}"));
    visible(&format!("{word}: {file}:{line}:{column}: {message}{help}"))
}
