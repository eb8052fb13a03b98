//! One thing of the outbox, told in its chat: the living message of a task, the call to the one who asked, and what became of a
//! word to the agent. What one account alone sees is told in `alone`.

use super::super::bridge::Live;
use super::super::chat::Reply;
use super::super::send_report::{task_of, telling_of};
use super::super::{Bridge, StepError};
use crate::chat::{Button, ChatError, ChatNext, Message, Platform};
use crate::domain::chat::Place;
use crate::domain::task::State;
use crate::domain::telling::chat::{call, living_message};
use crate::store::reports::{Report, ReportKind};
use crate::store::tasks::{Hold, Task};

/// Stands for the name of a message that was said at an address for answers: it cannot be edited.
pub(super) const ANSWERED: &str = "answered";

pub(super) struct Telling<'a> {
    pub bridge: &'a Bridge,
    pub live: &'a Live,
    pub platform: &'a Platform,
    pub place: &'a Place,
    pub report: &'a Report,
    /// What a reply tells of.
    pub comment: Option<Report>,
}

/// The name of the message that was told, if it has one.
pub(super) type Told = Result<Option<String>, ChatError>;

impl Telling<'_> {
    pub(super) async fn send(&self) -> Result<Told, StepError> {
        if self.platform.answers_at_the_door() {
            // What there was to tell was told there, or nobody waits for it any more.
            return Ok(Ok(None));
        }
        match self.report.kind {
            ReportKind::Chat => self.living().await,
            ReportKind::Mention => self.mention().await,
            ReportKind::Whisper => self.whisper().await,
            ReportKind::Reply => self.reply().await,
            ReportKind::Comment
            | ReportKind::FollowUp
            | ReportKind::Notice
            | ReportKind::Reaction
            | ReportKind::Labels
            | ReportKind::Outgoing => Ok(Ok(None)),
        }
    }

    async fn living(&self) -> Result<Told, StepError> {
        let Some(task) = task_of(self.bridge, self.report).await? else { return Ok(Ok(None)) };
        let telling = telling_of(self.bridge, &task).await?;
        let message = Message {
            text: task.marker.mask(&living_message(&telling, &task.repo_full_name())),
            buttons: buttons(&task),
            key: Some(self.report.id.to_string()),
            ..Message::default()
        };
        let (platform, channel) = (self.platform, self.place.speaks_in());
        match self.report.external_ref.as_deref() {
            Some(ANSWERED) => Ok(Ok(None)),
            Some(ts) => Ok(match platform.update(channel, ts, &message).await {
                // Somebody deleted it: they do not want it.
                Err(ChatError::Gone) => Ok(None),
                updated => updated.map(|()| None),
            }),
            None => match platform.post(channel, self.place.thread.as_deref(), &message).await {
                Err(error) if error.next() == ChatNext::OtherWay => {
                    let asked = self.asked().await?;
                    Ok(self.answer(asked.as_ref(), true, &message).await?.unwrap_or(Err(error)))
                }
                Ok(name) => {
                    self.end_waiting().await?;
                    Ok(Ok(Some(name)))
                }
                Err(error) => Ok(Err(error)),
            },
        }
    }

    async fn mention(&self) -> Result<Told, StepError> {
        let Some(task) = task_of(self.bridge, self.report).await? else { return Ok(Ok(None)) };
        let mut telling = telling_of(self.bridge, &task).await?;
        // What it was called for, although the task may have moved on.
        telling.state = State::parse(&self.report.content).unwrap_or(telling.state);
        let text = task.marker.mask(&call(&telling));
        let message = Message { text, ..self.calling() };
        let under = match &self.place.thread {
            Some(thread) => Some(thread.clone()),
            None => self.bridge.store.chat_message_of(task.id).await?.filter(|ts| ts != ANSWERED),
        };
        let error = match self.platform.post(self.place.speaks_in(), under.as_deref(), &message).await {
            Err(error) if error.next() == ChatNext::OtherWay => error,
            posted => return Ok(posted.map(Some)),
        };
        let asked = self.asked().await?;
        if let Some(told) = self.answer(asked.as_ref(), false, &message).await? {
            return Ok(told);
        }
        // There it stands under nothing, so it says what it is about.
        let text = task.marker.mask(&living_message(&telling, &task.repo_full_name()));
        let message = Message { text, buttons: buttons(&task), ..Message::default() };
        Ok(self.in_private(&message).await.unwrap_or(Err(error)))
    }

    /// What became of a word to the agent: for all where it was said, or for the one who said it when it was not written.
    async fn reply(&self) -> Result<Told, StepError> {
        let about: Reply = serde_json::from_str(&self.report.content).unwrap_or_default();
        let Some(comment) = &self.comment else { return Ok(Ok(None)) };
        let page =
            comment.external_url.as_deref().filter(|url| url.starts_with("https://") || url.starts_with("http://"));
        let (channel, thread) = (self.place.speaks_in(), self.place.thread.as_deref());
        if comment.state == "sent" {
            let page = page.map(|url| format!(": [the comment]({url})")).unwrap_or_default();
            let text = format!("The agent is told on pull request #{}{page}.", about.pull);
            let message = Message { text, key: Some(self.report.id.to_string()), ..Message::default() };
            return Ok(self.platform.post(channel, thread, &message).await.map(Some));
        }
        let why = comment.trouble.as_deref().unwrap_or("GitHub did not take it");
        let text = format!("The agent was not told on pull request #{}: {why}. Write it there yourself.", about.pull);
        self.alone(&Message { text, ..Message::default() }).await
    }
}

/// What can be done about a task now. Who may is looked up when it is pressed.
fn buttons(task: &Task) -> Vec<Button> {
    let button = |name, label| Button { name, label, value: task.id.to_string(), url: None };
    let mut buttons = Vec::new();
    match task.state {
        State::Held if task.hold == Some(Hold::Approval) => {
            buttons.extend([button("approve", "Approve"), button("cancel", "Cancel")]);
        }
        State::Held | State::Pending => buttons.push(button("cancel", "Cancel")),
        state if state.is_end() && state != State::Completed => buttons.push(button("retry", "Retry")),
        _ => {}
    }
    buttons.push(button("why", "Why"));
    let page = task.pull_url.as_ref().filter(|_| task.state == State::Completed).or(task.remote_url.as_ref());
    if let Some(url) = page.filter(|url| url.starts_with("https://") || url.starts_with("http://")) {
        buttons.push(Button { url: Some(url.clone()), ..button("open", "Open") });
    }
    buttons
}
