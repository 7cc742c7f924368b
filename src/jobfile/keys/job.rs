//! The keys of jobs, of their steps, and of what they may take from `[defaults]`.

use super::{HTTP, Key, MAIL, Names, SLOW, SQL, Shape, TARGET, words};
use crate::job::{CatchUp, OnLost, Overlap, StopSignal};
use crate::schedule::{Fold, Gap, Then};

/// Who lets more runs of a job wait has no need for a limit.
pub const MOST_QUEUED: i64 = 1_000_000;
/// With the longest pause of five minutes more than a week of trying.
pub const MOST_RETRIES: i64 = 10_000;
/// The highest number of processes or files that Linux counts to, whatever is configured.
pub const MOST_COUNTED: i64 = 1 << 30;

const CODES: Shape = Shape::OneOrMany(&Shape::Integer(0, 255));
const TEXTS: Shape = Shape::OneOrMany(&Shape::Text);
const COMMAND: Shape = Shape::OneOrMany(&Shape::Filled);
const COMMAND_ABOUT: &str = "What runs: a text for the `shell`, or a list of words that is started as it is.";
const STDIN_ABOUT: &str = "What the command reads on its standard input.";

/// The keys that only a job has.
pub const JOB: &[Key] = &[
    Key::new("description", Shape::Text, "What the job is for, in a sentence; `show` and mails say it."),
    Key::new(
        "formerly",
        Shape::Form("^[A-Za-z][A-Za-z0-9_.-]{0,63}$"),
        "The name that the job had before; it keeps its history.",
    ),
    Key::new("enabled", Shape::Boolean, "A disabled job is checked and never due; it can still be run by hand.")
        .default("true"),
    Key::new(
        "schedule",
        Shape::OneOrMany(&Shape::Schedule),
        "When it is due: a cron pattern (`30 2 * * *`), `every 90m`, `every 90m after end`, `at 2026-12-31T23:59:00`, or an \
         alias such as `@daily`, `@reboot`, `@start`; one or several. Without one it is run by hand or `after` others.",
    ),
    Key::new("not_before", Shape::Moment, "A date, or a date and time in the job's zone, before which it is not due."),
    Key::new("not_after", Shape::Moment, "A date, or a date and time in the job's zone, after which it is not due."),
    Key::new("after", TEXTS, "Jobs: it runs each time when all of these have succeeded since its own last run began."),
    Key::new("command", COMMAND, COMMAND_ABOUT),
    Key::new("http", Shape::Table(&[HTTP]), "Requests to web servers, instead of a command."),
    Key::new("sql", Shape::Table(&[SQL]), "Statements for a database, instead of a command."),
    Key::new("mail", Shape::Table(&[MAIL]), "A message, instead of a command; `[smtp]` says how it leaves."),
    Key::new("stdin", Shape::Text, STDIN_ABOUT).default("\"\""),
    Key::new(
        "steps",
        Shape::Either(&[
            Shape::Names(Names::Job, &Shape::Table(&[STEP])),
            Shape::List(&Shape::Either(&[Shape::Filled, Shape::List(&Shape::Text), Shape::Table(&[STEP])])),
        ]),
        "Parts of the job: by name at the same time, but for what they `needs`; as a list one after the other.",
    ),
    Key::new("keep_going", Shape::Boolean, "Other steps go on after one has failed.").default("false"),
    Key::new(
        "matrix",
        Shape::Names(Names::Axis, &Shape::List(&Shape::Scalar)),
        "Lists of values: a step for each combination, which the command finds in `MATRIX_NAME`.",
    ),
    Key::new("max_parallel", Shape::Integer(1, i64::MAX), "So many steps at once; without it all of them."),
];

/// The keys of a step.
pub const STEP: &[Key] = &[
    Key::new("command", COMMAND, COMMAND_ABOUT),
    Key::new("http", Shape::Table(&[HTTP]), "Requests to web servers, instead of a command."),
    Key::new("sql", Shape::Table(&[SQL]), "Statements for a database, instead of a command."),
    Key::new("mail", Shape::Table(&[MAIL]), "A message, instead of a command; `[smtp]` says how it leaves."),
    Key::new("stdin", Shape::Text, STDIN_ABOUT).default("\"\""),
    Key::new("needs", TEXTS, "Steps that must have succeeded before it begins."),
    Key::new("always", Shape::Boolean, "It runs when what it needs is over, however that ended.").default("false"),
    Key::new("env", ENV, "Variables of this step, beside those of the job.").or_none(),
    Key::new("cwd", Shape::Text, "The folder in which it runs; without it the job's.").or_none(),
    Key::new("timeout", Shape::Duration, "It is ended when it takes longer.").or_none(),
    Key::new("retries", Shape::Integer(0, MOST_RETRIES), "Further attempts of this step after a failure.").default("0"),
    Key::new("success_codes", CODES, "Exit codes that are no failure.").or_none(),
    Key::new("fail_on_output", Shape::Text, "A regular expression: a line that it matches is a failure.").or_none(),
];

const ENV: Shape = Shape::Names(Names::Variable, &Shape::Scalar);

/// The keys that a job may say itself or take from `[defaults]`.
pub const POLICIES: &[Key] = &[
    Key::new("timezone", Shape::Text, "The zone of the schedule, such as `Europe/Berlin`; `system` is the machine's.")
        .or_none(),
    Key::new("not_on", TEXTS, "Calendars in which it does not run; what falls into them is recorded as skipped.").or_none(),
    Key::new(
        "not_on_then",
        Shape::Word(|| words(&Then::WORDS)),
        "What becomes of an instant in `not_on`: left out, or moved to the same time of a free day.",
    )
    .or_none()
    .default("\"skip\""),
    Key::new("jitter", Shape::Duration, "It starts up to this much later, by a hash of machine, name and instant.")
        .or_none(),
    Key::new(
        "dst_gap",
        Shape::Word(|| words(&Gap::WORDS)),
        "What becomes of a time that daylight saving leaves out. Without it cron's rule: fixed times move, others are \
         skipped.",
    )
    .or_none(),
    Key::new(
        "dst_fold",
        Shape::Word(|| words(&Fold::WORDS)),
        "What becomes of a time that daylight saving has twice. Without it cron's rule: fixed times run once, others twice.",
    )
    .or_none(),
    Key::new("shell", COMMAND, "What a `command` that is a text is given to, as its last word.")
        .or_none()
        .default("[\"/bin/sh\", \"-ec\"]"),
    Key::new("user", Shape::Filled, "The user as whom it runs, with HOME, USER and LOGNAME; needs a daemon of root.").or_none(),
    Key::new("group", Shape::Filled, "The group as which it runs; without it the user's.").or_none(),
    Key::new("cwd", Shape::Text, "The folder in which it runs, relative to this file; without it the user's home.").or_none(),
    Key::new("env", ENV, "Variables of the command.").or_none(),
    Key::new("env_file", TEXTS, "Files of `NAME=value` lines, read at each run.").or_none(),
    Key::new("umask", Shape::Form("^[0-7]{3,4}$"), "Octal digits in quotes, such as `\"027\"`.").or_none(),
    Key::new("nice", Shape::Integer(-20, 19), "19 is the politest.").or_none(),
    Key::new("limits", Shape::Table(&[LIMITS]), "What a run may use at most.").or_none(),
    Key::new("timeout", Shape::Duration, "An attempt that takes longer is ended, with all of its processes.").or_none(),
    Key::new("stop_signal", Shape::Word(|| words(&StopSignal::WORDS)), "The signal that ends a run, before KILL.")
        .or_none()
        .default("\"TERM\""),
    Key::new("kill_after", Shape::Duration, "How long after `stop_signal` what still lives is killed.")
        .or_none()
        .default("\"10s\""),
    Key::new("output_limit", Shape::Size, "How much output is kept of an attempt: the first and the last half.")
        .or_none()
        .default("\"1MiB\""),
    Key::new(
        "overlap",
        Shape::Word(|| words(&Overlap::WORDS)),
        "Due again while a run is still going or waiting: `skip` it and record that, `queue` it behind the others, \
         `replace` them, or `allow` it beside them.",
    )
    .default("\"skip\""),
    Key::new("queue_limit", Shape::Integer(1, MOST_QUEUED), "How many wait where `overlap` is `queue`.").default("1"),
    Key::new(
        "on_lost",
        Shape::Word(|| words(&OnLost::WORDS)),
        "What becomes of what still lives of a run whose daemon was killed altogether.",
    )
    .default("\"kill\""),
    Key::new("pool", TEXTS, "One or several of `[pools]`, in each of which a run takes a place while it goes.").or_none(),
    Key::new(
        "catch_up",
        Shape::Word(|| words(&CatchUp::WORDS)),
        "What to do with instants that passed while nothing could run: the `latest` runs, `all` (up to a hundred), or \
         `none`.",
    )
    .default("\"latest\""),
    Key::new("catch_up_within", Shape::Duration, "Instants older than this are missed, whatever `catch_up` says.").or_none(),
    Key::new("success_codes", CODES, "Exit codes that are no failure.").or_none().default("[0]"),
    Key::new("fail_on_output", Shape::Text, "A regular expression: a line of output that it matches is a failure.").or_none(),
    Key::new("no_retry_codes", CODES, "Exit codes after which there is no other attempt.").or_none(),
    Key::new("retries", Shape::Integer(0, MOST_RETRIES), "Further attempts after a failure.").default("0"),
    Key::new("retry_delay", Shape::Duration, "The pause before the second attempt; it doubles with each.")
        .or_none()
        .default("\"10s\""),
    Key::new("retry_max_delay", Shape::Duration, "The longest pause between attempts.").or_none().default("\"5m\""),
    Key::new(
        "channels",
        TEXTS,
        "Which of `[channels]` are told of it; without it every one in the file, `[]` for none.",
    ),
    Key::new(
        "slow_after",
        SLOW,
        "A run that takes longer is told while it goes on: a duration, or so many times the usual p95, such as `\"3x\"`.",
    )
    .or_none(),
    Key::new(
        "overdue_after",
        Shape::Duration,
        "It is told if there was no success for this long, whatever the cause.",
    )
    .or_none(),
    Key::new(
        "ping",
        TARGET,
        "An address that is told of each start, success and failure, as healthchecks.io wants it.",
    )
    .or_none(),
];

/// The keys of `limits`.
pub const LIMITS: &[Key] = &[
    Key::new("memory", Shape::Size, "Of all its processes together, where there are cgroups.").or_none(),
    Key::new("cpu", Shape::Form("^\\s*[0-9]+\\s*%\\s*$"), "A share of a core: `50%` is half of one, `200%` are two.")
        .or_none(),
    Key::new("processes", Shape::Integer(1, MOST_COUNTED), "Processes and threads at once.").or_none(),
    Key::new("open_files", Shape::Integer(1, MOST_COUNTED), "Open files of each process.").or_none(),
    Key::new("required", Shape::Boolean, "A run does not begin without its limits; `false` lets it, and says so.")
        .default("true"),
];
