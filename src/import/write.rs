//! How would one have written it by hand? A sheet as the text of a job file: what jobs have in common stands once, and what
//! means something else here has a comment.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::Hash;

use super::quote::{in_comment, toml_key, toml_text};
use super::sheet::{Act, Draft, Sheet, Value};

/// Columns of a line of comment of ours.
const WIDTH: usize = 110;
/// A table that fits is written on the line of its key.
const WIDEST_TABLE: usize = 100;

/// As the crons mail: by whatever stands there.
const SMTP: &str = "[smtp]\nurl  = \"sendmail:/usr/sbin/sendmail\"\nfrom = \"punctual@localhost\"";

/// The text of a job file.
pub fn written(sheet: &Sheet) -> String {
    let mut page = Page::default();
    for line in &sheet.head {
        page.wrapped("#", line);
    }
    let defaults = lifted(sheet);
    if !defaults.is_empty() {
        page.gap();
        page.line("[defaults]");
        page.pairs(&pairs(&defaults.iter().map(|default| (default.key, &default.value)).collect::<Vec<_>>()), &{
            defaults.iter().map(|default| default.why).collect::<Vec<_>>()
        });
    }
    page.channels(&sheet.channels);
    for draft in &sheet.drafts {
        page.gap();
        page.job(draft, &defaults);
    }
    if !sheet.tail.is_empty() {
        page.gap();
    }
    for line in &sheet.tail {
        page.comment(line);
    }
    page.text
}

/// A value of `[defaults]`.
struct Default {
    key: &'static str,
    value: Value,
    why: &'static str,
}

/// What stands in `[defaults]`: what holds where the jobs come from, in the form that most of them have, and what all jobs
/// say alike.
fn lifted(sheet: &Sheet) -> Vec<Default> {
    let drafts = &sheet.drafts;
    let mut defaults = Vec::new();
    if drafts.is_empty() {
        return defaults;
    }
    for common in &sheet.common {
        let said = drafts.iter().map(|draft| draft.policy(common.key).unwrap_or(&common.value));
        let value = most_frequent(said).unwrap_or(&common.value).clone();
        defaults.push(Default { key: common.key, value, why: common.why });
    }
    if drafts.len() < 2 {
        return defaults;
    }
    for (key, first) in &drafts[0].policies {
        if defaults.iter().any(|default| default.key == *key) {
            continue;
        }
        let value = match first {
            Value::Table(variables) => shared_variables(drafts, key, variables),
            Value::Text(_) | Value::Texts(_) | Value::Number(_) | Value::Numbers(_) => {
                let said: Option<Vec<&Value>> = drafts.iter().map(|draft| draft.policy(key)).collect();
                said.and_then(|said| shared(&said)).cloned()
            }
        };
        if let Some(value) = value {
            defaults.push(Default { key, value, why: "" });
        }
    }
    defaults
}

/// The value that most have, if it is not that of one alone.
fn shared<'v, V: Eq + Hash>(said: &[&'v V]) -> Option<&'v V> {
    most_frequent(said.iter().copied()).filter(|value| said.iter().filter(|other| other == &value).count() > 1)
}

/// Variables that every job has, with the value that most of them have.
fn shared_variables(drafts: &[Draft], key: &str, variables: &[(String, String)]) -> Option<Value> {
    let value_of = |draft: &'_ Draft, name: &str| -> Option<String> {
        let Some(Value::Table(variables)) = draft.policy(key) else {
            return None;
        };
        variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    };
    let mut table = Vec::new();
    for (name, _) in variables {
        let said: Option<Vec<String>> = drafts.iter().map(|draft| value_of(draft, name)).collect();
        if let Some(value) = said.and_then(|said| shared(&said.iter().collect::<Vec<_>>()).cloned()) {
            table.push((name.clone(), value));
        }
    }
    (!table.is_empty()).then_some(Value::Table(table))
}

/// The first of the values that occur most often.
fn most_frequent<'v, V: Eq + Hash>(values: impl Iterator<Item = &'v V>) -> Option<&'v V> {
    let mut counts: HashMap<&V, (usize, Reverse<usize>)> = HashMap::new();
    for (at, value) in values.enumerate() {
        counts.entry(value).or_insert((0, Reverse(at))).0 += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(value, _)| value)
}

/// What a job still has to say itself.
fn own(draft: &Draft, defaults: &[Default]) -> Vec<(&'static str, Value)> {
    let left = |(key, value): &(&'static str, Value)| {
        let default = defaults.iter().find(|default| default.key == *key).map(|default| &default.value);
        match (value, default) {
            (value, Some(default)) if value == default => None,
            (Value::Table(own), Some(Value::Table(shared))) => {
                let own: Vec<_> = own.iter().filter(|variable| !shared.contains(variable)).cloned().collect();
                (!own.is_empty()).then_some((*key, Value::Table(own)))
            }
            (value, _) => Some((*key, value.clone())),
        }
    };
    draft.policies.iter().filter_map(left).collect()
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn gap(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// A line of comment; an empty one parts what stands around it.
    fn comment(&mut self, text: &str) {
        if text.is_empty() {
            return self.gap();
        }
        self.line(&format!("# {}", in_comment(text)));
    }

    /// A remark of ours, in lines of comment.
    fn remark(&mut self, text: &str) {
        self.wrapped("# Note:", text);
    }

    fn wrapped(&mut self, mark: &str, text: &str) {
        let behind = if mark == "#" { "#" } else { "#  " };
        let mut line = mark.to_owned();
        let text = in_comment(text);
        for word in text.split(' ') {
            if line.chars().count() + 1 + word.chars().count() > WIDTH && line.len() > 2 {
                self.line(&line);
                behind.clone_into(&mut line);
            }
            line.push(' ');
            line.push_str(word);
        }
        self.line(&line);
    }

    /// Who was mailed what jobs wrote.
    fn channels(&mut self, channels: &[(String, Vec<String>)]) {
        if channels.is_empty() {
            return;
        }
        self.gap();
        self.wrapped("#", "cron mailed what jobs wrote as MAILTO says, by this program; a server does as well.");
        self.line(SMTP);
        for (name, mail) in channels {
            self.gap();
            self.line(&format!("[channels.{}]", toml_key(name)));
            self.line(&format!("mail = {}", list(mail)));
            self.line("tell = [\"output\"]");
        }
    }

    fn job(&mut self, draft: &Draft, defaults: &[Default]) {
        for comment in &draft.comments {
            self.comment(comment);
        }
        for remark in &draft.remarks {
            self.remark(remark);
        }
        self.line(&format!("[jobs.{}]", toml_key(&draft.name)));
        let mut lines: Vec<(String, String)> = Vec::new();
        let mut put = |key: &str, value: String| lines.push((key.to_owned(), value));
        if let Some(description) = &draft.description {
            put("description", toml_text(description));
        }
        match &draft.schedules[..] {
            [] => {}
            [schedule] => put("schedule", toml_text(schedule)),
            several => put("schedule", list(several)),
        }
        if let Act::Steps(steps) = &draft.act {
            let steps: Vec<String> = steps.iter().map(|step| format!("  {},", act(step))).collect();
            put("steps", format!("[\n{}\n]", steps.join("\n")));
        } else {
            put("command", act(&draft.act));
        }
        if let Some(stdin) = &draft.stdin {
            put("stdin", toml_text(stdin));
        }
        let own = own(draft, defaults);
        lines.extend(pairs(&own.iter().map(|(key, value)| (*key, value)).collect::<Vec<_>>()));
        self.pairs(&lines, &[]);
    }

    /// Keys and values, with the equals signs below each other, and remarks behind some of them.
    fn pairs(&mut self, pairs: &[(String, String)], whys: &[&str]) {
        let width = pairs.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
        let widest = pairs.iter().zip(whys).filter(|(_, why)| !why.is_empty()).map(|((_, value), _)| value.len()).max();
        for (at, (key, value)) in pairs.iter().enumerate() {
            let line = format!("{key:width$} = {value}");
            match whys.get(at).filter(|why| !why.is_empty()) {
                Some(why) => {
                    let pad = widest.unwrap_or(0).saturating_sub(value.len());
                    self.line(&format!("{line}{:pad$}  # {why}", ""));
                }
                None => self.line(&line),
            }
        }
    }
}

fn act(act: &Act) -> String {
    match act {
        Act::Text(text) => toml_text(text),
        Act::Words(words) => list(words),
        Act::Steps(steps) => format!("[{}]", steps.iter().map(self::act).collect::<Vec<_>>().join(", ")),
    }
}

fn list(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(|text| toml_text(text)).collect::<Vec<_>>().join(", "))
}

/// Keys with their values as text; a table that is wide gets a line for each of its own keys.
fn pairs(values: &[(&'static str, &Value)]) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for (key, value) in values {
        let text = match value {
            Value::Text(text) => toml_text(text),
            Value::Texts(texts) => list(texts),
            Value::Number(number) => number.to_string(),
            Value::Numbers(numbers) => {
                format!("[{}]", numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
            }
            Value::Table(entries) => {
                let entries: Vec<(String, String)> =
                    entries.iter().map(|(name, value)| (toml_key(name), toml_text(value))).collect();
                let inline: Vec<String> = entries.iter().map(|(name, value)| format!("{name} = {value}")).collect();
                let inline = format!("{{ {} }}", inline.join(", "));
                if inline.len() > WIDEST_TABLE || inline.contains('\n') {
                    pairs.extend(entries.into_iter().map(|(name, value)| (format!("{key}.{name}"), value)));
                    continue;
                }
                inline
            }
        };
        pairs.push(((*key).to_owned(), text));
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::super::sheet::Common;
    use super::*;

    fn draft(name: &str, policies: Vec<(&'static str, Value)>) -> Draft {
        Draft {
            name: name.to_owned(),
            source: 0,
            line: 1,
            comments: Vec::new(),
            remarks: Vec::new(),
            description: None,
            schedules: vec!["@daily".to_owned()],
            act: Act::Text("true".to_owned()),
            stdin: None,
            policies,
        }
    }

    fn variables(pairs: &[(&str, &str)]) -> Value {
        Value::Table(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn what_jobs_have_in_common_stands_once() {
        let bash = || ("shell", Value::Texts(vec!["/bin/bash".to_owned(), "-c".to_owned()]));
        let env = |more: &[(&str, &str)]| ("env", variables(&[&[("PATH", "/bin")], more].concat()));
        let mut sheet = Sheet {
            head: vec!["From a crontab.".to_owned()],
            common: vec![Common {
                key: "shell",
                value: Value::Texts(vec!["/bin/sh".to_owned(), "-c".to_owned()]),
                why: "as cron does",
            }],
            channels: Vec::new(),
            drafts: vec![draft("a", vec![bash(), env(&[])]), draft("b", vec![bash(), env(&[("X", "1")])])],
            tail: vec!["the end".to_owned()],
        };
        sheet.drafts[1].remarks = vec!["it means something else here ".repeat(6)];
        insta::assert_snapshot!(written(&sheet), @r#"
        # From a crontab.

        [defaults]
        shell = ["/bin/bash", "-c"]  # as cron does
        env   = { PATH = "/bin" }

        [jobs.a]
        schedule = "@daily"
        command  = "true"

        # Note: it means something else here it means something else here it means something else here it means
        #   something else here it means something else here it means something else here 
        [jobs.b]
        schedule = "@daily"
        command  = "true"
        env      = { X = "1" }

        # the end
        "#);
        sheet.drafts.push(draft("c", vec![]));
        sheet.drafts.push(draft("d", vec![]));
        sheet.drafts.push(draft("e", vec![]));
        let text = written(&sheet);
        assert!(text.contains("shell = [\"/bin/sh\", \"-c\"]  # as cron does\n\n"), "{text}");
        assert!(text.matches("\"/bin/bash\"").count() == 2 && text.matches("PATH").count() == 2, "{text}");
    }

    #[test]
    fn who_was_mailed_is_a_channel() {
        let channels = vec![("root".to_owned(), vec!["root@localhost".to_owned()])];
        let text = written(&Sheet { channels, drafts: vec![draft("a", Vec::new())], ..Sheet::default() });
        let read = crate::jobfile::Draft::parse(std::path::Path::new("jobs.toml"), text.clone());
        assert!(read.daemon().is_some() && text.contains("[channels.root]\nmail = [\"root@localhost\"]\n"), "{text}");
    }

    #[test]
    fn wide_tables_have_a_line_for_each_key() {
        let wide = "x".repeat(100);
        let sheet = Sheet {
            drafts: vec![draft("a", vec![("env", variables(&[("LONG", &wide), ("odd name", "1")]))])],
            ..Sheet::default()
        };
        let text = written(&sheet);
        assert!(text.contains(&format!("env.LONG       = \"{wide}\"\nenv.\"odd name\" = \"1\"\n")), "{text}");
    }
}
