//! What can go wrong in a call, sorted by the one question that matters: may it have happened, and who acts next.

use chrono::{DateTime, SecondsFormat, Utc};

/// Longest text of GitHub's that is kept, in characters.
const MAX_MESSAGE_CHARS: usize = 500;

/// What the caller does about a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It surely did not happen: try again later.
    Retry,
    /// It was refused, and would be again.
    GiveUp,
    /// A person must sign in again.
    AskPerson,
    /// It may have happened: look before anything is sent again. (A read may simply be repeated.)
    Look,
}

/// Why a call gave no answer that can be used. `Display` is for the log; [`CallError::for_person`] is for people.
/// Neither carries a URL, a token or a body, only GitHub's own `message`, cleaned and cut.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// It surely did not reach GitHub: connection refused, no address, no TLS.
    #[error("the request was not sent: {why}")]
    NotSent {
        /// What the network said.
        why: String,
    },
    /// It was held back here: GitHub does not answer at all, and is asked again at a time. It did not happen, and
    /// counts as no try.
    #[error("held back: GitHub does not answer; it is asked again at {}", until.to_rfc3339_opts(SecondsFormat::Secs, true))]
    Away {
        /// When GitHub is asked again.
        until: DateTime<Utc>,
    },
    /// A rate limit: refused by GitHub (429, or 403 with the signs of one), or held back here because of an
    /// earlier refusal. Either way it did not happen.
    #[error("rate limit ({}, {}): {message}; paused until {}", if *secondary { "secondary" } else { "primary" },
        if *sent { "refused" } else { "not sent" }, until.to_rfc3339_opts(SecondsFormat::Secs, true))]
    Limited {
        /// When the token may be used again.
        until: DateTime<Utc>,
        /// Whether it is the secondary limit (too fast), not the hourly one.
        secondary: bool,
        /// Whether this call went out; false when a remembered pause held it back.
        sent: bool,
        /// GitHub's own words.
        message: String,
    },
    /// 401: the token is dead.
    #[error("GitHub does not accept the token (401): {message}")]
    Unauthorized {
        /// GitHub's own words.
        message: String,
    },
    /// 403 without the signs of a rate limit.
    #[error("GitHub forbids it (403): {message}")]
    Forbidden {
        /// GitHub's own words.
        message: String,
    },
    /// 404: it is not there, or this token may not see it.
    #[error("GitHub does not show it (404): {message}")]
    NotFound {
        /// GitHub's own words.
        message: String,
    },
    /// 410: it was there once, or the feature is switched off.
    #[error("it is gone (410): {message}")]
    Gone {
        /// GitHub's own words.
        message: String,
    },
    /// 301, 302, 307 or 308 that was not followed: a write (surely not done), too many hops, or another host.
    /// Find the repository's new name by its id, then try again.
    #[error("GitHub points elsewhere{}", location.as_ref().map(|at| format!(" ({at})")).unwrap_or_default())]
    Moved {
        /// The path it points to (without host and query), if it stays on GitHub's API.
        location: Option<String>,
    },
    /// 422, or a name that cannot be sent.
    #[error("GitHub cannot process it (422): {message} {details:?}")]
    Invalid {
        /// GitHub's own words.
        message: String,
        /// GitHub's list of what is wrong.
        details: Vec<String>,
    },
    /// Any other 4xx.
    #[error("GitHub refuses it ({status}): {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// GitHub's own words.
        message: String,
    },
    /// 5xx, time-out, cut, unreadable or strange answer: nobody knows whether it happened.
    #[error("the outcome is unknown{}: {why}", status.map(|code| format!(" (status {code})")).unwrap_or_default())]
    Unknown {
        /// The HTTP status, if one arrived.
        status: Option<u16>,
        /// What was odd.
        why: String,
    },
}

impl CallError {
    /// What the caller does about it.
    #[must_use]
    pub fn next(&self) -> Next {
        match self {
            Self::NotSent { .. } | Self::Away { .. } | Self::Limited { .. } | Self::Moved { .. } => Next::Retry,
            Self::Unauthorized { .. } => Next::AskPerson,
            Self::Forbidden { .. }
            | Self::NotFound { .. }
            | Self::Gone { .. }
            | Self::Invalid { .. }
            | Self::Refused { .. } => Next::GiveUp,
            Self::Unknown { .. } => Next::Look,
        }
    }

    /// One or two sentences for the person who asked, with GitHub's own words and no internals.
    #[must_use]
    pub fn for_person(&self) -> String {
        let said = |lead: &str, message: &str| {
            if message.is_empty() { format!("{lead}.") } else { format!("{lead}: {message}") }
        };
        match self {
            Self::NotSent { .. } | Self::Away { .. } => {
                "GitHub could not be reached. It will be tried again.".to_owned()
            }
            Self::Limited { until, .. } => format!(
                "GitHub asks to go slower. It will be tried again after {}.",
                until.to_rfc3339_opts(SecondsFormat::Secs, true)
            ),
            Self::Unauthorized { .. } => {
                "GitHub does not accept the token: it is mistyped, ended or revoked. Please give a new one.".to_owned()
            }
            Self::Forbidden { message } => said("GitHub does not allow it", message),
            Self::NotFound { message } => said("GitHub does not find it, or hides it from this account", message),
            Self::Gone { message } => said("GitHub says that it is gone", message),
            Self::Moved { .. } => "The repository has moved. It will be tried again under its new name.".to_owned(),
            Self::Invalid { message, details } if details.is_empty() => said("GitHub cannot process it", message),
            Self::Invalid { message, details } => {
                format!("{} ({})", said("GitHub cannot process it", message), details.join("; "))
            }
            Self::Refused { message, .. } => said("GitHub refuses it", message),
            Self::Unknown { .. } => "GitHub gave no clear answer, so it is not known whether it happened.".to_owned(),
        }
    }

    /// The same with GitHub's words told otherwise: to leave out of them what they must not repeat.
    #[must_use]
    pub fn reworded(mut self, tell: impl Fn(&str) -> String) -> Self {
        match &mut self {
            Self::NotSent { why } | Self::Unknown { why, .. } => *why = tell(why),
            Self::Limited { message, .. }
            | Self::Unauthorized { message }
            | Self::Forbidden { message }
            | Self::NotFound { message }
            | Self::Gone { message }
            | Self::Refused { message, .. } => *message = tell(message),
            Self::Invalid { message, details } => {
                *message = tell(message);
                details.iter_mut().for_each(|detail| *detail = tell(detail));
            }
            Self::Moved { .. } | Self::Away { .. } => {}
        }
        self
    }

    pub(super) fn unknown(status: u16, why: impl Into<String>) -> Self {
        Self::Unknown { status: Some(status), why: why.into() }
    }

    /// Something that would make another request than meant; refused here, before it is sent.
    pub(super) fn unsendable(message: &str) -> Self {
        Self::Invalid { message: message.to_owned(), details: Vec::new() }
    }
}

/// Why the client could not be built. All of these are for the operator to put right in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// An address that must not or cannot be used. The address itself is not repeated: it may hold a password.
    #[error("{which}: {why}")]
    Address {
        /// `api_url`, `web_url` or `proxy`.
        which: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// Not a version that can be sent in a header.
    #[error("api_version is not a date such as 2022-11-28")]
    ApiVersion,
    /// The connect time-out must end before the whole call does, else "not sent" can never be told.
    #[error("connect_timeout must be above zero and shorter than timeout")]
    Timeouts,
    /// The additional certificates cannot be read.
    #[error("the extra CA file holds no PEM certificate that can be read")]
    ExtraCa,
    /// The App's private key cannot be read. The key itself is not repeated.
    #[error("the App's private key: {why}")]
    AppKey {
        /// What is wrong with it.
        why: String,
    },
    /// The HTTP client cannot be built (for example, the machine has no trusted certificates).
    #[error("the HTTP client cannot be built: {why}")]
    Client {
        /// What the library said.
        why: String,
    },
}

/// Outside text made fit for logs and comments: one line, no control or direction characters, cut, without `secret`.
pub(super) fn clean(text: &str, secret: &str) -> String {
    let visible: String = text
        .chars()
        .filter(
            |c| !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'),
        )
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    // Only now: a secret with something invisible inside would come together again.
    let text = if secret.is_empty() { visible } else { visible.replace(secret, "…") };
    let mut kept: String = text.chars().take(MAX_MESSAGE_CHARS + 1).collect();
    if kept.chars().count() > MAX_MESSAGE_CHARS {
        kept = kept.chars().take(MAX_MESSAGE_CHARS - 1).collect();
        kept.push('…');
    }
    kept.trim().to_owned()
}
