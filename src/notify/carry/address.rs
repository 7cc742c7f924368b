//! Which address is meant by a target, and what of it may be shown? Its host alone.

use std::collections::BTreeMap;

use url::Url;

use super::super::Refusal;
use super::hidden::Hidden;
use super::later;
use super::said::chain;
use crate::job::{SecretSource, Target};
use crate::secret::{Secret, resolve};

/// The address; it goes into `hidden`.
pub fn address(target: &Target, environment: &BTreeMap<String, String>, hidden: &mut Hidden) -> Result<Url, Refusal> {
    let url = match target {
        Target::Open(url) => url.clone(),
        Target::Secret(source) => {
            let text = secret("the address", source, environment)?;
            let text = text.expose().trim();
            hidden.add(text);
            Url::parse(text).map_err(|_| later(format!("the address {} is none", place(source))))?
        }
    };
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(later("the address is none of http or https"));
    }
    hidden.add_address(&url);
    Ok(url)
}

/// The address as it may be shown.
pub fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// A secret that cannot be had today may be there tomorrow.
pub fn secret(what: &str, source: &SecretSource, environment: &BTreeMap<String, String>) -> Result<Secret, Refusal> {
    resolve(source, environment).map_err(|error| later(format!("{what} cannot be had: {}", chain(&error))))
}

fn place(source: &SecretSource) -> String {
    match source {
        SecretSource::Env(name) => format!("in the variable {name}"),
        SecretSource::File(path) => format!("in {}", path.display()),
        SecretSource::Credential(name) => format!("in the credential {name}"),
    }
}
