//! The statements that record webhooks: one for a whole batch, and a look at what a repeated delivery met.

use std::borrow::Cow;

use sqlx::PgConnection;
use uuid::Uuid;

use super::row::{DeliveryState, End, NewDelivery, Recorded};
use crate::store::text::bounded;
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
    let states: Vec<DeliveryState> =
        batch.iter().map(|d| d.end.as_ref().map_or(DeliveryState::Received, |end| end.state)).collect();
    let text = |pick: fn(&End) -> &str| -> Vec<Option<Cow<'_, str>>> {
        batch.iter().map(|d| d.end.as_ref().map(pick).filter(|text| !text.is_empty()).map(bounded)).collect()
    };
    let ended: Vec<Option<Moment>> = batch.iter().map(|d| d.end.as_ref().map(|_| d.received_at)).collect();
    // Two deliveries with one key in one batch: ON CONFLICT keeps the first of them.
    let new: Vec<Uuid> = sqlx::query_scalar!(
        r#"/* record_deliveries */
        INSERT INTO deliveries
            (id, source, hook_id, sender_id, event_name, content_type, body, body_hash, received_at, due_at,
             state, reason, action, actor_login, repo_name, subject_url, rule_version, processed_at)
        SELECT UNNEST($1::uuid[]), UNNEST($2::text[]), UNNEST($3::text[]), UNNEST($4::text[]), UNNEST($5::text[]),
               UNNEST($6::text[]), UNNEST($7::bytea[]), UNNEST($8::bytea[]), UNNEST($9::timestamptz[]),
               UNNEST($9::timestamptz[]), UNNEST($10::text[]), UNNEST($11::text[]), UNNEST($12::text[]),
               UNNEST($13::text[]), UNNEST($14::text[]), UNNEST($15::text[]), UNNEST($16::text[]),
               UNNEST($17::timestamptz[])
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
        &states as &[DeliveryState],
        &text(|end| &end.reason) as &[Option<Cow<'_, str>>],
        &text(|end| &end.action) as &[Option<Cow<'_, str>>],
        &text(|end| &end.actor_login) as &[Option<Cow<'_, str>>],
        &text(|end| &end.repo_name) as &[Option<Cow<'_, str>>],
        &text(|end| &end.subject_url) as &[Option<Cow<'_, str>>],
        &text(|end| &end.rule_version) as &[Option<Cow<'_, str>>],
        &ended as &[Option<Moment>],
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
        SELECT id, state, (body_hash = $4 OR body IS NOT NULL AND body = $5) AS "same_body!" FROM deliveries
        WHERE sender_id = $1 AND source = $2 AND hook_id = $3"#,
        delivery.sender_id,
        delivery.source,
        delivery.hook_id,
        delivery.body_hash.as_slice(),
        // Signed with a newer secret, it has another hash.
        delivery.body.as_ref(),
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
