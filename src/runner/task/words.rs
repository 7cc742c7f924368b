//! How does a template become a text? It is filled in with what it sees, within a bound.

use std::io::{self, Write};

use minijinja::{Error, ErrorKind, Value};

use crate::job::{Template, environment};

/// A text that people read in a message; with the output of several runs in it.
const LONGEST: usize = 1 << 20;

/// The text; the error says what is wrong in which line of `key`.
pub fn fill_in(template: &Template, key: &str, seen: &Value) -> Result<String, String> {
    let environment = environment(template.medium());
    let template = environment.template_from_str(template.text()).map_err(|error| said(key, &error))?;
    let mut text = Bounded::default();
    let filled = template.render_captured_to(seen.clone(), &mut text);
    match filled {
        _ if text.is_full => Err(format!("`{key}` becomes longer than {} KiB", LONGEST >> 10)),
        Ok(_) => Ok(String::from_utf8_lossy(&text.bytes).into_owned()),
        Err(error) => Err(said(key, &error)),
    }
}

/// What went wrong, in the words of people who wrote a template.
fn said(key: &str, error: &Error) -> String {
    let line = error.line().map(|line| format!(", line {line}")).unwrap_or_default();
    let what = match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => "it goes on for too long".to_owned(),
        (_, Some(what)) => what.to_owned(),
        (kind, None) => kind.to_string(),
    };
    format!("`{key}`{line}: {what}")
}

/// Takes no more than it may.
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
    is_full: bool,
}

impl Write for Bounded {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + data.len() > LONGEST {
            self.is_full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Medium;
    use minijinja::context;

    fn filled(text: &str) -> Result<String, String> {
        let template = Template::new(text, Medium::Plain).unwrap();
        fill_in(&template, "body", &context! { job => context! { name => "größe" }, last => vec![1, 2] })
    }

    #[test]
    fn what_is_undefined_is_named() {
        assert_eq!(filled("a {{ job.name }} {{ last|length }}").unwrap(), "a größe 2");
        for (text, expect) in [
            ("\n{{ job.nmae }}", "`body`, line 2: `job.nmae` is undefined"),
            ("{% if job.nmae %}{% endif %}", "`body`, line 1: `job.nmae` is undefined"),
            ("{{ last[5].outcome }}", "`body`, line 1: `last[5]` is undefined"),
            ("{{ job.name|shout }}", "`body`, line 1: filter shout is unknown"),
        ] {
            assert_eq!(filled(text).unwrap_err(), expect);
        }
    }

    #[test]
    fn nothing_grows_or_goes_on_for_ever() {
        let endless = "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}{% endfor %}";
        assert!(filled(endless).unwrap_err().ends_with("it goes on for too long"), "{:?}", filled(endless));
        let long = "{% for a in range(9999) %}{% for b in range(9) %}0123456789abcdef{% endfor %}{% endfor %}";
        assert_eq!(filled(long).unwrap_err(), "`body` becomes longer than 1024 KiB");
    }
}
