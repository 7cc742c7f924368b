//! `punctual diff`: what would a reload change?

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use owo_colors::Style;
use serde::Serialize;

use super::args::{DiffArguments, Global};
use super::check::{complain_about, report};
use super::places::{ask, config_file, environment, open_ledger_if_any, running_daemon, unreadable};
use super::screen::{Screen, visible};
use super::{Answer, Done, Refusal};
use crate::clock::Clock;
use crate::configuration::{Base, Configuration, InForce, Overlay};
use crate::files::{Machine, Trust, read_source};
use crate::job::JobName;
use crate::plan::OpenState;
use crate::report::{Edit, EditReport, Entry, JobEdit, KeyEdit, Time};

/// Two values of this many characters together stand in one line.
const SHORT: usize = 60;

/// What is in force, or was when a daemon last ran, and the runs that have not ended.
struct Known {
    since: Timestamp,
    in_force: InForce,
    open: Vec<Entry>,
}

#[derive(Serialize)]
struct Difference<'d> {
    /// Since when that is in force with which the file was compared; none where no daemon has ever run.
    since: Option<Time>,
    #[serde(flatten)]
    edit: &'d EditReport,
}

pub fn run(global: &Global, verb: &DiffArguments, screen: &mut Screen) -> Answer {
    let now = Clock::System.now();
    let running = running_daemon(global);
    let path = match &verb.file {
        Some(file) => file.clone(),
        None => {
            config_file(global, running.as_ref()).map_err(|refusal| Refusal::new(Done::Misused, refusal.message))?
        }
    };
    let known = ask(known(global))??;
    let overlay = match &known {
        Some(known) => known.in_force.overlay.clone(),
        None => Overlay { environment: environment(), ..Overlay::default() },
    };
    let file = read(&path, None, &overlay, now)?;
    if !file.checked.is_right() {
        if screen.json {
            screen.value(&report(&file));
        } else {
            complain_about(&file, screen);
            screen.complain(&format!("{} is wrong; a reload would change nothing", path.display()));
        }
        return Ok(Done::Misused);
    }
    let since = known.as_ref().map(|known| Time(known.since));
    let edit = match known {
        Some(known) => compare(&path, file, known, running.is_some(), now)?,
        None => file.edit_of(&Base::nothing(&file), now),
    };
    if screen.json {
        screen.value(&Difference { since, edit: &edit });
    } else {
        show(&path, since, running.is_some(), &edit, screen);
    }
    Ok(if edit.is_empty() { Done::Well } else { Done::Failed })
}

/// Reads the file, as if it stood in another place if one is given.
fn read(path: &Path, place: Option<&Path>, overlay: &Overlay, now: Timestamp) -> Result<Configuration, Refusal> {
    let mut source = read_source(path, Trust::Anybody).map_err(|error| Refusal::chain(Done::Misused, &error))?;
    let mut machine = Machine::default().in_zone(overlay.zone());
    if let Some(place) = place {
        let folder = |path: &Path| path.parent().map(Path::to_owned).unwrap_or_default();
        machine = Machine::before_a_move(folder(&source.path), folder(place)).in_zone(overlay.zone());
        source.move_to(place);
    }
    Configuration::of_source(source, machine, &overlay.environment, &overlay.flags, now)
        .map_err(|error| Refusal::chain(Done::Misused, &error))
}

async fn known(global: &Global) -> Result<Option<Known>, Refusal> {
    let Some(ledger) = open_ledger_if_any(global).await? else {
        return Ok(None);
    };
    let Some((since, words)) = ledger.in_force().await.map_err(|error| unreadable(&error))? else {
        return Ok(None);
    };
    let in_force = serde_json::from_str(&words).map_err(|error| {
        let message =
            format!("what is in force was written by another version of punctual: {error}; restart the daemon");
        Refusal::new(Done::Unreachable, message)
    })?;
    let open = ledger.open_runs().await.map_err(|error| unreadable(&error))?;
    Ok(Some(Known { since, in_force, open }))
}

/// A file from elsewhere is compared as if it stood where the one in force does: its relative paths mean the same there.
fn compare(
    path: &Path,
    file: Configuration,
    known: Known,
    is_running: bool,
    now: Timestamp,
) -> Result<EditReport, Refusal> {
    let Known { in_force, open, .. } = known;
    let (place, overlay) = (in_force.source.path.clone(), in_force.overlay.clone());
    let file = if file.path == place { file } else { read(path, Some(&place), &overlay, now)? };
    // The ledger has stars in place of secrets, so that nothing would be the same as it was.
    let file = if file.checked.has_secrets() {
        Configuration::of_source(
            file.checked.without_secrets(),
            file.machine,
            &overlay.environment,
            &overlay.flags,
            now,
        )
        .map_err(|error| Refusal::chain(Done::Misused, &error))?
    } else {
        file
    };
    let before = in_force.read(now).map_err(|error| Refusal::chain(Done::Unreachable, &error))?;
    let mut edit = file.edit_of(&before.base(), now);
    if is_running {
        edit.tell_of(open.iter().filter_map(open_state));
    }
    Ok(edit)
}

fn open_state(entry: &Entry) -> Option<OpenState> {
    Some(OpenState {
        run: entry.run,
        job: JobName::new(&entry.job).ok()?,
        state: entry.state,
        names_instant: entry.cause.names_instant(),
        has_begun: entry.attempts > 0,
    })
}

fn show(path: &Path, since: Option<Time>, is_running: bool, edit: &EditReport, screen: &mut Screen) {
    let path = PathBuf::from(path);
    let against = match since {
        Some(since) if is_running => format!("what is in force since {}", screen.time(since)),
        Some(since) => format!("what was in force when a daemon last ran, since {}", screen.time(since)),
        None => "nothing: no daemon has run here yet".to_owned(),
    };
    let head = screen.dim(&format!("{} against {against}", path.display()));
    screen.line(head);
    show_edit(edit, screen);
    screen.line("");
    screen.line(edit.in_words());
}

/// What changes, job by job, and of the settings.
pub fn show_edit(edit: &EditReport, screen: &mut Screen) {
    for job in &edit.jobs {
        screen.line("");
        show_job(job, screen);
    }
    for (old, new) in edit.perhaps_renamed() {
        screen.line("");
        screen.prose(&format!(
            "if {new} is {old} by another name, write formerly = \"{old}\" below [jobs.{new}]: it keeps its history"
        ));
    }
    if !edit.settings.is_empty() {
        screen.line("");
    }
    for setting in &edit.settings {
        let when = if setting.at_next_start { "  (at the next start)" } else { "" };
        show_key(&setting.key, "", when, screen);
    }
}

fn show_job(job: &JobEdit, screen: &mut Screen) {
    let (mark, style, word) = match job.edit {
        Edit::Added => ("+", Style::new().green(), "added".to_owned()),
        Edit::Removed => ("-", Style::new().red(), "removed".to_owned()),
        Edit::Changed => ("~", Style::new().yellow(), "changed".to_owned()),
        Edit::Renamed => {
            let formerly = job.formerly.as_deref().unwrap_or_default();
            (">", Style::new().yellow(), format!("renamed, formerly {formerly}"))
        }
    };
    let name = screen.paint(&format!("{mark} {}", job.job), style.bold());
    screen.line(format!("{name}  {word}"));
    for key in &job.keys {
        show_key(key, "    ", "", screen);
    }
    for (title, next) in [("next before", &job.next_before), ("next after", &job.next_after)] {
        let Some(next) = next else {
            continue;
        };
        let times: Vec<String> = next.iter().map(|time| screen.time(*time)).collect();
        let times = if times.is_empty() { "none that is known in advance".to_owned() } else { times.join(", ") };
        let line = screen.dim(&format!("    {title}: {times}"));
        screen.line(line);
    }
    for run in &job.runs {
        screen.line(format!("    {} run {} {}", run.state, run.run, run.effect.in_words()));
    }
}

fn show_key(edit: &KeyEdit, indent: &str, behind: &str, screen: &mut Screen) {
    let KeyEdit { key, old, new } = edit;
    let shown = |value: &Option<String>| value.as_deref().map(|value| visible(value).replace('\n', "\\n"));
    let (red, green) = (Style::new().red(), Style::new().green());
    let line = match (shown(old), shown(new)) {
        (Some(old), Some(new)) if old == new => format!("{key}: {old} (another one)"),
        (Some(old), Some(new)) if old.chars().count() + new.chars().count() <= SHORT => {
            format!("{key}: {} → {}", screen.paint(&old, red), screen.paint(&new, green))
        }
        (Some(old), Some(new)) => {
            let (old, new) = (screen.paint(&format!("- {old}"), red), screen.paint(&format!("+ {new}"), green));
            format!("{key}:\n{indent}  {old}\n{indent}  {new}")
        }
        (None, Some(new)) => format!("{key}: {}", screen.paint(&new, green)),
        (Some(old), None) => format!("{key}: {}", screen.paint(&old, red)),
        (None, None) => key.clone(),
    };
    screen.line(format!("{indent}{line}{behind}"));
}
