//! What stands in the body of a wish?

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Body;
use futures_util::TryStreamExt;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::problem::{Code, Problem};
use super::wish::Which;
use crate::job::JobName;
use crate::run::RunId;
use crate::schedule::parse_duration;
use crate::when::{Toward, meant};

/// Bytes: room for the variables of a run and the names of some thousand jobs.
const LARGEST: usize = 256 << 10;

/// Bytes of a body that are read, if only to say that they are too many.
const GIVE_UP_AFTER: usize = 16 * LARGEST;

/// Nobody types a body; who stalls in the middle makes room for others.
const BODY_WITHIN: Duration = Duration::from_secs(5);

/// Runs several jobs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunJobs {
    pub jobs: Vec<String>,
    pub due: Option<String>,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

/// Runs the job of the address.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunJob {
    pub due: Option<String>,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// At once, instead of asking the processes to end.
    #[serde(default)]
    pub kill: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PauseJobs {
    /// None: all.
    pub jobs: Option<Vec<String>>,
    pub until: Option<String>,
    #[serde(rename = "for")]
    pub within: Option<String>,
    pub reason: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PauseJob {
    pub until: Option<String>,
    #[serde(rename = "for")]
    pub within: Option<String>,
    pub reason: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResumeJobs {
    /// None: all.
    pub jobs: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skip {
    #[serde(default = "one")]
    pub count: u32,
}

fn one() -> u32 {
    1
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notices {
    /// None: all that wait or could not be delivered.
    pub notices: Option<Vec<i64>>,
}

/// Where there is nothing to say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Reads the JSON of a body, whatever it says that it is; none is an empty object.
pub async fn read<T: DeserializeOwned>(body: Body) -> Result<T, Problem> {
    let late = || Problem::new(Code::TimedOut, format!("the body did not come within {BODY_WITHIN:?}"));
    let bytes = timeout(BODY_WITHIN, whole(body)).await.map_err(|_| late())??;
    let text: &[u8] = if bytes.trim_ascii().is_empty() { b"{}" } else { &bytes };
    serde_json::from_slice(text).map_err(|error| {
        Problem::new(Code::Wrong, format!("the body is not as it should be: {error}"))
            .with_help("it is one JSON object; /v1/openapi.json says what may stand in it")
    })
}

/// What is too large is read a little further, so that whoever sends it hears why it is not taken.
async fn whole(body: Body) -> Result<Vec<u8>, Problem> {
    let (mut bytes, mut count) = (Vec::new(), 0);
    let mut stream = body.into_data_stream();
    while count < GIVE_UP_AFTER {
        match stream.try_next().await {
            Ok(Some(chunk)) => {
                count += chunk.len();
                if count <= LARGEST {
                    bytes.extend_from_slice(&chunk);
                }
            }
            Ok(None) if count <= LARGEST => return Ok(bytes),
            Ok(None) => break,
            Err(error) => return Err(Problem::new(Code::Wrong, format!("the body ends too early: {error}"))),
        }
    }
    Err(Problem::new(Code::TooLarge, format!("the body has more than {LARGEST} bytes")))
}

/// A name that can be one; whether there is such a job is another question.
pub fn job(name: &str) -> Result<JobName, Problem> {
    JobName::new(name).map_err(|error| {
        let message = format!("there is no job `{name}`: {error}");
        Problem::new(Code::Unknown, message).with_help("punctual status lists them")
    })
}

pub fn run(number: &str) -> Result<RunId, Problem> {
    number.parse().map(RunId).map_err(|_| {
        let message = format!("there is no run `{number}`: a run is a number");
        Problem::new(Code::Unknown, message).with_help("punctual history lists them")
    })
}

pub fn jobs(names: &[String]) -> Result<Vec<JobName>, Problem> {
    if names.is_empty() {
        return Err(Problem::new(Code::Wrong, "jobs: name one at least"));
    }
    names.iter().map(|name| job(name)).collect()
}

pub fn which(names: Option<Vec<String>>) -> Result<Which, Problem> {
    names.map_or(Ok(Which::All), |names| jobs(&names).map(Which::These))
}

/// The instant that a run repeats.
pub fn due(text: Option<&str>, now: Timestamp) -> Result<Option<Timestamp>, Problem> {
    text.map(|text| time("due", text, Toward::Past, now)).transpose()
}

/// Until when a pause holds: a time, or so long from now; none: until somebody ends it.
pub fn until(until: Option<&str>, within: Option<&str>, now: Timestamp) -> Result<Option<Timestamp>, Problem> {
    let end = match (until, within) {
        (Some(_), Some(_)) => return Err(Problem::new(Code::Wrong, "until and for say the same; leave one out")),
        (None, None) => return Ok(None),
        (Some(text), None) => time("until", text, Toward::Future, now)?,
        (None, Some(text)) => {
            let wrong = |why: String| Problem::new(Code::Wrong, format!("for: {why}"));
            let within = parse_duration(text).map_err(|error| wrong(error.to_string()))?;
            now.checked_add(within).map_err(|_| wrong(format!("{text} is longer than time can be counted")))?
        }
    };
    if end <= now {
        return Err(Problem::new(Code::Wrong, "a pause that ends now or before would be none"));
    }
    Ok(Some(end))
}

/// A time as people write it, by the clocks of this machine.
pub fn time(what: &str, text: &str, toward: Toward, now: Timestamp) -> Result<Timestamp, Problem> {
    let now = now.to_zoned(TimeZone::system());
    let found = meant(text, &now, toward).map_err(|error| Problem::new(Code::Wrong, format!("{what}: {error}")))?;
    Ok(found.first)
}

pub fn environment(variables: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Problem> {
    let wrong =
        |(name, value): &(&String, &String)| name.is_empty() || name.contains(['=', '\0']) || value.contains('\0');
    match variables.iter().find(wrong) {
        Some((name, _)) => {
            let message = format!("env: `{}` cannot be a variable of a process", name.escape_debug());
            Err(Problem::new(Code::Wrong, message))
        }
        None => Ok(variables),
    }
}
