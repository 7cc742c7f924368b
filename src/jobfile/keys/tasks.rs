//! The keys of the tasks that need no process, and of the places where secrets stand.

use super::{Key, Names, Shape, words};
use crate::job::{Method, OnChange};

/// More than any machine has ports for connections to one address.
pub const MOST_REQUESTS_AT_ONCE: i64 = 100_000;
/// Of one run: the latency of each is remembered until its end.
pub const MOST_REQUESTS: i64 = 1_000_000;
/// A server of PostgreSQL has a hundred connections for everybody, unless it is told otherwise.
pub const MOST_STATEMENTS_AT_ONCE: i64 = 100;

const TEXTS: Shape = Shape::OneOrMany(&Shape::Text);
const STATUS: Shape =
    Shape::Either(&[Shape::Integer(100, 599), Shape::Form("^\\s*[1-5][0-9]{2}\\s*(-\\s*[1-5][0-9]{2}\\s*)?$")]);

/// Where a secret stands.
pub const SECRET: &[Key] = &[
    Key::new("env", Shape::Filled, "A variable of the daemon's environment, by its name."),
    Key::new("file", Shape::Filled, "A file that holds nothing else, relative to this one."),
    Key::new("credential", Shape::Filled, "A credential that systemd hands to the service, by its name."),
];

/// The keys of `http`.
pub const HTTP: &[Key] = &[
    Key::new("url", Shape::OneOrMany(&Shape::Form("^\\s*[hH][tT][tT][pP][sS]?:")), "One address, or many.").required(),
    Key::new("max_parallel", Shape::Integer(1, MOST_REQUESTS_AT_ONCE), "So many requests at once.").default("16"),
    Key::new("method", Shape::Word(|| words(&Method::WORDS)), "Without it GET, or POST where there is a `body`."),
    Key::new(
        "headers",
        Shape::Names(Names::Any, &Shape::Either(&[Shape::Text, Shape::OneKey(SECRET)])),
        "Headers by their names; a secret is `{ env = \"NAME\" }`, `{ file = … }` or `{ credential = … }`.",
    ),
    Key::new("body", Shape::Text, "What is sent."),
    Key::new(
        "expect_status",
        Shape::OneOrMany(&STATUS),
        "Status codes that are no failure: `200`, `\"200-299\"`, or a list.",
    )
    .default("\"200-299\""),
    Key::new("expect_body", Shape::Text, "A text that the answer contains; between slashes a regular expression."),
    Key::new("expect_json", Shape::Names(Names::Any, &Shape::Anything), "Values of the answer by JSON pointer."),
    Key::new("expect_certificate", Shape::Duration, "For how long the server's certificate must still be valid."),
    Key::new("request_timeout", Shape::Duration, "For one request with all its redirects.").default("\"30s\""),
    Key::new("body_limit", Shape::Size, "A larger answer is a failure.").default("\"16MiB\""),
    Key::new("ca_file", Shape::Filled, "Certificates of issuers to trust beside those of the machine."),
    Key::new("repeat", Shape::Integer(1, MOST_REQUESTS), "How often each address is asked.").default("1"),
    Key::new(
        "fail_above",
        Shape::OneOrMany(&Shape::Form("^\\s*(p50|p90|p95|p99|max) ")),
        "The highest latency that is no failure, such as `\"p95 300ms\"`.",
    ),
    Key::new("save", Shape::Filled, "A folder that keeps the answers that were as expected."),
    Key::new(
        "on_change",
        Shape::Either(&[Shape::Word(|| words(&OnChange::WORDS)), Shape::Boolean]),
        "What follows where an answer is not what was saved last; `true` is the same as `\"fail\"`.",
    ),
];

/// The keys of `sql`.
pub const SQL: &[Key] = &[
    Key::new("database", Shape::Filled, "`postgres://user@host/database`, or the path of a SQLite file.").required(),
    Key::new("statements", TEXTS, "One text or several, each with one or several statements."),
    Key::new("file", Shape::Filled, "A file of statements, read at each run."),
    Key::new("single_transaction", Shape::Boolean, "All of them in one transaction.").default("false"),
    Key::new(
        "max_parallel",
        Shape::Integer(1, MOST_STATEMENTS_AT_ONCE),
        "So many statements at once, each on its own connection.",
    )
    .default("1"),
    Key::new(
        "expect_rows",
        Shape::Either(&[Shape::Integer(0, i64::MAX), Shape::Form("^\\s*(<=|>=|<|>|=|==|!=)?\\s*[0-9]+\\s*$")]),
        "How many rows the last query returns: `3`, `\">= 1\"`, `\"< 100\"`.",
    ),
    Key::new("password", Shape::OneKey(SECRET), "Where the password is read from at each run."),
];

/// The keys of `mail`.
pub const MAIL: &[Key] = &[
    Key::new("from", Shape::Filled, "The sender; without it that of `[smtp]`."),
    Key::new("to", Shape::OneOrMany(&Shape::Filled), "One address or several, each with a name or without.").required(),
    Key::new("cc", Shape::OneOrMany(&Shape::Filled), "Who gets a copy."),
    Key::new("subject", Shape::Text, "A template, as the body is one.").required(),
    Key::new("body", Shape::Text, "A template that sees `job`, `run`, `last`, `jobs` and `causes`."),
    Key::new("body_file", Shape::Text, "A file with the template, in place of `body`."),
    Key::new("html", Shape::Text, "The same in HTML; what comes into it is escaped."),
    Key::new("attach", Shape::OneOrMany(&Shape::Filled), "Files that go with it."),
];
