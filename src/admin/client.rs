//! Asking the admin API: one connection for each question, as it wants them.

use std::io;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, HOST, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::arguments::WhichEdge;
use super::failure::Failure;
use super::whereabouts;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an answer may take: longer than the API lets any connection last.
const ANSWER: Duration = Duration::from_secs(70);
/// Bytes of the longest answer: 100,000 apps need half of it.
const LONGEST: usize = 256 << 20;
/// The variable with the secret.
pub(super) const TOKEN: &str = "LOCO_EDGE_ADMIN_TOKEN";

/// An edge, and who asks it.
pub(super) struct Client {
    address: String,
    secret: Option<HeaderValue>,
}

/// What is asked.
pub(super) struct Question<'a> {
    pub(super) method: Method,
    pub(super) target: &'a str,
    pub(super) body: Option<Value>,
    pub(super) belief: Belief,
}

/// What is believed to be there (RFC 9110, section 13.1).
pub(super) enum Belief {
    None,
    Nothing,
    Tag(HeaderValue),
}

/// An answer with a status of 200 to 299.
pub(super) struct Answer {
    /// As it came.
    pub(super) text: String,
    pub(super) json: Value,
    pub(super) status: u16,
    pub(super) tag: Option<HeaderValue>,
}

impl Client {
    /// Of the edge that is meant.
    pub(super) fn of(edge: &WhichEdge) -> Result<Self, Failure> {
        let address = whereabouts::address(edge).map_err(Failure::Said)?;
        Ok(Self { address, secret: secret(edge)? })
    }

    pub(super) async fn look(&self, target: &str) -> Result<Answer, Failure> {
        self.ask(Question { method: Method::GET, target, body: None, belief: Belief::None }).await
    }

    pub(super) async fn tell(&self, target: &str) -> Result<Answer, Failure> {
        self.ask(Question { method: Method::POST, target, body: None, belief: Belief::None }).await
    }

    pub(super) async fn ask(&self, question: Question<'_>) -> Result<Answer, Failure> {
        let answer = timeout(ANSWER, self.exchange(question)).await;
        let (status, tag, text) = match answer {
            Ok(answer) => answer?,
            Err(_) => return Err(self.broken(&"it does not answer")),
        };
        let json = serde_json::from_str(&text).unwrap_or_default();
        if (200..300).contains(&status) {
            return Ok(Answer { text, json, status, tag });
        }
        let secret_said = self.secret.is_some();
        Err(Failure::Problem { status, body: json, text, secret_said, instead: None })
    }

    async fn exchange(&self, question: Question<'_>) -> Result<(u16, Option<HeaderValue>, String), Failure> {
        let stream = timeout(CONNECT, TcpStream::connect(&self.address)).await;
        let stream = stream.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let stream = stream.map_err(|error| self.unreachable(&error))?;
        let broken = |error: hyper::Error| self.broken(&error);
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // What is wrong with it, the exchange says; it ends with the runtime.
        let _connection = tokio::spawn(connection);
        let response = sender.send_request(self.request(question)?).await.map_err(broken)?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, LONGEST).collect().await.map_err(|error| self.broken(&error))?;
        let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        Ok((head.status.as_u16(), head.headers.get(ETAG).cloned(), text))
    }

    fn request(&self, question: Question<'_>) -> Result<Request<Full<Bytes>>, Failure> {
        let Question { method, target, body, belief } = question;
        let mut request = Request::builder().method(method).uri(target).header(HOST, &self.address);
        if let Some(secret) = &self.secret {
            request = request.header(AUTHORIZATION, secret);
        }
        match belief {
            Belief::None => {}
            Belief::Nothing => request = request.header(IF_NONE_MATCH, "*"),
            Belief::Tag(tag) => request = request.header(IF_MATCH, tag),
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        request.body(Full::from(body)).map_err(|error| Failure::Said(error.to_string()))
    }

    fn unreachable(&self, error: &io::Error) -> Failure {
        let address = &self.address;
        Failure::Said(match error.kind() {
            io::ErrorKind::ConnectionRefused => format!(
                "nothing listens at {address}: is the edge running? Start it with `loco-edge dev`, or say where it is \
                 with --admin ADDRESS or LOCO_EDGE_ADMIN"
            ),
            io::ErrorKind::TimedOut => format!(
                "{address} does not answer: check the address (--admin, LOCO_EDGE_ADMIN) and what is between"
            ),
            _ => format!("cannot reach {address}: {error}; check --admin or LOCO_EDGE_ADMIN"),
        })
    }

    fn broken(&self, error: &dyn std::fmt::Display) -> Failure {
        let address = &self.address;
        Failure::Said(format!("no answer from {address}: {error}; is this the edge's admin address?"))
    }
}

fn secret(edge: &WhichEdge) -> Result<Option<HeaderValue>, Failure> {
    let secret = match &edge.token_file {
        Some(file) => {
            let read = std::fs::read_to_string(file);
            Some(read.map_err(|error| Failure::Said(format!("cannot read {}: {error}", file.display())))?)
        }
        None => std::env::var(TOKEN).ok(),
    };
    let Some(secret) = secret.as_deref().map(str::trim).filter(|secret| !secret.is_empty()) else {
        return Ok(None);
    };
    let header = HeaderValue::from_str(&format!("Bearer {secret}"));
    let mut header = header.map_err(|_| Failure::Said("a secret is visible ASCII characters".to_owned()))?;
    header.set_sensitive(true);
    Ok(Some(header))
}
