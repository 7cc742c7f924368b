//! Which steps does a job have? By name, as a list, or one for each combination of a matrix.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::Diagnostics;
use super::keys::STEP;
use super::policies::Policies;
use super::section::{At, Section, dotted};
use super::value::{describe, scalar};
use super::work::{RawCommand, RawWork};
use crate::job::JobName;

/// More steps than anybody reads in `show`; each has rows of its own in the ledger.
const MOST_STEPS: usize = 1000;

/// Bytes of a value of a matrix, which is part of the names of its steps.
const LONGEST_VALUE: usize = 200;

/// Steps as they were written.
#[derive(Debug, Clone)]
pub struct RawSteps {
    pub list: Vec<RawStep>,
    /// Whether they stand in a list, one after the other.
    pub in_turn: bool,
}

#[derive(Debug, Clone)]
pub struct RawStep {
    pub name: At<String>,
    pub needs: Option<At<Vec<At<String>>>>,
    pub always: bool,
    pub work: RawWork,
    pub policies: Policies,
}

impl RawSteps {
    pub fn read(section: &mut Section) -> Option<Self> {
        let value = section.get("steps")?;
        let path = section.path_of("steps");
        let list: Vec<RawStep> = match value.get_ref() {
            DeValue::Table(table) => {
                let said = section.said();
                table.iter().filter_map(|(name, value)| named(&path, name, value, said)).collect()
            }
            DeValue::Array(items) => {
                let said = section.said();
                items.iter().enumerate().filter_map(|(at, item)| in_turn(&path, at, item, said)).collect()
            }
            other => {
                let help = "write a table of steps by name, or a list of commands".to_owned();
                let message = format!("`steps` is a table or a list, not {}", describe(other));
                section.error("steps", value.span(), message, Some(help));
                return None;
            }
        };
        let length = list.len();
        if length > MOST_STEPS {
            let message = format!("{length} steps are too many: {MOST_STEPS} at most");
            section.error("steps", value.span(), message, Some("make several jobs of them".to_owned()));
            return None;
        }
        let is_empty = match value.get_ref() {
            DeValue::Table(table) => table.is_empty(),
            DeValue::Array(items) => items.is_empty(),
            _ => false,
        };
        if is_empty {
            let help = "write steps.NAME = { command = \"…\" }, or steps = [\"./first\", \"./second\"]".to_owned();
            section.error("steps", value.span(), "there is no step in `steps`", Some(help));
            return None;
        }
        Some(Self { list, in_turn: matches!(value.get_ref(), DeValue::Array(_)) })
    }
}

fn named(
    path: &str,
    name: &Spanned<std::borrow::Cow<str>>,
    value: &Spanned<DeValue>,
    said: &mut Diagnostics,
) -> Option<RawStep> {
    let path = dotted(path, name.get_ref());
    // The same characters as in a job's name: it stands beside it on the screen.
    if let Err(error) = JobName::new(name.get_ref()) {
        said.error(&path, name.span(), error.to_string().replace("job", "step"), None);
        return None;
    }
    let at = At { value: name.get_ref().to_string(), span: name.span() };
    match value.get_ref() {
        DeValue::Table(table) => Some(RawStep::read(at, table, &path, said)),
        other => {
            let help = format!("write steps.{} = {{ command = \"…\" }}", at.value);
            said.error(&path, value.span(), format!("a step is a table, not {}", describe(other)), Some(help));
            None
        }
    }
}

/// A step of a list is called by its number.
fn in_turn(path: &str, at: usize, item: &Spanned<DeValue>, said: &mut Diagnostics) -> Option<RawStep> {
    let name = At { value: (at + 1).to_string(), span: item.span() };
    let path = format!("{path}[{at}]");
    let command = |value: RawCommand| RawWork::of_command(At { value, span: item.span() });
    let work = match item.get_ref() {
        DeValue::Table(table) => {
            let step = RawStep::read(name, table, &path, said);
            if let Some(needs) = &step.needs {
                let help =
                    "give the steps names, steps.NAME = { … }, if they are not to go one after the other".to_owned();
                said.error(&dotted(&path, "needs"), needs.span.clone(), "steps of a list go in its order", Some(help));
            }
            return Some(step);
        }
        DeValue::String(text) if text.trim().is_empty() => {
            said.error(&path, item.span(), "the command of this step is empty", None);
            return None;
        }
        DeValue::String(text) => command(RawCommand::Text(text.to_string())),
        DeValue::Array(words) => {
            let words: Option<Vec<String>> =
                words.iter().map(|word| word.get_ref().as_str().map(str::to_owned)).collect();
            let Some(words) = words.filter(|words| words.first().is_some_and(|word| !word.trim().is_empty())) else {
                said.error(&path, item.span(), "a command is a text or a list of texts", None);
                return None;
            };
            command(RawCommand::List(words))
        }
        other => {
            let message = format!("a step is a command or a table, not {}", describe(other));
            said.error(&path, item.span(), message, None);
            return None;
        }
    };
    Some(RawStep { name, needs: None, always: false, work, policies: Policies::default() })
}

impl RawStep {
    fn read(name: At<String>, table: &DeTable, path: &str, said: &mut Diagnostics) -> Self {
        let mut section = Section::open(table, path, &[STEP], said);
        Self {
            name,
            needs: section.texts("needs"),
            always: section.boolean("always").is_some_and(|at| at.value),
            work: RawWork::read(&mut section),
            policies: Policies::read(&mut section),
        }
    }

    /// The places of the steps that it needs.
    pub fn needed(&self, steps: &RawSteps, path: &str, said: &mut Diagnostics) -> Vec<usize> {
        let mut needed = Vec::new();
        for need in self.needs.iter().flat_map(|at| &at.value) {
            let place = steps.list.iter().position(|step| step.name.value == need.value);
            match place {
                Some(place) => needed.push(place),
                None => {
                    let names = steps.list.iter().map(|step| step.name.value.as_str());
                    let help = match said.nearest(&need.value, names.clone()) {
                        Some(near) => format!("did you mean \"{near}\"?"),
                        None => format!("there are {}", names.collect::<Vec<_>>().join(", ")),
                    };
                    let message = format!("there is no step `{}`", need.value);
                    said.error(&dotted(path, "needs"), need.span.clone(), message, Some(help));
                }
            }
        }
        needed.sort_unstable();
        needed.dedup();
        needed
    }
}

/// Lists of values, of which every combination is a step.
#[derive(Debug, Clone)]
pub struct RawMatrix {
    /// Names and values, in the order of the file.
    pub axes: Vec<(String, Vec<String>)>,
}

impl RawMatrix {
    pub fn read(section: &mut Section) -> Option<Self> {
        let value = section.get("matrix")?;
        let path = section.path_of("matrix");
        let Some(table) = value.get_ref().as_table() else {
            let message = format!("`matrix` is a table of lists, not {}", describe(value.get_ref()));
            section.error("matrix", value.span(), message, Some("write matrix = { rate = [0.1, 0.01] }".to_owned()));
            return None;
        };
        if table.is_empty() {
            let help = "write matrix = { rate = [0.1, 0.01] }".to_owned();
            section.error("matrix", value.span(), "there is no list in `matrix`", Some(help));
            return None;
        }
        let said = section.said();
        let errors = said.errors.len();
        let axes: Vec<_> = table.iter().filter_map(|(name, list)| axis(&path, name, list, said)).collect();
        for (at, (name, _)) in table.iter().enumerate() {
            let other = table.keys().take(at).find(|other| other.get_ref().eq_ignore_ascii_case(name.get_ref()));
            if let Some(other) = other {
                let message = format!("`{}` and `{}` are one variable", other.get_ref(), name.get_ref());
                said.error(&dotted(&path, name.get_ref()), name.span(), message, None);
            }
        }
        if said.errors.len() > errors {
            return None;
        }
        let combinations = axes.iter().try_fold(1_usize, |all, (_, values)| all.checked_mul(values.len()));
        if combinations.is_none_or(|combinations| combinations > MOST_STEPS) {
            let all = combinations.map_or("far too many".to_owned(), |combinations| combinations.to_string());
            let message = format!("this matrix has {all} combinations: {MOST_STEPS} at most");
            let help = "leave values out, or make several jobs of it".to_owned();
            section.error("matrix", value.span(), message, Some(help));
            return None;
        }
        Some(Self { axes })
    }

    /// Every combination: the last name changes first.
    pub fn combinations(&self) -> Vec<Vec<(&str, &str)>> {
        let mut all: Vec<Vec<(&str, &str)>> = vec![Vec::new()];
        for (name, values) in &self.axes {
            let mut longer = Vec::with_capacity(all.len() * values.len());
            for shorter in &all {
                for value in values {
                    longer.push([shorter.as_slice(), &[(name.as_str(), value.as_str())]].concat());
                }
            }
            all = longer;
        }
        all
    }
}

fn axis(
    path: &str,
    name: &Spanned<std::borrow::Cow<str>>,
    list: &Spanned<DeValue>,
    said: &mut Diagnostics,
) -> Option<(String, Vec<String>)> {
    let key = dotted(path, name.get_ref());
    let is_name = |text: &str| {
        let allowed = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        allowed && text.chars().next().is_some_and(|c| c.is_ascii_alphabetic())
    };
    if !is_name(name.get_ref()) {
        let help = Some("letters, digits and `_`: it becomes the variable MATRIX_NAME".to_owned());
        said.error(&key, name.span(), format!("`{}` is no name for a variable", name.get_ref()), help);
        return None;
    }
    let values = list.get_ref().as_array().filter(|values| !values.is_empty());
    let values: Option<Vec<String>> =
        values.and_then(|values| values.iter().map(|value| scalar(value.get_ref())).collect());
    let Some(values) = values else {
        let message = format!("`{}` is a list of texts, numbers or booleans, with one at least", name.get_ref());
        said.error(&key, list.span(), message, None);
        return None;
    };
    let is_fit = |value: &String| value.len() <= LONGEST_VALUE && !value.chars().any(char::is_control);
    let twice = values.iter().enumerate().find(|(at, value)| values[..*at].contains(value));
    let message = match (values.iter().all(is_fit), twice) {
        (true, None) => return Some((name.get_ref().to_string(), values)),
        (false, _) => format!("a value is part of a step's name: a line of at most {LONGEST_VALUE} bytes"),
        (true, Some((_, value))) => format!("`{value}` stands here twice"),
    };
    said.error(&key, list.span(), message, None);
    None
}
