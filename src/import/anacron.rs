//! What would the lines of an anacrontab be here? Anacron runs what is due once in so many days, whenever the machine is on.

use super::Text;
use super::crontab::{Imported, variable};
use super::quote::in_remark;
use super::sheet::{Act, Draft, Trouble, Value};
use std::ops::Range;

/// When Red Hat's anacron begins, unless it is told.
const USUAL_HOUR: u32 = 3;

/// Adds the jobs of an anacrontab, which is the text of this number.
pub fn import_anacrontab(imported: &mut Imported, source: usize, text: &Text) {
    let mut first = true;
    let mut surroundings = Surroundings { hour: USUAL_HOUR, env: Vec::new(), jitter: None, shell: None };
    let mut start = 0;
    for (at, whole) in text.text.split('\n').enumerate() {
        let line = whole.trim();
        let begin = start + (whole.len() - whole.trim_start().len());
        start += whole.len() + 1;
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some((name, value)) = variable(line) {
            surroundings.set(&name, &value);
            continue;
        }
        match job(line, &surroundings) {
            Ok(mut draft) => {
                (draft.source, draft.line) = (source, at + 1);
                draft.name = imported.names.give(&draft.name);
                if std::mem::take(&mut first) {
                    draft.comments = vec![format!("From {}", in_remark(&text.label)), String::new()];
                }
                imported.fields.push(None);
                imported.random.push(false);
                imported.sheet.drafts.push(draft);
            }
            Err((span, message)) => {
                let span = begin + span.start..begin + span.end;
                imported.troubles.push(Trouble { source, line: at + 1, span, message, help: None });
            }
        }
    }
}

struct Surroundings {
    /// At which hour it may begin.
    hour: u32,
    env: Vec<(String, String)>,
    jitter: Option<String>,
    shell: Option<String>,
}

impl Surroundings {
    fn set(&mut self, name: &str, value: &str) {
        match name {
            "START_HOURS_RANGE" => {
                let first = value.split('-').next().and_then(|hour| hour.trim().parse().ok());
                self.hour = first.filter(|hour| *hour < 24).unwrap_or(USUAL_HOUR);
            }
            "RANDOM_DELAY" => self.jitter = value.parse::<u32>().ok().filter(|n| *n > 0).map(|n| format!("{n}m")),
            "SHELL" => self.shell = Some(value.to_owned()),
            "MAILTO" | "MAILFROM" | "LOGNAME" | "NO_MAIL_OUTPUT" => {}
            _ => {
                self.env.retain(|(known, _)| known != name);
                self.env.push((name.to_owned(), value.to_owned()));
            }
        }
    }
}

fn job(line: &str, surroundings: &Surroundings) -> Result<Draft, (Range<usize>, String)> {
    let mut words = line.split_whitespace();
    let whole = 0..line.len();
    let (Some(period), Some(delay), Some(name)) = (words.next(), words.next(), words.next()) else {
        return Err((whole, "a line is a period in days, a delay in minutes, a name and a command".to_owned()));
    };
    let place = |word: &str| {
        let start = word.as_ptr() as usize - line.as_ptr() as usize;
        start..start + word.len()
    };
    let behind = place(name).end;
    let command = line[behind..].trim();
    if command.is_empty() {
        return Err((place(name), "there is no command behind the name".to_owned()));
    }
    let delay_minutes: u32 = delay
        .parse()
        .ok()
        .filter(|minutes| *minutes < 24 * 60)
        .ok_or_else(|| (place(delay), format!("`{}` is no delay in minutes", in_remark(delay))))?;
    let minute = delay_minutes % 60;
    let hour = (surroundings.hour + delay_minutes / 60) % 24;
    let days = |schedule: &str| format!("{minute} {hour} {schedule}");
    let schedule = match period {
        "1" | "@daily" => days("* * *"),
        "7" | "@weekly" => days("* * 0"),
        "@monthly" => days("1 * *"),
        "@yearly" | "@annually" => days("1 1 *"),
        other => match other.parse::<u32>().ok().filter(|days| (1..=3650).contains(days)) {
            Some(number) => format!("every {number}d"),
            None => return Err((place(period), format!("`{}` is no period in days", in_remark(period)))),
        },
    };
    let mut policies =
        vec![("user", Value::text("root")), ("overlap", Value::text("skip")), ("catch_up", Value::text("latest"))];
    if let Some(shell) = &surroundings.shell {
        policies.push(("shell", Value::Texts(vec![shell.clone(), "-c".to_owned()])));
    }
    if let Some(jitter) = &surroundings.jitter {
        policies.push(("jitter", Value::text(jitter)));
    }
    if !surroundings.env.is_empty() {
        policies.push(("env", Value::Table(surroundings.env.clone())));
    }
    let remark = "anacron runs it once in its period, when the machine is on, one job after the other; here it has a time, and \
                  catch_up makes up for what was missed.";
    Ok(Draft {
        name: name.to_owned(),
        source: 0,
        line: 0,
        comments: Vec::new(),
        remarks: vec![remark.to_owned()],
        description: None,
        schedules: vec![schedule],
        act: Act::Text(command.to_owned()),
        stdin: None,
        policies,
    })
}

#[cfg(test)]
mod tests {
    use super::super::crontab::import_crontabs;
    use super::*;
    use crate::jobfile::{Zone, Zones};

    struct NoZones;

    impl Zones for NoZones {
        fn zone(&self, _: &str) -> Option<Zone> {
            None
        }

        fn names(&self) -> Vec<String> {
            Vec::new()
        }
    }

    #[test]
    fn lines_get_a_time_and_are_made_up_for() {
        let text = b"SHELL=/bin/sh\nRANDOM_DELAY=45\nSTART_HOURS_RANGE=4-22\n\n1\t5\tcron.daily\tnice run-parts /etc/cron.daily\n\
            7 65 cron.weekly run-parts /etc/cron.weekly\n@monthly 45 cron.monthly x\n3 0 odd y\nnonsense\n1 x a b\n1 5 a\n";
        let mut imported = import_crontabs(&[], &NoZones);
        import_anacrontab(&mut imported, 0, &Text::of("/etc/anacrontab", text));
        let drafts = &imported.sheet.drafts;
        let shown: Vec<(&str, &str)> = drafts.iter().map(|d| (d.name.as_str(), d.schedules[0].as_str())).collect();
        assert_eq!(
            shown,
            [
                ("cron-daily", "5 4 * * *"),
                ("cron-weekly", "5 5 * * 0"),
                ("cron-monthly", "45 4 1 * *"),
                ("odd", "every 3d")
            ]
        );
        assert_eq!(drafts[0].policy("jitter"), Some(&Value::text("45m")));
        assert_eq!(drafts[0].act, Act::Text("nice run-parts /etc/cron.daily".to_owned()));
        let wrong: Vec<(usize, &str)> = imported.troubles.iter().map(|t| (t.line, t.message.as_str())).collect();
        assert_eq!(wrong.len(), 3, "{wrong:?}");
        assert!(wrong[1].1.contains("`x` is no delay") && wrong[2].1.contains("no command"), "{wrong:?}");
    }
}
