//! One chat, whichever it is: what can be said in it, in the few ways that chats have. A way that a chat has not is an error
//! that says so, and the one who asked looks for another.

use chrono::TimeDelta;

use super::slack::Slack;
use super::slack::form::{FormNote, Prefilled};
use super::{ChatError, Message};
use crate::secret::Secret;

/// A chat, as it is spoken to.
#[derive(Debug)]
pub enum Platform {
    /// Slack.
    Slack(Slack),
}

/// How often, and for how long, an address for answers can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answers {
    /// How often.
    pub uses: i16,
    /// For how long after the request that carried it.
    pub lasts: TimeDelta,
}

impl Platform {
    /// How long the addresses for answers of this chat are good.
    #[must_use]
    pub fn answers(&self) -> Answers {
        match self {
            Self::Slack(_) => Answers { uses: 5, lasts: TimeDelta::minutes(30) },
        }
    }

    /// Says something in a channel. Answers the chat's name of the message.
    ///
    /// # Errors
    /// [`ChatError`].
    pub async fn post(&self, channel: &str, thread: Option<&str>, message: &Message) -> Result<String, ChatError> {
        match self {
            Self::Slack(slack) => Ok(slack.post(channel, thread, message).await?),
        }
    }

    /// Edits what was said.
    ///
    /// # Errors
    /// [`ChatError`].
    pub async fn update(&self, channel: &str, name: &str, message: &Message) -> Result<(), ChatError> {
        match self {
            Self::Slack(slack) => Ok(slack.update(channel, name, message).await?),
        }
    }

    /// Says something in a channel that one account alone sees.
    ///
    /// # Errors
    /// [`ChatError`].
    pub async fn whisper(
        &self,
        channel: &str,
        account: &str,
        thread: Option<&str>,
        message: &Message,
    ) -> Result<(), ChatError> {
        match self {
            Self::Slack(slack) => Ok(slack.whisper(channel, account, thread, message).await?),
        }
    }

    /// Answers at the address that a request carried: for all in the channel, or for the one who asked.
    ///
    /// # Errors
    /// [`ChatError`].
    pub async fn answer(&self, to: &Secret, for_all: bool, message: &Message) -> Result<(), ChatError> {
        match self {
            Self::Slack(slack) => Ok(slack.answer(to, for_all, message).await?),
        }
    }

    /// Opens the form for a new task.
    ///
    /// # Errors
    /// [`ChatError`].
    pub async fn open(&self, opens: &Secret, note: &FormNote, filled: &Prefilled) -> Result<(), ChatError> {
        match self {
            Self::Slack(slack) => Ok(slack.open(opens, note, filled).await?),
        }
    }
}
