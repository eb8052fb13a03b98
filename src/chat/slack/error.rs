//! What can go wrong with a call to Slack, and who acts next. Slack answers most refusals with 200 and `ok: false`.

use std::time::Duration;

use super::super::http::Broken;
use super::super::{ChatError, ChatNext};

const NAME: &str = "Slack";

/// Why Slack did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SlackError {
    /// Too many calls: retry after this long.
    #[error("Slack asked for a pause of {} s", .0.as_secs())]
    Limited(Duration),
    /// Slack refused, with its own word for it.
    #[error("Slack refused it: `{0}`")]
    Refused(String),
    /// It surely did not leave: retry.
    #[error("Slack could not be reached: {0}")]
    NotSent(String),
    /// It may have been done: its answer did not come, or was none.
    #[error("Slack gave no clear answer: {0}")]
    Unclear(String),
    /// The address for answers is used up or too old, or is none of Slack's: give up this way.
    #[error("the address for answers cannot be used any more")]
    NoAnswers,
}

impl SlackError {
    /// Who acts next.
    #[must_use]
    pub fn next(&self) -> ChatNext {
        match self {
            Self::Limited(_) | Self::NotSent(_) | Self::Unclear(_) => ChatNext::Retry,
            Self::NoAnswers => ChatNext::GiveUp,
            Self::Refused(word) => match word.as_str() {
                "ratelimited"
                | "internal_error"
                | "fatal_error"
                | "service_unavailable"
                | "request_timeout"
                | "team_added_to_org" => ChatNext::Retry,
                "invalid_auth" | "not_authed" | "account_inactive" | "token_revoked" | "token_expired"
                | "missing_scope" | "no_permission" | "org_login_required" | "ekm_access_denied" => ChatNext::AskPerson,
                "channel_not_found"
                | "not_in_channel"
                | "is_archived"
                | "user_not_in_channel"
                | "restricted_action"
                | "messages_tab_disabled" => ChatNext::OtherWay,
                _ => ChatNext::GiveUp,
            },
        }
    }

    /// Whether the message that was to be edited is gone.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Refused(word) if matches!(word.as_str(),
            "message_not_found" | "cant_update_message" | "edit_window_closed" | "thread_not_found"))
    }

    /// Whether it is the token that Slack does not take, where another may do.
    #[must_use]
    pub fn is_of_token(&self) -> bool {
        matches!(self, Self::Refused(word) if matches!(word.as_str(), "invalid_auth" | "token_expired" | "token_revoked"))
    }

    /// In words, for the report that could not be told.
    #[must_use]
    pub fn for_person(&self) -> String {
        let advice = match self.next() {
            ChatNext::AskPerson => "; look at the app's settings at Slack, and install it again for a new bot token",
            ChatNext::OtherWay => "; invite the app into the channel",
            _ => "",
        };
        format!("{self}{advice}")
    }
}

impl From<Broken> for SlackError {
    fn from(broken: Broken) -> Self {
        if broken.surely_not { Self::NotSent(broken.why) } else { Self::Unclear(broken.why) }
    }
}

impl From<SlackError> for ChatError {
    fn from(error: SlackError) -> Self {
        match error {
            SlackError::Limited(pause) => Self::Limited(NAME, pause),
            SlackError::NotSent(why) => Self::NotSent(NAME, why),
            SlackError::Unclear(why) => Self::Unclear(NAME, why),
            SlackError::NoAnswers => Self::NoAnswers,
            SlackError::Refused(_) if error.is_gone() => Self::Gone,
            SlackError::Refused(_) if error.is_of_token() => {
                Self::BadToken { said: error.to_string(), advice: error.for_person() }
            }
            SlackError::Refused(_) => {
                Self::Refused { said: error.to_string(), advice: error.for_person(), next: error.next() }
            }
        }
    }
}
