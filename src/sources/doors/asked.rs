//! What one request of a chat asks, whichever chat it is.

use chrono::{DateTime, Utc};

use crate::domain::chat::{Chat, Place};
use crate::sources::unreadable::Unreadable;

/// Longest id of a channel or a thread.
const ID: usize = 256;

/// What a body says.
pub(super) struct Asked {
    /// The kind of request.
    pub(super) kind: String,
    /// What is the same when it is sent again.
    pub(super) id: Option<String>,
    /// When it was said, if the body tells.
    pub(super) at: Option<DateTime<Utc>>,
    pub(super) says: Says,
}

pub(super) enum Says {
    /// The chat looks whether we are there.
    Ping,
    /// The chat asks what could be typed next.
    Choices,
    Nothing(String),
    Elsewhere(String),
    Chat {
        event: &'static str,
        chat: Box<Chat>,
    },
}

/// Where something was said. An id that is too long is no id.
pub(super) fn place(source: &str, channel: &str, thread: Option<&str>, account: &str) -> Result<Place, Unreadable> {
    let good = |id: &str| !id.is_empty() && id.len() <= ID && id.bytes().all(|b| b.is_ascii_graphic());
    if !good(channel) || !thread.is_none_or(good) {
        return Err(Unreadable("it does not say in which channel it was said".to_owned()));
    }
    Ok(Place {
        source: source.to_owned(),
        channel: channel.to_owned(),
        within: None,
        thread: thread.map(str::to_owned),
        thread_stands: false,
        account: account.to_owned(),
    })
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
pub(super) fn unreadable(error: serde_json::Error) -> Unreadable {
    Unreadable(error.to_string())
}
