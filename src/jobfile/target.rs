//! Whom is a web server told by? An address in the file, of which nothing is shown beyond its host, or the place of one.

use std::ops::Range;

use url::Url;

use super::section::{At, Section};
use super::wanted::Wanted;
use crate::job::Target;

const WANTED: Wanted =
    Wanted::Other("an address, such as \"https://example.org/hook\", or where one stands, such as { env = \"NAME\" }");

impl Section<'_, '_> {
    /// An address, or where it stands; the path of a file is as it was written.
    pub fn target(&mut self, key: &str) -> Option<At<Target>> {
        if self.get(key)?.get_ref().is_table() {
            return self.secret(key).map(|at| at.map(Target::Secret));
        }
        if !self.is_text(key) {
            return self.parsed(key, WANTED, address).map(|at| at.map(Target::Open));
        }
        let At { value: text, span } = self.text(key)?;
        let Some(secret) = beyond_host(&text, &span) else {
            self.said().hide(span.clone());
            let help = format!("write {key} = \"https://…\"");
            self.error(key, span, "an address stands between plain quotes, and has no backslashes", Some(help));
            return None;
        };
        self.said().keep_secret(secret);
        match address(&text) {
            Ok(url) => Some(At { value: Target::Open(url), span }),
            Err(wrong) => {
                self.said().hide(span.clone());
                self.error(key, span, wrong.message(), Some(wrong.help().to_owned()));
                None
            }
        }
    }
}

/// Where in the file stands what lets everybody in who knows it: all behind the host. `None` where that is not to be told,
/// as the text is not written as it is.
fn beyond_host(text: &str, span: &Range<usize>) -> Option<Range<usize>> {
    const QUOTES: usize = 2;
    if span.len() != text.len() + QUOTES {
        return None;
    }
    let host = text.find("://").map_or(0, |at| at + "://".len());
    let path = text[host..].find(['/', '?', '#']).map_or(text.len(), |at| host + at + 1);
    Some(span.start + 1 + path..span.end - 1)
}

/// Why a text is no address. Neither message nor help repeats it: it may be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAddress {
    Form(url::ParseError),
    Scheme,
    User,
}

impl NoAddress {
    pub fn message(self) -> String {
        match self {
            Self::Form(error) => format!("this is no address: {error}"),
            Self::Scheme => "this address is neither http nor https".to_owned(),
            Self::User => "an address holds neither user nor password".to_owned(),
        }
    }

    pub fn help(self) -> &'static str {
        match self {
            Self::Form(_) | Self::Scheme => "write for example \"https://example.org/hook\"",
            Self::User => "write it without them; a webhook has `headers` and `secret` for that",
        }
    }
}

impl std::fmt::Display for NoAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}; {}", self.message(), self.help())
    }
}

/// An address that can be told something.
pub fn address(text: &str) -> Result<Url, NoAddress> {
    let mut url = Url::parse(text).map_err(NoAddress::Form)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(NoAddress::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(NoAddress::User);
    }
    // A fragment is never sent.
    url.set_fragment(None);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_behind_the_host_is_a_secret() {
        for (written, expect) in [
            ("\"https://hooks.slack.com/services/T/B/x\"", Some("services/T/B/x")),
            ("'http://127.0.0.1:80?x=y'", Some("x=y")),
            ("\"https://example.org\"", Some("")),
            ("\"https://example.org/\"", Some("")),
            ("\"canary\"", Some("")),
            ("\"/canary\"", Some("canary")),
            ("\"https://example.org/\\u0041\"", None),
            ("\"\"\"https://example.org/x\"\"\"", None),
        ] {
            let file = format!("x = {written}");
            let text = toml::from_str::<toml::Table>(&file).unwrap()["x"].as_str().unwrap().to_owned();
            let found = beyond_host(&text, &(4..file.len()));
            assert_eq!(found.map(|span| &file[span]), expect, "{written}");
        }
    }

    #[test]
    fn an_address_is_one_of_the_web() {
        for (text, expect) in [
            ("https://example.org/x?y#z", Ok("https://example.org/x?y")),
            (" HTTP://Example.org ", Ok("http://example.org/")),
            ("https://a:b@example.org", Err(NoAddress::User)),
            ("mailto:a@example.org", Err(NoAddress::Scheme)),
            ("https://", Err(NoAddress::Form(url::ParseError::EmptyHost))),
            ("example.org", Err(NoAddress::Form(url::ParseError::RelativeUrlWithoutBase))),
        ] {
            assert_eq!(address(text).as_ref().map(Url::as_str).map_err(|wrong| *wrong), expect, "{text}");
        }
    }
}
