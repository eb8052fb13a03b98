//! An app that was removed from its workspace, or whose token was taken back there: nothing is told in that chat any more,
//! which is known to all replicas, until the chat lets the app in again. Whether it does is asked, never believed.

use super::rotation::{is_ended, lets_in};
use crate::pipeline::bridge::ChatSide;
use crate::pipeline::{Bridge, StepError};

/// The chat says that the app is gone. Answers what follows, in words.
///
/// # Errors
/// [`StepError`]: retry.
pub(in crate::pipeline) async fn app_gone(
    bridge: &Bridge,
    chat: &ChatSide,
    source: &str,
    how: &str,
) -> Result<String, StepError> {
    // It may be an old piece of news, of before the app was installed again.
    if lets_in(bridge, source, chat).await?.is_ok() {
        return Ok("the chat says that the app is gone, and lets it in all the same: nothing is changed".to_owned());
    }
    let reason = match how {
        "uninstalled" => "the app was uninstalled from the workspace",
        _ => "the app's token was revoked",
    };
    bridge.store.end_chat_app(source, reason, bridge.ground.now()).await?;
    tracing::error!(
        source,
        reason,
        "nothing is told in the chat any more; install the app there again, and put its new bot token into the configuration"
    );
    Ok(format!("{reason}: nothing is told there until it is installed again"))
}

/// Why nothing can be told there, if the app is gone and still not let in.
///
/// # Errors
/// [`StepError`]: retry.
pub(in crate::pipeline) async fn still_gone(
    bridge: &Bridge,
    chat: &ChatSide,
    source: &str,
) -> Result<Option<String>, StepError> {
    let Some(gone) = bridge.store.ended_chat_app(source).await? else { return Ok(None) };
    if let Err(error) = lets_in(bridge, source, chat).await? {
        return Ok(Some(format!("{} ({error}); install it again", gone.reason)));
    }
    if is_ended(bridge, source, chat).await? {
        // Its last token works for a while; an operator must act all the same.
        return Ok(None);
    }
    bridge.store.revive_chat_app(source).await?;
    tracing::info!(source, "the chat lets the app in again: what waits is told");
    Ok(None)
}
