//! What does a template see? The job, its run, its last runs, those of other jobs, and the runs that caused it.
//!
//! Of the ledger only that is looked up which a template asks for.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use minijinja::value::{Enumerator, Object, Serde, Value};
use minijinja::{Error, ErrorKind};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::super::facts::{Facts, Told};
use super::super::part::Part;
use crate::job::SEEN;
use crate::report::{Entry, Time};
use crate::run::RunId;

/// Runs of the job itself that are seen; a person looks at some, and more are in `history`.
const MOST_RUNS: u32 = 10;
/// Bytes of output that are seen: the first and the last half.
const LONGEST_OUTPUT: usize = 64 << 10;
/// For one answer of the ledger, which takes milliseconds unless the disk is in trouble.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who asks the ledger from a thread on which nothing else happens.
#[derive(Clone)]
pub struct Asker {
    facts: Arc<dyn Facts>,
    handle: Handle,
    cancelled: CancellationToken,
}

impl fmt::Debug for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asker").finish_non_exhaustive()
    }
}

impl Asker {
    pub fn new(facts: Arc<dyn Facts>, handle: Handle, cancelled: CancellationToken) -> Self {
        Self { facts, handle, cancelled }
    }

    /// Waits for an answer, as long as anybody wants it.
    fn ask<T>(&self, told: Told<'_, T>) -> Result<T, Error> {
        let told = self.handle.block_on(async {
            tokio::select! {
                biased;
                () = self.cancelled.cancelled() => Err("it was given up".to_owned()),
                answer = tokio::time::timeout(PATIENCE, told) => {
                    answer.unwrap_or_else(|_| Err("the ledger does not answer".to_owned()))
                }
            }
        });
        told.map_err(|why| Error::new(ErrorKind::InvalidOperation, why))
    }
}

/// What the templates of a part's message see; to be filled in on a thread that may wait.
pub fn seen(part: &Part, asker: Asker) -> Value {
    let order = &part.order;
    let text = |text: &str| Value::from(text);
    let host = nix::unistd::gethostname().unwrap_or_default();
    let job = [
        ("name", text(order.job.name.as_str())),
        ("description", text(order.job.description.as_deref().unwrap_or_default())),
    ];
    let run = [
        ("id", Value::from(order.run.0)),
        ("attempt", Value::from(part.attempt())),
        ("due", Value::from(Serde(Time(order.due)))),
        ("cause", text(order.cause.word())),
        ("host", text(&host.to_string_lossy())),
        ("step", part.step.as_ref().map_or(Value::from(""), |step| text(step.as_str()))),
    ];
    Value::from_object(Seen {
        job: Value::from_pairs(job),
        run: Value::from_pairs(run),
        name: order.job.name.to_string(),
        id: order.run,
        asker,
        last: OnceLock::new(),
        causes: OnceLock::new(),
    })
}

/// All of it. What was asked for once is the same in every part of a message.
#[derive(Debug)]
struct Seen {
    job: Value,
    run: Value,
    name: String,
    id: RunId,
    asker: Asker,
    last: OnceLock<Value>,
    causes: OnceLock<Value>,
}

impl Object for Seen {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "job" => Some(self.job.clone()),
            "run" => Some(self.run.clone()),
            "last" => Some(self.last.get_or_init(|| self.last()).clone()),
            "jobs" => Some(Value::from_object(Jobs { asker: self.asker.clone() })),
            "causes" => Some(self.causes.get_or_init(|| self.causes()).clone()),
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&SEEN)
    }
}

impl Seen {
    fn last(&self) -> Value {
        let runs = self.asker.ask(self.asker.facts.last_runs(&self.name, MOST_RUNS));
        answered(runs.map(|runs| runs.into_iter().map(|entry| run_of(entry, &self.asker)).collect()))
    }

    /// By their jobs' names.
    fn causes(&self) -> Value {
        let causes = self.asker.ask(self.asker.facts.causes(self.id));
        let named = |entry: Entry| (entry.job.clone(), run_of(entry, &self.asker));
        answered(causes.map(|causes| causes.into_iter().map(named).collect::<BTreeMap<_, _>>().into()))
    }
}

/// All jobs by their names, each with its last run.
#[derive(Debug)]
struct Jobs {
    asker: Asker,
}

impl Object for Jobs {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?.to_owned();
        Some(Value::from_object(OtherJob { name, asker: self.asker.clone() }))
    }
}

#[derive(Debug)]
struct OtherJob {
    name: String,
    asker: Asker,
}

impl Object for OtherJob {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        if key.as_str()? != "last" {
            return None;
        }
        match self.asker.ask(self.asker.facts.last_runs(&self.name, 1)) {
            Ok(runs) => runs.into_iter().next().map(|entry| run_of(entry, &self.asker)),
            Err(error) => Some(error.into()),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&["last"])
    }
}

fn answered(answer: Result<Value, Error>) -> Value {
    answer.unwrap_or_else(Value::from)
}

fn run_of(entry: Entry, asker: &Asker) -> Value {
    let fields = Value::from(Serde(&entry));
    Value::from_object(Run { entry, fields, asker: asker.clone(), output: OnceLock::new() })
}

/// A run as `history` has it in JSON, and what it wrote.
#[derive(Debug)]
struct Run {
    entry: Entry,
    fields: Value,
    asker: Asker,
    output: OnceLock<Value>,
}

impl Object for Run {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        if key.as_str()? == "output" {
            return Some(self.output.get_or_init(|| self.output()).clone());
        }
        self.fields.get_item(key).ok().filter(|value| !value.is_undefined())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let names = self.fields.try_iter().into_iter().flatten();
        Enumerator::Values(names.chain([Value::from("output")]).collect())
    }
}

impl Run {
    fn output(&self) -> Value {
        let output = self.asker.ask(self.asker.facts.output(&self.entry));
        answered(output.map(|output| Value::from(cut(&String::from_utf8_lossy(&output)))))
    }
}

/// The text without its middle, where it is too long.
fn cut(text: &str) -> String {
    if text.len() <= LONGEST_OUTPUT {
        return text.to_owned();
    }
    let first = text.floor_char_boundary(LONGEST_OUTPUT / 2);
    let last = text.ceil_char_boundary(text.len() - LONGEST_OUTPUT / 2);
    format!("{}\n[{} bytes are left out here]\n{}", &text[..first], last - first, &text[last..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_cut_in_the_middle() {
        assert_eq!(cut("short\n"), "short\n");
        let long = format!("first{}last", "ä".repeat(LONGEST_OUTPUT));
        let short = cut(&long);
        assert!(short.len() < LONGEST_OUTPUT + 50, "{}", short.len());
        assert!(short.starts_with("firstä") && short.ends_with("älast"));
        let left_out = long.len() - (short.len() - short.lines().nth(1).unwrap().len() - 2);
        assert!(short.contains(&format!("\n[{left_out} bytes are left out here]\n")), "{left_out}");
    }
}
