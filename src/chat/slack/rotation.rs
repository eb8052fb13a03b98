//! Token rotation: an app for which it is on speaks with a token that ends after twelve hours, and renews it with a refresh
//! token that works once. Nothing here sends twice. Facts from Slack's "Using token rotation" and `oauth.v2.access`.

use chrono::{DateTime, TimeDelta, Utc};

use super::{CALL, Slack, SlackError};
use crate::secret::Secret;

/// How long a token lasts when Slack does not say it, in seconds.
const USUAL: i64 = 43_200;
/// The longest that is counted with, in seconds.
const LONGEST: i64 = 366 * 86_400;

/// The app whose tokens rotate.
#[derive(Debug)]
pub struct Rotator {
    slack: Slack,
    client_id: String,
    client_secret: Secret,
}

/// What Slack gives for a refresh token.
#[derive(Debug)]
pub struct SlackPair {
    /// The access token.
    pub token: Secret,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// What makes the next pair, once.
    pub refresh: Secret,
}

impl Rotator {
    /// The app of this client id, behind this address of the API. It asks nothing yet.
    #[must_use]
    pub fn new(api_url: &str, client_id: &str, client_secret: Secret) -> Self {
        Self { slack: Slack::new(api_url, Secret::new("")), client_id: client_id.to_owned(), client_secret }
    }

    /// The app as it speaks with this token.
    #[must_use]
    pub fn speaking_with(&self, token: Secret) -> Slack {
        Slack { token, ..self.slack.clone() }
    }

    /// The next pair. This uses the refresh token up, whether or not the answer arrives.
    ///
    /// # Errors
    /// [`SlackError`]; when it is unclear, what the old token still does tells more.
    pub async fn refresh(&self, refresh: &Secret, now: DateTime<Utc>) -> Result<SlackPair, SlackError> {
        let fields = [
            ("client_id", self.client_id.as_str()),
            ("client_secret", self.client_secret.expose()),
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh.expose()),
        ];
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.slack.http()?.post(format!("{}/oauth.v2.access", self.slack.api)).timeout(CALL);
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
        let answer = match Slack::ask(request).await {
            // In Slack's words: some aspect of the operation may have succeeded before.
            Err(SlackError::Refused(word)) if is_trouble(&word) => return Err(SlackError::Unclear(word)),
            answer => answer?,
        };
        let full = |text: Option<String>| text.filter(|text| !text.is_empty()).map(Secret::new);
        let (Some(token), Some(refresh)) = (full(answer.access_token), full(answer.refresh_token)) else {
            return Err(SlackError::Unclear("its answer holds no pair of tokens".to_owned()));
        };
        let lasts = answer.expires_in.as_i64().filter(|seconds| *seconds > 0).unwrap_or(USUAL).min(LONGEST);
        Ok(SlackPair { token, expires_at: now + TimeDelta::seconds(lasts), refresh })
    }
}

fn is_trouble(word: &str) -> bool {
    matches!(word, "internal_error" | "fatal_error" | "service_unavailable" | "request_timeout" | "unknown_error")
}

/// Whether the refresh token is good for nothing any more, by Slack's word; all else is for the operator to put right.
#[must_use]
pub fn is_dead(word: &str) -> bool {
    matches!(
        word,
        "invalid_refresh_token"
            | "invalid_grant"
            | "token_expired"
            | "token_revoked"
            | "account_inactive"
            | "authorization_not_found"
    )
}
