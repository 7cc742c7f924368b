//! What does a table `sql` say?

use std::path::Path;

use url::Url;

use super::checker::Checker;
use super::keys::{MOST_STATEMENTS_AT_ONCE, SQL};
use super::section::{At, Section};
use crate::job::{
    Class, Database, Dialect, ExpectedRows, Script, SecretSource, Sql, SqliteAccess, SqliteFile, Statement, split,
};

const DATABASES: &str = "write \"postgres://user@host/database\" or the path of a SQLite file";

/// The table `sql`; see [`crate::job::Sql`].
#[derive(Debug, Clone)]
pub struct RawSql {
    database: Database,
    script: Script,
    single_transaction: bool,
    max_parallel: usize,
    expect_rows: Option<ExpectedRows>,
    password: Option<SecretSource>,
}

impl RawSql {
    pub fn read(section: &mut Section) -> Option<At<Self>> {
        let span = section.span("sql")?;
        let mut table = section.table("sql", &[SQL])?;
        hide_password(&mut table);
        let single_transaction = table.boolean("single_transaction").is_some_and(|at| at.value);
        let max_parallel = table.integer("max_parallel", 1, MOST_STATEMENTS_AT_ONCE).filter(|at| at.value > 1);
        if let Some(many) = max_parallel.as_ref().filter(|_| single_transaction) {
            let message = "statements in one transaction go one after the other";
            let help = "leave `max_parallel` or `single_transaction` out".to_owned();
            table.error("max_parallel", many.span.clone(), message, Some(help));
        }
        let many = max_parallel.is_some();
        let expect_rows = expected_rows(&mut table);
        let database = database(&mut table);
        let password = password(&mut table, database.as_ref());
        if table.span("database").is_none() {
            table.error("", span.clone(), "`sql` has no `database`", Some(DATABASES.to_owned()));
        }
        // Of what is no database it is not known how its SQL reads.
        let database = database?;
        let script = script(&mut table, &span, database.dialect())?;
        check_transactions(&mut table, &script, single_transaction, many);
        check_queries(&mut table, &script, expect_rows.as_ref());
        let value = Self {
            database,
            script,
            single_transaction,
            max_parallel: max_parallel.and_then(|at| usize::try_from(at.value).ok()).unwrap_or(1),
            expect_rows: expect_rows.map(|at| at.value),
            password,
        };
        Some(At { value, span })
    }
}

impl Checker<'_> {
    pub fn sql(&self, raw: &RawSql) -> Sql {
        let RawSql { database, script, single_transaction, max_parallel, expect_rows, password } = raw.clone();
        let database = match database {
            Database::Sqlite { file: SqliteFile::Path(path), access } => {
                Database::Sqlite { file: SqliteFile::Path(self.folder.join(path)), access }
            }
            other @ (Database::Postgres(_) | Database::Sqlite { file: SqliteFile::Memory, .. }) => other,
        };
        let script = match script {
            Script::File(path) => Script::File(self.folder.join(path)),
            statements @ Script::Statements(_) => statements,
        };
        let password = password.map(|source| source.within(&self.folder));
        Sql { database, script, single_transaction, max_parallel, expect_rows, password }
    }
}

/// A password that stands in the file is wrong there; it must not be shown with what is said about it.
fn hide_password(table: &mut Section) {
    let shows = table.get("database").and_then(|value| value.get_ref().as_str()).is_some_and(|text| {
        let user = text.split_once("://").and_then(|(_, rest)| rest.split_once('@')).map_or("", |(user, _)| user);
        user.contains(':') || text.contains("password=")
    });
    if let Some(span) = table.span("database").filter(|_| shows) {
        table.said().hide(span);
    }
}

fn password(table: &mut Section, database: Option<&Database>) -> Option<SecretSource> {
    let password = table.secret("password")?;
    if matches!(database, Some(Database::Sqlite { .. })) {
        let help = Some("leave it out".to_owned());
        table.error("password", password.span.clone(), "a SQLite file has no password", help);
    }
    Some(password.value)
}

fn database(table: &mut Section) -> Option<Database> {
    let text = table.clean_text("database")?;
    let read = match text.value.split_once(':') {
        Some(("postgres" | "postgresql", _)) => postgres(&text.value),
        Some(("sqlite", path)) => sqlite(path.strip_prefix("//").unwrap_or(path)),
        Some((scheme, rest)) if rest.starts_with("//") => {
            Err((format!("punctual does not speak to a database of `{scheme}`"), DATABASES.to_owned()))
        }
        Some(_) | None => sqlite(&text.value),
    };
    read.map_err(|(message, help)| table.error("database", text.span, message, Some(help))).ok()
}

/// What is wrong, and what to write.
type Wrong = (String, String);

/// The parameters of a URL that are heeded; those with a path are marked.
const PARAMETERS: [(&str, bool); 11] = [
    ("sslmode", false),
    ("sslrootcert", true),
    ("sslcert", true),
    ("sslkey", true),
    ("host", false),
    ("port", false),
    ("dbname", false),
    ("user", false),
    ("application_name", false),
    ("options", false),
    ("password", false),
];
const SSL_MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

fn postgres(text: &str) -> Result<Database, Wrong> {
    let url = Url::parse(text).map_err(|error| (format!("this is no URL: {error}"), DATABASES.to_owned()))?;
    let has_password = url.password().is_some() || url.query_pairs().any(|(key, _)| key == "password");
    if has_password {
        let help = "leave it out, and write password = { env = \"NAME\" } beside it, or { file = \"PATH\" }";
        return Err(("there is a password in this URL".to_owned(), help.to_owned()));
    }
    for (key, value) in url.query_pairs() {
        let known =
            PARAMETERS.iter().find(|(name, _)| key == *name || *name == "options" && key.starts_with("options["));
        let names = || PARAMETERS.iter().map(|(name, _)| *name).filter(|name| *name != "password");
        let Some((name, is_path)) = known else {
            let help = format!("known here: {}", names().collect::<Vec<_>>().join(", "));
            return Err((format!("unknown parameter `{key}`"), help));
        };
        if *is_path && !value.starts_with('/') {
            return Err((format!("`{value}` is no whole path"), format!("write {name}=/…, from the root")));
        }
        if *name == "sslmode" && !SSL_MODES.contains(&value.as_ref()) {
            return Err((format!("`{value}` is no sslmode"), format!("it is one of {}", SSL_MODES.join(", "))));
        }
        if *name == "port" && value.parse::<u16>().is_err() {
            return Err((format!("`{value}` is no port"), "write a number such as port=5432".to_owned()));
        }
    }
    Ok(Database::Postgres(text.to_owned()))
}

fn sqlite(text: &str) -> Result<Database, Wrong> {
    let (path, parameters) = text.split_once('?').unwrap_or((text, "mode=rw"));
    let mode = parameters.strip_prefix("mode=");
    let access = mode.and_then(|mode| SqliteAccess::WORDS.iter().find(|(word, _)| *word == mode));
    let Some((_, access)) = access else {
        let help = "write ?mode=ro to read only, ?mode=rwc to have the file made, or nothing".to_owned();
        return Err((format!("`?{parameters}` says nothing of a SQLite file"), help));
    };
    if path.is_empty() {
        return Err(("there is no path of a SQLite file".to_owned(), DATABASES.to_owned()));
    }
    let file = if path == ":memory:" { SqliteFile::Memory } else { SqliteFile::Path(Path::new(path).to_owned()) };
    Ok(Database::Sqlite { file, access: *access })
}

/// The statements or the file, of which there is exactly one.
fn script(table: &mut Section, span: &std::ops::Range<usize>, dialect: Dialect) -> Option<Script> {
    match (table.span("statements"), table.span("file")) {
        (Some(_), Some(file)) => {
            let help = Some("leave one of them out".to_owned());
            table.error("file", file, "there is `statements` already", help);
            None
        }
        (None, None) => {
            let help = Some("write statements = \"…\", or file = \"….sql\"".to_owned());
            table.error("", span.clone(), "`sql` has nothing to do", help);
            None
        }
        (None, Some(span)) => {
            let path = table.clean_text("file")?;
            if path.value.is_empty() {
                table.error("file", span, "`file` is empty", None);
                return None;
            }
            Some(Script::File(path.value.into()))
        }
        (Some(_), None) => statements(table, dialect).map(Script::Statements),
    }
}

fn statements(table: &mut Section, dialect: Dialect) -> Option<Vec<Statement>> {
    let texts = table.texts("statements")?;
    let mut all = Vec::new();
    for text in &texts.value {
        match split(&text.value, dialect) {
            Ok(_) if text.value.contains('\0') => {
                table.error("statements", text.span.clone(), "a statement cannot hold a NUL character", None);
                return None;
            }
            Ok(statements) if statements.is_empty() => {
                table.error("statements", text.span.clone(), "there is no statement here", None);
                return None;
            }
            Ok(statements) => all.extend(statements),
            Err(unfinished) => {
                table.error("statements", text.span.clone(), unfinished.to_string(), None);
                return None;
            }
        }
    }
    if all.is_empty() {
        table.error("statements", texts.span, "`statements` is empty", None);
        return None;
    }
    Some(all)
}

/// Statements that begin or end transactions make sense only one after the other, and not within one that is ours.
fn check_transactions(table: &mut Section, script: &Script, single_transaction: bool, many: bool) {
    let own = own_transaction(script);
    let Some((own, span)) = own.zip(table.span("statements")) else {
        return;
    };
    let key = match (single_transaction, many) {
        (true, _) => "single_transaction",
        (false, true) => "max_parallel",
        (false, false) => return,
    };
    let message = format!("`{own}` does not go together with `{key}`");
    table.error("statements", span, message, Some(format!("leave `{own}` or `{key}` out")));
}

fn own_transaction(script: &Script) -> Option<&str> {
    match script {
        Script::Statements(list) => {
            list.iter().find(|one| one.class == Class::Transaction).map(|one| one.text.as_str())
        }
        Script::File(_) => None,
    }
}

fn check_queries(table: &mut Section, script: &Script, expect_rows: Option<&At<ExpectedRows>>) {
    let Some(expected) = expect_rows else {
        return;
    };
    let asks_nothing = match script {
        Script::Statements(list) => list.iter().all(|one| matches!(one.class, Class::Change | Class::Transaction)),
        Script::File(_) => false,
    };
    if asks_nothing {
        let help = "add a SELECT, or RETURNING to the last statement".to_owned();
        let message = "no statement returns rows that could be counted";
        table.error("expect_rows", expected.span.clone(), message, Some(help));
    }
}

fn expected_rows(table: &mut Section) -> Option<At<ExpectedRows>> {
    const WHAT: &str = "a number of rows, such as 1, \">= 1\" or \"< 100\"";
    let value = table.get("expect_rows")?;
    let text = super::value::scalar(value.get_ref()).unwrap_or_default();
    match ExpectedRows::parse(&text) {
        Some(expected) => Some(At { value: expected, span: value.span() }),
        None => {
            let shown = if text.is_empty() { "this".to_owned() } else { format!("`{text}`") };
            table.error(
                "expect_rows",
                value.span(),
                format!("{shown} is no number of rows"),
                Some(format!("write {WHAT}")),
            );
            None
        }
    }
}
