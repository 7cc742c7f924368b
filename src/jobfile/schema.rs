//! What may stand in jobs.toml, as a JSON Schema by which editors complete and check while one types.
//!
//! Draft 7, which is what taplo, and with it Even Better TOML, reads: a description beside a `$ref` is not seen there, so
//! that only tables are referred to, and have theirs with them. What hangs together over several keys, such as that a job
//! has one task, is left to `check`, which says it in words.

use serde_json::{Map, Value, json};

use super::keys::{self, Key, Names, Shape};

/// As [`crate::schedule::parse_duration`] reads them, in the spellings that people use.
const DURATION: &str = "([0-9]+([.][0-9]+)? *(y|yrs?|years?|w|wks?|weeks?|d|days?|h|hrs?|hours?|m|mins?|minutes?|s|secs?|\
                        seconds?|ms|msecs?|millis?|milliseconds?|us|µs|micros?|microseconds?|ns|nanos?|nanoseconds?)[, ]*)+|\
                        [Pp][0-9A-Za-z.]+";
/// As [`crate::schedule::parse_size`] reads them.
const SIZE: &str = "[0-9]+ *(B|KiB|MiB|GiB|TiB|kB|KB|MB|GB)?";
const JOB_NAME: &str = "^[A-Za-z][A-Za-z0-9_.-]{0,63}$";
const AXIS_NAME: &str = "^[A-Za-z][A-Za-z0-9_]*$";
const VARIABLE_NAME: &str = "^[^=]+$";

/// Tables that are described once, and what each is.
const DEFINITIONS: [(&str, &[Key], &str); 17] = [
    ("step", keys::STEP, "A part of a job."),
    ("http", keys::HTTP, "Requests to web servers; the run fails if any of them does."),
    ("sql", keys::SQL, "Statements for PostgreSQL or SQLite."),
    ("mail", keys::MAIL, "A message, sent as `[smtp]` says."),
    ("limits", keys::LIMITS, "What a run may use at most."),
    ("secret", keys::SECRET, "Where a secret stands, which is never in this file."),
    (
        "daemon",
        keys::DAEMON,
        "What the daemon is told; each key is also a variable such as `PUNCTUAL_DAEMON__MAX_RUNNING`.",
    ),
    ("housekeeping", keys::HOUSEKEEPING, "What the daemon does for its ledger, and when."),
    ("backup", keys::BACKUP, "Copies of the ledger that the daemon makes by itself."),
    ("retention", keys::RETENTION, "How long the ledger keeps what."),
    ("digest", keys::DIGEST, "What ran, what failed, what got slower and what is due, told now and then."),
    ("smtp", keys::SMTP, "How mail leaves."),
    ("channel", keys::CHANNEL, "Whom to tell, of what, how often, and by what: `mail`, `webhook` or `command`."),
    ("webhook", keys::WEBHOOK, "A web server that is told by POST."),
    ("calendar", keys::CALENDAR, "A set of times, in the zone of the job that asks."),
    ("defaults", keys::POLICIES, "What all jobs share; a job's own keys win, and `\"none\"` takes one back."),
    ("job", keys::JOB, "A job: a task (`command`, `http`, `sql`, `mail` or `steps`), and mostly a `schedule`."),
];

/// The schema of a job file.
pub fn schema() -> Value {
    let definition = |(name, own, about): &(&str, &[Key], &str)| {
        let mut table = match *name {
            "job" => table(&[own, keys::POLICIES]),
            _ => table(&[own]),
        };
        table.insert("description".to_owned(), json!(about));
        if *name == "secret" {
            table.insert("maxProperties".to_owned(), json!(1));
        }
        if matches!(*name, "secret" | "calendar") {
            table.insert("minProperties".to_owned(), json!(1));
        }
        ((*name).to_owned(), Value::Object(table))
    };
    let mut root = table(&[keys::TOP_LEVEL]);
    root.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
    root.insert("title".to_owned(), json!("jobs.toml of punctual"));
    root.insert("description".to_owned(), json!("Jobs, when they are due, and what they share."));
    root.insert("definitions".to_owned(), Value::Object(DEFINITIONS.iter().map(definition).collect()));
    Value::Object(root)
}

fn table(lists: &[&[Key]]) -> Map<String, Value> {
    let all = || lists.iter().flat_map(|keys| keys.iter());
    let properties: Map<String, Value> = all().map(|key| (key.name.to_owned(), of_key(key))).collect();
    let required: Vec<&str> = all().filter(|key| key.required).map(|key| key.name).collect();
    let mut table = Map::new();
    table.insert("type".to_owned(), json!("object"));
    table.insert("properties".to_owned(), Value::Object(properties));
    table.insert("additionalProperties".to_owned(), json!(false));
    if !required.is_empty() {
        table.insert("required".to_owned(), json!(required));
    }
    table
}

fn of_key(key: &Key) -> Value {
    let shape = of_shape(&key.shape);
    let mut schema = if key.settable { or_none(shape) } else { shape };
    // Beside a reference nothing is seen.
    if let Some(schema) = schema.as_object_mut().filter(|schema| !schema.contains_key("$ref")) {
        schema.insert("description".to_owned(), json!(key.about));
        if let Ok(default) = serde_json::from_str::<Value>(key.default) {
            schema.insert("default".to_owned(), default);
        }
    }
    schema
}

/// The same, where `"none"` takes an inherited value back.
fn or_none(mut schema: Value) -> Value {
    let Some(of) = schema.as_object_mut() else {
        return schema;
    };
    if let Some(words) = of.get_mut("enum").and_then(Value::as_array_mut) {
        words.push(json!("none"));
    } else if let Some(pattern) = of.get("pattern").and_then(Value::as_str) {
        let pattern = format!("{pattern}|^none$");
        of.insert("pattern".to_owned(), json!(pattern));
    } else if let Some(choices) = of.get_mut("anyOf").and_then(Value::as_array_mut) {
        choices.push(json!({ "const": "none" }));
    } else if of.get("type") != Some(&json!("string")) {
        return json!({ "anyOf": [schema, { "const": "none" }] });
    }
    schema
}

fn of_shape(shape: &Shape) -> Value {
    match shape {
        Shape::Text | Shape::Moment => json!({ "type": "string" }),
        Shape::Filled | Shape::Schedule => json!({ "type": "string", "minLength": 1 }),
        Shape::Form(pattern) => json!({ "type": "string", "pattern": pattern }),
        Shape::Boolean => json!({ "type": "boolean" }),
        Shape::Integer(low, i64::MAX) => json!({ "type": "integer", "minimum": low }),
        Shape::Integer(low, high) => json!({ "type": "integer", "minimum": low, "maximum": high }),
        Shape::Duration => json!({ "type": "string", "pattern": format!("^ *({DURATION}) *$") }),
        Shape::Size => json!({ "type": "string", "pattern": format!("^ *{SIZE} *$") }),
        Shape::Word(words) => json!({ "type": "string", "enum": words() }),
        Shape::OneOrMany(one) => {
            let one = of_shape(one);
            let mut choices = match one.get("anyOf") {
                Some(Value::Array(choices)) => choices.clone(),
                _ => vec![one.clone()],
            };
            choices.push(json!({ "type": "array", "items": one }));
            json!({ "anyOf": choices })
        }
        Shape::List(one) => json!({ "type": "array", "items": of_shape(one), "minItems": 1 }),
        Shape::Scalar => json!({ "type": ["string", "number", "boolean"] }),
        Shape::Table(lists) => reference(lists[0]),
        Shape::OneKey(keys) => reference(keys),
        Shape::Names(names, of) => {
            let mut table = json!({ "type": "object", "additionalProperties": of_shape(of) });
            let pattern = match names {
                Names::Job => JOB_NAME,
                Names::Axis => AXIS_NAME,
                Names::Variable => VARIABLE_NAME,
                Names::Any => return table,
            };
            table["propertyNames"] = json!({ "pattern": pattern });
            table
        }
        Shape::Either(shapes) => json!({ "anyOf": shapes.iter().map(of_shape).collect::<Vec<_>>() }),
        Shape::Anything => json!(true),
    }
}

/// A table that is described in the definitions.
fn reference(keys: &[Key]) -> Value {
    let names = |keys: &[Key]| keys.iter().map(|key| key.name).collect::<Vec<_>>();
    let same = |(_, known, _): &&(&str, &[Key], &str)| names(known) == names(keys);
    let name = DEFINITIONS.iter().find(same).map_or("", |(name, ..)| name);
    json!({ "$ref": format!("#/definitions/{name}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_somewhere() {
        let schema = schema();
        let text = schema.to_string();
        let mut count = 0;
        for (at, mark) in text.match_indices("#/definitions/") {
            let name = text[at + mark.len()..].split('"').next().unwrap();
            assert!(schema["definitions"][name].is_object(), "{name}");
            count += 1;
        }
        assert!(count > 15, "{count}");
    }
}
