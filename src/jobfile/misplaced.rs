//! What was meant by something that stands outside of the tables of a file, or in place of one?

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::Diagnostics;
use super::foreign::advise;
use super::keys::{JOB, POLICIES, TOP_LEVEL};
use super::privacy::is_private;
use super::section::dotted;
use super::value::describe;

type Name<'t> = Spanned<Cow<'t, str>>;
type Value<'t> = Spanned<DeValue<'t>>;

/// Words of other tools, or other forms of ours, for what stands outside of all tables.
const HEADERS: [(&[&str], &str); 7] = [
    (
        &[
            "job",
            "task",
            "tasks",
            "cron",
            "crons",
            "crontab",
            "timer",
            "timers",
            "schedules",
            "entries",
            "job-exec",
            "job-local",
        ],
        "jobs",
    ),
    (&["default", "global", "globals", "common"], "defaults"),
    (&["pool", "locks", "lock", "queues", "semaphores"], "pools"),
    (&["calendar", "holidays", "exclude"], "calendars"),
    (&["mail", "email", "mailer"], "smtp"),
    (
        &[
            "channel",
            "notify",
            "notifier",
            "notifiers",
            "notification",
            "notifications",
            "alert",
            "alerts",
            "alerting",
            "receivers",
            "webhook",
            "webhooks",
            "slack",
        ],
        "channels",
    ),
    (&["settings", "config", "scheduler", "server", "options", "punctual", "service"], "daemon"),
];

/// Says of something outside of the tables that a file has what it should have been.
pub fn misplaced(key: &Name, value: &Value, said: &mut Diagnostics) {
    let name: &str = key.get_ref();
    if name == "jobs"
        && value.get_ref().as_array().is_some_and(|list| list.iter().all(|item| item.get_ref().is_table()))
    {
        let help = "write [jobs.NAME] in place of [[jobs]], without a key for the name";
        said.error(name, key.span(), "the jobs are tables by name, not a list", Some(help.to_owned()));
        return;
    }
    if TOP_LEVEL.iter().any(|known| known.name == name) {
        let message = format!("`{name}` is a table, not {}", describe(value.get_ref()));
        said.error(name, value.span(), message, Some(format!("write [{name}] on a line of its own")));
        return;
    }
    let Some(table) = value.get_ref().as_table() else {
        if is_private(name) {
            said.hide(value.span());
        }
        let advice = advise(name, &[TOP_LEVEL], said);
        let is_of_jobs =
            known_in_job(name) || advise(name, &[JOB, POLICIES], said).help.starts_with("here it is called");
        let help = if is_of_jobs { "write [jobs.NAME] on a line above it".to_owned() } else { advice.help };
        let message = format!("`{name}` stands outside of all tables");
        said.error(name, key.span(), message, Some(help));
        return;
    };
    said.error(name, key.span(), format!("unknown table `{name}`"), Some(table_help(name, table, said)));
}

fn known_in_job(name: &str) -> bool {
    JOB.iter().chain(POLICIES).any(|key| key.name == name)
}

fn table_help(name: &str, table: &DeTable, said: &Diagnostics) -> String {
    let lower = name.to_ascii_lowercase();
    let ours = HEADERS.iter().find(|(words, _)| words.contains(&&*lower)).map(|(_, ours)| *ours);
    let ours = ours.or_else(|| said.nearest(name, TOP_LEVEL.iter().map(|key| key.name)));
    if let Some(ours) = ours {
        let inner = table.iter().find(|(_, value)| value.get_ref().is_table()).map(|(key, _)| key.get_ref());
        return match inner {
            Some(inner) => format!("did you mean [{ours}.{inner}]?"),
            None if matches!(ours, "jobs" | "channels") => format!("did you mean [{ours}.NAME]?"),
            None => format!("did you mean [{ours}]?"),
        };
    }
    if table.keys().any(|key| known_in_job(key.get_ref())) {
        return format!("a job is written as [jobs.{name}]");
    }
    let known: Vec<String> = TOP_LEVEL.iter().map(|key| format!("[{}]", key.name)).collect();
    format!("a job is written as [jobs.{name}]; the tables of a file are {}", known.join(", "))
}

/// Says of something in `[jobs]` that it is no job.
pub fn no_job(key: &Name, value: &Value, said: &mut Diagnostics) {
    let name: &str = key.get_ref();
    let path = dotted("jobs", name);
    if value.get_ref().is_array() {
        let help = format!("write [{path}] in place of [[{path}]]; a job that does several things has steps");
        said.error(&path, value.span(), format!("`{path}` is a table, not a list"), Some(help));
        return;
    }
    if known_in_job(name) {
        let help = "write the name into the header: [jobs.NAME] in place of [jobs]";
        said.error(
            &path,
            key.span(),
            format!("`{name}` is a key of a job, and stands in [jobs]"),
            Some(help.to_owned()),
        );
        return;
    }
    let help = match value.get_ref().as_str() {
        Some(_) => format!("write [{path}], and schedule and command on the lines below"),
        None => format!("write [{path}], and its keys on the lines below"),
    };
    said.error(&path, value.span(), format!("`{path}` is a table, not {}", describe(value.get_ref())), Some(help));
}
