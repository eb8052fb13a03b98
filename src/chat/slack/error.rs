//! What can go wrong with a call to Slack, and who acts next. Slack answers most refusals with 200 and `ok: false`.

use std::time::Duration;

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

/// Who acts next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlackNext {
    /// We do, later.
    Retry,
    /// Nobody: it will not be done.
    GiveUp,
    /// A person at Slack or in our settings.
    AskPerson,
    /// Another way may do.
    OtherWay,
}

impl SlackError {
    /// Who acts next.
    #[must_use]
    pub fn next(&self) -> SlackNext {
        match self {
            Self::Limited(_) | Self::NotSent(_) | Self::Unclear(_) => SlackNext::Retry,
            Self::NoAnswers => SlackNext::GiveUp,
            Self::Refused(word) => match word.as_str() {
                "ratelimited"
                | "internal_error"
                | "fatal_error"
                | "service_unavailable"
                | "request_timeout"
                | "team_added_to_org" => SlackNext::Retry,
                "invalid_auth" | "not_authed" | "account_inactive" | "token_revoked" | "token_expired"
                | "missing_scope" | "no_permission" | "org_login_required" | "ekm_access_denied" => {
                    SlackNext::AskPerson
                }
                "channel_not_found"
                | "not_in_channel"
                | "is_archived"
                | "user_not_in_channel"
                | "restricted_action"
                | "messages_tab_disabled" => SlackNext::OtherWay,
                _ => SlackNext::GiveUp,
            },
        }
    }

    /// Whether the message that was to be edited is gone.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Refused(word) if matches!(word.as_str(),
            "message_not_found" | "cant_update_message" | "edit_window_closed" | "thread_not_found"))
    }

    /// In words, for the report that could not be told.
    #[must_use]
    pub fn for_person(&self) -> String {
        let advice = match self.next() {
            SlackNext::AskPerson => "; look at the app's settings at Slack, and install it again for a new bot token",
            SlackNext::OtherWay => "; invite the app into the channel",
            _ => "",
        };
        format!("{self}{advice}")
    }
}
