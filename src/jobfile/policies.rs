//! What may a job say itself or take from `[defaults]`?

use std::ops::Range;
use std::time::Duration;

use toml::de::DeTable;

use super::diagnostic::Diagnostics;
use super::keys::{MOST_QUEUED, MOST_RETRIES, POLICIES};
use super::section::{At, Section, Settable};
use super::standing::{self, RawLimits};
use super::wanted::Wanted;
use crate::job::{CatchUp, OnLost, OutputPattern, Overlap, SlowAfter, StopSignal, Target};
use crate::schedule::{Fold, Gap, Then};

/// How a run is done: what a job may say itself or take from `[defaults]`.
#[derive(Debug, Clone, Default)]
pub struct Policies {
    pub timezone: Settable<String>,
    pub not_on: Settable<Vec<At<String>>>,
    pub not_on_then: Settable<Then>,
    pub jitter: Settable<Duration>,
    pub dst_gap: Settable<Gap>,
    pub dst_fold: Settable<Fold>,
    pub shell: Settable<Vec<String>>,
    pub user: Settable<String>,
    pub group: Settable<String>,
    pub cwd: Settable<String>,
    pub env: Settable<Vec<(String, String)>>,
    pub env_file: Settable<Vec<At<String>>>,
    pub umask: Settable<u32>,
    pub nice: Settable<i64>,
    pub limits: Settable<RawLimits>,
    pub timeout: Settable<Duration>,
    pub stop_signal: Settable<StopSignal>,
    pub kill_after: Settable<Duration>,
    pub output_limit: Settable<u64>,
    pub overlap: Option<At<Overlap>>,
    pub queue_limit: Option<At<i64>>,
    pub on_lost: Option<At<OnLost>>,
    pub pool: Settable<Vec<At<String>>>,
    pub catch_up: Option<At<CatchUp>>,
    pub catch_up_within: Settable<Duration>,
    pub success_codes: Settable<Vec<i64>>,
    pub fail_on_output: Settable<OutputPattern>,
    pub no_retry_codes: Settable<Vec<i64>>,
    pub retries: Option<At<i64>>,
    pub retry_delay: Settable<Duration>,
    pub retry_max_delay: Settable<Duration>,
    pub channels: Option<At<Vec<At<String>>>>,
    pub slow_after: Settable<SlowAfter>,
    pub overdue_after: Settable<Duration>,
    pub ping: Settable<Target>,
    /// Where each key stands that does.
    pub stands: Vec<(&'static str, Range<usize>)>,
}

impl Policies {
    pub fn read(section: &mut Section) -> Self {
        Self {
            timezone: section.settable("timezone", Section::text),
            not_on: section.settable("not_on", Section::texts),
            not_on_then: section.settable("not_on_then", |section, key| section.choice(key, &Then::WORDS)),
            jitter: section.settable("jitter", Section::duration),
            dst_gap: section.settable("dst_gap", |section, key| section.choice(key, &Gap::WORDS)),
            dst_fold: section.settable("dst_fold", |section, key| section.choice(key, &Fold::WORDS)),
            shell: section.settable("shell", Section::words),
            user: section.settable("user", standing::account),
            group: section.settable("group", standing::account),
            cwd: section.settable("cwd", standing::folder),
            env: section.settable("env", Section::environment),
            env_file: section.settable("env_file", Section::texts),
            umask: section.settable("umask", standing::umask),
            nice: section.settable("nice", |section, key| section.integer(key, -20, 19)),
            limits: section.settable("limits", RawLimits::read),
            timeout: positive(section, "timeout"),
            stop_signal: section.settable("stop_signal", |section, key| section.choice(key, &StopSignal::WORDS)),
            kill_after: section.settable("kill_after", Section::duration),
            output_limit: section.settable("output_limit", Section::size),
            overlap: section.choice("overlap", &Overlap::WORDS),
            queue_limit: section.integer("queue_limit", 1, MOST_QUEUED),
            on_lost: section.choice("on_lost", &OnLost::WORDS),
            pool: section.settable("pool", Section::texts),
            catch_up: section.choice("catch_up", &CatchUp::WORDS),
            catch_up_within: section.settable("catch_up_within", Section::duration),
            success_codes: section.settable("success_codes", |section, key| section.integers(key, 0, 255)),
            fail_on_output: section.settable("fail_on_output", pattern),
            no_retry_codes: section.settable("no_retry_codes", |section, key| section.integers(key, 0, 255)),
            retries: section.integer("retries", 0, MOST_RETRIES),
            retry_delay: section.settable("retry_delay", Section::duration),
            retry_max_delay: section.settable("retry_max_delay", Section::duration),
            channels: section.texts("channels"),
            slow_after: section.settable("slow_after", slow_after),
            overdue_after: overdue_after(section),
            ping: section.settable("ping", Section::target),
            stands: section.stands(POLICIES.iter().map(|key| key.name)),
        }
    }

    pub fn read_defaults(table: &DeTable, said: &mut Diagnostics) -> Self {
        Self::read(&mut Section::open(table, "defaults", &[POLICIES], said))
    }
}

/// A regular expression.
fn pattern(section: &mut Section, key: &str) -> Option<At<OutputPattern>> {
    regex(section, key, Wanted::Other("a regular expression, such as \"(?i)error\""), OutputPattern::new)
}

/// What a text says to `read`, whose errors draw the expression over several lines; the last one says what is wrong.
pub fn regex<T>(
    section: &mut Section,
    key: &str,
    wanted: Wanted,
    read: impl FnOnce(&str) -> Result<T, String>,
) -> Option<At<T>> {
    section.parsed(key, wanted, |text| {
        read(text).map_err(|error| {
            let last = error.lines().last().unwrap_or_default();
            let why = last.trim().trim_start_matches("error: ");
            format!("this is no regular expression: {why}; write a backslash before a character that means itself")
        })
    })
}

/// A duration that is not zero, or `"none"`.
fn positive(section: &mut Section, key: &str) -> Settable<Duration> {
    let at = section.settable(key, Section::duration)?;
    if at.value == Some(Duration::ZERO) {
        section.error(
            key,
            at.span,
            format!("a {key} of zero would end every run at once"),
            Some("write \"none\" for no limit".to_owned()),
        );
        return None;
    }
    Some(at)
}

/// So many times the usual, or a duration that is not zero.
fn slow_after(section: &mut Section, key: &str) -> Option<At<SlowAfter>> {
    const HELP: &str = "write a duration such as \"10m\", or more than once the usual, such as \"3x\" or \"1.5x\"";
    let is_times = |text: &str| text.trim_end().ends_with(['x', 'X']);
    let Some(text) = section.get(key).and_then(|value| value.get_ref().as_str()).filter(|text| is_times(text)) else {
        let at = section.duration(key)?;
        if at.value.is_zero() {
            section.error(key, at.span, "every run would be a slow one", Some(HELP.to_owned()));
            return None;
        }
        return Some(at.map(SlowAfter::Time));
    };
    let span = section.span(key)?;
    match SlowAfter::times(text) {
        Some(value) => Some(At { value, span }),
        None => {
            section.error(key, span, format!("`{text}` is not so many times the usual"), Some(HELP.to_owned()));
            None
        }
    }
}

/// A duration that is not zero, or `"none"`.
fn overdue_after(section: &mut Section) -> Settable<Duration> {
    let at = section.settable("overdue_after", Section::duration)?;
    if at.value.is_some_and(|duration| duration.is_zero()) {
        let help = "write for how long there may be no success, such as \"26h\", or \"none\"".to_owned();
        section.error("overdue_after", at.span, "it would be overdue at all times", Some(help));
        return None;
    }
    Some(at)
}
