//! Looking at deliveries: a page of them, whatever narrows the list, in about the same time.

use super::{Delivery, DeliveryFilter, DeliveryState};
use crate::ids::DeliveryId;
use crate::store::{Page, Store, StoreError, first_id_since};

impl Store {
    /// How many deliveries wait for the match step.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn waiting_deliveries(&self) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"/* waiting_deliveries */ SELECT count(*) AS "count!" FROM deliveries WHERE state = 'received'"#
        )
        .fetch_one(&self.work)
        .await?)
    }

    /// The deliveries that their sender calls so, oldest first: one, unless several sources or hooks told of it. At most
    /// ten.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn deliveries_called(&self, sender_id: &str) -> Result<Vec<DeliveryId>, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"/* deliveries_called */
            SELECT id AS "id: DeliveryId" FROM deliveries WHERE sender_id = $1 ORDER BY id LIMIT 10"#,
            sender_id
        )
        .fetch_all(&self.work)
        .await?)
    }

    /// The newest deliveries about one of these pages of a repository in which a rule said anything but yes, and labels that no
    /// rule listens to; those whose end begins with `but` are left out.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn deliveries_about(
        &self,
        repo: &str,
        pages: &[String],
        but: &str,
        limit: i64,
    ) -> Result<Vec<Delivery>, StoreError> {
        let mut tx = self.begin_looking().await?;
        let deliveries = sqlx::query_as!(
            Delivery,
            "/* deliveries_about: by deliveries_subject, whose conditions these are */
            WITH newest AS (
                SELECT d.id FROM UNNEST($2::text[]) AS page (url) CROSS JOIN LATERAL (
                    SELECT id FROM deliveries
                    WHERE subject_url = page.url AND length(subject_url) <= 500
                      AND (state = 'processed' OR state = 'ignored' AND action = 'labeled')
                      AND repo_name = $1 AND NOT starts_with(coalesce(reason, ''), $3)
                      AND (state = 'ignored' OR EXISTS (
                          SELECT FROM decisions WHERE delivery_id = deliveries.id AND verdict <> 'matched'))
                    ORDER BY subject_url DESC, id DESC LIMIT $4) d
                ORDER BY d.id DESC LIMIT $4
            )
            SELECT id, source, hook_id, sender_id, event_name, content_type, received_at, state, reason, action,
                   actor_login, repo_name, subject_url, rule_version, duplicate_of, processed_at, tries
            FROM deliveries JOIN newest USING (id) ORDER BY id DESC",
            repo,
            pages,
            but,
            limit,
        )
        .fetch_all(tx.connection())
        .await?;
        tx.commit().await?;
        Ok(deliveries)
    }

    /// A page of deliveries, newest first.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn deliveries(&self, filter: &DeliveryFilter, page: Page) -> Result<Vec<Delivery>, StoreError> {
        if filter.source.is_some() || filter.state.is_some() || filter.event.is_some() {
            return self.deliveries_of(filter, page).await;
        }
        let mut tx = self.begin_looking().await?;
        let deliveries = sqlx::query_as!(
            Delivery,
            "/* deliveries: a part of the primary key */
            SELECT id, source, hook_id, sender_id, event_name, content_type, received_at, state, reason, action,
                   actor_login, repo_name, subject_url, rule_version, duplicate_of, processed_at, tries
            FROM deliveries
            WHERE ($1::uuid IS NULL OR id < $1)
              AND ($2::timestamptz IS NULL OR received_at >= $2)
              AND ($3::uuid IS NULL OR id >= $3)
            ORDER BY id DESC LIMIT $4",
            page.before,
            filter.since,
            filter.since.map(first_id_since),
            page.limit,
        )
        .fetch_all(tx.connection())
        .await?;
        tx.commit().await?;
        Ok(deliveries)
    }

    /// The same, narrowed by what has few values with many rows each. Walking the primary key until the page is full
    /// would read everything when the value is rare, or stopped coming long ago; without a filter that walk is the
    /// shortest there is, and jumping would read a page of every group. So these are two statements, and as checked
    /// statements share no text, what bounds a page stands in each.
    async fn deliveries_of(&self, filter: &DeliveryFilter, page: Page) -> Result<Vec<Delivery>, StoreError> {
        let mut tx = self.begin_looking().await?;
        let deliveries = sqlx::query_as!(
            Delivery,
            "/* deliveries_of: jumps from group to group of deliveries_list and takes the newest of those wanted; those
                that still wait are few, and in no group */
            WITH RECURSIVE groups AS (
                (SELECT source, event_name, state FROM deliveries WHERE state <> 'received'
                 ORDER BY source, event_name, state LIMIT 1)
                UNION ALL
                SELECT next.* FROM groups g CROSS JOIN LATERAL (
                    SELECT source, event_name, state FROM deliveries
                    WHERE state <> 'received' AND (source, event_name, state) > (g.source, g.event_name, g.state)
                    ORDER BY source, event_name, state LIMIT 1) next
            ), newest AS (
                SELECT d.id FROM groups g CROSS JOIN LATERAL (
                    SELECT id FROM deliveries
                    WHERE source = g.source AND event_name = g.event_name AND state = g.state AND state <> 'received'
                      AND ($1::uuid IS NULL OR id < $1)
                      AND ($5::timestamptz IS NULL OR received_at >= $5)
                      AND ($6::uuid IS NULL OR id >= $6)
                    ORDER BY id DESC LIMIT $7) d
                WHERE ($2::text IS NULL OR g.source = $2)
                  AND ($3::text IS NULL OR g.state = $3)
                  AND ($4::text IS NULL OR g.event_name = $4)
                UNION ALL
                (SELECT id FROM deliveries
                 WHERE state = 'received'
                   AND ($1::uuid IS NULL OR id < $1)
                   AND ($2::text IS NULL OR source = $2)
                   AND ($3::text IS NULL OR state = $3)
                   AND ($4::text IS NULL OR event_name = $4)
                   AND ($5::timestamptz IS NULL OR received_at >= $5)
                   AND ($6::uuid IS NULL OR id >= $6)
                 ORDER BY id DESC LIMIT $7)
                ORDER BY id DESC LIMIT $7
            )
            SELECT id, source, hook_id, sender_id, event_name, content_type, received_at, state, reason, action,
                   actor_login, repo_name, subject_url, rule_version, duplicate_of, processed_at, tries
            FROM deliveries JOIN newest USING (id) ORDER BY id DESC",
            page.before,
            filter.source,
            filter.state as Option<DeliveryState>,
            filter.event,
            filter.since,
            filter.since.map(first_id_since),
            page.limit,
        )
        .fetch_all(tx.connection())
        .await?;
        tx.commit().await?;
        Ok(deliveries)
    }
}
