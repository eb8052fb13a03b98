//! Telling people in a chat: one thing of the outbox at a time in each channel, beside what is told on GitHub and
//! whatever becomes of it. What cannot be told never touches the state of its task.

use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::Instant;

use super::bridge::{ChatSide, Live};
use super::links::{self, NoLink};
use super::send_report::{task_of, telling_of};
use super::whisper::Whisper;
use super::{Bridge, StepError};
use crate::chat::slack::{SlackError, SlackNext};
use crate::chat::{Button, Message};
use crate::domain::backoff::Backoff;
use crate::domain::chat::Place;
use crate::domain::hourly::Hourly;
use crate::domain::task::State;
use crate::domain::telling::chat::{call, living_message};
use crate::fail_point::{Point, reach};
use crate::secret::Secret;
use crate::sources::{Envelope, Reading};
use crate::store::Lease;
use crate::store::reports::{Report, ReportKind};
use crate::store::tasks::{Hold, Task};

/// Tries to tell one revision: about two hours in all.
const TRIES: Backoff = Backoff { first: Duration::from_secs(5), factor: 3, cap: Duration::from_secs(1800), tries: 9 };
/// What a call may take, and some more.
const CALL: Duration = Duration::from_secs(10);
/// How often, and for how long, an address for answers can be used.
const ANSWERS: i16 = 5;
const ANSWERS_FOR: TimeDelta = TimeDelta::minutes(30);
/// Stands for the name of a message that was said at an address for answers: it cannot be edited.
const ANSWERED: &str = "answered";

/// Tells what is due in chats. Answers how much was taken up.
///
/// # Errors
/// [`StepError`]: it is taken up again.
pub async fn tell_chat_batch(bridge: &Bridge) -> Result<usize, StepError> {
    let lease = Lease::new(&bridge.ground, bridge.settings.lease);
    // Read before the lease is taken, so that this side never believes in more time than there is.
    let send_by = Instant::now() + bridge.settings.lease.saturating_sub(CALL);
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
    let writer = format!("chat:{}:{}", place.source, place.channel);
    let clock = &bridge.settings.shared_clock;
    if !bridge.store.take_turn(&writer, lease, Hourly::of(u32::MAX), clock.shown()).await? {
        let free = bridge.store.turn_comes_in(&writer, clock.shown()).await?;
        let wait = free.max(bridge.ground.jitter(Duration::from_millis(500)));
        let again = now + TimeDelta::from_std(wait).unwrap_or_default();
        bridge.store.postpone_report(report.id, lease, Some(again), false, "waits for its turn to speak").await?;
        return Ok(());
    }
    let telling = Telling { bridge, live: &live, side, place: &place, report: &report };
    let outcome = if Instant::now() < send_by {
        reach(Point::ChatBeforeSending);
        telling.send().await
    } else {
        Ok(Err(SlackError::NotSent("the lease was about to end".to_owned())))
    };
    reach(Point::ChatSent);
    let pause = match &outcome {
        Ok(Err(SlackError::Limited(pause))) => *pause,
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
    let now = bridge.ground.now();
    if let SlackError::Limited(pause) = error {
        let until = now + TimeDelta::from_std(pause).unwrap_or_default();
        bridge.store.postpone_report(report.id, lease, Some(until), false, &error.for_person()).await?;
        return Ok(());
    }
    let wait = match error.next() {
        SlackNext::Retry | SlackNext::AskPerson => TRIES.after(u32::try_from(report.tries).unwrap_or(u32::MAX)),
        SlackNext::GiveUp | SlackNext::OtherWay => None,
    };
    tracing::warn!(report = %report.id, task, %error, gives_up = wait.is_none(), "a chat could not be told");
    let due_at = wait.map(|wait| now + TimeDelta::from_std(bridge.ground.jitter(wait)).unwrap_or_default());
    bridge.store.postpone_report(report.id, lease, due_at, true, &error.for_person()).await?;
    Ok(())
}

struct Telling<'a> {
    bridge: &'a Bridge,
    live: &'a Live,
    side: &'a ChatSide,
    place: &'a Place,
    report: &'a Report,
}

/// The name of the message that was told, if it has one.
type Told = Result<Option<String>, SlackError>;

impl Telling<'_> {
    async fn send(&self) -> Result<Told, StepError> {
        match self.report.kind {
            ReportKind::Chat => self.living().await,
            ReportKind::Mention => self.mention().await,
            ReportKind::Whisper => self.whisper().await,
            ReportKind::Comment
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
            mention: None,
            buttons: buttons(&task),
        };
        let (slack, channel) = (&self.side.slack, &self.place.channel);
        match self.report.external_ref.as_deref() {
            Some(ANSWERED) => Ok(Ok(None)),
            Some(ts) => Ok(match slack.update(channel, ts, &message).await {
                // Somebody deleted it: they do not want it.
                Err(error) if error.is_gone() => Ok(None),
                updated => updated.map(|()| None),
            }),
            None => match slack.post(channel, self.place.thread.as_deref(), &message).await {
                Err(error) if error.next() == SlackNext::OtherWay => self.answer(true, &message, error).await,
                posted => Ok(posted.map(Some)),
            },
        }
    }

    async fn mention(&self) -> Result<Told, StepError> {
        let Some(task) = task_of(self.bridge, self.report).await? else { return Ok(Ok(None)) };
        let mut telling = telling_of(self.bridge, &task).await?;
        // What it was called for, although the task may have moved on.
        telling.state = State::parse(&self.report.content).unwrap_or(telling.state);
        let text = task.marker.mask(&call(&telling));
        let message = Message { text, mention: Some(self.place.account.clone()), buttons: Vec::new() };
        let under = match &self.place.thread {
            Some(thread) => Some(thread.clone()),
            None => self.bridge.store.chat_message_of(task.id).await?.filter(|ts| ts != ANSWERED),
        };
        match self.side.slack.post(&self.place.channel, under.as_deref(), &message).await {
            Err(error) if error.next() == SlackNext::OtherWay => self.answer(false, &message, error).await,
            posted => Ok(posted.map(Some)),
        }
    }

    async fn whisper(&self) -> Result<Told, StepError> {
        let whisper: Whisper = serde_json::from_str(&self.report.content).unwrap_or_default();
        let mut text = whisper.text.clone();
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
        let message = Message { text, mention: None, buttons: Vec::new() };
        let (channel, account) = (&self.place.channel, &self.place.account);
        match self.side.slack.whisper(channel, account, self.place.thread.as_deref(), &message).await {
            Err(error) if matches!(error.next(), SlackNext::OtherWay | SlackNext::GiveUp) => {
                self.answer(false, &message, error).await
            }
            told => Ok(told.map(|()| None)),
        }
    }

    /// The other way: the address for answers that the request carried, for its few uses.
    async fn answer(&self, for_all: bool, message: &Message, first: SlackError) -> Result<Told, StepError> {
        let Some(delivery) = self.report.delivery_id else { return Ok(Err(first)) };
        let Some(to) = self.answer_to().await? else { return Ok(Err(first)) };
        let since = self.bridge.ground.now() - ANSWERS_FOR;
        if !self.bridge.store.take_answer(delivery, ANSWERS, since).await? {
            return Ok(Err(first));
        }
        Ok(match self.side.slack.answer(&to, for_all, message).await {
            Ok(()) => Ok(Some(ANSWERED.to_owned())),
            Err(SlackError::NoAnswers) => Err(first),
            Err(error) => Err(error),
        })
    }

    /// Read from the delivery each time, so that it is kept in one place, and for no longer than bodies are.
    async fn answer_to(&self) -> Result<Option<Secret>, StepError> {
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
            Ok(Reading::Event(event)) => event.chat.and_then(|chat| chat.answer_to),
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
