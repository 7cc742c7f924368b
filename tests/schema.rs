//! The schema of jobs.toml says what `check` says, as far as a schema can say it: never more, and of kinds never less.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod bundled;
mod support;

use std::fs;
use std::path::{Path, PathBuf};

use boon::{Compiler, Draft as SchemaDraft, SchemaIndex, Schemas};
use bundled::Bundled;
use punctual::jobfile::{Diagnostic, Draft, schema};
use serde_json::Value;
use support::Place;

const COMMITTED: &str = "docs/jobs.schema.json";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The schema, read by a validator that others made.
struct Validator {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Validator {
    fn new() -> Self {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.set_default_draft(SchemaDraft::V7);
        compiler.add_resource("jobs.json", schema()).unwrap();
        let index = compiler.compile("jobs.json", &mut schemas).unwrap();
        Self { schemas, index }
    }

    /// What is wrong with a file, as an editor would say it.
    fn refusal(&self, file: &toml::Table) -> Option<String> {
        let value = json(&toml::Value::Table(file.clone()));
        self.schemas.validate(&value, self.index).err().map(|error| format!("{error:#}"))
    }
}

/// A file as editors hand it to a schema: a date is a text.
fn json(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.as_str().into(),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Float(number) => (*number).into(),
        toml::Value::Boolean(boolean) => (*boolean).into(),
        toml::Value::Datetime(date) => date.to_string().into(),
        toml::Value::Array(items) => items.iter().map(json).collect(),
        toml::Value::Table(table) => table.iter().map(|(key, value)| (key.clone(), json(value))).collect(),
    }
}

fn check(text: &str) -> Vec<Diagnostic> {
    let path = Path::new("/etc/punctual/jobs.toml");
    let now = "2026-11-23T00:00:00Z".parse().unwrap();
    Draft::parse(path, text.to_owned()).check(&Bundled, "UTC", now).said.errors
}

/// The bundled file, the examples and the rich one.
fn files() -> Vec<PathBuf> {
    let examples = fs::read_dir(root().join("examples")).unwrap().map(|entry| entry.unwrap().path());
    let examples = examples.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    let files: Vec<PathBuf> =
        [root().join("jobs.toml"), root().join("tests/data/rich.toml")].into_iter().chain(examples).collect();
    assert!(files.len() >= 12);
    files
}

#[test]
fn the_committed_schema_is_the_one_that_is_printed() {
    let printed = Place::new("").text(&["schema"]);
    let committed = fs::read_to_string(root().join(COMMITTED)).unwrap_or_default();
    assert!(printed == committed, "write it anew: cargo run -- schema > {COMMITTED}");
}

#[test]
fn every_file_is_right_by_it_and_leads_editors_to_it() {
    let validator = Validator::new();
    for path in files() {
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(validator.refusal(&toml::from_str(&text).unwrap()), None, "{}", path.display());
        let named = text.lines().next().unwrap().strip_prefix("#:schema ").expect("the first line leads to the schema");
        let named = path.parent().unwrap().join(named).canonicalize().unwrap();
        assert_eq!(named, root().join(COMMITTED).canonicalize().unwrap(), "{}", path.display());
        assert_eq!(check(&text), [], "{}", path.display());
    }
}

/// A right file, and where in it a table of the schema's definitions stands.
const TABLES: [(&str, &str, &str); 17] = [
    ("job", "jobs.a", "[jobs.a]\ncommand = 'x'"),
    ("step", "jobs.a.steps.s", "[jobs.a.steps.s]\ncommand = 'x'"),
    ("http", "jobs.a.http", "[jobs.a.http]\nurl = 'https://a.example'"),
    ("sql", "jobs.a.sql", "[jobs.a.sql]\ndatabase = 'x'\nstatements = 'SELECT 1'"),
    (
        "mail",
        "jobs.a.mail",
        "[jobs.a.mail]\nto = 'a@b.example'\nsubject = 'x'\n[smtp]\nurl = 'file:x'\nfrom = 'a@b.example'",
    ),
    ("limits", "jobs.a.limits", "[jobs.a]\ncommand = 'x'\nlimits = {}"),
    ("secret", "smtp.password", "[smtp]\nurl = 'smtps://a@b.example'\nfrom = 'a@b.example'\npassword = {}"),
    ("daemon", "daemon", "[daemon]"),
    ("housekeeping", "daemon.housekeeping", "[daemon.housekeeping]"),
    ("backup", "daemon.housekeeping.backup", "[daemon.housekeeping.backup]\nschedule = '0 4 * * *'"),
    ("retention", "daemon.retention", "[daemon.retention]"),
    (
        "digest",
        "daemon.housekeeping.digest",
        "[daemon.housekeeping.digest]\nschedule = '0 7 * * 1'\n[channels.x]\ncommand = 'x'",
    ),
    ("channel", "channels.c", "[channels.c]\ncommand = 'x'\n[smtp]\nurl = 'file:x'\nfrom = 'a@b.example'"),
    ("webhook", "channels.c.webhook", "[channels.c.webhook]\nurl = 'https://a.example'"),
    ("smtp", "smtp", "[smtp]\nurl = 'file:x'\nfrom = 'a@b.example'"),
    ("calendar", "calendars.c", "[calendars.c]"),
    ("defaults", "defaults", "[defaults]"),
];

/// What somebody may write behind a key.
const VALUES: &str = "[ 'x', '', 'none', '5m', '1h 30m', '5 minutes', '2 weeks, 3 days', '1.5h', '250ms', 'PT5M', '30', '1MiB', '64 KiB', \
    '512M', '50%', '50', '027', '2026-12-24', '0 4 * * *', '200-299', 'p95 300ms', '>= 1', 'https://a.example', 'TERM', 'skip', 'GET', 5, -1, 0, 300, \
    1.5, true, 2026-12-24, [], ['x'], [5], [0, 'x'], {}, { x = 'y' }, { x = 5 }, { x = [1] }, { env = 'X' }, { env = 'X', file = 'y' }, \
    [{ command = 'x' }], { s = { command = 'x' } } ]";

fn values() -> Vec<toml::Value> {
    toml::from_str::<toml::Table>(&format!("values = {VALUES}")).unwrap()["values"].as_array().unwrap().clone()
}

/// The file with a value at a key of one of its tables.
fn with(file: &str, path: &str, key: &str, value: &toml::Value) -> toml::Table {
    let mut file: toml::Table = toml::from_str(file).unwrap();
    let inner = path.split('.').fold(&mut file, |table, part| table[part].as_table_mut().unwrap());
    // Several tasks are an error of their own.
    if ["command", "http", "sql", "mail", "steps"].contains(&key) {
        inner.remove("command");
    }
    inner.insert(key.to_owned(), value.clone());
    file
}

/// Whether an error is about the kind of a value, or of one in it, which a schema can tell.
fn is_of_kind(error: &Diagnostic, key: &str) -> bool {
    let message = &error.message;
    let is_here = error.key.ends_with(&format!(".{key}")) || error.key == *key;
    is_here && message.starts_with(&format!("`{key}` is ")) && message.contains(", not ")
}

#[test]
fn it_refuses_wrong_kinds_and_nothing_that_check_takes() {
    let (validator, schema, values) = (Validator::new(), schema(), values());
    let definitions = schema["definitions"].as_object().unwrap();
    assert_eq!(definitions.len(), TABLES.len(), "each table is looked at");
    let (mut stricter, mut laxer, mut refused) = (Vec::new(), Vec::new(), 0);
    for (definition, path, file) in TABLES {
        for key in definitions[definition]["properties"].as_object().unwrap().keys() {
            for value in &values {
                let file = with(file, path, key, value);
                let text = toml::to_string(&file).unwrap();
                let (refusal, errors) = (validator.refusal(&file), check(&text));
                let unknown = errors.iter().find(|error| error.message == format!("unknown key `{key}`"));
                assert_eq!(unknown, None, "{definition}.{key}");
                if refusal.is_some() && errors.is_empty() {
                    stricter.push(format!("{definition}.{key} = {value}"));
                }
                // A schema takes a date for a text.
                let is_date = matches!(value, toml::Value::Datetime(_));
                if !is_date && refusal.is_none() && errors.iter().any(|error| is_of_kind(error, key)) {
                    laxer.push(format!("{definition}.{key} = {value}: {}", errors[0].message));
                }
                refused += usize::from(refusal.is_some());
            }
        }
    }
    assert_eq!(stricter, [""; 0], "what `check` takes");
    assert_eq!(laxer, [""; 0], "what `check` says is of another kind");
    assert!(refused > 2000, "{refused}");
}

#[test]
fn unknown_keys_are_unknown_to_it() {
    let validator = Validator::new();
    for (_, path, file) in TABLES {
        let file = with(file, path, "xyzzy", &toml::Value::Boolean(true));
        assert!(validator.refusal(&file).is_some(), "{path}");
        assert!(
            check(&toml::to_string(&file).unwrap()).iter().any(|error| error.message.contains("`xyzzy`")),
            "{path}"
        );
    }
    for text in ["[job.a]\ncommand = 'x'", "[[jobs]]\nname = 'a'", "[jobs.'9lives']\ncommand = 'x'", "[jobs]\na = 'x'"]
    {
        assert!(validator.refusal(&toml::from_str(text).unwrap()).is_some(), "{text}");
        assert!(!check(text).is_empty(), "{text}");
    }
}
