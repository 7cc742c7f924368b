//! What does `[smtp]` say?

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use toml::de::DeTable;
use url::Url;

use super::addresses::no_address;
use super::diagnostic::Diagnostics;
use super::keys::{SMTP, STARTTLS};
use super::section::{At, Section};
use super::wanted::Wanted;
use crate::job::{Address, Identity, Login, Safety, SecretSource, Server, Smtp, Way};

/// What a way can be written as.
const WAYS: &str = "write for example \"smtps://user@mail.example.org\", \"smtp+starttls://user@mail.example.org:587\", \
                    \"smtp://localhost\", \"sendmail:/usr/sbin/sendmail\", or, for trying, \"file:folder\"";
/// What is wrong with mail where there is no `[smtp]`, and what to write.
pub const NO_SMTP: &str = "nothing says how mail leaves: there is no [smtp]";
pub const WRITE_SMTP: &str = "write [smtp] with url = \"smtps://user@mail.example.org\", password = { env = \
                              \"SMTP_PASSWORD\" } and from = \"punctual <punctual@example.org>\"";
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
    /// The way that mail leaves, if that is known.
    pub fn smtp(&self) -> Option<&Arc<Smtp>> {
        match self {
            Self::By(smtp) => Some(smtp),
            Self::Unsaid | Self::Wrong => None,
        }
    }

    /// The same for a file of this folder, from which relative paths are taken.
    pub fn within(self, folder: &Path) -> Self {
        let Self::By(smtp) = self else {
            return self;
        };
        let way = match smtp.way.clone() {
            Way::Server(server) => {
                let login = server.login.map(|login| Login { password: login.password.within(folder), ..login });
                let ca_file = server.ca_file.map(|path| folder.join(path));
                let identity = server
                    .identity
                    .map(|ours| Identity { certificate: folder.join(ours.certificate), key: folder.join(ours.key) });
                Way::Server(Box::new(Server { login, ca_file, identity, ..*server }))
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
    let beside = Beside {
        password: section.secret("password"),
        ca_file: section.clean_text("ca_file"),
        opportunistic: section.choice("starttls", &STARTTLS),
        certificate: section.filled_text("certificate"),
        key: section.filled_text("key"),
    };
    let from =
        section.parsed("from", Wanted::Other("an address, such as \"punctual <punctual@example.org>\""), |text| {
            text.parse::<Address>().map_err(|_| no_address(text))
        });
    for (key, help) in [("url", WAYS), ("from", "write for example from = \"punctual <punctual@example.org>\"")] {
        if section.get(key).is_none() {
            section.error(key, head.clone(), format!("[smtp] has no `{key}`"), Some(help.to_owned()));
        }
    }
    let way = complete(&mut section, way?, url.as_ref()?, beside);
    Some(Smtp { url: url?.value.into(), way, from: from?.value })
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

/// The keys beside the URL.
struct Beside {
    password: Option<At<SecretSource>>,
    ca_file: Option<At<String>>,
    /// Whether mail goes in the open where the server offers no STARTTLS.
    opportunistic: Option<At<bool>>,
    certificate: Option<At<String>>,
    key: Option<At<String>>,
}

/// Puts together what the URL says with the keys beside it.
fn complete(section: &mut Section, way: Written, url: &At<String>, beside: Beside) -> Way {
    let (host, port, safety, user) = match way {
        Written::Server { host, port, safety, user } => (host, port, safety, user),
        Written::Program(path) => return of_this_machine(section, Way::Program(path)),
        Written::Folder(path) => return of_this_machine(section, Way::Folder(path)),
    };
    let login = login(section, url, user, beside.password);
    let safety = with_starttls(section, safety, beside.opportunistic);
    if safety == Safety::Plain {
        ignored(section, &["ca_file", "certificate", "key"]);
    }
    let identity = identity(section, beside.certificate, beside.key);
    let server = Server { host, port, safety, login, ca_file: beside.ca_file.map(|at| at.value.into()), identity };
    if server.login.is_some() && !server.is_local() {
        refuse_an_open_password(section, url, safety);
    }
    Way::Server(Box::new(server))
}

fn login(
    section: &mut Section,
    url: &At<String>,
    user: Option<String>,
    password: Option<At<SecretSource>>,
) -> Option<Login> {
    match (user, password) {
        (Some(user), Some(password)) => return Some(Login { user, password: password.value }),
        (Some(user), None) if section.get("password").is_none() => {
            let help = "write password = { env = \"SMTP_PASSWORD\" } below it".to_owned();
            section.error("url", url.span.clone(), format!("`{user}` has no password"), Some(help));
        }
        (None, Some(password)) => {
            let help = "write the user into it: \"smtps://user@mail.example.org\"".to_owned();
            section.error("password", password.span, "there is no user in `url` whose password it is", Some(help));
        }
        (Some(_) | None, None) => {}
    }
    None
}

/// Less than STARTTLS is never put up with where nobody has said so in a word.
fn with_starttls(section: &mut Section, safety: Safety, opportunistic: Option<At<bool>>) -> Safety {
    let Some(opportunistic) = opportunistic else {
        return safety;
    };
    match safety {
        Safety::StartTls | Safety::StartTlsIfOffered if opportunistic.value => Safety::StartTlsIfOffered,
        Safety::StartTls | Safety::StartTlsIfOffered => Safety::StartTls,
        Safety::Plain | Safety::Tls => {
            let help = "write smtp+starttls:// in `url`, or leave it out".to_owned();
            let message = "`starttls` is for smtp+starttls://, and `url` begins otherwise";
            section.error("starttls", opportunistic.span, message, Some(help));
            safety
        }
    }
}

fn identity(section: &mut Section, certificate: Option<At<String>>, key: Option<At<String>>) -> Option<Identity> {
    match (certificate, key) {
        (Some(certificate), key) => Some(Identity {
            key: key.map_or_else(|| certificate.value.clone(), |key| key.value).into(),
            certificate: certificate.value.into(),
        }),
        (None, Some(key)) => {
            let help = "write certificate = \"client.pem\" beside it".to_owned();
            section.error("key", key.span, "there is no `certificate` whose key it is", Some(help));
            None
        }
        (None, None) => None,
    }
}

fn refuse_an_open_password(section: &mut Section, url: &At<String>, safety: Safety) {
    let (message, help) = match safety {
        Safety::Plain => (
            "over smtp:// the password would go through the network for everybody to read",
            "write smtps:// or smtp+starttls://, or leave the user out",
        ),
        Safety::StartTlsIfOffered => (
            "where the server offers no STARTTLS the password would go through the network for everybody to read",
            "write starttls = \"required\", or leave the user out",
        ),
        Safety::StartTls | Safety::Tls => return,
    };
    section.error("url", url.span.clone(), message, Some(help.to_owned()));
}

/// A way that knows neither password nor certificates.
fn of_this_machine(section: &mut Section, way: Way) -> Way {
    ignored(section, &["password", "ca_file", "starttls", "certificate", "key"]);
    way
}

/// Says of those of these keys that stand there that they say nothing.
fn ignored(section: &mut Section, keys: &[&'static str]) {
    for (key, span) in section.stands(keys.iter().copied()) {
        let message = format!("`{key}` says nothing about this way");
        section.warn(key, span, &message, Some("leave it out".to_owned()));
    }
}
