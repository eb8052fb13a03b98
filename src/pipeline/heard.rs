//! What a message led to, for chats that can be answered at once or never. The message is recorded first and goes the way
//! of all others; what the match step wrote into the outbox for the one who asked is read there, by whichever replica it
//! was done. When that takes longer than the chat waits, it is said that the message was taken up.

use std::time::Duration;

use tokio::time::Instant;

use super::Bridge;
use super::links::{self, NoLink};
use super::whisper::{NOBODY_CAN, Whisper};
use crate::domain::task::State;
use crate::domain::trust::clean_line;
use crate::ids::DeliveryId;
use crate::store::StoreError;
use crate::store::deliveries::DeliveryState;

/// How long is waited; with the recording before, it stays below the five seconds that a chat waits.
const IN_TIME: Duration = Duration::from_millis(2200);
const LOOK_AGAIN: Duration = Duration::from_millis(60);
/// Longest reason of a task that waits, in characters.
const REASON: usize = 500;
const TAKEN_UP: &str = "It was taken up. Mention me and write `status` in a moment to see what became of it.";

/// What is to be answered about a delivery that was just recorded. All who are in the channel see it.
pub async fn heard(bridge: &Bridge, delivery: DeliveryId) -> String {
    let until = Instant::now() + IN_TIME;
    loop {
        match tokio::time::timeout_at(until, look(bridge, delivery)).await {
            Ok(Ok(Some(text))) => return text,
            Ok(Ok(None)) if Instant::now() + LOOK_AGAIN < until => tokio::time::sleep(LOOK_AGAIN).await,
            Ok(Ok(None)) | Err(_) => return TAKEN_UP.to_owned(),
            Ok(Err(error)) => {
                tracing::warn!(%delivery, %error, "what a message led to could not be read in time");
                return TAKEN_UP.to_owned();
            }
        }
    }
}

async fn look(bridge: &Bridge, delivery: DeliveryId) -> Result<Option<String>, StoreError> {
    let Some(led_to) = bridge.store.delivery_led_to(delivery).await? else { return Ok(None) };
    if let Some(whisper) = led_to.whisper {
        let whisper: Whisper = serde_json::from_str(&whisper).unwrap_or_default();
        return Ok(Some(in_the_open(bridge, &whisper).await?));
    }
    if led_to.state == DeliveryState::Received {
        return Ok(None);
    }
    let task = match led_to.task {
        Some(id) => bridge.store.task(id).await?,
        None => None,
    };
    Ok(Some(match task {
        // What it waits for is said nowhere else.
        Some(task) if task.state == State::Held && !task.reason.is_empty() => format!(
            "Task {} in `{}` is **{}**: {}.",
            task.id,
            task.repo_full_name(),
            task.state,
            clean_line(&task.marker.mask(&task.reason), REASON),
        ),
        Some(task) => format!(
            "Task {} in `{}` is **{}**. Mention me and write `status` to see how it goes on.",
            task.id,
            task.repo_full_name(),
            task.state
        ),
        None => "Nothing was started.".to_owned(),
    }))
}

/// The words, and instead of a link that is for one account alone the way that others may see.
async fn in_the_open(bridge: &Bridge, whisper: &Whisper) -> Result<String, StoreError> {
    let Some(who) = whisper.linked() else {
        return Ok(whisper.with_page(bridge.settings.connect_url.as_deref()));
    };
    match links::await_account(bridge, &who).await {
        Ok((page, name)) => Ok(format!(
            "{} Open {page}, sign in with GitHub, and enter your account there: `{name}`. The page shows a code; \
             mention me again and write `link` and the code.",
            whisper.text
        )),
        Err(NoLink::Store(error)) => Err(error),
        Err(NoLink::NotConfigured) => Ok(format!("{} {NOBODY_CAN}", whisper.text)),
    }
}
