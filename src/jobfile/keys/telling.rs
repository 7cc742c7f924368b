//! The keys that say who is told of what.

use super::{Key, Names, SECRET, Shape, words};
use crate::job::Tell;

const ADDRESS: Shape = Shape::Form("^\\s*[hH][tT][tT][pP][sS]?:");
/// An address, or where one stands that is a secret.
pub const TARGET: Shape = Shape::Either(&[ADDRESS, Shape::OneKey(SECRET)]);
/// A duration, or so many times what is usual.
pub const SLOW: Shape = Shape::Either(&[Shape::Duration, Shape::Form("^\\s*[0-9]+([.][0-9]{1,2})?\\s*[xX]\\s*$")]);

/// The keys of a channel, of which one at least says by what it is told.
pub const CHANNEL: &[Key] = &[
    Key::new("mail", Shape::OneOrMany(&Shape::Filled), "One address or several, told by mail as `[smtp]` says."),
    Key::new(
        "webhook",
        Shape::Either(&[ADDRESS, Shape::Table(&[WEBHOOK])]),
        "A web server that is told by POST: its address, or a table with `url` and more. Slack, Discord, Teams, ntfy and \
         Telegram are known by their hosts.",
    ),
    Key::new(
        "command",
        Shape::OneOrMany(&Shape::Filled),
        "A program and its arguments, which finds the notice as JSON on its standard input and in `PUNCTUAL_…` variables.",
    ),
    Key::new("tell", Shape::OneOrMany(&Shape::Word(|| words(&Tell::WORDS))), "What of a job's life it is told.")
        .default("[\"failed\", \"recovered\", \"missed\", \"stuck\", \"overdue\"]"),
    Key::new(
        "after_failures",
        Shape::Integer(1, u32::MAX as i64),
        "So many failures in a row come before the first notice of them.",
    )
    .default("1"),
    Key::new("at_most_every", Shape::Duration, "While something stays broken, it is told of it no more often.")
        .default("\"1h\""),
    Key::new(
        "quiet",
        Shape::Form("^\\s*[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?\\s*-\\s*[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?\\s*$"),
        "From when to when notices are held back, in the daemon's zone, such as `22:00-07:00`; then one message has them all.",
    ),
];

/// The keys of `webhook`.
pub const WEBHOOK: &[Key] = &[
    Key::new(
        "url",
        TARGET,
        "Its address, or where that stands: `{ env = \"NAME\" }`, `{ file = … }` or `{ credential = … }`.",
    )
    .required(),
    Key::new(
        "shape",
        Shape::Word(|| crate::job::Shape::WORDS.to_vec()),
        "In which form it wants to be told; without it that of a host that is known, and otherwise `json`.",
    ),
    Key::new(
        "chat",
        Shape::Either(&[Shape::Filled, Shape::Integer(i64::MIN, i64::MAX)]),
        "Whom a bot of Telegram tells: the number of a chat, or `@name` of a channel.",
    ),
    Key::new(
        "headers",
        Shape::Names(Names::Any, &Shape::Either(&[Shape::Text, Shape::OneKey(SECRET)])),
        "Headers by their names; a secret is `{ env = \"NAME\" }`, `{ file = … }` or `{ credential = … }`.",
    ),
    Key::new("secret", Shape::OneKey(SECRET), "With which what is sent is signed (HMAC-SHA256)."),
];

/// The keys of `[daemon.housekeeping] digest`.
pub const DIGEST: &[Key] = &[
    Key::new("schedule", Shape::Schedule, "A cron pattern, in UTC; `\"none\"` for never.").required(),
    Key::new("channels", Shape::OneOrMany(&Shape::Text), "Whom it goes to; without it every channel."),
];
