//! What stands behind the question mark of an address?

use axum::http::Uri;
use url::form_urlencoded;

use super::problem::{Code, Problem};
use crate::jobfile::nearest;

/// The parameters of a request, each of which must be known.
#[derive(Debug)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub fn of(uri: &Uri, known: &[&'static str]) -> Result<Self, Problem> {
        let query = uri.query().unwrap_or_default();
        let given: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        match given.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((unknown, _)) => {
                let help = match nearest(unknown, known.iter().copied()) {
                    Some(near) => format!("did you mean {near}?"),
                    None if known.is_empty() => "there are none at this address".to_owned(),
                    None => format!("there are {}", known.join(", ")),
                };
                Err(Problem::new(Code::Wrong, format!("there is no parameter `{unknown}`")).with_help(help))
            }
            None => Ok(Self(given)),
        }
    }

    /// All values of a parameter that may be given several times, or once with commas.
    pub fn list(&self, name: &str) -> Vec<String> {
        let values = self.0.iter().filter(|(given, _)| given == name);
        values.flat_map(|(_, value)| value.split(',')).map(|value| value.trim().to_owned()).collect()
    }

    /// The value of a parameter that may be given once.
    pub fn one(&self, name: &str) -> Result<Option<&str>, Problem> {
        let mut values = self.0.iter().filter(|(given, _)| given == name).map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Problem::new(Code::Wrong, format!("{name} is given more than once"))),
            (value, None) => Ok(value),
        }
    }

    /// Whether something is wanted: `failed=true`, `failed=1` or `failed` alone.
    pub fn is_set(&self, name: &str) -> Result<bool, Problem> {
        match self.one(name)? {
            None | Some("false" | "0") => Ok(false),
            Some("" | "true" | "1") => Ok(true),
            Some(other) => Err(Problem::new(Code::Wrong, format!("{name}: it is true or false, not `{other}`"))),
        }
    }

    pub fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(&self, name: &str) -> Result<Option<T>, Problem> {
        let parse = |value: &str| {
            value.parse().map_err(|error| Problem::new(Code::Wrong, format!("{name}: `{value}`: {error}")))
        };
        self.one(name)?.map(parse).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_ones_and_wrong_ones_are_refused() {
        let of = |uri: &str| Parameters::of(&uri.parse().unwrap(), &["job", "failed", "n"]);
        let given = of("/v1/x?job=a,b&job=c%20d&failed&n=5").unwrap();
        assert_eq!(given.list("job"), ["a", "b", "c d"]);
        assert_eq!((given.is_set("failed"), given.parsed::<u32>("n")), (Ok(true), Ok(Some(5))));
        let none = of("/v1/x").unwrap();
        assert_eq!((none.list("job").len(), none.is_set("failed"), none.one("n")), (0, Ok(false), Ok(None)));
        assert_eq!(of("/v1/x?jbo=a").unwrap_err().help.as_deref(), Some("did you mean job?"));
        assert!(of("/v1/x?n=1&n=2").unwrap().one("n").is_err());
        assert!(of("/v1/x?n=many").unwrap().parsed::<u32>("n").unwrap_err().message.starts_with("n: `many`:"));
        assert!(of("/v1/x?failed=maybe").unwrap().is_set("failed").is_err());
    }
}
