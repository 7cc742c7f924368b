//! Why was an address not answered? In words that say what to do about it.

use std::error::Error;
use std::io;

use jiff::Timestamp;
use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError};
use url::Url;

use super::names::NoAddress;

/// Why there is no answer, or not all of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    #[error("the name has no address: {0}")]
    Name(String),
    #[error("the connection was refused: nobody listens there")]
    Refused,
    #[error("no connection: {0}")]
    Unreachable(String),
    #[error("the connection was closed before the answer was complete")]
    Closed,
    #[error("the answer is no HTTP: {0}")]
    NotHttp(String),
    #[error("TLS: {0}")]
    Tls(String),
    #[error("redirected more than {0} times")]
    Redirects(usize),
    #[error("redirected from {from} to {location}, which is not followed to another scheme: write that address")]
    Scheme { from: String, location: String },
    #[error("redirected to {to}: {why}")]
    Away { to: String, why: Box<Self> },
    #[error("redirected to something that is no address")]
    Location,
    #[error("the body is larger than {0} bytes: body_limit says how much is read")]
    TooLarge(u64),
    #[error("{0}")]
    Other(String),
}

impl Trouble {
    /// What an error of the client comes to. It stands somewhere in the chain of causes, and the innermost knows most.
    pub(super) fn of(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
        let mut found = None;
        let mut innermost = error.to_string();
        while let Some(error) = cause {
            found = Self::of_cause(error).or(found);
            innermost = error.to_string();
            cause = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
                Some(inner) => Some(inner),
                None => error.source(),
            };
        }
        found.unwrap_or(Self::Other(innermost))
    }

    fn of_cause(error: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(NoAddress(words)) = error.downcast_ref() {
            return Some(Self::Name(words.clone()));
        }
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Some(Self::Tls(tls_in_words(error)));
        }
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            let is_cut = error.is_incomplete_message() || error.is_closed();
            return if error.is_parse() {
                Some(Self::NotHttp(error.to_string()))
            } else {
                is_cut.then_some(Self::Closed)
            };
        }
        of_io(error.downcast_ref()?)
    }
}

fn of_io(error: &io::Error) -> Option<Trouble> {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Some(Trouble::Refused),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => Some(Trouble::Closed),
        // Others that the system knows by number, such as no route, or too many open files.
        _ => error.raw_os_error().map(|_| Trouble::Unreachable(error.to_string())),
    }
}

/// What went wrong when a connection was to be made safe, and what to do about it.
pub fn tls_in_words(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(error) => certificate_in_words(error),
        rustls::Error::InvalidMessage(_) => "the server does not speak TLS at this port".to_owned(),
        rustls::Error::AlertReceived(alert) => refused_in_words(*alert),
        rustls::Error::PeerIncompatible(_) => "the server offers no version or cipher that is safe".to_owned(),
        other => other.to_string(),
    }
}

/// What a server says of it is one word of RFC 8446, section 6.2.
fn refused_in_words(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateRequired => "the server wants a certificate of ours, and got none".to_owned(),
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA => format!("the server did not take our certificate: {alert:?}"),
        other => format!("the server refused it: {other:?}"),
    }
}

fn certificate_in_words(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => {
            "the certificate's issuer is not trusted: name its certificate in ca_file if it is your own".to_owned()
        }
        CertificateError::ExpiredContext { not_after, .. } => format!("the certificate expired at {}", day(*not_after)),
        CertificateError::Expired => "the certificate has expired".to_owned(),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("the certificate is not valid before {}", day(*not_before))
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            // They come as `DnsName("a.example")`.
            let names: Vec<&str> = presented.iter().map(|name| name.split('"').nth(1).unwrap_or(name)).collect();
            let names = if names.is_empty() { "no name".to_owned() } else { names.join(", ") };
            format!("the certificate is for {names}, not for {}", expected.to_str())
        }
        CertificateError::NotValidForName => "the certificate is for another name".to_owned(),
        other => format!("the certificate is not valid: {other}"),
    }
}

fn day(time: UnixTime) -> String {
    let time = i64::try_from(time.as_secs()).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.map_or_else(|| "an unknown time".to_owned(), |time| time.to_string())
}

/// An address as it may be shown: what follows its path may hold what was sent.
pub(super) fn without_query(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}
