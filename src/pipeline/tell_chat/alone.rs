//! What one account alone is told. A chat has several ways for that, and each is shown in some places only: which one is taken
//! depends on where and how the account spoke to us.

use chrono::TimeDelta;

use super::super::StepError;
use super::super::links::{self, NoLink};
use super::super::read_again::read_again;
use super::super::whisper::{NOBODY_CAN, Whisper};
use super::telling::{ANSWERED, Telling, Told};
use crate::chat::{ChatError, ChatNext, Message};
use crate::domain::chat::{Chat, ChatSaid};
use crate::store::Moment;

/// How long our first answer to a request may take to reach the chat.
const ON_ITS_WAY: TimeDelta = TimeDelta::seconds(20);
/// Most tasks of a thread that are looked at.
const TASKS: i64 = 10;

impl Telling<'_> {
    pub(super) async fn whisper(&self) -> Result<Told, StepError> {
        let whisper: Whisper = serde_json::from_str(&self.report.content).unwrap_or_default();
        let mut text = whisper.with_page(self.bridge.settings.connect_url.as_deref());
        if let Some(who) = whisper.linked() {
            // Made now, and seen by nobody else: it is in no table.
            text = match links::make_link(self.bridge, &who).await {
                Ok(url) => format!("{text} [Sign in with GitHub]({url}): the link is for you alone."),
                Err(NoLink::Store(error)) => return Err(error.into()),
                Err(NoLink::NotConfigured) => format!("{text} {NOBODY_CAN}"),
            };
        }
        self.alone(&Message { text, ..Message::default() }).await
    }

    /// Shows a message to the one who asked alone.
    pub(super) async fn alone(&self, message: &Message) -> Result<Told, StepError> {
        let asked = self.asked().await?;
        // What was pressed or filled in is answered at its own address: that is shown wherever it was pressed.
        let pressed = asked.as_ref().is_some_and(|(chat, _)| !matches!(chat.said, ChatSaid::Command { .. }));
        if pressed && let Some(told) = self.answer(asked.as_ref(), false, message).await? {
            return Ok(told);
        }
        let (channel, account) = (self.place.speaks_in(), &self.place.account);
        let thread = self.thread_that_shows().await?;
        let first = match self.platform.whisper(channel, account, thread, message).await {
            Err(error) if matches!(error.next(), ChatNext::OtherWay | ChatNext::GiveUp) => error,
            told => return Ok(told.map(|()| None)),
        };
        if !pressed && let Some(told) = self.answer(asked.as_ref(), false, message).await? {
            return Ok(told);
        }
        if first.next() != ChatNext::OtherWay {
            return Ok(Err(first));
        }
        match self.in_private(message).await {
            Some(told) => Ok(told),
            None => self.call_unanswered(first).await,
        }
    }

    /// Says it in the conversation of the one who asked with us, where it stays and nobody else reads it; nothing in a chat where
    /// there is none.
    pub(super) async fn in_private(&self, message: &Message) -> Option<Told> {
        let conversation = self.platform.conversation_with(&self.place.account)?;
        Some(self.platform.post(conversation, None, message).await.map(Some))
    }

    /// The thread in which a message for one account alone is shown to it: Slack takes one for a thread in which nobody has
    /// replied yet, and shows it to nobody.
    async fn thread_that_shows(&self) -> Result<Option<&str>, StepError> {
        let Some(thread) = self.place.thread.as_deref() else { return Ok(None) };
        let shows = self.place.thread_stands
            || self.platform.whispers_in_new_threads(self.place.speaks_in())
            || self.spoken_in(thread).await?;
        Ok(Some(thread).filter(|_| shows))
    }

    /// Whether a task was told of in this thread.
    async fn spoken_in(&self, thread: &str) -> Result<bool, StepError> {
        let store = &self.bridge.store;
        for task in store.tasks_of_thread(&self.place.source, &self.place.channel, thread, TASKS).await? {
            if store.chat_message_of(task).await?.is_some_and(|message| message != ANSWERED && message != thread) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What is for one account alone is not said to a channel: there it is only called, to ask again.
    async fn call_unanswered(&self, first: ChatError) -> Result<Told, StepError> {
        let platform = self.platform;
        if !platform.calls_the_unanswered() {
            return Ok(Err(first));
        }
        let text = "there is an answer for you alone that can no longer be shown to you: ask once more.".to_owned();
        let message = Message { text, ..self.calling() };
        Ok(platform.post(self.place.speaks_in(), self.place.thread.as_deref(), &message).await.map(Some))
    }

    /// A message that calls the one who asked.
    pub(super) fn calling(&self) -> Message {
        Message {
            mention: Some(self.place.account.clone()),
            key: Some(self.report.id.to_string()),
            ..Message::default()
        }
    }

    /// Whoever sees that they are waited with need not any longer: the channel has the message. When that cannot be said,
    /// the chat ends the wait by itself.
    pub(super) async fn end_waiting(&self) -> Result<(), StepError> {
        if self.platform.keeps_waiting()
            && let Some((Chat { answer_to: Some(to), .. }, _)) = self.asked().await?
        {
            let text = "It was taken up: the message of the task in this channel tells how it goes on.".to_owned();
            let message = Message { text, ..Message::default() };
            if let Err(error) = self.platform.answer(&to, false, None, &message).await {
                tracing::debug!(report = %self.report.id, %error, "somebody is still shown that they are waited with");
            }
        }
        Ok(())
    }

    /// The other way: the address for answers that the request carried, for its few uses; nothing when it has none left.
    pub(super) async fn answer(
        &self,
        asked: Option<&(Chat, Moment)>,
        for_all: bool,
        message: &Message,
    ) -> Result<Option<Told>, StepError> {
        let Some(delivery) = self.report.delivery_id else { return Ok(None) };
        let Some((Chat { answer_to: Some(to), .. }, came_at)) = asked else { return Ok(None) };
        let answers = self.platform.answers();
        let now = self.bridge.ground.now();
        let since = now - answers.lasts;
        if !self.bridge.store.take_answer(delivery, answers.uses, since).await? {
            return Ok(None);
        }
        let thread = self.place.thread.as_deref().filter(|_| self.place.thread_stands);
        Ok(match self.platform.answer(to, for_all, thread, message).await {
            Ok(()) => Some(Ok(Some(ANSWERED.to_owned()))),
            // Our first answer may still be on its way, and until it is there the chat does not know the address.
            Err(ChatError::NoAnswers) if self.platform.keeps_waiting() && now - *came_at < ON_ITS_WAY => {
                Some(Err(ChatError::Unclear("the chat", "it did not know the request yet".to_owned())))
            }
            Err(ChatError::NoAnswers) => None,
            Err(error) => Some(Err(error)),
        })
    }

    /// What was asked, and when it came. Read from the delivery each time, so that the address in it is kept in one place, and
    /// for no longer than bodies are.
    pub(super) async fn asked(&self) -> Result<Option<(Chat, Moment)>, StepError> {
        let Some(id) = self.report.delivery_id else { return Ok(None) };
        let read = read_again(self.bridge, self.live, id).await?;
        Ok(read.and_then(|(event, came_at)| Some((*event.chat?, came_at))))
    }
}
