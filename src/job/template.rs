//! What is said in words that are filled in later? A template, whose form was checked.

use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;

/// What a template sees.
pub const SEEN: [&str; 5] = ["job", "run", "last", "jobs", "causes"];

/// Steps of a template's machine: a hundred lines for each of a thousand things, and the end of a loop in a loop in a loop.
const FUEL: u64 = 1_000_000;

/// A text with places that are filled in when it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Template {
    text: Box<str>,
    #[serde(skip)]
    medium: Medium,
}

/// What the text is for, which says what has to be escaped in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    Plain,
    Html,
}

/// What is wrong with the form of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateError {
    Syntax {
        line: usize,
        message: String,
    },
    /// It asks for something that no template sees.
    Unseen(String),
}

impl Template {
    pub fn new(text: &str, medium: Medium) -> Result<Self, TemplateError> {
        let environment = environment(medium);
        let template = environment.template_from_str(text).map_err(|error| TemplateError::Syntax {
            line: error.line().unwrap_or(1),
            message: error.detail().unwrap_or("it cannot be read").to_owned(),
        })?;
        let is_seen =
            |name: &String| SEEN.contains(&name.as_str()) || environment.globals().any(|(known, _)| known == name);
        // In the order of the alphabet, so that the same one is named each time.
        let unseen = template.undeclared_variables(false).into_iter().filter(|name| !is_seen(name)).min();
        match unseen {
            Some(name) => Err(TemplateError::Unseen(name)),
            None => Ok(Self { text: text.into(), medium }),
        }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn medium(&self) -> Medium {
        self.medium
    }
}

/// The rules by which templates are read and filled in: what is undefined is an error, and nothing goes on for ever.
pub fn environment(medium: Medium) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(move |_| match medium {
        Medium::Plain => AutoEscape::None,
        Medium::Html => AutoEscape::Html,
    });
    environment.set_fuel(Some(FUEL));
    // Errors name what is undefined.
    environment.set_debug(true);
    environment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_checked() {
        for right in [
            "",
            "plain { } %",
            "{{ job.name }} {{ last[0].outcome }} {{ jobs['a-b'].last.output }}",
            "{% for name, run in causes|items %}{{ loop.index }} {{ name }} {{ run.output }}{% endfor %}",
            "{% set x = run.id %}{{ x }}{% for i in range(3) %}{{ i }}{% endfor %}",
        ] {
            assert_eq!(Template::new(right, Medium::Plain).unwrap().text(), right);
        }
        let error = |text: &str| Template::new(text, Medium::Html).unwrap_err();
        assert!(
            matches!(error("a\nb {{ job.name }\n"), TemplateError::Syntax { line: 2, .. }),
            "{:?}",
            error("a\nb {{ job.name }\n")
        );
        assert!(matches!(error("{% include 'x' %}"), TemplateError::Syntax { line: 1, .. }));
        assert_eq!(error("{{ job.name }} {{ jop.name }}"), TemplateError::Unseen("jop".to_owned()));
    }

    #[test]
    fn only_html_is_escaped() {
        let filled = |medium| {
            let value = minijinja::context! { job => minijinja::context! { name => "<&>" } };
            environment(medium).render_str("{{ job.name }}", value).unwrap()
        };
        assert_eq!(filled(Medium::Plain), "<&>");
        assert_eq!(filled(Medium::Html), "&lt;&amp;&gt;");
    }
}
