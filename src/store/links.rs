//! Chat accounts and the people they are bound to.

use super::{Store, StoreError};
use crate::domain::identity::Identity;
use crate::ids::PersonId;

impl Store {
    /// The person to whom a chat account is linked.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn person_of_identity(&self, who: &Identity) -> Result<Option<PersonId>, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"/* person_of_identity */ SELECT person_id AS "id: PersonId" FROM identities
            WHERE platform = $1 AND team = $2 AND account = $3"#,
            who.platform(),
            who.team(),
            who.account()
        )
        .fetch_optional(&self.work)
        .await?)
    }

    /// Forgets the link of a chat account. Answers whether there was one.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn drop_identity(&self, who: &Identity) -> Result<bool, StoreError> {
        Ok(sqlx::query!(
            "/* drop_identity */ DELETE FROM identities WHERE platform = $1 AND team = $2 AND account = $3",
            who.platform(),
            who.team(),
            who.account()
        )
        .execute(&self.work)
        .await?
        .rows_affected()
            == 1)
    }
}
