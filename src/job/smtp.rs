//! How does mail leave? By a server, by a program of this machine, or, for trying, into a folder.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use lettre::message::Mailbox;
use serde::{Serialize, Serializer};

use super::secret::SecretSource;

/// The table `[smtp]`: one way for all mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smtp {
    /// As it was written; it holds no password.
    pub url: Box<str>,
    pub way: Way,
    /// Who sends where a message does not say so itself.
    pub from: Address,
}

/// Where a message goes from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    Server(Box<Server>),
    /// A program that takes a message as sendmail does.
    Program(PathBuf),
    /// A folder in which each message becomes a file.
    Folder(PathBuf),
}

/// A server that takes mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// A name or an address, without brackets.
    pub host: String,
    pub port: u16,
    pub safety: Safety,
    pub login: Option<Login>,
    /// Certificates to trust in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// What we show the server, so that it knows us.
    pub identity: Option<Identity>,
}

/// A certificate of ours and its key, as PEM; both may stand in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// How the connection to a server is kept from others; never less than this is put up with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Safety {
    /// Not at all.
    Plain,
    /// Like `StartTls` where the server offers that, and otherwise not at all.
    StartTlsIfOffered,
    /// It begins in the open, and must become safe before anything else.
    StartTls,
    /// From its beginning.
    Tls,
}

/// Who we are to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    pub user: String,
    pub password: SecretSource,
}

impl Server {
    /// Whether what is said to it stays on this machine.
    pub fn is_local(&self) -> bool {
        let address = self.host.parse::<core::net::IpAddr>();
        address.map_or_else(|_| self.host.eq_ignore_ascii_case("localhost"), |address| address.is_loopback())
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Somebody's address, with a name or without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(Mailbox);

impl Address {
    pub fn mailbox(&self) -> &Mailbox {
        &self.0
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        // A name with a line break in it would be a line of the message's head.
        if text.chars().any(char::is_control) {
            return Err(AddressError);
        }
        text.trim().parse().map(Self).map_err(|_| AddressError)
    }
}

/// A text that is no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressError;

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_addresses() {
        for (text, expect) in [
            ("ops@example.org", "ops@example.org"),
            (" Ops <ops@example.org> ", "Ops <ops@example.org>"),
            ("\"Ops, the\" <ops@example.org>", "\"Ops, the\" <ops@example.org>"),
            ("root@localhost", "root@localhost"),
            ("Jörg <jörg@exämple.org>", "Jörg <jörg@exämple.org>"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), expect);
        }
        for wrong in ["", "ops", "ops@", "a@b.org, c@d.org", "A\r\nBcc: x@y.org <a@b.org>", "<a@b.org>\n", "a b@c.org"]
        {
            assert_eq!(wrong.parse::<Address>(), Err(AddressError), "{wrong:?}");
        }
    }

    #[test]
    fn local_is_this_machine() {
        let server = |host: &str| {
            let host = host.to_owned();
            Server { host, port: 25, safety: Safety::Plain, login: None, ca_file: None, identity: None }
        };
        for host in ["localhost", "LocalHost", "127.0.0.1", "127.9.9.9", "::1"] {
            assert!(server(host).is_local(), "{host}");
        }
        for host in ["localhost.example.org", "10.0.0.1", "::", "mail"] {
            assert!(!server(host).is_local(), "{host}");
        }
        assert_eq!(server("::1").to_string(), "[::1]:25");
    }
}
