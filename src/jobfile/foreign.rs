//! Which key of ours was meant by a key that is none? Words of cron, systemd, Kubernetes and other schedulers are answered
//! with ours, misspelt ones with the right spelling, and keys of another table with that table.

use super::diagnostic::Diagnostics;
use super::keys::{self, Key};

/// What to write instead, and why.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Advice {
    pub help: String,
    pub note: Option<String>,
    /// The key that was meant, if it is one of the table.
    pub ours: Option<&'static str>,
}

/// Words of other tools in lower case and without `_` and `-`; ours; what else there is to know.
const WORDS: &[(&[&str], &str, &str)] = &[
    (
        &[
            "cron",
            "crontab",
            "cronexpression",
            "cronexpr",
            "when",
            "oncalendar",
            "timer",
            "spec",
            "time",
            "cronspec",
            "expr",
        ],
        "schedule",
        "",
    ),
    (&["every", "interval", "onunitactivesec"], "schedule", "an interval is written as schedule = \"every 5m\""),
    (
        &["onbootsec", "onboot", "runonboot", "reboot"],
        "schedule",
        "the start of the machine is written as schedule = \"@reboot\"",
    ),
    (
        &["runonstart", "runonstartup", "runatstart", "onstart"],
        "schedule",
        "the daemon's start is written as schedule = \"@start\"",
    ),
    (
        &["cmd", "script", "run", "exec", "execstart", "program", "shellcommand", "entrypoint", "task", "action"],
        "command",
        "",
    ),
    (
        &["args", "arguments", "argv", "params"],
        "command",
        "a list is started as it is, without a shell: command = [\"program\", \"argument\"]",
    ),
    (
        &["image", "container", "volumes", "network"],
        "command",
        "there are no containers here: start one with command = \"docker run --rm …\"",
    ),
    (&["workdir", "workingdir", "workingdirectory", "dir", "directory", "chdir", "pwd"], "cwd", ""),
    (
        &["environment", "environments", "envs", "envvars", "variables", "vars", "envvar"],
        "env",
        "it is a table: env = { NAME = \"value\" }",
    ),
    (&["environmentfile", "environmentfiles", "envfiles", "envfrom", "dotenv"], "env_file", ""),
    (
        &[
            "concurrencypolicy",
            "concurrency",
            "concurrent",
            "allowoverlap",
            "nooverlap",
            "allowconcurrent",
            "singleton",
            "maxinstances",
            "maxconcurrency",
            "allowparallel",
            "overlappolicy",
        ],
        "overlap",
        "Forbid is \"skip\", Replace is \"replace\", Allow is \"allow\"; \"queue\" waits",
    ),
    (
        &["startingdeadlineseconds", "misfiregracetime", "misfire", "startdeadline"],
        "catch_up_within",
        "it is a duration, such as \"10m\"",
    ),
    (&["persistent", "anacron", "catchup", "runmissed", "misfirepolicy", "coalesce", "backfill"], "catch_up", ""),
    (
        &["backofflimit", "retry", "maxretries", "maxattempts", "attempts", "retrycount", "retrylimit", "numretries"],
        "retries",
        "",
    ),
    (
        &["retryinterval", "retrywait", "backoff", "retrybackoff", "restartsec", "retrypause", "retryafter"],
        "retry_delay",
        "it doubles with each attempt, up to retry_max_delay",
    ),
    (
        &[
            "activedeadlineseconds",
            "runtimemaxsec",
            "timeoutsec",
            "timeoutseconds",
            "timelimit",
            "maxruntime",
            "maxduration",
            "executiontimeout",
            "deadline",
            "timeoutstartsec",
        ],
        "timeout",
        "it is a duration, such as \"30s\" or \"1h\"",
    ),
    (
        &["timeoutstopsec", "graceperiod", "killtimeout", "terminationgraceperiodseconds", "stoptimeout"],
        "kill_after",
        "",
    ),
    (&["killsignal", "signal"], "stop_signal", ""),
    (
        &["randomizeddelaysec", "randomdelay", "randomdelaysec", "splay", "delay", "startdelay", "accuracysec"],
        "jitter",
        "",
    ),
    (
        &["suspend", "suspended", "disabled", "disable", "paused", "active", "enable"],
        "enabled",
        "a job that is not to run has enabled = false",
    ),
    (&["tz", "timezoneid", "crontz", "zone", "location"], "timezone", ""),
    (
        &[
            "dependson",
            "depends",
            "requires",
            "runsafter",
            "parent",
            "parents",
            "upstream",
            "dependencies",
            "onsuccessof",
        ],
        "after",
        "",
    ),
    (
        &["onsuccess", "then", "triggers", "downstream", "children"],
        "after",
        "the other way round: the job that follows says after = \"this one\"",
    ),
    (
        &["onfailure", "onerror", "iffailed"],
        "steps",
        "what is to follow a failure is a step: steps.NAME = { command = \"…\", needs = [\"…\"], always = true }",
    ),
    (&["name", "title", "id"], "description", "the name of a job stands in its header: [jobs.NAME]"),
    (&["desc", "comment", "about", "summary", "help", "label"], "description", ""),
    (&["runas", "runasuser", "username", "uid", "account"], "user", ""),
    (&["runasgroup", "gid", "groupname"], "group", ""),
    (
        &[
            "memory",
            "memorymax",
            "memorylimit",
            "memlimit",
            "cpu",
            "cpus",
            "cpuquota",
            "limitnofile",
            "ulimit",
            "ulimits",
            "resources",
            "tasksmax",
            "rlimit",
        ],
        "limits",
        "it is a table: limits = { memory = \"512MiB\", cpu = \"50%\" }",
    ),
    (
        &["lock", "lockfile", "mutex", "flock", "semaphore", "concurrencygroup", "queue"],
        "pool",
        "a lock is a pool of one: [pools] with NAME = 1",
    ),
    (
        &["stdout", "stderr", "output", "log", "logs", "logfile", "outputfile", "standardoutput", "savefolder"],
        "output_limit",
        "output is kept in the ledger by itself: `punctual logs JOB` shows it, and output_limit says how much is kept",
    ),
    (&["input", "standardinput"], "stdin", ""),
    (&["niceness", "priority"], "nice", ""),
    (&["startdate", "start", "notbefore", "validfrom", "begin"], "not_before", ""),
    (&["enddate", "end", "notafter", "expires", "validuntil"], "not_after", ""),
    (
        &["exclude", "excludedates", "holidays", "calendar", "calendars", "excludecalendar", "blackout", "skipon"],
        "not_on",
        "it names tables [calendars.NAME]",
    ),
    (
        &[
            "historylimit",
            "successfuljobshistorylimit",
            "failedjobshistorylimit",
            "keeplast",
            "ttlsecondsafterfinished",
        ],
        "",
        "what is kept of all jobs is said in [daemon.retention], with keep, keep_failures and keep_last",
    ),
    (&["uri", "webhook", "endpoint", "request"], "http", "it is a table: http = { url = \"https://…\" }"),
    (&["query", "statement", "database"], "sql", "it is a table: sql = { database = \"…\", statements = \"…\" }"),
    (
        &["mailto", "notify", "notification", "notifications", "notifier", "alert", "alerts", "alerting", "receivers"],
        "channels",
        "it names tables [channels.NAME], which say by `mail`, `webhook` or `command` who is told, and by `tell` of what",
    ),
    (
        &["mailto", "email", "emails"],
        "mail",
        "a channel names whom it mails; a job or a step with mail = { to = \"…\", subject = \"…\" } sends one",
    ),
    (
        &["url", "uri", "endpoint", "hook", "slack", "discord", "teams", "ntfy", "telegram", "webhookurl"],
        "webhook",
        "webhook = \"https://…\"; its form is that of a host that is known, or that of webhook = { url = \"…\", shape = \"slack\" }",
    ),
    (
        &["notifyon", "events", "on", "when", "level", "severity"],
        "tell",
        "it is a list, such as [\"failed\", \"recovered\"]",
    ),
    (
        &["throttle", "repeatinterval", "cooldown", "ratelimit", "interval", "every"],
        "at_most_every",
        "it is a duration, such as \"1h\"",
    ),
    (&["quiethours", "mute", "muted", "silence", "silent", "donotdisturb", "dnd"], "quiet", "such as \"22:00-07:00\""),
    (&["threshold", "failures", "minfailures", "consecutivefailures", "failurethreshold"], "after_failures", ""),
    (
        &[
            "healthcheck",
            "healthchecks",
            "healthchecksurl",
            "pingurl",
            "heartbeat",
            "heartbeaturl",
            "snitch",
            "checkin",
        ],
        "ping",
        "it is an address: ping = \"https://hc-ping.com/…\"",
    ),
    (
        &["sla", "maxage", "staleafter", "alertafter", "maxsilence"],
        "overdue_after",
        "it is a duration, such as \"26h\"",
    ),
    (&["slow", "warnafter", "softtimeout", "expectedduration"], "slow_after", "a duration, or \"3x\" of the usual"),
    (&["exitcodes", "successexitstatus", "successexitcodes", "allowedexitcodes"], "success_codes", ""),
    (&["needs"], "after", "`needs` is for steps of one job; jobs that follow others say `after`"),
    (
        &["after", "dependson", "depends", "requires"],
        "needs",
        "`after` is for jobs; steps of one job say what they need",
    ),
];

/// The tables of a file in which a key may stand that stands in the wrong one, and how one names them.
const TABLES: [(&str, &[Key]); 16] = [
    ("a job, below [jobs.NAME]", keys::JOB),
    ("a job or [defaults]", keys::POLICIES),
    ("[daemon]", keys::DAEMON),
    ("[daemon.housekeeping]", keys::HOUSEKEEPING),
    ("[daemon.retention]", keys::RETENTION),
    ("a job's `http`", keys::HTTP),
    ("a job's `sql`", keys::SQL),
    ("a job's `mail`", keys::MAIL),
    ("a job's `limits`", keys::LIMITS),
    ("a step", keys::STEP),
    ("[smtp]", keys::SMTP),
    ("[channels.NAME]", keys::CHANNEL),
    ("a channel's `webhook`", keys::WEBHOOK),
    ("[daemon.housekeeping] digest", keys::DIGEST),
    ("[calendars.NAME]", keys::CALENDAR),
    ("the file itself, above all keys of tables", keys::TOP_LEVEL),
];

/// What to write instead of a key that the table at `path` does not know.
pub fn advise(name: &str, known: &[&[Key]], said: &Diagnostics) -> Advice {
    let is_known = |key: &str| known.iter().any(|keys| keys.iter().any(|known| known.name == key));
    let plain: String = name.to_ascii_lowercase().replace(['_', '-'], "");
    let word =
        |(words, ours, _): &&(&[&str], &str, &str)| words.contains(&&*plain) && (ours.is_empty() || is_known(ours));
    if let Some((_, ours, note)) = WORDS.iter().find(word) {
        let note = Some(*note).filter(|note| !note.is_empty()).map(str::to_owned);
        return match (*ours, note) {
            ("", note) => Advice { help: note.unwrap_or_default(), note: None, ours: None },
            (ours, note) => Advice { help: format!("here it is called `{ours}`"), note, ours: Some(ours) },
        };
    }
    let names = known.iter().flat_map(|keys| keys.iter().map(|key| key.name));
    if let Some(near) = said.nearest(name, names.clone()) {
        return Advice { help: format!("did you mean `{near}`?"), note: None, ours: Some(near) };
    }
    if let Some((table, _)) = TABLES.iter().find(|(_, keys)| keys.iter().any(|key| key.name == name)) {
        return Advice { help: format!("`{name}` belongs to {table}"), note: None, ours: None };
    }
    Advice { help: format!("known here: {}", names.collect::<Vec<_>>().join(", ")), note: None, ours: None }
}

/// What another scheduler calls what one of our words means.
pub fn same_word(key: &str, text: &str) -> Option<&'static str> {
    let ours = match (key, text.to_ascii_lowercase().as_str()) {
        ("overlap", "forbid" | "deny" | "no" | "never" | "drop" | "single") => "skip",
        ("overlap", "wait" | "serial" | "enqueue" | "delay") => "queue",
        ("overlap", "kill" | "cancel" | "restart" | "terminate") => "replace",
        ("overlap", "parallel" | "concurrent" | "yes") => "allow",
        ("catch_up", "once" | "last" | "true" | "yes" | "coalesce" | "fire-once") => "latest",
        ("catch_up", "never" | "no" | "false" | "skip" | "ignore") => "none",
        ("on_lost", "keep" | "adopt" | "continue") => "leave",
        ("tell", "failure" | "failures" | "fail" | "error" | "errors" | "on-failure" | "onfailure") => "failed",
        ("tell", "recovery" | "fixed" | "resolved" | "back-to-normal") => "recovered",
        ("tell", "success" | "ok" | "done" | "succeed" | "on-success" | "onsuccess") => "succeeded",
        ("tell", "late" | "stale" | "sla") => "overdue",
        ("tell", "long" | "long-running" | "slowness") => "slow",
        ("tell", "miss" | "misfire" | "misfired") => "missed",
        ("tell", "skip") => "skipped",
        ("tell", "stdout" | "log" | "logs") => "output",
        ("shape", "mattermost" | "rocketchat" | "rocket.chat") => "slack",
        ("shape", "msteams" | "ms-teams" | "microsoft-teams" | "office365") => "teams",
        ("starttls", "always" | "force" | "forced" | "true" | "yes" | "must") => "required",
        ("starttls", "optional" | "if-available" | "may" | "auto" | "preferred" | "try") => "opportunistic",
        ("stop_signal", "sigterm" | "15") => "TERM",
        ("stop_signal", "sigint" | "2") => "INT",
        ("stop_signal", "sigquit" | "3") => "QUIT",
        ("stop_signal", "sighup" | "1") => "HUP",
        ("stop_signal", "sigusr1") => "USR1",
        ("stop_signal", "sigusr2") => "USR2",
        _ => return None,
    };
    Some(ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(known: &[&[Key]], name: &str, expect: &str) {
        let advice = advise(name, known, &Diagnostics::default());
        assert!(advice.help.contains(expect), "{name}: {advice:?}");
    }

    #[test]
    fn words_of_other_tools_are_answered_with_ours() {
        let job: &[&[Key]] = &[keys::JOB, keys::POLICIES];
        for (name, ours) in [
            ("cron", "`schedule`"),
            ("OnCalendar", "`schedule`"),
            ("when", "`schedule`"),
            ("cmd", "`command`"),
            ("ExecStart", "`command`"),
            ("workdir", "`cwd`"),
            ("WorkingDirectory", "`cwd`"),
            ("environment", "`env`"),
            ("concurrencyPolicy", "`overlap`"),
            ("startingDeadlineSeconds", "`catch_up_within`"),
            ("backoff_limit", "`retries`"),
            ("RandomizedDelaySec", "`jitter`"),
            ("on_failure", "`steps`"),
            ("depends_on", "`after`"),
            ("needs", "`after`"),
            ("tiemout", "did you mean `timeout`?"),
            ("url", "`url` belongs to a job's `http`"),
            ("max_running", "`max_running` belongs to [daemon]"),
            ("failedJobsHistoryLimit", "[daemon.retention]"),
            ("xyzzy", "known here: description, "),
        ] {
            check(job, name, ours);
        }
        check(&[keys::STEP], "after", "`needs`");
        check(&[keys::STEP], "schedule", "`schedule` belongs to a job");
        check(&[keys::POLICIES], "command", "`command` belongs to a job");
        check(&[keys::TOP_LEVEL], "schedule", "`schedule` belongs to a job, below [jobs.NAME]");
    }

    #[test]
    fn what_is_suggested_exists_and_no_word_of_ours_is_foreign() {
        let all = || TABLES.iter().flat_map(|(_, keys)| keys.iter());
        for (words, ours, _) in WORDS {
            assert!(ours.is_empty() || all().any(|key| key.name == *ours), "{ours}");
            for word in *words {
                assert!(
                    !keys::JOB.iter().chain(keys::POLICIES).any(|key| key.name == *word && *word != "after"),
                    "{word}"
                );
                assert_eq!(word.to_ascii_lowercase().replace(['_', '-'], ""), **word);
            }
        }
    }
}
