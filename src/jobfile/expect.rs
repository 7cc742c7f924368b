//! What does a table `http` expect of answers?

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use serde_json::Value;
use toml::Spanned;
use toml::de::DeValue;

use super::policies::regex;
use super::section::{At, Section};
use super::value::scalar;
use super::wanted::Wanted;
use crate::job::{BodyPattern, Ceiling, Expected, Percentile, StatusRange};
use crate::schedule::parse_duration;

/// The keys that begin with `expect_`.
#[derive(Debug, Clone)]
pub struct RawExpected {
    status: Vec<StatusRange>,
    body: Option<At<BodyPattern>>,
    json: BTreeMap<String, Value>,
    pub certificate: Option<At<Duration>>,
}

impl RawExpected {
    pub fn read(table: &mut Section) -> Self {
        Self {
            status: statuses(table),
            body: regex(
                table,
                "expect_body",
                Wanted::Other("a text, or a regular expression between slashes"),
                BodyPattern::new,
            ),
            json: pointers(table),
            certificate: table.duration("expect_certificate"),
        }
    }

    pub fn checked(&self) -> Expected {
        let status = if self.status.is_empty() { vec![StatusRange::SUCCESS] } else { self.status.clone() };
        Expected {
            status,
            body: self.body.as_ref().map(|at| at.value.clone()),
            json: self.json.clone(),
            certificate: self.certificate.as_ref().map(|at| at.value),
        }
    }

    pub fn fail_above(table: &mut Section) -> Vec<Ceiling> {
        let texts = table.texts("fail_above").map(|at| at.value).unwrap_or_default();
        let mut ceilings = Vec::with_capacity(texts.len());
        for At { value, span } in texts {
            match ceiling(&value) {
                Ok(ceiling) => ceilings.push(ceiling),
                Err(message) => {
                    table.error("fail_above", span, message, Some(CEILING_HELP.to_owned()));
                }
            }
        }
        ceilings
    }
}

const CEILING_HELP: &str = "write for example \"p95 300ms\", with p50, p90, p95, p99 or max";

fn ceiling(text: &str) -> Result<Ceiling, String> {
    let (word, limit) =
        text.trim().split_once(' ').ok_or_else(|| format!("`{text}` is no percentile and its limit"))?;
    let percentile = Percentile::ALL.into_iter().find(|percentile| percentile.word() == word);
    let percentile = percentile.ok_or_else(|| format!("`{word}` is no percentile"))?;
    let limit = parse_duration(limit).map_err(|error| error.to_string())?;
    Ok(Ceiling { percentile, limit })
}

fn statuses(table: &mut Section) -> Vec<StatusRange> {
    let Some(value) = table.get("expect_status") else {
        return Vec::new();
    };
    let items: Vec<&Spanned<DeValue>> = match value.get_ref().as_array() {
        Some(items) => items.iter().collect(),
        None => vec![value],
    };
    let mut ranges = Vec::with_capacity(items.len());
    let mut wrong: Vec<Range<usize>> = if items.is_empty() { vec![value.span()] } else { Vec::new() };
    for item in items {
        match status_range(item.get_ref()) {
            Some(range) => ranges.push(range),
            None => wrong.push(item.span()),
        }
    }
    for span in wrong {
        let help = "write for example 200, \"200-299\" or [200, 204, \"300-399\"]; they go from 100 to 599".to_owned();
        table.error("expect_status", span, "this is no status, and no range of them", Some(help));
    }
    ranges
}

fn status_range(value: &DeValue) -> Option<StatusRange> {
    let text = match value {
        DeValue::Integer(_) | DeValue::String(_) => scalar(value)?,
        DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Array(_) | DeValue::Table(_) | DeValue::Datetime(_) => {
            return None;
        }
    };
    let (first, last) = text.split_once('-').unwrap_or((&text, &text));
    let code = |text: &str| text.trim().parse().ok().filter(|code| (100..=599).contains(code));
    let range = StatusRange { first: code(first)?, last: code(last)? };
    (range.first <= range.last).then_some(range)
}

fn pointers(table: &mut Section) -> BTreeMap<String, Value> {
    let Some(value) = table.get("expect_json") else {
        return BTreeMap::new();
    };
    let Some(pairs) = value.get_ref().as_table() else {
        let help = "write for example expect_json = { \"/status\" = \"ok\" }".to_owned();
        table.error("expect_json", value.span(), "`expect_json` is a table of JSON pointers and values", Some(help));
        return BTreeMap::new();
    };
    let mut expected = BTreeMap::new();
    for (pointer, value) in pairs.iter() {
        let text: &str = pointer.get_ref();
        if !is_pointer(text) {
            let help =
                format!("write for example \"/{}\"; a `~` is written ~0, a `/` in a name ~1", text.replace('.', "/"));
            table.error("expect_json", pointer.span(), format!("`{text}` is no JSON pointer"), Some(help));
            continue;
        }
        match json(value) {
            Ok(value) => {
                expected.insert(text.to_owned(), value);
            }
            Err((span, what)) => {
                let help = Some("put it in quotes".to_owned());
                table.error("expect_json", span, format!("{what} does not exist in JSON"), help);
            }
        }
    }
    expected
}

/// As RFC 6901 has it: empty, or with a slash before each name.
fn is_pointer(text: &str) -> bool {
    let escapes = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    (text.is_empty() || text.starts_with('/')) && escapes
}

/// The same value in JSON; or what it is that JSON does not have, and where.
fn json(value: &Spanned<DeValue>) -> Result<Value, (Range<usize>, &'static str)> {
    Ok(match value.get_ref() {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Boolean(boolean) => Value::from(*boolean),
        DeValue::Integer(_) => {
            let number: Option<i64> = scalar(value.get_ref()).and_then(|text| text.parse().ok());
            Value::from(number.ok_or((value.span(), "such a number"))?)
        }
        DeValue::Float(float) => {
            let number = float.as_str().replace('_', "").parse().ok().and_then(serde_json::Number::from_f64);
            Value::Number(number.ok_or((value.span(), "such a number"))?)
        }
        DeValue::Datetime(_) => return Err((value.span(), "a date")),
        DeValue::Array(items) => Value::Array(items.iter().map(json).collect::<Result<_, _>>()?),
        DeValue::Table(table) => {
            let pairs = table.iter().map(|(name, value)| Ok((name.get_ref().to_string(), json(value)?)));
            Value::Object(pairs.collect::<Result<_, _>>()?)
        }
    })
}
