//! Is an answer as expected?

use jiff::Timestamp;
use serde_json::Value;

use crate::job::Expected;
use crate::web::Answer;

/// A value that is not the one that was expected is shown up to so many characters.
const LONGEST_VALUE: usize = 100;

/// What is wrong with the head of an answer.
pub fn of_head(expected: &Expected, answer: &Answer, now: Timestamp) -> Vec<String> {
    let mut wrong = Vec::new();
    let status = answer.status();
    if !expected.status.iter().any(|range| range.contains(status)) {
        let ranges: Vec<String> = expected.status.iter().map(ToString::to_string).collect();
        wrong.push(format!("status {status}, not {}", ranges.join(", ")));
    }
    if let Some(least) = expected.certificate {
        match answer.certificate_until() {
            None => wrong.push("the certificate does not say until when it is valid".to_owned()),
            Some(until) if now.saturating_add(least).is_ok_and(|then| then > until) => {
                wrong.push(format!("the certificate {}", expires(until, now)));
            }
            Some(_) => {}
        }
    }
    wrong
}

fn expires(until: Timestamp, now: Timestamp) -> String {
    let hours = until.duration_since(now).as_hours();
    let when = match (hours / 24, hours) {
        (0, 1) => "1 hour".to_owned(),
        (0, hours) => format!("{hours} hours"),
        (1, _) => "1 day".to_owned(),
        (days, _) => format!("{days} days"),
    };
    format!("expires in {when}, at {until:.0}")
}

/// What is wrong with its body.
pub fn of_body(expected: &Expected, body: &[u8]) -> Vec<String> {
    let mut wrong = Vec::new();
    if let Some(pattern) = &expected.body
        && !pattern.fits(body)
    {
        wrong.push(format!("the body does not contain {}", pattern.written));
    }
    if expected.json.is_empty() {
        return wrong;
    }
    match serde_json::from_slice::<Value>(body) {
        Err(error) => wrong.push(format!("the body is no JSON: {error}")),
        Ok(document) => {
            wrong.extend(expected.json.iter().filter_map(|(pointer, value)| of_pointer(&document, pointer, value)));
        }
    }
    wrong
}

fn of_pointer(document: &Value, pointer: &str, expected: &Value) -> Option<String> {
    let shown = if pointer.is_empty() { "the whole of the JSON" } else { pointer };
    match document.pointer(pointer) {
        None => Some(format!("the JSON has no {shown}, which should be {expected}")),
        Some(found) if !is_same(found, expected) => Some(format!("{shown} is {}, not {expected}", shortened(found))),
        Some(_) => None,
    }
}

fn shortened(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(LONGEST_VALUE) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// In JSON a number is a number: `1` and `1.0` are the same.
fn is_same(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Number(found), Value::Number(expected)) => found == expected || found.as_f64() == expected.as_f64(),
        (Value::Array(found), Value::Array(expected)) => {
            found.len() == expected.len()
                && found.iter().zip(expected).all(|(found, expected)| is_same(found, expected))
        }
        (Value::Object(found), Value::Object(expected)) => {
            let is_there =
                |(name, value): (&String, &Value)| found.get(name).is_some_and(|found| is_same(found, value));
            found.len() == expected.len() && expected.iter().all(is_there)
        }
        (found, expected) => found == expected,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::job::{BodyPattern, StatusRange};

    fn check(pairs: &[(&str, Value)], body: &str, expect: &[&str]) {
        let expected = Expected {
            status: vec![StatusRange::SUCCESS],
            body: None,
            json: pairs.iter().map(|(pointer, value)| ((*pointer).to_owned(), value.clone())).collect(),
            certificate: None,
        };
        assert_eq!(of_body(&expected, body.as_bytes()), expect, "{body}");
    }

    #[test]
    fn pointers_lead_to_values() {
        let body = r#"{"status": "ok", "count": 3.0, "a/b": [1, {"c": null}], "deep": {"x": 1}}"#;
        check(&[("/status", json!("ok")), ("/count", json!(3)), ("/a~1b/1/c", json!(null))], body, &[]);
        check(&[("/deep", json!({"x": 1.0})), ("/a~1b", json!([1, {"c": null}]))], body, &[]);
        check(&[("/status", json!("up"))], body, &[r#"/status is "ok", not "up""#]);
        check(&[("/count", json!("3"))], body, &[r#"/count is 3.0, not "3""#]);
        check(&[("/nowhere", json!(1))], body, &["the JSON has no /nowhere, which should be 1"]);
        check(&[("", json!([]))], "[]", &[]);
        check(&[("", json!([]))], "[", &["the body is no JSON: EOF while parsing a list at line 1 column 1"]);
        let long = format!("\"{}\"", "é".repeat(200));
        check(&[("", json!(1))], &long, &[&format!("the whole of the JSON is \"{}…, not 1", "é".repeat(99))]);
    }

    #[test]
    fn bodies_are_looked_into() {
        let expected = Expected {
            status: vec![StatusRange::SUCCESS],
            body: Some(BodyPattern::new("ok").unwrap()),
            json: [].into(),
            certificate: None,
        };
        assert_eq!(of_body(&expected, b"all ok\xff"), Vec::<String>::new());
        assert_eq!(of_body(&expected, b"all bad"), ["the body does not contain ok"]);
    }
}
