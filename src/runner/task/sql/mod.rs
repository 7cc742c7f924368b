//! How are statements carried out? One after the other or several at once, each with its rows, its line and its time.

mod answer;
mod errand;
mod fault;
mod notices;
mod postgres;
mod session;
mod sqlite;
mod table;

use std::borrow::Cow;
use std::sync::Arc;

use futures_util::future::join_all;

use self::errand::{Errand, Tally};
use self::fault::Fault;
use self::session::{Session, Way};
use super::super::native::{Failure, Native};
use crate::files::read_text;
use crate::job::{Class, Script, Sql, Statement, split};
use crate::run::Reason;
use crate::secret::resolve;

pub async fn carry(sql: Arc<Sql>, native: Native) -> Result<(), Failure> {
    let statements = statements(&sql)?;
    let way = way(&sql, &native)?;
    let connections = sql.max_parallel.min(statements.len());
    let connecting = join_all((0..connections).map(|_| way.connect(&native.cancelled))).await;
    let (mut sessions, mut faults) = (Vec::new(), Vec::new());
    for connected in connecting {
        match connected {
            Ok(session) => sessions.push(session),
            Err(fault) => faults.push(fault),
        }
    }
    let errand = Errand::new(&sql, &statements, &native);
    let result = match faults.into_iter().next() {
        Some(fault) => Err(could_not_begin(&fault)),
        None => carry_on(&sql, &errand, &mut sessions).await,
    };
    join_all(sessions.into_iter().map(Session::close)).await;
    result
}

/// What is to be carried out, as it stands now.
fn statements(sql: &Sql) -> Result<Cow<'_, [Statement]>, Failure> {
    let path = match &sql.script {
        Script::Statements(statements) => return Ok(Cow::Borrowed(statements)),
        Script::File(path) => path,
    };
    let wrong = |detail: String| Failure::NotStarted { reason: Reason::Spawn, detail };
    let text = read_text(path).map_err(|error| wrong(with_cause(&error)))?;
    let statements = split(&text, sql.database.dialect())
        .map_err(|unfinished| wrong(format!("{}: {unfinished}", path.display())))?;
    if statements.is_empty() {
        return Err(wrong(format!("there is no statement in {}", path.display())));
    }
    let alone = sql.max_parallel == 1 && !sql.single_transaction;
    match statements.iter().find(|one| one.class == Class::Transaction && !alone) {
        Some(own) => {
            let key = if sql.single_transaction { "single_transaction" } else { "max_parallel" };
            let (path, line) = (path.display(), own.line);
            Err(wrong(format!("{path}, line {line}: `{}` does not go together with `{key}`", own.text)))
        }
        None => Ok(Cow::Owned(statements)),
    }
}

fn way(sql: &Sql, native: &Native) -> Result<Way, Failure> {
    let password = sql.password.as_ref().map(|source| resolve(source, &native.tools.environment)).transpose();
    let password = password.map_err(|error| {
        let detail = format!("there is no password: {}", with_cause(&error));
        Failure::NotStarted { reason: Reason::Spawn, detail }
    })?;
    let name = format!("punctual: {}", native.part.shown());
    Way::new(sql, password.as_ref(), &native.part.work, &name).map_err(|fault| could_not_begin(&fault))
}

fn with_cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

fn could_not_begin(fault: &Fault) -> Failure {
    Failure::NotStarted { reason: fault.reason, detail: fault.in_a_line() }
}

fn failed(detail: impl Into<String>) -> Failure {
    Failure::Failed { reason: Reason::Expectation, detail: detail.into() }
}

/// Carries everything out over connections that stand, of which there is one at least.
async fn carry_on(sql: &Sql, errand: &Errand<'_>, sessions: &mut [Session]) -> Result<(), Failure> {
    let [first, ..] = sessions else {
        return Ok(());
    };
    if sql.single_transaction {
        return carry_in_transaction(sql, errand, first).await;
    }
    let tally = join_all(sessions.iter_mut().map(|session| errand.work(session))).await;
    let tally = tally.into_iter().fold(Tally::default(), Tally::and);
    judged(sql, errand, &tally)?;
    // Where several go at once, no transaction is to be begun.
    let [only] = sessions else {
        return Ok(());
    };
    let is_open = only.is_in_transaction().await.map_err(|fault| failed(fault.in_a_line()))?;
    if is_open {
        return Err(failed("a transaction was begun and not ended, so it is rolled back: add COMMIT"));
    }
    Ok(())
}

async fn carry_in_transaction(sql: &Sql, errand: &Errand<'_>, session: &mut Session) -> Result<(), Failure> {
    session.begin().await.map_err(|fault| failed(format!("no transaction could be begun: {}", fault.in_a_line())))?;
    let tally = errand.work(session).await;
    match judged(sql, errand, &tally) {
        Ok(()) => {
            let committed = session.commit().await;
            committed.map_err(|fault| failed(format!("the transaction could not be committed: {}", fault.in_a_line())))
        }
        Err(failure) => {
            // Where even this fails, the end of the connection does it.
            let _ = session.roll_back().await;
            errand.native.console.complain("the transaction is rolled back").await;
            Err(failure)
        }
    }
}

fn judged(sql: &Sql, errand: &Errand<'_>, tally: &Tally) -> Result<(), Failure> {
    if let Some((_, fault)) = &tally.fault {
        return Err(failed(fault.clone()));
    }
    if errand.native.cancelled.is_cancelled() {
        return Err(failed("it was given up"));
    }
    let Some(expected) = sql.expect_rows else {
        return Ok(());
    };
    match tally.last_query {
        Some((_, rows)) if expected.fits(rows) => Ok(()),
        Some((at, rows)) => {
            let called = errand.called(at);
            Err(failed(format!("{called} returned {}, and {expected} were expected", table::rows(rows))))
        }
        None => Err(failed(format!("no statement returned rows, and {expected} were expected"))),
    }
}
