//! Does this line set a variable? As the crons of Debian, of Red Hat and of the BSDs read it.

/// Reads `NAME = value`, either of them in quotes or not; `None` if the line is no such thing.
///
/// A line that has anything behind a closing quote is none, and neither is one with a second word before the equals sign:
/// those are entries.
pub fn variable(line: &str) -> Option<(String, String)> {
    let line = line.trim_matches([' ', '\t']);
    let (name, rest) = name(line)?;
    let rest = rest.trim_start_matches([' ', '\t']).strip_prefix('=')?;
    let value = rest.trim_matches([' ', '\t']);
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
    let Some(quote) = quote else {
        return Some((name, value.to_owned()));
    };
    let inner = &value[1..];
    match inner.find(quote) {
        Some(end) if end + 1 == inner.len() => Some((name, inner[..end].to_owned())),
        // A quote that does not close is part of the value; one that closes too soon makes the line no assignment.
        Some(_) => None,
        None => Some((name, value.to_owned())),
    }
}

fn name(line: &str) -> Option<(String, &str)> {
    if let Some(quote) = line.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        let (name, rest) = line[1..].split_once(quote)?;
        return Some((name.to_owned(), rest)).filter(|(name, _)| !name.is_empty());
    }
    let end = line.find([' ', '\t', '='])?;
    let name = &line[..end];
    // What begins like a time is one, and a name with such characters would be none that a shell knows.
    let is_name = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && !name.chars().any(|c| c.is_control() || matches!(c, '*' | '/' | '@'));
    is_name.then(|| (name.to_owned(), &line[end..]))
}

/// The other way round: a line that sets a variable; `None` where there is no such line.
pub fn assigned(name: &str, value: &str) -> Option<String> {
    if value.contains(['\n', '\r', '\0']) {
        return None;
    }
    let lines = [format!("{name}={value}"), format!("{name}=\"{value}\""), format!("{name}='{value}'")];
    let wanted = (name.to_owned(), value.to_owned());
    // Some crons take an empty value without quotes for no assignment.
    lines.into_iter().skip(usize::from(value.is_empty())).find(|line| variable(line).as_ref() == Some(&wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_assigned_is_read_again() {
        for (value, expect) in [
            ("/usr/bin:/bin", Some("A=/usr/bin:/bin")),
            ("", Some("A=\"\"")),
            (" blanks ", Some("A=\" blanks \"")),
            ("\"quoted\"", Some("A='\"quoted\"'")),
            ("it's", Some("A=it's")),
            ("'a' \"b\" ", None),
            ("two\nlines", None),
        ] {
            assert_eq!(assigned("A", value).as_deref(), expect, "{value}");
        }
    }

    #[test]
    fn variables_are_told_from_entries() {
        for (line, expect) in [
            ("MAILTO=root", Some(("MAILTO", "root"))),
            ("MAILTO=\"\"", Some(("MAILTO", ""))),
            ("MAILTO=", Some(("MAILTO", ""))),
            ("  PATH = /usr/bin:/bin  ", Some(("PATH", "/usr/bin:/bin"))),
            ("A='two words' ", Some(("A", "two words"))),
            ("\"B\"=x", Some(("B", "x"))),
            ("C=a # no comment", Some(("C", "a # no comment"))),
            ("D=it's", Some(("D", "it's"))),
            ("E=\"open", Some(("E", "\"open"))),
            ("F=a=b", Some(("F", "a=b"))),
            ("G='a' b", None),
            ("*/5 * * * * X=1 cmd", None),
            ("@daily X=1", None),
            ("5 0 * * * X=1", None),
            ("mon tue=3", None),
            ("=x", None),
            ("nothing", None),
        ] {
            let expect = expect.map(|(name, value)| (name.to_owned(), value.to_owned()));
            assert_eq!(variable(line), expect, "{line}");
        }
    }
}
