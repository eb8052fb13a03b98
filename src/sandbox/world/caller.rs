//! Who calls: tokens, their holders, and what each has left of the rate limit.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{World, remember};
use crate::sandbox::call::Call;

/// The kinds of token, by what may be done with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// A classic personal access token.
    ClassicPat,
    /// A fine-grained personal access token.
    #[default]
    FineGrainedPat,
    /// A token of an OAuth app.
    OauthApp,
    /// A user token of the GitHub App: what is written with it names the App.
    AppUser,
}

/// Whose token it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sandbox) enum Holder {
    /// A person's.
    User(i64, TokenKind),
    /// An installation's.
    Installation(i64),
}

/// One token.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Grant {
    pub holder: Holder,
    pub expires_at: Option<DateTime<Utc>>,
    pub limit: i64,
    pub used: i64,
    pub reset_at: DateTime<Utc>,
}

impl Grant {
    /// A fresh token that lasts.
    pub(in crate::sandbox) fn new(holder: Holder, now: DateTime<Utc>) -> Self {
        Self { holder, expires_at: None, limit: 5_000, used: 0, reset_at: now + TimeDelta::hours(1) }
    }
}

/// Who stands behind a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sandbox) enum Caller {
    /// No token was sent.
    Nobody,
    /// A token nobody holds, or one that has ended.
    Unknown,
    /// A person.
    User(i64, TokenKind),
    /// An installation of the App.
    Installation(i64),
    /// Something signed that claims to be the App; checked where it is used.
    Jwt,
}

impl Caller {
    /// The person, if it is one.
    pub(in crate::sandbox) fn user(self) -> Option<i64> {
        match self {
            Self::User(id, _) => Some(id),
            _ => None,
        }
    }
}

/// The token of a call: `Bearer` or `token`.
pub(in crate::sandbox) fn token(call: &Call) -> Option<&str> {
    let (scheme, token) = call.header("authorization")?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token")).then_some(token.trim())
}

/// One call that was made. Never holds a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallRecord {
    /// When.
    pub at: DateTime<Utc>,
    /// The method.
    pub method: String,
    /// The path as sent.
    pub path: String,
    /// The query as sent.
    pub query: String,
    /// Whose token it carried.
    pub user: Option<String>,
    /// The answer's status; 0 when the connection was dropped.
    pub status: u16,
}

impl World {
    /// Who calls.
    pub(in crate::sandbox) fn caller(&self, call: &Call) -> Caller {
        if !call.headers.contains_key("authorization") {
            return Caller::Nobody;
        }
        let Some(token) = token(call) else { return Caller::Unknown };
        match self.grants.get(token) {
            Some(grant) if grant.expires_at.is_some_and(|end| end <= self.ground.now()) => Caller::Unknown,
            Some(grant) => match grant.holder {
                Holder::User(id, kind) => Caller::User(id, kind),
                Holder::Installation(id) => Caller::Installation(id),
            },
            None if token.starts_with("eyJ") && token.split('.').count() == 3 => Caller::Jwt,
            None => Caller::Unknown,
        }
    }

    /// Takes `count` from what the caller's token has left (or gives it back); false if nothing is left.
    pub(in crate::sandbox) fn spend(&mut self, call: &Call, count: i64) -> bool {
        let now = self.ground.now();
        let Some(grant) = token(call).and_then(|token| self.grants.get_mut(token)) else { return true };
        if grant.reset_at <= now {
            grant.used = 0;
            grant.reset_at = now + TimeDelta::hours(1);
        }
        let enough = count < 0 || grant.used < grant.limit;
        if enough {
            grant.used = (grant.used + count).max(0);
        }
        enough
    }

    /// limit, used, reset of the caller's token.
    pub(in crate::sandbox) fn rate(&self, call: &Call) -> (i64, i64, i64) {
        let grant = token(call).and_then(|token| self.grants.get(token));
        let hour = (self.ground.now() + TimeDelta::hours(1)).timestamp();
        grant.map_or((60, 0, hour), |grant| (grant.limit, grant.used, grant.reset_at.timestamp()))
    }

    /// The rate limit as headers; with `exhausted_for` seconds, as if nothing were left.
    pub(in crate::sandbox) fn rate_headers(&self, call: &Call, exhausted_for: Option<i64>) -> Vec<(String, String)> {
        let (limit, mut used, mut reset) = self.rate(call);
        if let Some(seconds) = exhausted_for {
            used = limit;
            reset = self.ground.now().timestamp() + seconds;
        }
        [("limit", limit), ("remaining", (limit - used).max(0)), ("used", used), ("reset", reset)]
            .into_iter()
            .map(|(name, value)| (format!("x-ratelimit-{name}"), value.to_string()))
            .chain([("x-ratelimit-resource".to_owned(), "core".to_owned())])
            .collect()
    }

    /// Remembers the call, without its token; status 0 is a dropped connection.
    pub(in crate::sandbox) fn record(&mut self, call: &Call, status: u16) {
        let user = match self.caller(call) {
            Caller::User(id, _) => self.login(id),
            Caller::Installation(id) => Some(format!("installation {id}")),
            Caller::Jwt => Some("app".to_owned()),
            Caller::Nobody | Caller::Unknown => None,
        };
        let record = CallRecord {
            at: self.ground.now(),
            method: call.method.to_string(),
            path: call.path.clone(),
            query: call.raw_query.clone(),
            user,
            status,
        };
        remember(&mut self.calls, record);
    }
}
