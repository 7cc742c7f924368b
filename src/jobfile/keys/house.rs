//! The tables of a file, and the keys of those that are no jobs.

use super::{CHANNEL, DIGEST, JOB, Key, Names, POLICIES, SECRET, Shape, TARGET, words};

/// What is due while the ledger cannot be written: whether it runs.
pub const WHEN_UNRECORDABLE: [(&str, bool); 2] = [("wait", false), ("run", true)];
/// What becomes of mail where the server offers no STARTTLS: whether it goes in the open.
pub const STARTTLS: [(&str, bool); 2] = [("required", false), ("opportunistic", true)];
/// More runs at once than any machine carries.
pub const MOST_PLACES: i64 = 1_000_000;

const TEXTS: Shape = Shape::OneOrMany(&Shape::Text);
const CHORE: &str = "A cron pattern, in UTC; `\"none\"` for never.";

/// What stands in a file outside of all tables.
pub const TOP_LEVEL: &[Key] = &[
    Key::new(
        "include",
        Shape::OneOrMany(&Shape::Filled),
        "Other files with `[jobs]`, `[pools]`, `[calendars]` and `[channels]`, by name or by pattern (`jobs.d/*.toml`); a name may exist once.",
    ),
    Key::new("daemon", Shape::Table(&[DAEMON]), "What the daemon is told; each key is also an environment variable."),
    Key::new("smtp", Shape::Table(&[SMTP]), "How mail leaves."),
    Key::new(
        "defaults",
        Shape::Table(&[POLICIES]),
        "What all jobs share; a job's own keys win, and `\"none\"` takes one back.",
    ),
    Key::new(
        "calendars",
        Shape::Names(Names::Any, &Shape::Table(&[CALENDAR])),
        "Sets of times in which jobs do not run.",
    ),
    Key::new(
        "pools",
        Shape::Names(Names::Any, &Shape::Integer(1, MOST_PLACES)),
        "Named capacities that jobs share; a pool of one is a lock.",
    ),
    Key::new(
        "channels",
        Shape::Names(Names::Job, &Shape::Table(&[CHANNEL])),
        "Whom to tell of jobs: `[channels.NAME]`, with `mail`, `webhook` or `command`.",
    ),
    Key::new(
        "jobs",
        Shape::Names(Names::Job, &Shape::Table(&[JOB, POLICIES])),
        "The jobs: `[jobs.NAME]`, with a task (`command`, `http`, `sql`, `mail` or `steps`) and mostly a `schedule`.",
    ),
];

/// The keys of `[daemon]`.
pub const DAEMON: &[Key] = &[
    Key::new("database", Shape::Filled, "The ledger, in the state folder unless absolute.").default("\"punctual.db\""),
    Key::new("timezone", Shape::Text, "The zone of jobs that name none.").default("\"system\""),
    Key::new("max_running", Shape::Integer(1, MOST_PLACES), "Runs at once over all jobs; more wait in due order.")
        .default("64"),
    Key::new("stop_grace", Shape::Duration, "For how long a stopping daemon lets runs finish.").default("\"30s\""),
    Key::new(
        "when_unrecordable",
        Shape::Word(|| words(&WHEN_UNRECORDABLE)),
        "What is due while the ledger cannot be written: `wait` for it, or `run` and record it later.",
    )
    .default("\"wait\""),
    Key::new(
        "operators",
        Shape::OneOrMany(&Shape::Filled),
        "Groups of the system whose members may do everything by the control socket, besides root and the daemon's own user.",
    ),
    Key::new(
        "readers",
        Shape::OneOrMany(&Shape::Filled),
        "Groups whose members may ask by the control socket; `all` lets everybody.",
    ),
    Key::new(
        "channels",
        Shape::OneOrMany(&Shape::Text),
        "Whom to tell of the daemon's own trouble; without it every channel, `[]` for none.",
    ),
    Key::new("ping", TARGET, "An address that is told that the daemon lives, as healthchecks.io wants it."),
    Key::new(
        "templates",
        Shape::Filled,
        "A folder with templates of your own for notices, relative to this file; without it `templates`, if that is there.",
    ),
    Key::new("housekeeping", Shape::Table(&[HOUSEKEEPING]), "What the daemon does for its ledger, and when."),
    Key::new("retention", Shape::Table(&[RETENTION]), "How long the ledger keeps what."),
];

pub const HOUSEKEEPING: &[Key] = &[
    Key::new("prune", Shape::Schedule, CHORE).default("\"15 3 * * *\""),
    Key::new("optimize", Shape::Schedule, CHORE).default("\"45 3 * * 0\""),
    Key::new("audit", Shape::Schedule, CHORE).default("\"35 3 * * *\""),
    Key::new("backup", Shape::Table(&[BACKUP]), "Copies of the ledger; none unless this is given."),
    Key::new(
        "digest",
        Shape::Table(&[DIGEST]),
        "What ran, what failed, what got slower and what is due, told now and then; never unless this is given.",
    ),
];

pub const BACKUP: &[Key] = &[
    Key::new("schedule", Shape::Schedule, CHORE).required(),
    Key::new("to", Shape::Filled, "The folder, in the state folder unless absolute.").default("\"backups\""),
    Key::new("keep_last", Shape::Integer(1, MOST_PLACES), "So many of them stay.").default("7"),
];

pub const RETENTION: &[Key] = &[
    Key::new("keep", Shape::Duration, "For how long runs are kept.").or_none().default("\"90d\""),
    Key::new("keep_failures", Shape::Duration, "For how long failures are kept, and the last success before each.")
        .or_none()
        .default("\"1y\""),
    Key::new("keep_last", Shape::Integer(0, u32::MAX as i64), "So many runs of each job stay, whatever their age.")
        .default("20"),
    Key::new("max_size", Shape::Size, "Of the database; the output of successes goes first.")
        .or_none()
        .default("\"2GiB\""),
];

/// The keys of `[smtp]`.
pub const SMTP: &[Key] = &[
    Key::new(
        "url",
        Shape::Form("^(smtps?|smtp\\+starttls|sendmail|file):"),
        "`smtps://user@host`, `smtp+starttls://user@host:587`, `smtp://localhost`, `sendmail:/usr/sbin/sendmail`, or \
         `file:folder` for trying.",
    )
    .required(),
    Key::new("password", Shape::OneKey(SECRET), "Where the password is read from."),
    Key::new("from", Shape::Filled, "The sender, such as `punctual <punctual@example.org>`.").required(),
    Key::new("ca_file", Shape::Text, "Certificates to trust in place of the system's."),
    Key::new(
        "starttls",
        Shape::Word(|| words(&STARTTLS)),
        "Of `smtp+starttls://`: `opportunistic` sends in the open where the server offers no STARTTLS.",
    )
    .default("\"required\""),
    Key::new("certificate", Shape::Filled, "A certificate (PEM) that we show to the server."),
    Key::new("key", Shape::Filled, "Its key (PEM); without it that in the file of the certificate."),
];

/// The keys of a calendar, of which there is at least one.
pub const CALENDAR: &[Key] = &[
    Key::new(
        "dates",
        Shape::OneOrMany(&Shape::Moment),
        "`2026-12-25`, `2026-12-24/2027-01-01` with both ends, or `12-25` of every year.",
    ),
    Key::new(
        "days",
        Shape::OneOrMany(&Shape::Text),
        "Days of the week, `mon` to `sun`; with `hours` only these of them.",
    ),
    Key::new("hours", TEXTS, "From when to when, such as `02:00-04:00`; past midnight `22:00-06:00`."),
    Key::new("file", Shape::Text, "An iCalendar file, whose events are the calendar."),
];
