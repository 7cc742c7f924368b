//! What was meant by a text that is no schedule? Forms of other tools, and of everyday words.

use super::pattern::Pattern;
use super::quantity::parse_duration;
use super::{ALIASES, ScheduleError};

/// The error of a text that is nothing else, with a better word where one is known.
pub fn explain(error: ScheduleError, body: &str) -> ScheduleError {
    if let Some(split) = crontab_line(body) {
        return of_crontab(split, body);
    }
    match meant(body) {
        Some((message, help)) => ScheduleError::new(0..body.len(), message).help(help),
        None => error,
    }
}

/// What is wrong, and what to write.
fn meant(body: &str) -> Option<(String, String)> {
    let no_schedule = || format!("`{body}` is no schedule");
    let lower = body.to_ascii_lowercase();
    if let Some((alias, _)) = ALIASES.iter().find(|(alias, _)| alias[1..] == lower) {
        return Some((no_schedule(), format!("write \"{alias}\"")));
    }
    if matches!(lower.as_str(), "reboot" | "boot" | "on boot") {
        return Some((no_schedule(), "write \"@reboot\"".to_owned()));
    }
    if parse_duration(body).is_ok() && body.contains(|c: char| c.is_ascii_alphabetic()) {
        return Some((no_schedule(), format!("write \"every {body}\"")));
    }
    if let Some((hour, minute)) = time_of_day(body) {
        return Some((no_schedule(), format!("write \"{minute} {hour} * * *\" for each day at this time")));
    }
    for (start, ours) in [("cron(", ""), ("rate(", "every ")] {
        if let Some(inner) = lower.strip_prefix(start).and_then(|rest| rest.strip_suffix(')')) {
            return Some((no_schedule(), format!("write \"{ours}{}\"", inner.trim())));
        }
    }
    if lower.contains("*-*") || lower.contains("*:") {
        let help = "write a cron pattern, minute hour day-of-month month day-of-week, such as \"30 2 * * 1-5\"";
        return Some((format!("`{body}` is a calendar of systemd"), help.to_owned()));
    }
    None
}

/// What is meant by `every` and a word that is no duration.
pub fn every(word: &str) -> Option<&'static str> {
    Some(match word.trim().to_ascii_lowercase().as_str() {
        "second" | "seconds" => "every 1s",
        "minute" | "minutes" => "* * * * *",
        "hour" | "hours" => "@hourly",
        "day" | "days" | "midnight" | "night" => "@daily",
        "week" | "weeks" => "@weekly",
        "month" | "months" => "@monthly",
        "year" | "years" => "@yearly",
        "weekday" | "weekdays" | "workday" => "0 0 * * 1-5",
        "weekend" | "weekends" => "0 0 * * 6,0",
        "monday" | "mon" => "0 0 * * 1",
        "tuesday" | "tue" => "0 0 * * 2",
        "wednesday" | "wed" => "0 0 * * 3",
        "thursday" | "thu" => "0 0 * * 4",
        "friday" | "fri" => "0 0 * * 5",
        "saturday" | "sat" => "0 0 * * 6",
        "sunday" | "sun" => "0 0 * * 0",
        _ => return None,
    })
}

/// `10:30`, `at 10:30` and the like.
fn time_of_day(body: &str) -> Option<(u8, u8)> {
    let (hour, rest) = body.split_once(':')?;
    let minute = rest.split(':').next()?;
    let (hour, minute): (u8, u8) = (hour.trim().parse().ok()?, minute.trim().parse().ok()?);
    (hour < 24 && minute < 60).then_some((hour, minute))
}

/// Where the command begins, if a whole line of a crontab was written.
pub fn crontab_line(body: &str) -> Option<usize> {
    let fields: Vec<&str> = body.split_whitespace().collect();
    let (pattern, command) = (fields.get(..5)?, fields.get(5)?);
    let is_field = |word: &str| {
        let names = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
        let plain = word.to_ascii_uppercase();
        let plain = names.iter().fold(plain, |text, name| text.replace(name, "1"));
        plain.chars().all(|c| c.is_ascii_digit() || "*,-/?#LWH()+".contains(c))
    };
    if is_field(command) || Pattern::parse(&pattern.join(" "), "").is_err() {
        return None;
    }
    Some(command.as_ptr() as usize - body.as_ptr() as usize)
}

/// What is wrong with a whole line of a crontab, whose command begins at `split`.
fn of_crontab(split: usize, body: &str) -> ScheduleError {
    let pattern = body[..split].trim_end();
    let help = format!("write schedule = \"{pattern}\", and command = with what follows it");
    ScheduleError::new(split..body.len(), "this is a line of a crontab: its schedule ends before this").help(help)
}

#[cfg(test)]
mod tests {
    use super::super::Schedule;

    #[track_caller]
    fn check(text: &str, message: &str, help: &str) {
        let error = Schedule::parse(text, "job").unwrap_err();
        let said = error.help.clone().unwrap_or_default();
        assert!(error.message.contains(message) && said.contains(help), "{text}: {error:?}");
        assert!(error.span.end <= text.len() && text.get(error.span.clone()).is_some(), "{text}: {error:?}");
    }

    #[test]
    fn everyday_words_and_other_tools_are_answered() {
        for (text, help) in [
            ("5 minutes", "\"every 5 minutes\""),
            ("90s", "\"every 90s\""),
            ("daily", "\"@daily\""),
            ("Hourly", "\"@hourly\""),
            ("reboot", "\"@reboot\""),
            ("10:30", "\"30 10 * * *\""),
            ("at 10:30", "\"30 10 * * *\""),
            ("02:00:00", "\"0 2 * * *\""),
            ("every day", "\"@daily\""),
            ("every minute", "\"* * * * *\""),
            ("every monday", "\"0 0 * * 1\""),
            ("every 5", "\"every 5s\""),
            ("every 5", "\"every 5s\" if it is seconds, \"every 5m\" if"),
            ("every 5 mintues", "\"every 5 minutes\""),
            ("@every 5m", "\"every 5m\""),
            ("@dayly", "`@daily`"),
            ("cron(0 2 * * ? *)", "\"0 2 * * ? *\""),
            ("rate(5 minutes)", "\"every 5 minutes\""),
        ] {
            check(text, "`", help);
        }
        check("Mon *-*-* 02:00:00", "calendar of systemd", "cron pattern");
        check("30 2 * * * root /usr/bin/backup --full", "line of a crontab", "schedule = \"30 2 * * *\"");
        check("*/5 * * * * ./sync", "line of a crontab", "schedule = \"*/5 * * * *\"");
        check("soon", "fields", "minute hour");
        check("* * *", "this has 3", "minute hour");
        check("0 0 * * MON-XYZ", "`XYZ` is no day-of-week", "");
    }

    #[test]
    fn what_is_a_schedule_is_none_of_these() {
        for text in ["0 30 2 * * MON", "0 30 2 * * 1-5 2027", "30 2 * * 1", "every 5 minutes"] {
            assert!(Schedule::parse(text, "job").is_ok(), "{text}");
        }
    }
}
