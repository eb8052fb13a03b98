//! The one webhook of the demo: built as GitHub builds it, signed, and sent over a real connection.

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
    let failed = |error: std::io::Error| CliError::Said(format!("the webhook could not be sent to {to}: {error}"));
    let body = payload.to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).map_err(CliError::said)?;
    mac.update(body.as_bytes());
    let signature = hex::encode(mac.finalize().into_bytes());
    let request = format!(
        "POST /hooks/github HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         x-github-event: issues\r\nx-github-delivery: {delivery}\r\nx-github-hook-id: 1\r\n\
         x-hub-signature-256: sha256={signature}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(to).await.map_err(failed)?;
    let begun = Instant::now();
    stream.write_all(request.as_bytes()).await.map_err(failed)?;
    let mut answer = String::new();
    stream.take(65_536).read_to_string(&mut answer).await.map_err(failed)?;
    let took = begun.elapsed();
    let (head, text) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let said: Value = serde_json::from_str(text).unwrap_or_default();
    let id = said["delivery"].as_str().and_then(|id| id.parse().ok());
    let Some(id) = id.filter(|_| status == 202) else {
        let line = crate::domain::trust::clean_line(text, 300);
        return Err(CliError::Said(format!("the webhook was answered {status}: {line}")));
    };
    Ok(Acknowledged { status, delivery: id, took })
}
