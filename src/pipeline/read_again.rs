//! A delivery that is kept, read once more: by whoever explains it, and by whoever answers where it was asked.

use super::{Bridge, Live, StepError};
use crate::domain::event::Event;
use crate::ids::DeliveryId;
use crate::sources::{Envelope, Reading};
use crate::store::Moment;

/// The event of a delivery and when it came, while its body is kept and its source is configured.
///
/// # Errors
/// [`StepError`]: retry.
pub(super) async fn read_again(
    bridge: &Bridge,
    live: &Live,
    id: DeliveryId,
) -> Result<Option<(Event, Moment)>, StepError> {
    let Some(kept) = bridge.store.delivery_with_body(id).await? else { return Ok(None) };
    let (Some(body), Some(source)) = (&kept.body, live.sources.get(&kept.source)) else { return Ok(None) };
    let envelope = Envelope {
        sender_id: kept.sender_id.clone(),
        hook_id: kept.hook_id.clone(),
        event_name: kept.event_name.clone(),
        content_type: kept.content_type.clone(),
    };
    Ok(match source.source.read(&kept.source, &envelope, body) {
        Ok(Reading::Event(event)) => Some((*event, kept.received_at)),
        Ok(Reading::Ping | Reading::Nothing(_) | Reading::Elsewhere(_)) | Err(_) => None,
    })
}
