//! The statements that record webhooks: one for a whole batch, and a look at what a repeated delivery met.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{DeliveryState, NewDelivery, Recorded};
use crate::store::{Moment, StoreError};

pub(super) async fn record(connection: &mut PgConnection, batch: &[NewDelivery]) -> Result<Vec<Recorded>, StoreError> {
    let ids: Vec<Uuid> = batch.iter().map(|d| d.id.0).collect();
    let sources: Vec<&str> = batch.iter().map(|d| d.source.as_str()).collect();
    let hooks: Vec<&str> = batch.iter().map(|d| d.hook_id.as_str()).collect();
    let senders: Vec<&str> = batch.iter().map(|d| d.sender_id.as_str()).collect();
    let names: Vec<&str> = batch.iter().map(|d| d.event_name.as_str()).collect();
    let types: Vec<&str> = batch.iter().map(|d| d.content_type.as_str()).collect();
    let bodies: Vec<&[u8]> = batch.iter().map(|d| d.body.as_ref()).collect();
    let hashes: Vec<&[u8]> = batch.iter().map(|d| d.body_hash.as_slice()).collect();
    let times: Vec<Moment> = batch.iter().map(|d| d.received_at).collect();
    // Two deliveries with one key in one batch: ON CONFLICT keeps the first of them.
    let new: Vec<Uuid> = sqlx::query_scalar!(
        r#"/* record_deliveries */
        INSERT INTO deliveries
            (id, source, hook_id, sender_id, event_name, content_type, body, body_hash, received_at, due_at)
        SELECT id, source, hook_id, sender_id, event_name, content_type, body, body_hash, received_at, received_at
        FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
                    $7::bytea[], $8::bytea[], $9::timestamptz[])
            AS d (id, source, hook_id, sender_id, event_name, content_type, body, body_hash, received_at)
        ON CONFLICT ON CONSTRAINT deliveries_once DO NOTHING
        RETURNING id AS "id: Uuid""#,
        &ids,
        &sources as &[&str],
        &hooks as &[&str],
        &senders as &[&str],
        &names as &[&str],
        &types as &[&str],
        &bodies as &[&[u8]],
        &hashes as &[&[u8]],
        &times,
    )
    .fetch_all(&mut *connection)
    .await?;
    if new.len() == batch.len() {
        return Ok(batch.iter().map(|d| Recorded::New(d.id)).collect());
    }
    let new: std::collections::HashSet<Uuid> = new.into_iter().collect();
    let mut answers = Vec::with_capacity(batch.len());
    for delivery in batch {
        answers.push(if new.contains(&delivery.id.0) {
            Recorded::New(delivery.id)
        } else {
            seen_before(connection, delivery).await?
        });
    }
    Ok(answers)
}

async fn seen_before(connection: &mut PgConnection, delivery: &NewDelivery) -> Result<Recorded, StoreError> {
    let first = sqlx::query!(
        r#"/* seen_before */
        SELECT id, state, body_hash = $4 AS "same_body!" FROM deliveries
        WHERE sender_id = $1 AND source = $2 AND hook_id = $3"#,
        delivery.sender_id,
        delivery.source,
        delivery.hook_id,
        delivery.body_hash.as_slice(),
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(first) = first else {
        // Forgotten between the two statements: let the sender come again.
        return Err(StoreError::Unavailable(sqlx::Error::RowNotFound));
    };
    if !first.same_body {
        return Ok(Recorded::Conflict(first.id));
    }
    if first.state == DeliveryState::Failed {
        sqlx::query!(
            "/* run_again */
            UPDATE deliveries SET state = 'received', reason = NULL, tries = 0, due_at = $2, processed_at = NULL
            WHERE id = $1 AND state = 'failed' AND body IS NOT NULL
              AND NOT EXISTS (SELECT FROM decisions WHERE delivery_id = $1)",
            first.id.0,
            delivery.received_at,
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(Recorded::Seen(first.id))
}
