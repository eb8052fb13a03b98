//! Telling people in a chat: one thing of the outbox at a time in each channel, beside what is told on GitHub and
//! whatever becomes of it. What cannot be told never touches the state of its task.

use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::Instant;

use super::bridge::Live;
use super::chat::Reply;
use super::chat::gone::still_gone;
use super::chat::rotation::speak;
use super::links::{self, NoLink};
use super::send_report::{task_of, telling_of};
use super::whisper::Whisper;
use super::{Bridge, StepError};
use crate::chat::{Button, ChatError, ChatNext, Message, Platform};
use crate::domain::backoff::Backoff;
use crate::domain::chat::Place;
use crate::domain::hourly::Hourly;
use crate::domain::task::State;
use crate::domain::telling::chat::{call, living_message};
use crate::fail_point::{Point, reach};
use crate::secret::Secret;
use crate::sources::{Envelope, Reading};
use crate::store::reports::{Report, ReportKind};
use crate::store::tasks::{Hold, Task};
use crate::store::{Lease, Moment};

/// Tries to tell one revision: about two hours in all.
const TRIES: Backoff = Backoff { first: Duration::from_secs(5), factor: 3, cap: Duration::from_secs(1800), tries: 9 };
/// What a call may take, and some more.
const CALL: Duration = Duration::from_secs(10);
/// How long something for a chat is held at least, however short `tasks.lease` is: a call must fit in.
const HELD: Duration = Duration::from_secs(20);
/// How long our first answer to a request may take to reach the chat.
const ON_ITS_WAY: TimeDelta = TimeDelta::seconds(20);
/// How long until an app that is gone is asked about again.
const GONE: Duration = Duration::from_secs(600);
/// How long until what has to be told first is looked at again.
const FIRST: Duration = Duration::from_secs(2);
/// Stands for the name of a message that was said at an address for answers: it cannot be edited.
const ANSWERED: &str = "answered";

/// Tells what is due in chats. Answers how much was taken up.
///
/// # Errors
/// [`StepError`]: it is taken up again.
pub async fn tell_chat_batch(bridge: &Bridge) -> Result<usize, StepError> {
    let held = bridge.settings.lease.max(HELD);
    let lease = Lease::new(&bridge.ground, held);
    // Read before the lease is taken, so that this side never believes in more time than there is.
    let send_by = Instant::now() + held.saturating_sub(CALL);
    let limit = i64::try_from(bridge.settings.at_once).unwrap_or(1).max(1);
    let reports = bridge.store.claim_chat_reports(lease, bridge.ground.now(), limit).await?;
    let taken = reports.len();
    super::each_at_once(reports, usize::MAX, |report| {
        let bridge = bridge.clone();
        async move { tell_one(&bridge, lease, send_by, report).await }
    })
    .await?;
    Ok(taken)
}

async fn tell_one(bridge: &Bridge, lease: Lease, send_by: Instant, report: Report) -> Result<(), StepError> {
    let live = bridge.live();
    let place = report.chat.as_ref().map(|chat| chat.0.clone());
    let side = place.as_ref().and_then(|place| live.sources.get(&place.source)?.chat.as_ref());
    let (Some(place), Some(side)) = (place, side) else {
        let why = "its source is no longer configured";
        bridge.store.postpone_report(report.id, lease, None, true, why).await?;
        return Ok(());
    };
    let now = bridge.ground.now();
    let comment = match report.kind {
        ReportKind::Reply => comment_of(bridge, &report).await?,
        _ => None,
    };
    // A call stands under the message of its task, which so has to be there.
    let under = report.task_id.filter(|_| report.kind == ReportKind::Mention && place.thread.is_none());
    let waits_for = match under {
        _ if comment.as_ref().is_some_and(|comment| comment.state == "pending") => Some("waits for the comment"),
        Some(task) if bridge.store.chat_message_is_coming(task).await? => Some("waits for the message of its task"),
        _ => None,
    };
    if let Some(why) = waits_for {
        let again = now + TimeDelta::from_std(bridge.ground.jitter(FIRST)).unwrap_or_default();
        bridge.store.postpone_report(report.id, lease, Some(again), false, why).await?;
        return Ok(());
    }
    if let Some(why) = still_gone(bridge, side, &place.source).await? {
        // Not for ever: what nobody could be told for long is no news any more.
        let wait = TRIES.after(u32::try_from(report.tries).unwrap_or(u32::MAX)).map(|wait| wait.max(GONE));
        let again = wait.map(|wait| now + TimeDelta::from_std(bridge.ground.jitter(wait)).unwrap_or_default());
        bridge.store.postpone_report(report.id, lease, again, true, &why).await?;
        return Ok(());
    }
    let voice = match speak(bridge, &place.source, side).await? {
        Ok(voice) => voice,
        Err(error) => return not_told(bridge, lease, &report, &error).await,
    };
    let writer = format!("chat:{}:{}", place.source, place.speaks_in());
    let clock = &bridge.settings.shared_clock;
    if !bridge.store.take_turn(&writer, lease, Hourly::of(u32::MAX), clock.shown()).await? {
        let free = bridge.store.turn_comes_in(&writer, clock.shown()).await?;
        let wait = free.max(bridge.ground.jitter(Duration::from_millis(500)));
        let again = now + TimeDelta::from_std(wait).unwrap_or_default();
        bridge.store.postpone_report(report.id, lease, Some(again), false, "waits for its turn to speak").await?;
        return Ok(());
    }
    let platform = voice.platform();
    let telling = Telling { bridge, live: &live, platform, place: &place, report: &report, comment };
    let outcome = if Instant::now() < send_by {
        reach(Point::ChatBeforeSending);
        telling.send().await
    } else {
        Ok(Err(ChatError::NotSent("the chat", "the lease was about to end".to_owned())))
    };
    reach(Point::ChatSent);
    let pause = match &outcome {
        Ok(Err(error)) => error.pause().unwrap_or(bridge.settings.write_spacing),
        _ => bridge.settings.write_spacing,
    };
    bridge.store.end_turn(&writer, lease, pause, clock.shown()).await?;
    let task = report.task_id.map(tracing::field::display);
    let error = match outcome? {
        Ok(told) => {
            bridge.store.chat_report_sent(&report, lease, told.as_deref(), bridge.ground.now()).await?;
            reach(Point::ChatRecorded);
            tracing::info!(report = %report.id, task, kind = ?report.kind, "a chat was told");
            return Ok(());
        }
        Err(error) => error,
    };
    if voice.refused(bridge, &place.source, &error).await? {
        let again = bridge.ground.now() + TimeDelta::from_std(bridge.ground.jitter(FIRST)).unwrap_or_default();
        bridge.store.postpone_report(report.id, lease, Some(again), false, "waits for a new token").await?;
        return Ok(());
    }
    not_told(bridge, lease, &report, &error).await
}

/// It is tried again later, if that may do better.
async fn not_told(bridge: &Bridge, lease: Lease, report: &Report, error: &ChatError) -> Result<(), StepError> {
    let now = bridge.ground.now();
    let task = report.task_id.map(tracing::field::display);
    if let Some(pause) = error.pause() {
        let until = now + TimeDelta::from_std(pause).unwrap_or_default();
        bridge.store.postpone_report(report.id, lease, Some(until), false, &error.for_person()).await?;
        return Ok(());
    }
    let wait = match error.next() {
        ChatNext::Retry | ChatNext::AskPerson => TRIES.after(u32::try_from(report.tries).unwrap_or(u32::MAX)),
        ChatNext::GiveUp | ChatNext::OtherWay => None,
    };
    tracing::warn!(report = %report.id, task, %error, gives_up = wait.is_none(), "a chat could not be told");
    let due_at = wait.map(|wait| now + TimeDelta::from_std(bridge.ground.jitter(wait)).unwrap_or_default());
    bridge.store.postpone_report(report.id, lease, due_at, true, &error.for_person()).await?;
    Ok(())
}

/// The comment that a reply tells of.
async fn comment_of(bridge: &Bridge, reply: &Report) -> Result<Option<Report>, StepError> {
    let about: Reply = serde_json::from_str(&reply.content).unwrap_or_default();
    Ok(match about.comment {
        Some(id) => bridge.store.report(id).await?,
        None => None,
    })
}

struct Telling<'a> {
    bridge: &'a Bridge,
    live: &'a Live,
    platform: &'a Platform,
    place: &'a Place,
    report: &'a Report,
    /// What a reply tells of.
    comment: Option<Report>,
}

/// The name of the message that was told, if it has one.
type Told = Result<Option<String>, ChatError>;

impl Telling<'_> {
    async fn send(&self) -> Result<Told, StepError> {
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
                Err(error) if error.next() == ChatNext::OtherWay => self.answer(true, &message, error).await,
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
        match self.platform.post(self.place.speaks_in(), under.as_deref(), &message).await {
            Err(error) if error.next() == ChatNext::OtherWay => self.answer(false, &message, error).await,
            posted => Ok(posted.map(Some)),
        }
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
        let message = Message { text, ..Message::default() };
        let told = self.platform.whisper(channel, &self.place.account, thread, &message).await;
        Ok(told.map(|()| None))
    }

    async fn whisper(&self) -> Result<Told, StepError> {
        let whisper: Whisper = serde_json::from_str(&self.report.content).unwrap_or_default();
        let mut text = whisper.with_page(self.bridge.settings.connect_url.as_deref());
        if let Some(who) = whisper.linked() {
            // Made now, and seen by nobody else: it is in no table.
            text = match links::make_link(self.bridge, &who).await {
                Ok(url) => format!("{text} [Sign in with GitHub]({url}): the link is for you alone."),
                Err(NoLink::Store(error)) => return Err(error.into()),
                Err(NoLink::NotConfigured) => format!(
                    "{text} Nobody can sign in here by themselves yet: ask whoever runs taskbridge to allow it, for the {who}."
                ),
            };
        }
        let message = Message { text, ..Message::default() };
        let (channel, account) = (self.place.speaks_in(), &self.place.account);
        match self.platform.whisper(channel, account, self.place.thread.as_deref(), &message).await {
            Err(error) if matches!(error.next(), ChatNext::OtherWay | ChatNext::GiveUp) => {
                match self.answer(false, &message, error).await? {
                    Err(error) if error.next() == ChatNext::OtherWay => self.call_unanswered(error).await,
                    told => Ok(told),
                }
            }
            told => Ok(told.map(|()| None)),
        }
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
    fn calling(&self) -> Message {
        Message {
            mention: Some(self.place.account.clone()),
            key: Some(self.report.id.to_string()),
            ..Message::default()
        }
    }

    /// Whoever sees that they are waited with need not any longer: the channel has the message. When that cannot be said,
    /// the chat ends the wait by itself.
    async fn end_waiting(&self) -> Result<(), StepError> {
        if self.platform.keeps_waiting()
            && let Some((to, _)) = self.answer_to().await?
        {
            let text = "It was taken up: the message of the task in this channel tells how it goes on.".to_owned();
            let message = Message { text, ..Message::default() };
            if let Err(error) = self.platform.answer(&to, false, &message).await {
                tracing::debug!(report = %self.report.id, %error, "somebody is still shown that they are waited with");
            }
        }
        Ok(())
    }

    /// The other way: the address for answers that the request carried, for its few uses.
    async fn answer(&self, for_all: bool, message: &Message, first: ChatError) -> Result<Told, StepError> {
        let Some(delivery) = self.report.delivery_id else { return Ok(Err(first)) };
        let Some((to, came_at)) = self.answer_to().await? else { return Ok(Err(first)) };
        let answers = self.platform.answers();
        let now = self.bridge.ground.now();
        let since = now - answers.lasts;
        if !self.bridge.store.take_answer(delivery, answers.uses, since).await? {
            return Ok(Err(first));
        }
        Ok(match self.platform.answer(&to, for_all, message).await {
            Ok(()) => Ok(Some(ANSWERED.to_owned())),
            // Our first answer may still be on its way, and until it is there the chat does not know the address.
            Err(ChatError::NoAnswers) if self.platform.keeps_waiting() && now - came_at < ON_ITS_WAY => {
                Err(ChatError::Unclear("the chat", "it did not know the request yet".to_owned()))
            }
            Err(ChatError::NoAnswers) => Err(first),
            Err(error) => Err(error),
        })
    }

    /// Read from the delivery each time, so that it is kept in one place, and for no longer than bodies are.
    async fn answer_to(&self) -> Result<Option<(Secret, Moment)>, StepError> {
        let Some(id) = self.report.delivery_id else { return Ok(None) };
        let Some(kept) = self.bridge.store.delivery_with_body(id).await? else { return Ok(None) };
        let (Some(body), Some(source)) = (&kept.body, self.live.sources.get(&kept.source)) else { return Ok(None) };
        let envelope = Envelope {
            sender_id: kept.sender_id.clone(),
            hook_id: kept.hook_id.clone(),
            event_name: kept.event_name.clone(),
            content_type: kept.content_type.clone(),
        };
        Ok(match source.source.read(&kept.source, &envelope, body) {
            Ok(Reading::Event(event)) => event.chat.and_then(|chat| chat.answer_to).map(|to| (to, kept.received_at)),
            _ => None,
        })
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
