//! What does one file change against another?

use serde::{Deserialize, Serialize};

use super::Time;
use crate::run::{RunId, State};

/// Names that are said before the others are only counted.
const MOST_NAMES: usize = 5;

/// Everything that is not the same: nothing, where both files come to the same.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EditReport {
    /// In the order of the new file, and behind them those that it does not have.
    pub jobs: Vec<JobEdit>,
    pub settings: Vec<SettingEdit>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobEdit {
    pub job: String,
    pub edit: Edit,
    /// The name under which it was known, where that is another one.
    pub formerly: Option<String>,
    /// Keys as they are written, with the values that they come to.
    pub keys: Vec<KeyEdit>,
    /// The next instants as they were; none where they stay the same.
    pub next_before: Option<Vec<Time>>,
    pub next_after: Option<Vec<Time>>,
    /// What becomes of runs that have not ended.
    pub runs: Vec<RunEdit>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Edit {
    Added,
    Removed,
    Renamed,
    Changed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyEdit {
    pub key: String,
    /// Secrets are `***`.
    pub old: Option<String>,
    pub new: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingEdit {
    #[serde(flatten)]
    pub key: KeyEdit,
    /// Whether a daemon that runs goes on with the old value.
    pub at_next_start: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunEdit {
    pub run: RunId,
    pub state: State,
    pub effect: RunEffect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunEffect {
    /// To its end, under the definition with which it began.
    GoesOn,
    /// It has not begun, and does so under the new definition.
    TakesNew,
    DroppedAsGone,
    DroppedAsDisabled,
}

impl RunEffect {
    pub fn in_words(self) -> &'static str {
        match self {
            Self::GoesOn => "goes on under the old definition",
            Self::TakesNew => "begins under the new definition",
            Self::DroppedAsGone => "is dropped, because the job is gone",
            Self::DroppedAsDisabled => "is dropped, because the job is disabled",
        }
    }
}

/// Keys that say what a job does.
const TASKS: [&str; 5] = ["command", "http", "sql", "mail", "steps"];

impl JobEdit {
    /// What the job does, by the one side of the edit.
    fn task<'e>(&'e self, side: impl Fn(&'e KeyEdit) -> Option<&'e str>) -> Vec<(&'e str, Option<&'e str>)> {
        let is_task = |key: &&KeyEdit| TASKS.contains(&key.key.split('.').next().unwrap_or_default());
        self.keys.iter().filter(is_task).map(|key| (key.key.as_str(), side(key))).collect()
    }
}

impl EditReport {
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty() && self.settings.is_empty()
    }

    /// Jobs that went and came with one and the same task, old name and new, each the only one of its kind: they may be one
    /// job whose `formerly` was forgotten.
    pub fn perhaps_renamed(&self) -> Vec<(&str, &str)> {
        let of = |wanted: Edit| self.jobs.iter().filter(move |job| job.edit == wanted);
        let came_of = |old: &JobEdit| -> Vec<&JobEdit> {
            let task = old.task(|key| key.old.as_deref());
            of(Edit::Added).filter(|new| !task.is_empty() && new.task(|key| key.new.as_deref()) == task).collect()
        };
        let pair = |old: &'_ JobEdit| match came_of(old)[..] {
            [new] => Some((old.job.clone(), new.job.clone())),
            _ => None,
        };
        let pairs: Vec<(String, String)> = of(Edit::Removed).filter_map(pair).collect();
        let is_only = |new: &str| pairs.iter().filter(|(_, other)| other == new).count() == 1;
        let name = |wanted: &str| self.jobs.iter().find(|job| job.job == wanted).map_or("", |job| job.job.as_str());
        pairs.iter().filter(|(_, new)| is_only(new)).map(|(old, new)| (name(old), name(new))).collect()
    }

    /// What changes, in a line: `2 changed (a, b), 1 added (c)`.
    pub fn in_words(&self) -> String {
        let of = |wanted: Edit| self.jobs.iter().filter(move |job| job.edit == wanted);
        let jobs = [
            (Edit::Changed, "changed"),
            (Edit::Added, "added"),
            (Edit::Removed, "removed"),
            (Edit::Renamed, "renamed"),
        ];
        let jobs = jobs.into_iter().filter_map(|(edit, word)| {
            let names = of(edit).map(|job| match &job.formerly {
                Some(formerly) => format!("{formerly} to {}", job.job),
                None => job.job.clone(),
            });
            list(&names.collect::<Vec<_>>()).map(|(count, names)| format!("{count} {word} ({names})"))
        });
        let settings: Vec<String> = self.settings.iter().map(|setting| setting.key.key.clone()).collect();
        let settings = list(&settings).map(|(count, names)| {
            format!("{count} {} changed ({names})", if count == 1 { "setting" } else { "settings" })
        });
        let words: Vec<String> = jobs.chain(settings).collect();
        if words.is_empty() { "nothing has changed".to_owned() } else { words.join(", ") }
    }
}

fn list(names: &[String]) -> Option<(usize, String)> {
    let rest = names.len().saturating_sub(MOST_NAMES);
    let shown = names.get(..names.len() - rest)?.join(", ");
    let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    (!names.is_empty()).then(|| (names.len(), format!("{shown}{rest}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(name: &str, edit: Edit) -> JobEdit {
        let job = name.to_owned();
        JobEdit { job, edit, formerly: None, keys: Vec::new(), next_before: None, next_after: None, runs: Vec::new() }
    }

    #[test]
    fn a_forgotten_rename_is_guessed_where_there_is_one() {
        let with = |name: &str, edit: Edit, command: &str| {
            let side = |wanted: Edit| (edit == wanted).then(|| command.to_owned());
            let key = KeyEdit { key: "command".to_owned(), old: side(Edit::Removed), new: side(Edit::Added) };
            JobEdit { keys: vec![key], ..job(name, edit) }
        };
        let mut report = EditReport {
            jobs: vec![with("new", Edit::Added, "x"), with("other", Edit::Added, "y"), with("old", Edit::Removed, "x")],
            settings: Vec::new(),
        };
        assert_eq!(report.perhaps_renamed(), [("old", "new")]);
        report.jobs.push(with("twin", Edit::Removed, "x"));
        assert!(report.perhaps_renamed().is_empty(), "it may be either");
    }

    #[test]
    fn an_edit_is_said_in_a_line() {
        let mut report = EditReport::default();
        assert_eq!(report.in_words(), "nothing has changed");
        report.jobs = vec![job("a", Edit::Changed), job("c", Edit::Added), job("b", Edit::Changed)];
        assert_eq!(report.in_words(), "2 changed (a, b), 1 added (c)");
        report.jobs = vec![JobEdit { formerly: Some("old".to_owned()), ..job("new", Edit::Renamed) }];
        let key = KeyEdit { key: "daemon.max_running".to_owned(), old: None, new: None };
        report.settings.push(SettingEdit { key, at_next_start: false });
        assert_eq!(report.in_words(), "1 renamed (old to new), 1 setting changed (daemon.max_running)");
        report.jobs = (0..7).map(|number| job(&format!("j{number}"), Edit::Removed)).collect();
        report.settings.clear();
        assert_eq!(report.in_words(), "7 removed (j0, j1, j2, j3, j4 and 2 more)");
    }
}
