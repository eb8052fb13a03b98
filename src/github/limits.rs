//! GitHub's rate limits: reading their signs in an answer, and remembering a pause for each token's owner, so
//! that one person's limit never slows another and a limited token stays silent (going on can get the App banned).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use crate::ids::PersonId;

/// Shortest pause: what a `retry-after` of zero or less becomes.
pub const MIN_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause, whatever a header says; the hourly limit resets within this.
pub const MAX_PAUSE: Duration = Duration::from_secs(3600);
/// First pause of a limit that names no time; doubles with each repeat, up to [`MAX_PAUSE`].
pub const SECONDARY_PAUSE: Duration = Duration::from_secs(60);
/// Owners remembered before those without a standing pause are dropped.
const MAX_OWNERS: usize = 10_000;

/// Whose rate limit a token counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenOwner {
    /// A person's own token, of whatever kind.
    Person(PersonId),
    /// An installation of the App.
    Installation(i64),
    /// The App itself.
    App(i64),
    /// Not known yet (right after a sign-in): no pause is remembered.
    Unbound,
}

/// What was last seen of one token's limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RateView {
    /// Requests left in the current hour.
    pub remaining: Option<i64>,
    /// When the hour ends.
    pub reset: Option<DateTime<Utc>>,
    /// Until when the token is not used.
    pub paused_until: Option<DateTime<Utc>>,
}

/// A time in which a token is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pause {
    pub(super) until: DateTime<Utc>,
    pub(super) secondary: bool,
}

#[derive(Debug, Default)]
struct Memory {
    pause: Option<Pause>,
    /// Refusals without a named time since the last good answer.
    strikes: u32,
    remaining: Option<i64>,
    reset: Option<DateTime<Utc>>,
}

/// The pauses of all tokens, by owner: limits are counted for the person or installation, not for the token.
#[derive(Debug, Default)]
pub(super) struct Limits(Mutex<HashMap<TokenOwner, Memory>>);

impl Limits {
    /// The pause that stands now, if one does.
    pub(super) fn pause(&self, owner: TokenOwner, now: DateTime<Utc>) -> Option<Pause> {
        self.lock().get(&owner)?.pause.filter(|pause| pause.until > now)
    }

    /// What was last seen.
    pub(super) fn view(&self, owner: TokenOwner, now: DateTime<Utc>) -> RateView {
        let memory = self.lock();
        let Some(memory) = memory.get(&owner) else { return RateView::default() };
        RateView {
            remaining: memory.remaining,
            reset: memory.reset,
            paused_until: memory.pause.map(|pause| pause.until).filter(|until| *until > now),
        }
    }

    /// Takes note of an answer that is not a rate limit.
    pub(super) fn heard(&self, owner: TokenOwner, headers: &HeaderMap, success: bool, now: DateTime<Utc>) {
        self.with(owner, now, |memory| {
            let signs = memory.note(headers);
            let paused = memory.pause.is_some_and(|pause| pause.until > now);
            if success && !paused {
                // An answer to a request from before the pause does not show that the pause is over.
                memory.strikes = 0;
            }
            if signs.remaining == Some(0)
                && let Some(reset) = signs.reset.filter(|reset| *reset > now)
            {
                memory.hold(Pause { until: reset.min(after(now, MAX_PAUSE)), secondary: false });
            }
        });
    }

    /// Judges a 403 or 429: a pause if it has the signs of a rate limit, nothing if it is about permissions.
    pub(super) fn refused(
        &self,
        owner: TokenOwner,
        status: StatusCode,
        headers: &HeaderMap,
        message: &str,
        now: DateTime<Utc>,
    ) -> Option<Pause> {
        self.with(owner, now, |memory| {
            let signs = memory.note(headers);
            let named = headers.contains_key("retry-after");
            let spent = signs.remaining == Some(0);
            if status != StatusCode::TOO_MANY_REQUESTS && !named && !spent && !speaks_of_limit(message) {
                return None;
            }
            let secondary = !spent;
            let until = match (retry_after(headers, now), signs.reset) {
                (Some(wait), _) => after(now, wait),
                (None, Some(reset)) if spent && reset > now => reset.min(after(now, MAX_PAUSE)),
                _ => {
                    // Requests that were under way together are refused together: that is one strike.
                    if let Some(pause) = memory.pause.filter(|pause| pause.until > now) {
                        return Some(pause);
                    }
                    let wait = SECONDARY_PAUSE.saturating_mul(1 << memory.strikes.min(6)).min(MAX_PAUSE);
                    memory.strikes = memory.strikes.saturating_add(1);
                    after(now, wait)
                }
            };
            Some(memory.hold(Pause { until, secondary }))
        })
    }

    fn with<T>(&self, owner: TokenOwner, now: DateTime<Utc>, act: impl FnOnce(&mut Memory) -> T) -> T {
        if owner == TokenOwner::Unbound {
            // Nobody's token: strangers must not share a pause.
            return act(&mut Memory::default());
        }
        let mut all = self.lock();
        if all.len() >= MAX_OWNERS && !all.contains_key(&owner) {
            all.retain(|_, memory| memory.pause.is_some_and(|pause| pause.until > now));
        }
        act(all.entry(owner).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TokenOwner, Memory>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn note(&mut self, headers: &HeaderMap) -> Signs {
        let signs = Signs { remaining: number(headers, "x-ratelimit-remaining"), reset: reset(headers) };
        self.remaining = signs.remaining.or(self.remaining);
        self.reset = signs.reset.or(self.reset);
        signs
    }

    /// Lengthens the pause; never shortens it.
    fn hold(&mut self, pause: Pause) -> Pause {
        let held = self.pause.filter(|old| old.until >= pause.until).unwrap_or(pause);
        self.pause = Some(held);
        held
    }
}

#[derive(Clone, Copy)]
struct Signs {
    remaining: Option<i64>,
    reset: Option<DateTime<Utc>>,
}

fn number(headers: &HeaderMap, name: &str) -> Option<i64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

fn reset(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(number(headers, "x-ratelimit-reset")?, 0)
}

/// `retry-after`: seconds or an HTTP date, put between the bounds; unreadable text counts as no time named.
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get("retry-after")?.to_str().ok()?.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    let seconds = if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        // Too many digits for the type is far beyond the bound either way.
        text.parse().unwrap_or(if text.starts_with('-') { i64::MIN } else { i64::MAX })
    } else {
        (DateTime::parse_from_rfc2822(text).ok()?.to_utc() - now).num_seconds()
    };
    Some(Duration::from_secs(seconds.try_into().unwrap_or(0)).clamp(MIN_PAUSE, MAX_PAUSE))
}

fn after(now: DateTime<Utc>, wait: Duration) -> DateTime<Utc> {
    now + TimeDelta::from_std(wait).unwrap_or(TimeDelta::hours(1))
}

/// GitHub's words for its limits, old and new; some proxies drop the headers.
fn speaks_of_limit(message: &str) -> bool {
    let message = message.to_lowercase();
    ["secondary rate limit", "abuse detection", "rate limit exceeded"].iter().any(|words| message.contains(words))
}
