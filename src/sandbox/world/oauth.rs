//! The sign-in: codes, devices and pairs of tokens, with the rules that hurt whoever gets them wrong. A code and a refresh
//! token work once, and a refresh ends the token before it.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Grant, Holder, TokenKind, World};

/// What the app that people sign in with is, and what it has given out.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Oauth {
    /// The client secret; none means that nobody can sign in.
    pub client_secret: Option<String>,
    /// The registered callbacks; any will do while there is none.
    pub callbacks: Vec<String>,
    /// Seconds that a token lasts; it lasts for ever, and there is no refresh token, without.
    pub token_lasts_s: Option<i64>,
    /// Seconds that a refresh token lasts.
    pub refresh_lasts_s: i64,
    /// How often a device may ask, and how long its code lasts, in seconds.
    pub device_life_s: (i64, i64),
    /// Codes on their way, by code.
    pub codes: HashMap<String, Code>,
    /// Devices, by device code.
    pub devices: HashMap<String, Device>,
    /// Refresh tokens that have not been used, with the pair's access token.
    pub refreshes: HashMap<String, Refresh>,
    /// How many pairs were made by a refresh.
    pub rotations: u64,
}

impl Default for Oauth {
    fn default() -> Self {
        Self {
            client_secret: None,
            callbacks: Vec::new(),
            token_lasts_s: Some(28_800),
            refresh_lasts_s: 15_897_600,
            device_life_s: (5, 900),
            codes: HashMap::new(),
            devices: HashMap::new(),
            refreshes: HashMap::new(),
            rotations: 0,
        }
    }
}

/// A code that the browser brings back.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Code {
    pub user: i64,
    pub redirect_uri: String,
    pub challenge: Option<String>,
    pub expires_at: DateTime<Utc>,
}

/// A device that asks now and then.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Device {
    pub user_code: String,
    /// Who let it in; denied when it is `Some(None)`.
    pub answer: Option<Option<i64>>,
    pub interval_s: i64,
    pub asked_at: Option<DateTime<Utc>>,
    pub expires_at: DateTime<Utc>,
}

/// The half of a pair that makes the next one.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Refresh {
    pub user: i64,
    pub token: String,
    pub expires_at: DateTime<Utc>,
}

/// What is given out.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Pair {
    pub token: String,
    pub expires_in: Option<i64>,
    pub refresh: Option<String>,
    pub refresh_expires_in: i64,
}

impl World {
    /// A text that nobody guesses.
    pub(in crate::sandbox) fn secret_text(&self, prefix: &str) -> String {
        format!("{prefix}{}", hex::encode(self.ground.bytes::<20>()))
    }

    /// Gives a person a pair.
    pub(in crate::sandbox) fn pair(&mut self, user: i64) -> Pair {
        let now = self.ground.now();
        let token = self.secret_text("ghu_");
        let mut grant = Grant::new(Holder::User(user, TokenKind::AppUser), now);
        let expires_in = self.oauth.token_lasts_s;
        grant.expires_at = expires_in.map(|seconds| now + TimeDelta::seconds(seconds));
        self.grants.insert(token.clone(), grant);
        let lasts = self.oauth.refresh_lasts_s;
        let refresh = expires_in.map(|_| self.secret_text("ghr_"));
        if let Some(refresh) = &refresh {
            let expires_at = now + TimeDelta::seconds(lasts);
            self.oauth.refreshes.insert(refresh.clone(), Refresh { user, token: token.clone(), expires_at });
        }
        Pair { token, expires_in, refresh, refresh_expires_in: lasts }
    }

    /// Ends both halves and gives new ones, if the refresh token is good.
    pub(in crate::sandbox) fn rotate(&mut self, refresh: &str) -> Option<Pair> {
        let old = self.oauth.refreshes.remove(refresh)?;
        self.grants.remove(&old.token);
        if old.expires_at <= self.ground.now() {
            return None;
        }
        self.oauth.rotations += 1;
        Some(self.pair(old.user))
    }

    /// Ends all pairs of a person.
    pub(in crate::sandbox) fn end_pairs(&mut self, user: i64) {
        self.oauth.refreshes.retain(|_, own| own.user != user);
        self.grants.retain(|_, grant| grant.holder != Holder::User(user, TokenKind::AppUser));
    }
}
