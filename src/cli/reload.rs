//! `punctual reload`: the daemon takes its file now, and says what came of it.

use super::args::Global;
use super::diff::show_edit;
use super::places::ask;
use super::reach::client;
use super::screen::{Screen, visible};
use super::typed::ours;
use super::{Answer, Done, Refusal};
use crate::report::DiagnosticReport;

pub fn run(global: &Global, screen: &mut Screen) -> Answer {
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
    if !report.in_force {
        let message =
            format!("the file is wrong, and the old one stays in force; see where with: {}", ours(global, "check"));
        return Err(Refusal::new(done, message));
    }
    let changes = report.edit.in_words();
    screen.line(format!("the file is in force: {changes}"));
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
