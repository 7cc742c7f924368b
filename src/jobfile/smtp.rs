//! What does `[smtp]` say?

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use toml::de::DeTable;
use url::Url;

use super::diagnostic::Diagnostics;
use super::keys::SMTP;
use super::section::{At, Section};
use super::wanted::Wanted;
use crate::job::{Address, Login, Safety, SecretSource, Server, Smtp, Way};

/// What a way can be written as.
const WAYS: &str = "write for example \"smtps://user@mail.example.org\", \"smtp+starttls://user@mail.example.org:587\", \
                    \"smtp://localhost\", \"sendmail:/usr/sbin/sendmail\", or, for trying, \"file:folder\"";
/// Where servers listen: submission over TLS (RFC 8314), submission (RFC 6409), and among themselves (RFC 5321).
const PORTS: [(&str, Safety, u16); 3] =
    [("smtps", Safety::Tls, 465), ("smtp+starttls", Safety::StartTls, 587), ("smtp", Safety::Plain, 25)];

/// Whether mail can leave.
#[derive(Debug, Clone, Default)]
pub enum Outlet {
    /// There is no `[smtp]`.
    #[default]
    Unsaid,
    /// What is wrong with it was complained about where it stands.
    Wrong,
    By(Arc<Smtp>),
}

impl Outlet {
    /// The same for a file of this folder, from which relative paths are taken.
    pub fn within(self, folder: &Path) -> Self {
        let Self::By(smtp) = self else {
            return self;
        };
        let way = match smtp.way.clone() {
            Way::Server(server) => {
                let login = server.login.map(|login| Login { password: login.password.within(folder), ..login });
                let ca_file = server.ca_file.map(|path| folder.join(path));
                Way::Server(Box::new(Server { login, ca_file, ..*server }))
            }
            Way::Program(path) => Way::Program(path),
            Way::Folder(path) => Way::Folder(folder.join(path)),
        };
        Self::By(Arc::new(Smtp { way, from: smtp.from.clone(), url: smtp.url.clone() }))
    }
}

/// Reads the table, whose name stands at `head`. Paths are as they were written.
pub fn read_smtp(table: &DeTable, head: &Range<usize>, said: &mut Diagnostics) -> Outlet {
    let errors = said.errors.len();
    match read(table, head, said) {
        Some(smtp) if said.errors.len() == errors => Outlet::By(Arc::new(smtp)),
        Some(_) | None => Outlet::Wrong,
    }
}

fn read(table: &DeTable, head: &Range<usize>, said: &mut Diagnostics) -> Option<Smtp> {
    let mut section = Section::open(table, "smtp", &[SMTP], said);
    let url = section.text("url");
    let way = url.as_ref().and_then(|url| read_way(&mut section, url, head));
    let password = section.secret("password");
    let ca_file = section.clean_text("ca_file");
    let from =
        section.parsed("from", Wanted::Other("an address, such as \"punctual <punctual@example.org>\""), |text| {
            text.parse::<Address>().map_err(|_| no_address(text))
        });
    for (key, help) in [("url", WAYS), ("from", "write for example from = \"punctual <punctual@example.org>\"")] {
        if section.get(key).is_none() {
            section.error(key, head.clone(), format!("[smtp] has no `{key}`"), Some(help.to_owned()));
        }
    }
    let way = complete(&mut section, way?, url.as_ref()?, password, ca_file);
    Some(Smtp { url: url?.value.into(), way, from: from?.value })
}

pub fn no_address(text: &str) -> String {
    format!("`{text}` is no address; write for example \"ops@example.org\" or \"Ops <ops@example.org>\"")
}

/// A way as its URL alone says it, with the user in it.
enum Written {
    Server { host: String, port: u16, safety: Safety, user: Option<String> },
    Program(PathBuf),
    Folder(PathBuf),
}

fn read_way(section: &mut Section, url: &At<String>, head: &Range<usize>) -> Option<Written> {
    match way_of(&url.value) {
        Ok(way) => Some(way),
        Err(Wrong::Password) => {
            let help = "leave it out, and write password = { env = \"SMTP_PASSWORD\" } below".to_owned();
            let message = "there is a password in `url`: it does not stand in the file";
            section.error("url", head.clone(), message, Some(help));
            None
        }
        Err(Wrong::Form(message)) => {
            section.error("url", url.span.clone(), message, Some(WAYS.to_owned()));
            None
        }
    }
}

/// What is wrong with a URL.
enum Wrong {
    Password,
    Form(String),
}

fn way_of(text: &str) -> Result<Written, Wrong> {
    let wrong = |what: &str| Err(Wrong::Form(what.to_owned()));
    let Some((scheme, rest)) = text.split_once(':') else {
        return wrong("`url` does not say by which way mail leaves");
    };
    let path = rest.strip_prefix("//").unwrap_or(rest);
    match scheme {
        "sendmail" if path.starts_with('/') => return Ok(Written::Program(path.into())),
        "sendmail" => return wrong("the path of the program is to be absolute"),
        "file" if path.is_empty() => return wrong("there is no folder in `url`"),
        "file" => return Ok(Written::Folder(path.into())),
        _ => {}
    }
    let Some((_, safety, usual_port)) = PORTS.into_iter().find(|(known, ..)| *known == scheme) else {
        // What stands before the colon may be a user, and what follows a password.
        return wrong("mail does not leave by the way that `url` begins with");
    };
    let url = Url::parse(text).map_err(|error| Wrong::Form(format!("`url` cannot be read: {error}")))?;
    if url.password().is_some() {
        return Err(Wrong::Password);
    }
    let Some(host) = url.host_str().filter(|host| !host.is_empty()) else {
        return wrong("there is no host in `url`");
    };
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return wrong("`url` ends with the host and its port");
    }
    let user = percent_decode_str(url.username()).decode_utf8_lossy().into_owned();
    Ok(Written::Server {
        host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
        port: url.port().unwrap_or(usual_port),
        safety,
        user: Some(user).filter(|user| !user.is_empty()),
    })
}

/// Puts together what the URL says with the keys beside it.
fn complete(
    section: &mut Section,
    way: Written,
    url: &At<String>,
    password: Option<At<SecretSource>>,
    ca_file: Option<At<String>>,
) -> Way {
    let (host, port, safety, user) = match way {
        Written::Server { host, port, safety, user } => (host, port, safety, user),
        Written::Program(path) => return of_this_machine(section, Way::Program(path), password, ca_file),
        Written::Folder(path) => return of_this_machine(section, Way::Folder(path), password, ca_file),
    };
    let login = match (user, password) {
        (Some(user), Some(password)) => Some(Login { user, password: password.value }),
        (Some(user), None) if section.get("password").is_none() => {
            let help = "write password = { env = \"SMTP_PASSWORD\" } below it".to_owned();
            section.error("url", url.span.clone(), format!("`{user}` has no password"), Some(help));
            None
        }
        (None, Some(password)) => {
            let help = "write the user into it: \"smtps://user@mail.example.org\"".to_owned();
            section.error("password", password.span, "there is no user in `url` whose password it is", Some(help));
            None
        }
        (Some(_) | None, None) => None,
    };
    if safety == Safety::Plain
        && let Some(ca_file) = &ca_file
    {
        ignored(section, "ca_file", ca_file.span.clone());
    }
    let server = Server { host, port, safety, login, ca_file: ca_file.map(|at| at.value.into()) };
    if safety == Safety::Plain && server.login.is_some() && !server.is_local() {
        let help = "write smtps:// or smtp+starttls://, or leave the user out".to_owned();
        let message = "over smtp:// the password would go through the network for everybody to read";
        section.error("url", url.span.clone(), message, Some(help));
    }
    Way::Server(Box::new(server))
}

/// A way that knows neither password nor certificates.
fn of_this_machine(
    section: &mut Section,
    way: Way,
    password: Option<At<SecretSource>>,
    ca_file: Option<At<String>>,
) -> Way {
    for (key, span) in [("password", password.map(|at| at.span)), ("ca_file", ca_file.map(|at| at.span))] {
        if let Some(span) = span {
            ignored(section, key, span);
        }
    }
    way
}

fn ignored(section: &mut Section, key: &str, span: Range<usize>) {
    let message = format!("`{key}` says nothing about this way");
    let path = section.path_of(key);
    section.said().warn(&path, span, message, Some("leave it out".to_owned()));
}
