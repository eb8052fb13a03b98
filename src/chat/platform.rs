//! One chat, whichever it is: what can be said in it, in the few ways that chats have. A way that a chat has not is an error
//! that says so, and the one who asked looks for another.

use chrono::TimeDelta;

use super::discord::Discord;
use super::mattermost::Mattermost;
use super::slack::Slack;
use super::slack::form::{FormNote, Prefilled};
use super::{ChatError, Message, teams};
use crate::domain::chat::Address;
use crate::secret::Secret;

/// A chat, as it is spoken to.
#[derive(Debug)]
pub enum Platform {
    /// Slack.
    Slack(Slack),
    /// Discord.
    Discord(Discord),
    /// Mattermost.
    Mattermost(Mattermost),
    /// Outgoing webhooks of Microsoft Teams, which are answered at the door and nowhere else.
    Teams,
}

const NO_WHISPER: ChatError = ChatError::NoWay("Discord shows a message to one account only as an answer to a request");
const AT_THE_DOOR: ChatError = ChatError::NoWay("Teams is answered at the door alone");
const NO_FORM: ChatError = ChatError::NoWay("this chat has no form");

/// How one turns to us in the chat of this name, as identities have it.
#[must_use]
pub fn address_in(platform: &str) -> Address {
    if platform == teams::NAME { Address::Mention } else { Address::Command }
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
    /// Its name, as identities have it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Slack(_) => "slack",
            Self::Discord(_) => "discord",
            Self::Mattermost(_) => "mattermost",
            Self::Teams => teams::NAME,
        }
    }

    /// How long the addresses for answers of this chat are good.
    #[must_use]
    pub fn answers(&self) -> Answers {
        match self {
            Self::Slack(_) | Self::Mattermost(_) => Answers { uses: 5, lasts: TimeDelta::minutes(30) },
            // No number is named; ours ends what fails again and again.
            Self::Discord(_) => Answers { uses: 15, lasts: TimeDelta::minutes(15) },
            Self::Teams => Answers { uses: 0, lasts: TimeDelta::zero() },
        }
    }

    /// Whether all that is ever said there is the answer to the request itself.
    #[must_use]
    pub fn answers_at_the_door(&self) -> bool {
        matches!(self, Self::Teams)
    }

    /// How one turns to us there.
    #[must_use]
    pub fn address(&self) -> Address {
        match self {
            Self::Slack(_) | Self::Discord(_) | Self::Mattermost(_) => Address::Command,
            Self::Teams => Address::Mention,
        }
    }

    /// Whether what can be done about a task is offered to be pressed, and not only to be written.
    #[must_use]
    pub fn has_buttons(&self) -> bool {
        matches!(self, Self::Slack(_) | Self::Discord(_))
    }

    /// Whether the one who asked sees that they are waited with until they are answered.
    #[must_use]
    pub fn keeps_waiting(&self) -> bool {
        matches!(self, Self::Discord(_))
    }

    /// Whether somebody who can no longer be answered alone is told in the channel that they were to be.
    #[must_use]
    pub fn calls_the_unanswered(&self) -> bool {
        matches!(self, Self::Discord(_) | Self::Mattermost(_))
    }

    /// The channel in which an account speaks with us and nobody else reads, where one can be opened by its name.
    #[must_use]
    pub fn conversation_with<'a>(&self, account: &'a str) -> Option<&'a str> {
        Some(account).filter(|account| matches!(self, Self::Slack(_)) && !account.is_empty())
    }

    /// Whether a message for one account alone is shown to it in a thread of this channel in which nobody has replied yet.
    /// Slack takes such a one and shows it to nobody; in a conversation with the app it is a message like others.
    #[must_use]
    pub fn whispers_in_new_threads(&self, channel: &str) -> bool {
        !matches!(self, Self::Slack(_)) || super::slack::is_direct(channel)
    }

    /// Asks whether the chat lets us in. Only Slack says by itself that it does not any more, so only Slack is asked.
    ///
    /// # Errors
    /// [`ChatError`]: it does not, or could not be asked.
    pub async fn works(&self) -> Result<(), ChatError> {
        match self {
            Self::Slack(slack) => Ok(slack.works().await?),
            Self::Discord(_) | Self::Mattermost(_) | Self::Teams => Ok(()),
        }
    }

    /// Says something in a channel. Answers the chat's name of the message.
    ///
    /// # Errors
    /// [`ChatError`].
    pub async fn post(&self, channel: &str, thread: Option<&str>, message: &Message) -> Result<String, ChatError> {
        match self {
            Self::Slack(slack) => Ok(slack.post(channel, thread, message).await?),
            Self::Discord(discord) => discord.post(channel, thread, message).await,
            Self::Mattermost(mattermost) => mattermost.post(channel, thread, message).await,
            Self::Teams => Err(AT_THE_DOOR),
        }
    }

    /// Edits what was said.
    ///
    /// # Errors
    /// [`ChatError`].
    pub async fn update(&self, channel: &str, name: &str, message: &Message) -> Result<(), ChatError> {
        match self {
            Self::Slack(slack) => Ok(slack.update(channel, name, message).await?),
            Self::Discord(discord) => discord.update(channel, name, message).await,
            Self::Mattermost(mattermost) => mattermost.update(name, message).await,
            Self::Teams => Err(AT_THE_DOOR),
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
            Self::Discord(_) => Err(NO_WHISPER),
            Self::Mattermost(mattermost) => mattermost.whisper(channel, account, thread, message).await,
            Self::Teams => Err(AT_THE_DOOR),
        }
    }

    /// Answers at the address that a request carried: for all in the channel, or for the one who asked; in a thread where
    /// somebody has replied already, if one is named and the chat takes it.
    ///
    /// # Errors
    /// [`ChatError`].
    pub async fn answer(
        &self,
        to: &Secret,
        for_all: bool,
        thread: Option<&str>,
        message: &Message,
    ) -> Result<(), ChatError> {
        match self {
            Self::Slack(slack) => Ok(slack.answer(to, for_all, thread, message).await?),
            Self::Discord(discord) => discord.answer(to, for_all, message).await,
            Self::Mattermost(mattermost) => mattermost.answer(to, for_all, message).await,
            Self::Teams => Err(AT_THE_DOOR),
        }
    }

    /// Opens the form for a new task.
    ///
    /// # Errors
    /// [`ChatError`].
    pub async fn open(&self, opens: &Secret, note: &FormNote, filled: &Prefilled) -> Result<(), ChatError> {
        match self {
            Self::Slack(slack) => Ok(slack.open(opens, note, filled).await?),
            Self::Discord(_) | Self::Mattermost(_) | Self::Teams => Err(NO_FORM),
        }
    }
}
