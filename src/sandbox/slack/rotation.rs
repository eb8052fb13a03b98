//! Token rotation of the simulated Slack: once it is on, bot tokens end after twelve hours, and a refresh token makes the next
//! pair, once. Errors come with 200 and `ok: false`. Whether a token dies when its pair is renewed is not told by Slack's
//! documentation; here it does, unless it is to stay.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::{SlackControl, refused};
use crate::clock::Ground;
use crate::sandbox::call::{Answer, Call, form};

/// The client id of the app whose tokens rotate.
pub const CLIENT_ID: &str = "1111.2222";
/// Its client secret.
pub const CLIENT_SECRET: &str = "canary-slack-client-secret-7d";
/// How long a token lasts unless a test says otherwise.
const LASTS_S: i64 = 43_200;

/// The pairs that are good for something.
#[derive(Debug, Default)]
pub(super) struct Rotation {
    on: bool,
    keeps_old: bool,
    /// How long a token lasts, in seconds, if not as usual.
    lasts: Option<i64>,
    /// When each token ends.
    tokens: BTreeMap<String, DateTime<Utc>>,
    /// Refresh tokens that have not been used, with the token beside them.
    refreshes: BTreeMap<String, String>,
    rotations: u64,
    /// How often a refresh token was shown.
    asked: u64,
}

impl Rotation {
    /// Whether a token is taken; nothing when tokens do not rotate.
    pub(super) fn check(&self, bearer: Option<&str>, now: DateTime<Utc>) -> Option<Result<(), &'static str>> {
        if !self.on {
            return None;
        }
        let end = bearer.and_then(|text| text.strip_prefix("Bearer ")).and_then(|token| self.tokens.get(token));
        Some(match end {
            None => Err("invalid_auth"),
            Some(end) if *end <= now => Err("token_expired"),
            Some(_) => Ok(()),
        })
    }

    /// `oauth.v2.access`
    pub(super) fn answer(&mut self, call: &Call, ground: &Ground) -> Answer {
        let field = |name: &str| form(call, name).unwrap_or_default();
        if field("client_id") != CLIENT_ID {
            return refused("invalid_client_id");
        }
        if field("client_secret") != CLIENT_SECRET {
            return refused("bad_client_secret");
        }
        if field("grant_type") != "refresh_token" {
            return refused("invalid_grant_type");
        }
        self.asked += 1;
        let Some(old) = self.refreshes.remove(&field("refresh_token")) else { return refused("invalid_refresh_token") };
        if !self.keeps_old {
            self.tokens.remove(&old);
        }
        self.rotations += 1;
        let (token, refresh) = self.pair(ground);
        Answer::ok(json!({
            "ok": true, "access_token": token, "expires_in": self.lasts(), "refresh_token": refresh, "token_type": "bot",
            "scope": "chat:write,commands", "bot_user_id": "U0BOT", "app_id": "A0001",
            "team": { "id": "T0001", "name": "acme" }, "enterprise": null, "is_enterprise_install": false,
        }))
    }

    fn lasts(&self) -> i64 {
        self.lasts.unwrap_or(LASTS_S)
    }

    fn pair(&mut self, ground: &Ground) -> (String, String) {
        let text = |prefix: &str| format!("{prefix}{}", hex::encode(ground.bytes::<20>()));
        let (token, refresh) = (text("xoxe.xoxb-1-"), text("xoxe-1-"));
        self.tokens.insert(token.clone(), ground.now() + TimeDelta::seconds(self.lasts()));
        self.refreshes.insert(refresh.clone(), token.clone());
        (token, refresh)
    }
}

impl SlackControl {
    /// The app is installed, for the first time or again, with token rotation on: the pairs before end. Answers the refresh
    /// token that Slack shows.
    pub fn install_rotating(&self) -> String {
        let ground = self.ground();
        let mut slack = self.slack();
        slack.rotation.on = true;
        slack.rotation.tokens.clear();
        slack.rotation.refreshes.clear();
        slack.rotation.pair(&ground).1
    }

    /// Whether a token goes on working when its pair is renewed.
    pub fn keep_old_tokens(&self, keep: bool) {
        self.slack().rotation.keeps_old = keep;
    }

    /// Tokens that are given from now on last for so many seconds.
    pub fn set_token_life(&self, seconds: i64) {
        self.slack().rotation.lasts = Some(seconds);
    }

    /// All tokens end before their time; refresh tokens stay good.
    pub fn end_tokens(&self) {
        self.slack().rotation.tokens.clear();
    }

    /// No refresh token is good any more; tokens stay good.
    pub fn end_refresh_tokens(&self) {
        self.slack().rotation.refreshes.clear();
    }

    /// How many pairs were made by a refresh.
    #[must_use]
    pub fn rotations(&self) -> u64 {
        self.slack().rotation.rotations
    }

    /// How often a refresh token was shown, a good one or not.
    #[must_use]
    pub fn refreshes_asked(&self) -> u64 {
        self.slack().rotation.asked
    }

    /// Whether a refresh token would make a new pair.
    #[must_use]
    pub fn renews(&self, refresh_token: &str) -> bool {
        self.slack().rotation.refreshes.contains_key(refresh_token)
    }

    /// Whether a bot token is good now.
    #[must_use]
    pub fn takes(&self, token: &str) -> bool {
        let now = self.ground().now();
        self.slack().rotation.check(Some(&format!("Bearer {token}")), now) == Some(Ok(()))
    }
}
