//! What the demo sends over real connections; above all the webhook: built as GitHub builds it, signed, and sent over a real connection.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::super::CliError;
use crate::github::IssueInfo;
use crate::ids::DeliveryId;
use crate::secret::Secret;

/// The answer to the webhook.
pub(super) struct Acknowledged {
    pub status: u16,
    pub delivery: DeliveryId,
    pub took: Duration,
}

/// What GitHub says when mona has put the label on the issue.
pub(super) fn labelled(issue: &IssueInfo, label: &str, body: &str, at: crate::store::Moment) -> Value {
    let mona = json!({ "id": 1001, "login": "mona", "type": "User" });
    let updated_at = issue.updated_at.unwrap_or(at).max(at).to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    json!({
        "action": "labeled",
        "issue": {
            "id": issue.id, "number": issue.number, "title": issue.title, "body": body, "state": issue.state,
            "html_url": issue.html_url, "user": mona, "author_association": "MEMBER",
            "labels": [{ "id": 1, "name": label }], "updated_at": updated_at
        },
        "label": { "id": 1, "name": label },
        "repository": {
            "id": 5001, "name": "widgets", "full_name": "acme/widgets", "private": true, "fork": false,
            "default_branch": "main", "owner": { "id": 9001, "login": "acme", "type": "Organization" }
        },
        "sender": mona
    })
}

/// Signs the payload and sends it.
///
/// # Errors
/// When there is no answer, or one without a delivery.
pub(super) async fn send(
    to: SocketAddr,
    secret: &Secret,
    delivery: &str,
    payload: &Value,
) -> Result<Acknowledged, CliError> {
    let body = payload.to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).map_err(CliError::said)?;
    mac.update(body.as_bytes());
    let signature = hex::encode(mac.finalize().into_bytes());
    let head = format!(
        "content-type: application/json\r\nx-github-event: issues\r\nx-github-delivery: {delivery}\r\n\
         x-github-hook-id: 1\r\nx-hub-signature-256: sha256={signature}\r\n"
    );
    let begun = Instant::now();
    let answer = ask(to, "POST /hooks/github", &head, &body).await?;
    let took = begun.elapsed();
    let said: Value = serde_json::from_str(&answer.text).unwrap_or_default();
    let id = said["delivery"].as_str().and_then(|id| id.parse().ok());
    let Some(id) = id.filter(|_| answer.status == 202) else {
        let line = crate::domain::trust::clean_line(&answer.text, 300);
        return Err(CliError::Said(format!("the webhook was answered {}: {line}", answer.status)));
    };
    Ok(Acknowledged { status: answer.status, delivery: id, took })
}

/// What the service answers.
pub(super) struct Answer {
    pub status: u16,
    head: String,
    pub text: String,
}

impl Answer {
    /// The values of a header.
    pub(super) fn header<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.filter(move |(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// Sends one request over a connection of its own; `line` is its method and path, `head` its further headers.
///
/// # Errors
/// When there is no answer.
pub(super) async fn ask(to: SocketAddr, line: &str, head: &str, body: &str) -> Result<Answer, CliError> {
    let failed = |error: std::io::Error| CliError::Said(format!("nothing could be sent to {to}: {error}"));
    let request = format!(
        "{line} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\n{head}content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(to).await.map_err(failed)?;
    stream.write_all(request.as_bytes()).await.map_err(failed)?;
    let mut answer = String::new();
    stream.take(65_536).read_to_string(&mut answer).await.map_err(failed)?;
    let (head, text) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Ok(Answer { status, head: head.to_owned(), text: text.to_owned() })
}
