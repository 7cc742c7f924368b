//! What does a table `http` say?

use std::collections::HashSet;
use std::ops::Range;
use std::time::Duration;

use url::Url;

use super::checker::Checker;
use super::expect::RawExpected;
use super::headers::headers;
use super::keys::{HTTP, MOST_REQUESTS, MOST_REQUESTS_AT_ONCE};
use super::section::{At, Section};
use crate::job::{Ceiling, Header, Http, Method, OnChange};

const DEFAULT_PARALLEL: usize = 16;
const DEFAULT_REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
const DEFAULT_BODY_LIMIT: u64 = 16 << 20;

/// The table `http`; see [`crate::job::Http`].
#[derive(Debug, Clone)]
pub struct RawHttp {
    urls: Vec<Url>,
    method: Option<At<Method>>,
    headers: Vec<Header>,
    body: Option<At<String>>,
    max_parallel: Option<At<i64>>,
    repeat: Option<At<i64>>,
    request_timeout: Option<At<Duration>>,
    body_limit: Option<At<u64>>,
    ca_file: Option<At<String>>,
    expected: RawExpected,
    fail_above: Vec<Ceiling>,
    save: Option<At<String>>,
    on_change: Option<At<OnChange>>,
}

impl RawHttp {
    pub fn read(section: &mut Section) -> Option<At<Self>> {
        let span = section.span("http")?;
        let mut table = section.table("http", &[HTTP])?;
        let raw = Self {
            urls: urls(&mut table, &span),
            method: table.choice("method", &Method::WORDS),
            headers: headers(&mut table),
            body: table.text("body"),
            max_parallel: table.integer("max_parallel", 1, MOST_REQUESTS_AT_ONCE),
            repeat: table.integer("repeat", 1, MOST_REQUESTS),
            request_timeout: not_zero(&mut table, "request_timeout", Section::duration),
            body_limit: not_zero(&mut table, "body_limit", Section::size),
            ca_file: file_name(&mut table, "ca_file"),
            expected: RawExpected::read(&mut table),
            fail_above: RawExpected::fail_above(&mut table),
            save: file_name(&mut table, "save"),
            on_change: on_change(&mut table),
        };
        raw.check_together(&mut table);
        (!raw.urls.is_empty()).then_some(At { value: raw, span })
    }

    /// What is wrong only beside something else.
    fn check_together(&self, table: &mut Section) {
        if let (Some(at), None) = (&self.on_change, &self.save) {
            let help =
                "write for example save = \"pages/\"; what is saved there is what the next answer is compared with";
            table.error("on_change", at.span.clone(), "`on_change` needs `save`", Some(help.to_owned()));
        }
        if let (Some(at), Some(_)) = (&self.repeat, &self.save) {
            let help = "make two jobs of them, or leave one out".to_owned();
            table.error("repeat", at.span.clone(), "`repeat` and `save` do not go together", Some(help));
        }
        if let (Some(at), Some(url)) = (&self.expected.certificate, self.urls.iter().find(|url| url.scheme() == "http"))
        {
            let message = format!("{url} has no certificate");
            let help = "write https, or put the address into a job of its own".to_owned();
            table.error("expect_certificate", at.span.clone(), message, Some(help));
        }
        let requests = self.urls.len().saturating_mul(number(self.repeat.as_ref(), 1));
        if let (Some(at), true) = (&self.repeat, requests > usize::try_from(MOST_REQUESTS).unwrap_or(usize::MAX)) {
            let message = format!("{requests} requests are too many for one run: {MOST_REQUESTS} at most");
            table.error("repeat", at.span.clone(), message, None);
        }
    }
}

impl Checker<'_> {
    pub fn http(&self, raw: &RawHttp) -> Http {
        let otherwise = if raw.body.is_some() { Method::Post } else { Method::Get };
        Http {
            url: raw.urls.clone(),
            method: raw.method.as_ref().map_or(otherwise, |at| at.value),
            headers: raw.headers.iter().map(|header| header.within(&self.folder)).collect(),
            body: raw.body.as_ref().map(|at| at.value.clone()),
            max_parallel: number(raw.max_parallel.as_ref(), DEFAULT_PARALLEL),
            repeat: number(raw.repeat.as_ref(), 1),
            request_timeout: raw.request_timeout.as_ref().map_or(DEFAULT_REQUEST_TIMEOUT, |at| at.value),
            body_limit: raw.body_limit.as_ref().map_or(DEFAULT_BODY_LIMIT, |at| at.value),
            ca_file: raw.ca_file.as_ref().map(|at| self.folder.join(&at.value)),
            expected: raw.expected.checked(),
            fail_above: raw.fail_above.clone(),
            save: raw.save.as_ref().map(|at| self.folder.join(&at.value)),
            on_change: raw.on_change.as_ref().map(|at| at.value),
        }
    }
}

fn number(at: Option<&At<i64>>, otherwise: usize) -> usize {
    at.and_then(|at| usize::try_from(at.value).ok()).unwrap_or(otherwise)
}

/// What can be asked, and a complaint about each address that cannot.
fn urls(table: &mut Section, span: &Range<usize>) -> Vec<Url> {
    let help = || Some("write for example url = \"https://example.org/health\"".to_owned());
    if table.span("url").is_none() {
        table.error("url", span.clone(), "`http` has no `url`", help());
        return Vec::new();
    }
    let Some(texts) = table.texts("url") else {
        return Vec::new();
    };
    if texts.value.is_empty() {
        table.error("url", texts.span, "`url` is empty", help());
    }
    let mut known = HashSet::new();
    let mut urls = Vec::with_capacity(texts.value.len());
    for At { value: text, span } in texts.value {
        if text.contains('@') {
            table.said().hide(span.clone());
        }
        match url(&text) {
            Ok(url) if !known.insert(url.clone()) => {
                let help = "write it once; repeat = 2 asks each address twice".to_owned();
                table.error("url", span, format!("{url} stands here twice"), Some(help));
            }
            Ok(url) => urls.push(url),
            Err((message, help)) => {
                table.error("url", span, message, Some(help));
            }
        }
    }
    urls
}

/// An address that can be asked; or what is wrong with it, and what to write.
fn url(text: &str) -> Result<Url, (String, String)> {
    let example = || "write for example \"https://example.org/health\"".to_owned();
    // What is wrong may hold a password, where it has the sign that stands behind one.
    let shown = if text.contains('@') { "this".to_owned() } else { format!("`{text}`") };
    let mut url = Url::parse(text).map_err(|error| (format!("{shown} is no address: {error}"), example()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err((format!("{shown} is neither http nor https"), example()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        let help = "write headers = { Authorization = { env = \"NAME\" } }; the variable holds `Basic` and user:password in base64";
        return Err((
            "an address holds neither user nor password: it is shown to everybody".to_owned(),
            help.to_owned(),
        ));
    }
    // A fragment is never sent.
    url.set_fragment(None);
    Ok(url)
}

fn not_zero<'f, 'd, T: Default + PartialEq>(
    table: &mut Section<'f, 'd>,
    key: &str,
    read: fn(&mut Section<'f, 'd>, &str) -> Option<At<T>>,
) -> Option<At<T>> {
    let at = read(table, key)?;
    if at.value == T::default() {
        table.error(key, at.span, format!("with a {key} of zero every request fails"), None);
        return None;
    }
    Some(at)
}

fn file_name(table: &mut Section, key: &str) -> Option<At<String>> {
    let name = table.clean_text(key)?;
    if name.value.is_empty() {
        table.error(key, name.span, format!("`{key}` is empty"), None);
        return None;
    }
    Some(name)
}

/// `true` is the same as `"fail"`, `false` as nothing.
fn on_change(table: &mut Section) -> Option<At<OnChange>> {
    if table.get("on_change")?.get_ref().as_bool().is_none() {
        return table.choice("on_change", &OnChange::WORDS);
    }
    let at = table.boolean("on_change")?;
    at.value.then_some(At { value: OnChange::Fail, span: at.span })
}
