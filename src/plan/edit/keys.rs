//! What are a job's keys, with the values that they come to, as one would write them?

use serde_json::{Value, json};

use super::telling::telling_keys;
use crate::job::{
    Act, CommandLine, Header, HeaderText, Job, Limits, Needs, OutputPattern, Overlap, Retries, Steps, Target, Task,
    Timing, Work,
};
use crate::schedule::{Fold, Gap, duration_text, size_text};

/// What keys come to of which nobody says anything.
const USUAL: [(&str, &str); 22] = [
    ("enabled", "true"),
    ("not_on_then", "skip"),
    ("shell", "/bin/sh -ec"),
    ("timeout", "none"),
    ("kill_after", "10s"),
    ("stop_signal", "TERM"),
    ("output_limit", "1MiB"),
    ("success_codes", "[0]"),
    ("overlap", "skip"),
    ("queue_limit", "1"),
    ("on_lost", "kill"),
    ("catch_up", "latest"),
    ("retries", "0"),
    ("retry_delay", "10s"),
    ("retry_max_delay", "5m"),
    ("no_retry_codes", "[]"),
    ("keep_going", "false"),
    ("max_parallel", "all"),
    ("always", "false"),
    ("needs", "[]"),
    ("limits.required", "true"),
    ("channels", "[]"),
];

/// What nobody writes, though it makes a difference.
const UNWRITTEN: [&str; 3] = ["data of the timezone", "the calendar ", "http.headers that are secret"];

/// What is hidden of an environment, by what the names of its variables have in them.
const SECRET_WORDS: [&str; 8] = ["PASS", "SECRET", "TOKEN", "CREDENTIAL", "APIKEY", "API_KEY", "PRIVATE", "PWD"];

/// One key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// As it is written below the job's table, with dots.
    pub path: String,
    pub value: String,
    /// What is shown in its place, where it is a secret.
    stars: Option<String>,
}

impl Key {
    pub fn shown(&self) -> String {
        self.stars.as_ref().unwrap_or(&self.value).clone()
    }

    /// Whether it would come to the same if nobody said anything.
    pub fn is_usual(&self) -> bool {
        if UNWRITTEN.iter().any(|unwritten| self.path.starts_with(unwritten)) {
            return true;
        }
        let last =
            self.path.strip_prefix("steps.").and_then(|key| key.split_once('.')).map_or(&*self.path, |(_, key)| key);
        USUAL.contains(&(last, &*self.value))
    }
}

/// Keys being gathered, below a dotted path.
#[derive(Default)]
pub struct Keys {
    path: String,
    pub all: Vec<Key>,
}

impl Keys {
    pub fn put(&mut self, key: &str, value: impl Into<String>) {
        self.add(key, value.into(), false);
    }

    pub fn maybe(&mut self, key: &str, value: Option<impl Into<String>>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    fn add(&mut self, key: &str, value: String, is_secret: bool) {
        let stars = is_secret.then(|| "***".to_owned());
        self.all.push(Key { path: format!("{}{key}", self.path), value, stars });
    }

    /// What is never shown, and may be what has changed.
    pub fn hide(&mut self, key: &str, value: String) {
        self.add(key, value, true);
    }

    /// An address, which is shown by its host.
    pub fn target(&mut self, key: &str, target: &Target) {
        let (path, shown) = (format!("{}{key}", self.path), target.to_string());
        self.all.push(match target {
            Target::Open(url) => Key { path, value: url.to_string(), stars: Some(shown) },
            Target::Secret(_) => Key { path, value: shown, stars: None },
        });
    }

    /// What is said in JSON too, key by key.
    fn flatten(&mut self, key: &str, value: &Value) {
        match value {
            Value::Null => {}
            Value::Object(table) => {
                table.iter().for_each(|(name, value)| self.flatten(&format!("{key}.{name}"), value));
            }
            Value::String(text) => self.put(key, text.clone()),
            Value::Number(seconds) if key.ends_with("request_timeout") || key.ends_with("expect_certificate") => {
                let seconds = seconds.as_f64().and_then(|seconds| std::time::Duration::try_from_secs_f64(seconds).ok());
                self.maybe(key, seconds.map(duration_text));
            }
            Value::Array(items) if items.iter().all(Value::is_string) => {
                self.put(key, items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "));
            }
            Value::Bool(_) | Value::Number(_) | Value::Array(_) => self.put(key, value.to_string()),
        }
    }
}

/// All that a job comes to but its name.
pub fn keys(job: &Job) -> Vec<Key> {
    let mut keys = Keys::default();
    keys.maybe("description", job.description.as_deref());
    keys.put("enabled", job.enabled.to_string());
    if let Some(timing) = &job.timing {
        timing_keys(timing, &mut keys);
    }
    keys.maybe("jitter", job.jitter.map(|jitter| duration_text(jitter.within())));
    let rules = &job.rules;
    if !rules.after.is_empty() {
        keys.put("after", rules.after.iter().map(crate::job::JobName::as_str).collect::<Vec<_>>().join(", "));
    }
    match &job.task {
        Task::Work(work) => work_keys(work, &mut keys),
        Task::Steps(steps) => steps_keys(steps, &mut keys),
    }
    keys.put("overlap", rules.overlap.word());
    if let Overlap::Queue { limit } = rules.overlap {
        keys.put("queue_limit", limit.to_string());
    }
    keys.put("on_lost", rules.on_lost.word());
    if !rules.pools.is_empty() {
        keys.put("pool", rules.pools.join(", "));
    }
    keys.put("catch_up", rules.catch_up.word());
    keys.maybe("catch_up_within", rules.catch_up_within.map(duration_text));
    retry_keys(&rules.retries, &mut keys);
    telling_keys(&job.telling, &mut keys);
    keys.all
}

fn retry_keys(retries: &Retries, keys: &mut Keys) {
    keys.put("retries", retries.most.to_string());
    if retries.most > 0 {
        keys.put("retry_delay", duration_text(retries.delay));
        keys.put("retry_max_delay", duration_text(retries.max_delay));
        keys.put("no_retry_codes", format!("{:?}", retries.no_codes));
    }
}

fn timing_keys(timing: &Timing, keys: &mut Keys) {
    let schedules: Vec<&str> = timing.schedules().iter().map(|schedule| schedule.text()).collect();
    let written = &timing.written;
    keys.put("schedule", schedules.join("; "));
    keys.put("timezone", written.zone.clone());
    if !written.zone_data.is_empty() {
        // Nobody writes it, and other data means other instants.
        keys.put("data of the timezone", format!("version {}", written.zone_data));
    }
    keys.maybe("not_before", written.not_before.clone());
    keys.maybe("not_after", written.not_after.clone());
    if !written.not_on.is_empty() {
        let names: Vec<&str> = written.not_on.iter().map(|calendar| calendar.name.as_str()).collect();
        keys.put("not_on", names.join(", "));
        keys.put("not_on_then", written.not_on_then.as_deref().unwrap_or("skip"));
        for calendar in &written.not_on {
            keys.put(&format!("the calendar {}", calendar.name), format!("version {}", calendar.version));
        }
    }
    keys.maybe("dst_gap", timing.timetable.place.gap.and_then(Gap::word));
    keys.maybe("dst_fold", timing.timetable.place.fold.and_then(Fold::word));
}

fn work_keys(work: &Work, keys: &mut Keys) {
    match &work.act {
        Act::Command(CommandLine::Shell { shell, text }) => {
            keys.put("command", &**text);
            keys.put("shell", shell.join(" "));
        }
        Act::Command(CommandLine::Program(words)) => keys.put("command", json!(words).to_string()),
        Act::Http(http) => {
            keys.flatten("http", &json!(http));
            // What is never shown may be what has changed.
            keys.hide("http.headers that are secret", hidden(&http.headers));
        }
        Act::Sql(sql) => keys.flatten("sql", &json!(sql)),
        Act::Mail(mail) => keys.flatten("mail", &json!(mail)),
    }
    let standing = &work.standing;
    keys.maybe("user", standing.user.clone());
    keys.maybe("group", standing.group.clone());
    keys.maybe("cwd", work.cwd.as_ref().map(|cwd| cwd.display().to_string()));
    for (name, value) in &work.env {
        let upper = name.to_ascii_uppercase();
        let is_secret = SECRET_WORDS.iter().any(|word| upper.contains(word)) || upper.ends_with("_KEY");
        keys.add(&format!("env.{name}"), value.clone(), is_secret);
    }
    if !work.env_files.is_empty() {
        let files: Vec<String> = work.env_files.iter().map(|path| path.display().to_string()).collect();
        keys.put("env_file", files.join(", "));
    }
    if !work.stdin.is_empty() {
        keys.put("stdin", work.stdin.clone());
    }
    keys.maybe("umask", standing.umask.map(|bits| format!("{bits:03o}")));
    keys.maybe("nice", standing.nice.map(|nice| nice.to_string()));
    limit_keys(&standing.limits, keys);
    keys.put("timeout", work.timeout.map_or_else(|| "none".to_owned(), duration_text));
    keys.put("stop_signal", work.stop_signal.word());
    keys.put("kill_after", duration_text(work.kill_after));
    keys.put("output_limit", size_text(work.output_limit));
    keys.put("success_codes", format!("{:?}", work.success_codes));
    keys.maybe("fail_on_output", work.fail_on_output.as_ref().map(OutputPattern::text));
}

/// What headers say that is not shown.
pub fn hidden(headers: &[Header]) -> String {
    let text = |header: &Header| match &header.value {
        HeaderText::Private(text) => text.0.clone(),
        HeaderText::Open(_) | HeaderText::Secret(_) => String::new(),
    };
    format!("{:?}", headers.iter().map(text).collect::<Vec<_>>())
}

fn limit_keys(limits: &Limits, keys: &mut Keys) {
    keys.maybe("limits.memory", limits.memory.map(size_text));
    keys.maybe("limits.cpu", limits.cpu.map(|share| format!("{share}%")));
    keys.maybe("limits.processes", limits.processes.map(|number| number.to_string()));
    keys.maybe("limits.open_files", limits.open_files.map(|number| number.to_string()));
    keys.put("limits.required", limits.required.to_string());
}

fn steps_keys(steps: &Steps, keys: &mut Keys) {
    for (at, step) in steps.list.iter().enumerate() {
        keys.path = format!("steps.{}.", step.name);
        let needs: Vec<&str> = match &step.needs {
            Needs::Success(needs) => needs.iter().map(|need| steps.list[*need].name.as_str()).collect(),
            Needs::Turn => at.checked_sub(1).map(|before| steps.list[before].name.as_str()).into_iter().collect(),
        };
        keys.put("needs", format!("[{}]", needs.join(", ")));
        keys.put("always", step.always.to_string());
        work_keys(&step.work, keys);
        retry_keys(&step.retries, keys);
    }
    keys.path.clear();
    keys.put("keep_going", steps.keep_going.to_string());
    keys.put("max_parallel", steps.max_parallel.map_or_else(|| "all".to_owned(), |most| most.to_string()));
    keys.put("timeout", steps.timeout.map_or_else(|| "none".to_owned(), duration_text));
    keys.put("kill_after", duration_text(steps.kill_after));
}
