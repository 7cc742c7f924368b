//! The pages of punctual and of its verbs, from what the command line itself knows.

use clap::Command;
use clap_mangen::Man;

use super::markdown::{code, escaped};
use crate::cli::args::examples;

const MANUAL: &str = "punctual";
/// Of no flag, and so on every page about one.
const EXIT_STATUS: &str = "\
.SH \"EXIT STATUS\"
.TP
\\fB0\\fR
It was done.
.TP
\\fB1\\fR
What was asked for failed: a run that did not succeed, a file that is wrong.
.TP
\\fB2\\fR
It was typed wrongly.
.TP
\\fB3\\fR
The daemon or the database cannot be reached.
";

const PLACES: &str = "\
.SH FILES
.TP
\\fIjobs.toml\\fR
The jobs: \\fB$PUNCTUAL_CONFIG\\fR, else the running daemon's own, else \\fI./jobs.toml\\fR, else
\\fI~/.config/punctual/jobs.toml\\fR, else \\fI/etc/punctual/jobs.toml\\fR.
.TP
\\fIpunctual.db\\fR
The ledger, an SQLite database: in \\fB$STATE_DIRECTORY\\fR, else in \\fB$PUNCTUAL_STATE\\fR, else in \\fI/var/lib/punctual\\fR for root, else in
\\fI~/.local/state/punctual\\fR.
.SH ENVIRONMENT
.TP
\\fBPUNCTUAL_CONFIG\\fR
The job file.
.TP
\\fBPUNCTUAL_DAEMON__\\fIKEY\\fR
A key of \\fB[daemon]\\fR, above what the file says: \\fBPUNCTUAL_DAEMON__MAX_RUNNING=8\\fR.
.TP
\\fBNO_COLOR\\fR
No colours, unless \\fB\\-\\-color always\\fR asks for them.
.TP
\\fBPAGER\\fR
Shows what is longer than the terminal.
";

/// Each page with its name.
pub fn pages(command: Command) -> Vec<(String, String)> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let mut pages = vec![("punctual".to_owned(), page(&command, None))];
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        pages.push((format!("punctual-{}", verb.get_name()), page(verb, Some(verb.get_name()))));
    }
    pages
}

fn page(command: &Command, verb: Option<&str>) -> String {
    let man = Man::new(command.clone().after_help("")).manual(MANUAL).source(MANUAL).date("");
    let mut text = Vec::new();
    // Nothing can fail that writes to memory.
    let _ = man.render_title(&mut text);
    let _ = man.render_name_section(&mut text);
    let _ = man.render_synopsis_section(&mut text);
    let _ = man.render_description_section(&mut text);
    let _ = man.render_options_section(&mut text);
    if command.get_subcommands().any(|verb| !verb.is_hide_set()) {
        let _ = man.render_subcommands_section(&mut text);
    }
    let mut text = String::from_utf8_lossy(&text).into_owned();
    match verb {
        Some(verb) => {
            text.push_str(&examples_of(verb));
            text.push_str(EXIT_STATUS);
            text.push_str(&see_also(&["punctual(1)", "jobs.toml(5)"]));
        }
        None => {
            text.push_str(PLACES);
            text.push_str(EXIT_STATUS);
            text.push_str(&see_also(&["jobs.toml(5)"]));
        }
    }
    text
}

fn examples_of(verb: &str) -> String {
    let one = |(line, what): &(&str, &str)| {
        let what = escaped(what);
        let mut letters = what.chars();
        let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
        format!(".TP\n\\fB{}\\fR\n{first}{}.\n", code(line), letters.as_str())
    };
    let all: String = examples(verb).iter().map(one).collect();
    if all.is_empty() { all } else { format!(".SH EXAMPLES\n{all}") }
}

fn see_also(pages: &[&str]) -> String {
    let shown = |page: &&str| match page.split_once('(') {
        Some((name, section)) => format!("\\fB{name}\\fR({section}"),
        None => (*page).to_owned(),
    };
    format!(".SH \"SEE ALSO\"\n{}\n", pages.iter().map(shown).collect::<Vec<_>>().join(", "))
}
