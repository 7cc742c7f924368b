//! What do the settings of a service come to, as keys of a job?

use super::super::quote::in_remark;
use super::super::sheet::{Act, Draft, Trouble, Value};
use super::exec::{self, Names};
use super::span;
use super::unit::{Setting, all, is_yes, last};

/// Settings that lose nothing here: what they say is so, or is nobody's concern.
const WITHOUT_LOSS: [&str; 19] = [
    "Before",
    "Conflicts",
    "Type",
    "RemainAfterExit",
    "SyslogIdentifier",
    "GuessMainPID",
    "SendSIGKILL",
    "KillMode",
    "DefaultDependencies",
    "Documentation",
    "Description",
    "RefuseManualStart",
    "CPUAccounting",
    "MemoryAccounting",
    "TasksAccounting",
    "IOAccounting",
    "StartLimitBurst",
    "StartLimitIntervalSec",
    "RestartSec",
];
/// How often a service is started anew until systemd gives up, unless it says otherwise.
const USUAL_RESTARTS: i64 = 5;
/// Exit codes that have names of their own.
const CODES: [(&str, i64); 6] = [
    ("SUCCESS", 0),
    ("FAILURE", 1),
    ("INVALIDARGUMENT", 2),
    ("NOTIMPLEMENTED", 3),
    ("TEMPFAIL", 75),
    ("NOTCONFIGURED", 6),
];

/// Reads a service into a draft; what is left behind becomes remarks.
pub fn read(settings: &[Setting], unit: &str, draft: &mut Draft, troubles: &mut Vec<Trouble>) -> bool {
    let user = last(settings, "Service", "User").map(|setting| setting.value.clone());
    let mut service =
        Service { settings, names: Names { unit: unit.to_owned(), user }, draft, troubles, left: Vec::new() };
    let has_command = service.commands();
    service.environment();
    service.bounds();
    service.endings();
    service.rest();
    let left = std::mem::take(&mut service.left);
    if !left.is_empty() {
        draft.remarks.push(format!("left behind: {}.", left.join(", ")));
    }
    has_command
}

struct Service<'s> {
    settings: &'s [Setting],
    names: Names,
    draft: &'s mut Draft,
    troubles: &'s mut Vec<Trouble>,
    /// Settings that have no like here.
    left: Vec<String>,
}

/// Keys that are read one by one; all others are left behind.
const READ: [&str; 24] = [
    "ExecStart",
    "ExecStartPre",
    "ExecStartPost",
    "User",
    "Group",
    "WorkingDirectory",
    "Environment",
    "EnvironmentFile",
    "Nice",
    "UMask",
    "TimeoutStartSec",
    "TimeoutSec",
    "RuntimeMaxSec",
    "TimeoutStopSec",
    "MemoryMax",
    "MemoryLimit",
    "CPUQuota",
    "TasksMax",
    "LimitNOFILE",
    "KillSignal",
    "SuccessExitStatus",
    "Restart",
    "StandardOutput",
    "StandardError",
];

impl Service<'_> {
    fn get(&self, key: &str) -> Option<&Setting> {
        last(self.settings, "Service", key)
    }

    fn leave(&mut self, setting: &Setting) {
        let value = in_remark(&setting.value);
        self.left.push(format!("{}={value} ({})", setting.key, setting.place()));
    }

    fn put(&mut self, key: &'static str, value: Value) {
        self.draft.policies.push((key, value));
    }

    fn complain(&mut self, setting: &Setting, message: String) {
        let (source, line, span) = (setting.source, setting.line, setting.span.clone());
        self.troubles.push(Trouble { source, line, span, message, help: None });
    }

    /// What it starts, one after the other.
    fn commands(&mut self) -> bool {
        let mut acts: Vec<Act> = Vec::new();
        for key in ["ExecStartPre", "ExecStart", "ExecStartPost"] {
            for setting in all(self.settings, "Service", key) {
                match exec::lines(&setting.value, &self.names) {
                    Ok(lines) => {
                        for line in lines {
                            let of_line = |remark| format!("{}: {remark}.", setting.place());
                            self.draft.remarks.extend(line.remarks.into_iter().map(of_line));
                            acts.push(line.act);
                        }
                    }
                    Err(message) => self.complain(setting, message),
                }
            }
        }
        let has_any = !acts.is_empty();
        if acts.len() == 1 {
            self.draft.act = acts.remove(0);
        } else {
            self.draft.act = Act::Steps(acts);
        }
        has_any
    }

    fn environment(&mut self) {
        for (key, ours) in [("User", "user"), ("Group", "group")] {
            if let Some(value) = self.get(key).map(|setting| setting.value.clone()) {
                let (value, _) = self.names.spell_out(&value);
                self.put(ours, Value::Text(value));
            }
        }
        if let Some(folder) = self.get("WorkingDirectory").map(|setting| setting.value.clone()) {
            let (folder, _) = self.names.spell_out(folder.trim_start_matches('-'));
            // `~` is where a job begins anyway.
            if folder != "~" {
                self.put("cwd", Value::Text(folder));
            }
        } else if self.get("User").is_none() {
            // A service of the system begins at the root.
            self.put("cwd", Value::text("/"));
        }
        let mut variables: Vec<(String, String)> = Vec::new();
        for setting in all(self.settings, "Service", "Environment") {
            let Some(words) = exec::words(&setting.value) else {
                self.complain(setting, "a quote does not close".to_owned());
                continue;
            };
            for (word, _) in words {
                let (word, _) = self.names.spell_out(&word);
                if let Some((name, value)) = word.split_once('=') {
                    variables.retain(|(known, _)| known != name);
                    variables.push((name.to_owned(), value.to_owned()));
                }
            }
        }
        let files: Vec<String> = all(self.settings, "Service", "EnvironmentFile")
            .iter()
            .map(|setting| self.names.spell_out(setting.value.trim_start_matches('-')).0)
            .collect();
        let optional: Vec<Setting> = all(self.settings, "Service", "EnvironmentFile")
            .into_iter()
            .filter(|setting| setting.value.starts_with('-'))
            .cloned()
            .collect();
        if !variables.is_empty() {
            self.put("env", Value::Table(variables));
        }
        if !files.is_empty() {
            self.put("env_file", if let [one] = &files[..] { Value::text(one) } else { Value::Texts(files) });
        }
        for setting in optional {
            self.draft.remarks.push(format!(
                "{}: systemd goes on without an EnvironmentFile that is not there; here the run does not start.",
                setting.place()
            ));
        }
    }

    fn bounds(&mut self) {
        let number = |text: &str| text.parse::<i64>().ok().filter(|number| *number > 0);
        self.take("UMask", "umask", |text| {
            let octal = text.len() <= 4 && !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
            octal.then(|| Value::Text(format!("{text:0>3}")))
        });
        self.take("Nice", "nice", |text| {
            text.parse::<i64>().ok().filter(|nice| (-20..=19).contains(nice)).map(Value::Number)
        });
        let mut limits = Vec::new();
        for (key, ours) in [
            ("MemoryMax", "memory"),
            ("MemoryLimit", "memory"),
            ("CPUQuota", "cpu"),
            ("TasksMax", "processes"),
            ("LimitNOFILE", "open_files"),
        ] {
            let Some(setting) = self.get(key).cloned() else {
                continue;
            };
            let text = setting.value.as_str();
            let value = match ours {
                "memory" => span::size(text).map(Limit::Text),
                "cpu" => {
                    let share = text.strip_suffix('%').and_then(number);
                    share.map(|share| Limit::Text(format!("{share}%")))
                }
                "open_files" => number(text.split(':').next().unwrap_or_default()).map(Limit::Number),
                _ => number(text).map(Limit::Number),
            };
            match value {
                _ if text == "infinity" => {}
                Some(value) => {
                    limits.retain(|(known, _)| *known != ours);
                    limits.push((ours, value));
                }
                None => self.leave(&setting),
            }
        }
        for (key, value) in limits {
            self.put(
                key_of_limit(key),
                match value {
                    Limit::Text(text) => Value::Text(text),
                    Limit::Number(number) => Value::Number(number),
                },
            );
        }
    }

    /// Takes a value over as a key of ours, or leaves it behind.
    fn take(&mut self, key: &str, ours: &'static str, read: impl FnOnce(&str) -> Option<Value>) {
        let Some(setting) = self.get(key).cloned() else {
            return;
        };
        match read(&setting.value) {
            Some(value) => self.put(ours, value),
            None => self.leave(&setting),
        }
    }

    /// How it ends, and what follows.
    fn endings(&mut self) {
        let is_oneshot = self.get("Type").is_some_and(|setting| setting.value == "oneshot");
        let start = self.get("TimeoutStartSec").or_else(|| self.get("TimeoutSec")).filter(|_| is_oneshot);
        let bounds = [start, self.get("RuntimeMaxSec")];
        let shortest =
            bounds.into_iter().flatten().filter_map(|setting| span::micros(&setting.value)).filter(|m| *m > 0);
        if let Some(shortest) = shortest.min() {
            self.put("timeout", Value::Text(span::duration(shortest)));
        }
        let stop = self.get("TimeoutStopSec").or_else(|| self.get("TimeoutSec"));
        if let Some(stop) = stop.and_then(|setting| span::micros(&setting.value)) {
            self.put("kill_after", Value::Text(span::duration(stop)));
        }
        self.take("KillSignal", "stop_signal", |text| {
            let name = text.strip_prefix("SIG").unwrap_or(text);
            let known = crate::job::StopSignal::WORDS.iter().any(|(word, _)| *word == name);
            known.then(|| Value::text(name))
        });
        self.take("SuccessExitStatus", "success_codes", |text| {
            let code = |word: &str| {
                CODES.iter().find(|(name, _)| *name == word).map(|(_, code)| *code).or_else(|| word.parse().ok())
            };
            let codes: Option<Vec<i64>> = text.split_whitespace().map(code).collect();
            let mut codes: Vec<i64> =
                codes?.into_iter().filter(|code| (0..=255).contains(code) && *code != 0).collect();
            codes.insert(0, 0);
            Some(Value::Numbers(codes))
        });
        self.restarts();
        for key in ["StandardOutput", "StandardError"] {
            let kept = ["journal", "inherit", "syslog", "kmsg", "journal+console", "null"];
            if let Some(setting) = self.get(key).filter(|setting| !kept.contains(&setting.value.as_str())).cloned() {
                self.leave(&setting);
            }
        }
    }

    fn restarts(&mut self) {
        let Some(setting) = self.get("Restart").filter(|setting| setting.value != "no").cloned() else {
            return;
        };
        if !matches!(setting.value.as_str(), "on-failure" | "on-abnormal" | "on-abort" | "on-watchdog") {
            return self.leave(&setting);
        }
        let burst = ["StartLimitBurst"].into_iter().find_map(|key| {
            last(self.settings, "Unit", key).or_else(|| self.get(key)).and_then(|setting| setting.value.parse().ok())
        });
        self.put("retries", Value::Number(burst.filter(|burst| *burst > 0).unwrap_or(USUAL_RESTARTS)));
        if let Some(pause) = self.get("RestartSec").and_then(|setting| span::micros(&setting.value)) {
            self.put("retry_delay", Value::Text(span::duration(pause)));
        }
        self.draft.remarks.push(format!(
            "Restart={} ({}) starts it anew at once, until StartLimitBurst; here a failed run has further attempts, with \
             pauses that grow.",
            in_remark(&setting.value),
            setting.place()
        ));
    }

    /// All that has no like here.
    fn rest(&mut self) {
        for setting in self.settings {
            let is_of_unit = matches!(setting.section.as_str(), "Unit" | "Service");
            let key = setting.key.as_str();
            let is_known = WITHOUT_LOSS.contains(&key) || setting.section == "Service" && READ.contains(&key);
            if !is_of_unit || is_known || setting.value.is_empty() {
                continue;
            }
            if key == "OnFailure" {
                let value = in_remark(&setting.value);
                let place = setting.place();
                self.draft.remarks.push(format!(
                    "OnFailure={value} ({place}) started another unit when this one failed; here a failure is told to \
                     channels."
                ));
            } else if !key.starts_with("Private") || is_yes(&setting.value) {
                let setting = setting.clone();
                self.leave(&setting);
            }
        }
    }
}

enum Limit {
    Text(String),
    Number(i64),
}

/// Limits are keys of a table of a job; dotted they stand for themselves.
fn key_of_limit(key: &str) -> &'static str {
    match key {
        "memory" => "limits.memory",
        "cpu" => "limits.cpu",
        "processes" => "limits.processes",
        _ => "limits.open_files",
    }
}
