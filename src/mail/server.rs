//! How is a message handed to a server? In a conversation as RFC 5321 has it, never less safe than `[smtp]` says.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, CertificateStore, Identity, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use lettre::transport::smtp::response::Response;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::time::{timeout, timeout_at};

use super::answer::{Answer, without};
use super::conversation::Conversation;
use super::letter::Composed;
use super::line::Line;
use super::{Deadline, Matter, SendError, Sending, Stage, WhereRefused};
use crate::files::read_bytes;
use crate::job::{Safety, Server};
use crate::secret::{Secret, resolve};
use crate::web::{not_after, subject, tls_in_words};

/// For each address of a server that has several, so that one that is down does not use up the patience with all.
const TO_CONNECT: Duration = Duration::from_secs(20);
/// For a farewell, after which nothing depends on it.
const TO_LEAVE: Duration = Duration::from_secs(2);
/// A list of all certificates that systems trust has some two hundred kilobytes.
const LARGEST_CERTIFICATES: u64 = 4 << 20;
/// By which we log in; both show the password to the server, and only to it.
const MECHANISMS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];

/// What opens the server.
pub struct Keys {
    password: Option<Secret>,
    tls: Option<TlsParameters>,
}

/// Reads password and certificates; they are read for each message, so that a new one takes effect by itself.
pub fn prepare(server: &Server, environment: &BTreeMap<String, String>) -> Result<Keys, SendError> {
    let password = server.login.as_ref().map(|login| resolve(&login.password, environment));
    let password = password.transpose().map_err(SendError::Password)?;
    let tls = match server.safety {
        Safety::Plain => None,
        Safety::StartTlsIfOffered | Safety::StartTls | Safety::Tls => Some(trusting(server)?),
    };
    Ok(Keys { password, tls })
}

fn trusting(server: &Server) -> Result<TlsParameters, SendError> {
    let mut parameters = TlsParameters::builder(server.host.clone());
    if let Some(path) = &server.ca_file {
        let pem = pem_of(path)?;
        // Of a file without any nobody would be trusted, and the server would be blamed for it.
        first_of(path, &pem)?;
        let certificate = Certificate::from_pem(&pem).map_err(|error| unusable(path, &error))?;
        parameters = parameters.certificate_store(CertificateStore::None).add_root_certificate(certificate);
    }
    if let Some(ours) = &server.identity {
        parameters = parameters.identify_with(identity(ours)?);
    }
    parameters.build().map_err(|error| match &server.identity {
        // What they are by themselves was looked at.
        Some(ours) => unusable(&ours.key, &error),
        None => SendError::Tls { server: server.to_string(), why: why(&error) },
    })
}

/// Who we are; of several certificates in the file it is the first one that is shown.
fn identity(ours: &crate::job::Identity) -> Result<Identity, SendError> {
    let certificate = first_of(&ours.certificate, &pem_of(&ours.certificate)?)?;
    // lettre hands on what it is given as the certificate itself, whatever form it says that it wants.
    Identity::from_pem(&certificate, &pem_of(&ours.key)?).map_err(|error| unusable(&ours.key, &error))
}

/// The first certificate of a file.
fn first_of(path: &Path, pem: &[u8]) -> Result<CertificateDer<'static>, SendError> {
    CertificateDer::from_pem_slice(pem).map_err(|_| SendError::Certificates {
        path: path.to_owned(),
        why: "it holds no certificate in PEM".to_owned(),
    })
}

fn pem_of(path: &Path) -> Result<Vec<u8>, SendError> {
    read_bytes(path, LARGEST_CERTIFICATES)
        .map_err(|error| SendError::Certificates { path: path.to_owned(), why: error.to_string() })
}

fn unusable(path: &Path, error: &Error) -> SendError {
    SendError::Certificates { path: path.to_owned(), why: why(error) }
}

/// What came of a message that was handed over.
pub struct Taken {
    /// What the server said when it took it.
    pub answer: String,
    pub refused: Vec<(String, Answer)>,
}

/// Hands the message over until then.
pub async fn hand_over(
    server: &Server,
    keys: Keys,
    composed: &Composed,
    sending: Sending<'_>,
    deadline: Deadline,
) -> Result<Taken, SendError> {
    let Keys { password, tls } = keys;
    let conversation = sending.conversation;
    conversation.aside(format_args!("connecting to {server}"));
    let connection = connect(server, tls.clone(), deadline).await?;
    let hidden = match (&server.login, &password) {
        (Some(login), Some(password)) => spellings(&login.user, password),
        _ => Vec::new(),
    };
    let mut talk = Talk { name: server.to_string(), deadline, connection, conversation, hidden };
    talk.tell_of_greeting();
    let is_to_be_secured = match server.safety {
        Safety::StartTls => true,
        // What is offered and then fails is no offer less: somebody in between may have spoilt it.
        Safety::StartTlsIfOffered => talk.connection.can_starttls(),
        Safety::Plain | Safety::Tls => false,
    };
    if let (true, Some(tls)) = (is_to_be_secured, tls) {
        // Where that fails nothing can be said any more: a connection of lettre that was not made safe has no stream.
        talk.secure(tls).await?;
    }
    let taken = talk.converse(server, password, composed, sending.where_refused).await;
    conversation.ours("QUIT");
    // Whatever came of it, the server is told that this was all.
    let _ = timeout(TO_LEAVE, talk.connection.abort()).await;
    taken
}

async fn connect(
    server: &Server,
    tls: Option<TlsParameters>,
    deadline: Deadline,
) -> Result<AsyncSmtpConnection, SendError> {
    let name = server.to_string();
    match timeout_at(deadline.until, open(server, tls)).await {
        Err(_) => Err(deadline.passed(name, Stage::Connecting)),
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(Unopened::Line(why))) => Err(SendError::Connect { server: name, why }),
        Ok(Err(Unopened::Talk(error))) => Err(match Answer::refusal(&error) {
            Some(answer) => SendError::Refused { server: name, what: Matter::Talking, answer },
            None if is_of_tls(&error) => SendError::Tls { server: name, why: why(&error) },
            None => SendError::Connect { server: name, why: why(&error) },
        }),
    }
}

/// Why there is no connection.
enum Unopened {
    Line(String),
    Talk(Error),
}

/// Connects, and is greeted.
async fn open(server: &Server, tls: Option<TlsParameters>) -> Result<AsyncSmtpConnection, Unopened> {
    let client = ClientId::default();
    match (server.safety, tls) {
        // Who the server is was seen before it says anything; it can be believed to come to an end.
        (Safety::Tls, tls) => {
            let host = (server.host.as_str(), server.port);
            AsyncSmtpConnection::connect_tokio1(host, Some(TO_CONNECT), &client, tls, None).await
        }
        (Safety::Plain | Safety::StartTlsIfOffered | Safety::StartTls, _) => {
            let line = Line::to(&server.host, server.port, TO_CONNECT).await;
            let line = line.map_err(|error| Unopened::Line(error.to_string()))?;
            AsyncSmtpConnection::connect_with_transport(Box::new(line), &client).await
        }
    }
    .map_err(Unopened::Talk)
}

/// A conversation under way.
struct Talk<'e> {
    name: String,
    deadline: Deadline,
    connection: AsyncSmtpConnection,
    conversation: Conversation<'e>,
    /// What the server may say back, and nobody is to see.
    hidden: Vec<String>,
}

/// What came of a command, if it came in time.
type Came<T> = Result<Result<T, Error>, tokio::time::error::Elapsed>;

impl Talk<'_> {
    async fn converse(
        &mut self,
        server: &Server,
        password: Option<Secret>,
        composed: &Composed,
        where_refused: WhereRefused,
    ) -> Result<Taken, SendError> {
        self.tell_of_safety();
        if let (Some(login), Some(password)) = (&server.login, password) {
            self.log_in(&login.user, &password).await?;
        }
        let refused = self.name_all(composed, where_refused).await?;
        let data = self.say(Data).await;
        self.heard(Stage::Naming, Matter::Message, data)?;
        self.conversation.ours(format_args!("(the message, {} bytes)", composed.bytes.len()));
        let message = timeout_at(self.deadline.until, self.connection.message(&composed.bytes)).await;
        self.tell_of(&message);
        let response = self.heard(Stage::HandingOver, Matter::Message, message)?;
        Ok(Taken { answer: Answer::of(&response).without(&self.hidden).to_string(), refused })
    }

    async fn secure(&mut self, tls: TlsParameters) -> Result<(), SendError> {
        let server = self.name.clone();
        if !self.connection.can_starttls() {
            return Err(SendError::NoStartTls { server });
        }
        self.conversation.ours("STARTTLS");
        let client = ClientId::default();
        let upgrading = self.connection.starttls(tls, &client);
        match timeout_at(self.deadline.until, upgrading).await {
            Ok(Err(error)) if is_of_tls(&error) => Err(SendError::Tls { server, why: why(&error) }),
            other => self.heard(Stage::Securing, Matter::StartTls, other),
        }
    }

    async fn log_in(&mut self, user: &str, password: &Secret) -> Result<(), SendError> {
        let server = self.name.clone();
        let Some(mechanism) = self.connection.server_info().get_auth_mechanism(&MECHANISMS) else {
            return Err(SendError::NoLogin { server });
        };
        let credentials = Credentials::new(user.to_owned(), password.expose().to_owned());
        self.conversation.ours(format_args!("AUTH {mechanism} {user} ***"));
        let asked = timeout_at(self.deadline.until, self.connection.auth(&MECHANISMS, &credentials)).await;
        self.tell_of(&asked);
        match self.refusal(&asked) {
            Some(answer) => Err(SendError::Login { server, user: user.to_owned(), answer }),
            None => self.heard(Stage::LoggingIn, Matter::Login, asked).map(|_| ()),
        }
    }

    /// Names the sender and everybody whom the message is for. All are named, so that all who are refused are known.
    async fn name_all(
        &mut self,
        composed: &Composed,
        where_refused: WhereRefused,
    ) -> Result<Vec<(String, Answer)>, SendError> {
        let (from, to) = (composed.envelope.from(), composed.envelope.to());
        let takes_any = self.connection.server_info().supports_feature(Extension::SmtpUtfEight);
        let all = from.into_iter().chain(to).map(ToString::to_string);
        let not_ascii: Vec<String> = all.filter(|address| !address.is_ascii()).collect();
        let cannot_be_named = |address: &str| !takes_any && !address.is_ascii();
        if let Some(address) = not_ascii.iter().find(|address| {
            let is_sender = from.is_some_and(|from| from.to_string() == **address);
            cannot_be_named(address) && (is_sender || where_refused == WhereRefused::Nobody)
        }) {
            return Err(SendError::NotAscii { server: self.name.clone(), address: address.clone() });
        }
        let is_needed = takes_any && !not_ascii.is_empty();
        let parameters = if is_needed { vec![MailParameter::SmtpUtfEight] } else { Vec::new() };
        let named = self.say(Mail::new(from.cloned(), parameters)).await;
        self.heard(Stage::Naming, Matter::Sender, named)?;
        let mut refused = Vec::new();
        for address in to {
            if cannot_be_named(address.as_ref()) {
                refused.push((address.to_string(), not_offered()));
                continue;
            }
            let named = self.say(Rcpt::new(address.clone(), Vec::new())).await;
            match self.refusal(&named) {
                Some(answer) => refused.push((address.to_string(), answer)),
                None => {
                    self.heard(Stage::Naming, Matter::Recipient, named)?;
                }
            }
        }
        if where_refused.goes_on(&refused, to.len()) {
            Ok(refused)
        } else {
            Err(SendError::Recipients { server: self.name.clone(), refused })
        }
    }

    async fn say(&mut self, command: impl fmt::Display) -> Came<Response> {
        let words = command.to_string();
        self.conversation.ours(words.trim_end());
        let came = timeout_at(self.deadline.until, self.connection.command(words)).await;
        self.tell_of(&came);
        came
    }

    /// The refusal that came, if it is one.
    fn refusal<T>(&self, came: &Came<T>) -> Option<Answer> {
        let error = came.as_ref().ok()?.as_ref().err()?;
        Answer::refusal(error).map(|answer| answer.without(&self.hidden))
    }

    /// What came of a command.
    fn heard<T>(&self, stage: Stage, what: Matter, came: Came<T>) -> Result<T, SendError> {
        let server = self.name.clone();
        if let Some(answer) = self.refusal(&came) {
            return Err(SendError::Refused { server, what, answer });
        }
        match came {
            Err(_) => Err(self.deadline.passed(server, stage)),
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(SendError::Broken { server, stage, why: without(why(&error), &self.hidden) }),
        }
    }

    fn tell_of(&self, came: &Came<Response>) {
        if !self.conversation.is_heard() {
            return;
        }
        match (came, self.refusal(came)) {
            (_, Some(answer)) => self.conversation.theirs(answer),
            (Ok(Ok(response)), None) => self.conversation.theirs(Answer::of(response).without(&self.hidden)),
            // How the conversation broke is told by whoever began it.
            (Ok(Err(_)) | Err(_), None) => {}
        }
    }

    fn tell_of_greeting(&self) {
        self.conversation.ours(format_args!("EHLO {}", ClientId::default()));
        self.conversation.theirs(format_args!("250 {}", self.connection.server_info()));
    }

    fn tell_of_safety(&self) {
        if !self.conversation.is_heard() {
            return;
        }
        let Ok(der) = self.connection.peer_certificate() else {
            self.conversation.aside("the connection is not safe: it has no TLS");
            return;
        };
        let ends = not_after(&der).map(|ends| format!(", valid until {ends}")).unwrap_or_default();
        let whose = subject(&der).unwrap_or_else(|| "no name in its subject".to_owned());
        self.conversation.aside(format_args!("TLS is in place; the certificate: {whose}{ends}"));
    }
}

/// RFC 6531, section 3.5.
fn not_offered() -> Answer {
    Answer { code: 553, text: "5.6.7 not asked for: the server does not offer SMTPUTF8".to_owned() }
}

/// The password as it goes over the wire: some servers say back what they did not understand.
fn spellings(user: &str, password: &Secret) -> Vec<String> {
    let password = password.expose();
    vec![STANDARD.encode(format!("\0{user}\0{password}")), STANDARD.encode(password), password.to_owned()]
}

/// Whether an error is of TLS itself, such as a certificate that is not trusted.
fn is_of_tls(error: &Error) -> bool {
    of_tls(error).is_some()
}

fn of_tls(error: &Error) -> Option<&rustls::Error> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let inner = inner.and_then(|inner| inner.downcast_ref());
        if let Some(found) = error.downcast_ref().or(inner) {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// The innermost cause, which says most.
fn why(error: &Error) -> String {
    if let Some(error) = of_tls(error) {
        return tls_in_words(error);
    }
    let mut innermost: &(dyn std::error::Error + 'static) = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
