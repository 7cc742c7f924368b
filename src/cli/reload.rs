//! `punctual reload`: the daemon takes its file now, and says what came of it.

use super::args::Global;
use super::places::{ask, running_daemon};
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
    screen.line("the file is in force");
    Ok(done)
}

fn in_a_line(word: &str, diagnostic: &DiagnosticReport) -> String {
    let DiagnosticReport { file, line, column, message, help, .. } = diagnostic;
    let help = help.as_ref().map_or_else(String::new, |help| format!("; {help}"));
    visible(&format!("{word}: {file}:{line}:{column}: {message}{help}"))
}
