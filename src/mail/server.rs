//! How is a message handed to a server? In a conversation as RFC 5321 has it, never less safe than `[smtp]` says.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, CertificateStore, Identity, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use tokio::time::{Instant, timeout, timeout_at};

use super::answer::Answer;
use super::letter::Composed;
use super::{SendError, Stage};
use crate::files::read_bytes;
use crate::job::{Safety, Server};
use crate::secret::{Secret, resolve};

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
        let certificate = Certificate::from_pem(&pem_of(path)?).map_err(|error| unusable(path, &error))?;
        parameters = parameters.certificate_store(CertificateStore::None).add_root_certificate(certificate);
    }
    if let Some(ours) = &server.identity {
        let (certificate, key) = (pem_of(&ours.certificate)?, pem_of(&ours.key)?);
        let identity = Identity::from_pem(&certificate, &key).map_err(|error| unusable(&ours.certificate, &error))?;
        parameters = parameters.identify_with(identity);
    }
    parameters.build().map_err(|error| SendError::Tls { server: server.to_string(), why: why(&error) })
}

fn pem_of(path: &Path) -> Result<Vec<u8>, SendError> {
    read_bytes(path, LARGEST_CERTIFICATES)
        .map_err(|error| SendError::Certificates { path: path.to_owned(), why: error.to_string() })
}

fn unusable(path: &Path, error: &Error) -> SendError {
    SendError::Certificates { path: path.to_owned(), why: why(error) }
}

/// Hands the message over until then; the answer is what the server said when it took it.
pub async fn hand_over(server: &Server, keys: Keys, composed: &Composed, until: Instant) -> Result<String, SendError> {
    let Keys { password, tls } = keys;
    let connection = connect(server, tls.clone(), until).await?;
    let mut talk = Talk { name: server.to_string(), until, connection };
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
    let taken = talk.converse(server, password, composed).await;
    // Whatever came of it, the server is told that this was all.
    let _ = timeout(TO_LEAVE, talk.connection.abort()).await;
    taken
}

async fn connect(
    server: &Server,
    tls: Option<TlsParameters>,
    until: Instant,
) -> Result<AsyncSmtpConnection, SendError> {
    let at_once = tls.filter(|_| server.safety == Safety::Tls);
    let (host, client) = ((server.host.as_str(), server.port), ClientId::default());
    let connecting = AsyncSmtpConnection::connect_tokio1(host, Some(TO_CONNECT), &client, at_once, None);
    let name = server.to_string();
    match timeout_at(until, connecting).await {
        Err(_) => Err(SendError::TimedOut { server: name, stage: Stage::Connecting }),
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(match Answer::refusal(&error) {
            Some(answer) => SendError::Refused { server: name, what: "to talk to us", answer },
            None if is_of_tls(&error) => SendError::Tls { server: name, why: why(&error) },
            None => SendError::Connect { server: name, why: why(&error) },
        }),
    }
}

/// A conversation under way.
struct Talk {
    name: String,
    until: Instant,
    connection: AsyncSmtpConnection,
}

impl Talk {
    async fn converse(
        &mut self,
        server: &Server,
        password: Option<Secret>,
        composed: &Composed,
    ) -> Result<String, SendError> {
        if let (Some(login), Some(password)) = (&server.login, password) {
            self.log_in(&login.user, &password).await?;
        }
        self.name_all(composed).await?;
        let data = timeout_at(self.until, self.connection.command(Data)).await;
        self.heard(Stage::Naming, "the message", data)?;
        let message = timeout_at(self.until, self.connection.message(&composed.bytes)).await;
        let response = self.heard(Stage::HandingOver, "the message", message)?;
        Ok(Answer::of(&response).to_string())
    }

    async fn secure(&mut self, tls: TlsParameters) -> Result<(), SendError> {
        let server = self.name.clone();
        if !self.connection.can_starttls() {
            return Err(SendError::NoStartTls { server });
        }
        let upgraded = timeout_at(self.until, self.connection.starttls(tls, &ClientId::default())).await;
        match upgraded {
            Ok(Err(error)) if is_of_tls(&error) => Err(SendError::Tls { server, why: why(&error) }),
            other => self.heard(Stage::Securing, "STARTTLS", other),
        }
    }

    async fn log_in(&mut self, user: &str, password: &Secret) -> Result<(), SendError> {
        let server = self.name.clone();
        if self.connection.server_info().get_auth_mechanism(&MECHANISMS).is_none() {
            return Err(SendError::NoLogin { server });
        }
        let credentials = Credentials::new(user.to_owned(), password.expose().to_owned());
        let asked = timeout_at(self.until, self.connection.auth(&MECHANISMS, &credentials)).await;
        let refusal = asked.as_ref().ok().and_then(|asked| Answer::refusal(asked.as_ref().err()?));
        match refusal {
            Some(answer) => {
                let answer = answer.without(&spellings(user, password));
                Err(SendError::Login { server, user: user.to_owned(), answer })
            }
            None => self.heard(Stage::LoggingIn, "the login", asked).map(|_| ()),
        }
    }

    /// Names the sender and everybody whom the message is for. All are named, so that all who are refused are known.
    async fn name_all(&mut self, composed: &Composed) -> Result<(), SendError> {
        let all = composed.envelope.from().into_iter().chain(composed.envelope.to());
        let not_ascii = all.map(ToString::to_string).find(|address| !address.is_ascii());
        let mut parameters = Vec::new();
        if let Some(address) = not_ascii {
            if !self.connection.server_info().supports_feature(Extension::SmtpUtfEight) {
                return Err(SendError::NotAscii { server: self.name.clone(), address });
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        let sender = Mail::new(composed.envelope.from().cloned(), parameters);
        let named = timeout_at(self.until, self.connection.command(sender)).await;
        self.heard(Stage::Naming, "the sender", named)?;
        let mut refused = Vec::new();
        for address in composed.envelope.to() {
            let named = self.connection.command(Rcpt::new(address.clone(), Vec::new()));
            let named = timeout_at(self.until, named).await;
            match named.as_ref().ok().and_then(|named| Answer::refusal(named.as_ref().err()?)) {
                Some(answer) => refused.push((address.to_string(), answer)),
                None => {
                    self.heard(Stage::Naming, "a recipient", named)?;
                }
            }
        }
        if refused.is_empty() { Ok(()) } else { Err(SendError::Recipients { server: self.name.clone(), refused }) }
    }

    /// What came of a command.
    fn heard<T>(
        &self,
        stage: Stage,
        what: &'static str,
        came: Result<Result<T, Error>, tokio::time::error::Elapsed>,
    ) -> Result<T, SendError> {
        let server = self.name.clone();
        match came {
            Err(_) => Err(SendError::TimedOut { server, stage }),
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(match Answer::refusal(&error) {
                Some(answer) => SendError::Refused { server, what, answer },
                None => SendError::Broken { server, stage, why: why(&error) },
            }),
        }
    }
}

/// The password as it goes over the wire: some servers say back what they did not understand.
fn spellings(user: &str, password: &Secret) -> Vec<String> {
    let password = password.expose();
    vec![STANDARD.encode(format!("\0{user}\0{password}")), STANDARD.encode(password), password.to_owned()]
}

/// Whether an error is of TLS itself, such as a certificate that is not trusted.
fn is_of_tls(error: &Error) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if error.is::<rustls::Error>() || inner.is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>)
        {
            return true;
        }
        next = error.source();
    }
    false
}

/// The innermost cause, which says most.
fn why(error: &Error) -> String {
    let mut innermost: &(dyn std::error::Error + 'static) = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
