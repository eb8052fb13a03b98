//! People: GitHub users whose token we hold, bound to their account number. Tokens come in and go
//! out sealed; this file never sees one in the clear.

use uuid::Uuid;

use super::{Moment, Store, StoreError, Tx};
use crate::domain::renewal::refusal_tells;
use crate::ids::PersonId;

/// A person as stored.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are described in the migration")]
pub struct Person {
    pub id: PersonId,
    pub login: String,
    pub token: Option<Vec<u8>>,
    pub token_state: String,
    pub token_reason: Option<String>,
    pub token_expires_at: Option<Moment>,
    pub refresh_token: Option<Vec<u8>>,
    pub refresh_expires_at: Option<Moment>,
    pub added_at: Moment,
    pub checked_at: Moment,
    pub token_version: Uuid,
    pub scopes: String,
    pub signed_in: bool,
    pub refresh_due_at: Option<Moment>,
    pub refresh_sent_at: Option<Moment>,
    pub refresh_lease: Option<Uuid>,
    pub refresh_lease_until: Option<Moment>,
    pub refused_at: Option<Moment>,
}

/// A token to be put, sealed.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the columns are described in the migration")]
pub struct NewToken<'a> {
    pub token: &'a [u8],
    pub expires_at: Option<Moment>,
    pub refresh_token: Option<&'a [u8]>,
    pub refresh_expires_at: Option<Moment>,
    pub refresh_due_at: Option<Moment>,
    pub scopes: &'a str,
}

impl<'a> NewToken<'a> {
    /// One that neither ends nor is renewed, as far as is known.
    #[must_use]
    pub fn alone(token: &'a [u8]) -> Self {
        Self {
            token,
            expires_at: None,
            refresh_token: None,
            refresh_expires_at: None,
            refresh_due_at: None,
            scopes: "",
        }
    }
}

impl Person {
    /// The sealed token, if GitHub has not refused it and it has not ended or can be renewed.
    #[must_use]
    pub fn usable_token(&self, now: Moment) -> Option<&[u8]> {
        let lasts = self.token_expires_at.is_none_or(|end| end > now) || self.can_be_renewed(now);
        self.token.as_deref().filter(|_| lasts && self.token_state == "ok")
    }

    /// Whether the token has ended at `at` and there is something to make another with.
    #[must_use]
    pub fn must_be_renewed(&self, at: Moment) -> bool {
        self.token_expires_at.is_some_and(|end| end <= at) && self.token_state == "ok" && self.can_be_renewed(at)
    }

    /// Whether it says anything of a refresh that left at `sent` when GitHub refuses the access token at `now`.
    #[must_use]
    pub fn token_would_tell(&self, sent: Moment, now: Moment) -> bool {
        refusal_tells(self.token_expires_at, self.refused_at, sent, now)
    }

    fn can_be_renewed(&self, now: Moment) -> bool {
        self.refresh_token.is_some() && self.refresh_expires_at.is_none_or(|end| end > now)
    }
}

impl Tx {
    /// What is stored of a person, which nobody changes until this transaction ends.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn lock_person(&mut self, id: PersonId) -> Result<Option<Person>, StoreError> {
        Ok(sqlx::query_as!(Person, "/* lock_person */ SELECT * FROM people WHERE id = $1 FOR UPDATE", id.0)
            .fetch_optional(self.connection())
            .await?)
    }

    /// Adds a person, or puts a newer token in the place of an older one: `signed_in` if they gave it themselves, else an
    /// operator did. Answers whether they are new here.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is changed.
    pub async fn put_token(
        &mut self,
        id: PersonId,
        login: &str,
        new: &NewToken<'_>,
        signed_in: bool,
        now: Moment,
    ) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"/* put_token: only a row that was there has been locked for it */
            INSERT INTO people (id, login, token, token_expires_at, refresh_token, refresh_expires_at, refresh_due_at,
                                scopes, signed_in, added_at, checked_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
            ON CONFLICT (id) DO UPDATE SET login = $2, token = $3, token_state = 'ok', token_reason = NULL,
                token_expires_at = $4, refresh_token = $5, refresh_expires_at = $6, refresh_due_at = $7, scopes = $8,
                signed_in = $9, checked_at = $10, token_version = gen_random_uuid(), refresh_sent_at = NULL,
                refresh_lease = NULL, refresh_lease_until = NULL, refused_at = NULL
            RETURNING xmax = 0 AS "new!""#,
            id.0,
            login,
            new.token,
            new.expires_at,
            new.refresh_token,
            new.refresh_expires_at,
            new.refresh_due_at,
            new.scopes,
            signed_in,
            now
        )
        .fetch_one(self.connection())
        .await?)
    }
}

impl Store {
    /// One person.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn person(&self, id: PersonId) -> Result<Option<Person>, StoreError> {
        Ok(sqlx::query_as!(Person, "/* person */ SELECT * FROM people WHERE id = $1", id.0)
            .fetch_optional(&self.work)
            .await?)
    }

    /// People of this login, in any case; more than one if an account was renamed and the name taken.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn people_by_login(&self, login: &str) -> Result<Vec<Person>, StoreError> {
        Ok(sqlx::query_as!(
            Person,
            "/* people_by_login */ SELECT * FROM people WHERE lower(login) = lower($1) ORDER BY checked_at DESC LIMIT 10",
            login
        )
        .fetch_all(&self.work)
        .await?)
    }

    /// A page of people by account number.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn people(&self, after: Option<i64>, limit: i64) -> Result<Vec<Person>, StoreError> {
        Ok(sqlx::query_as!(
            Person,
            "/* people */ SELECT * FROM people WHERE ($1::bigint IS NULL OR id > $1) ORDER BY id LIMIT $2",
            after,
            limit
        )
        .fetch_all(&self.work)
        .await?)
    }

    /// Removes a person, the token and the consents. Answers whether there was one.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is changed.
    pub async fn remove_person(&self, id: PersonId) -> Result<bool, StoreError> {
        Ok(sqlx::query!("/* remove_person */ DELETE FROM people WHERE id = $1", id.0)
            .execute(&self.work)
            .await?
            .rows_affected()
            == 1)
    }

    /// Replaces the sealed form of the same pair, if nobody has put a newer one meanwhile. A refresh on its way is not
    /// disturbed.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is changed.
    pub async fn reseal_token(
        &self,
        id: PersonId,
        version: Uuid,
        token: Option<&[u8]>,
        refresh_token: Option<&[u8]>,
    ) -> Result<bool, StoreError> {
        Ok(sqlx::query!(
            "/* reseal_token: compare and set */
            UPDATE people SET token = $3, refresh_token = $4
            WHERE id = $1 AND token_version = $2 AND token IS NOT NULL",
            id.0,
            version,
            token,
            refresh_token
        )
        .execute(&self.work)
        .await?
        .rows_affected()
            == 1)
    }

    /// Records that a person agrees that a rule runs with their token.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is changed.
    pub async fn give_consent(&self, id: PersonId, rule: &str, now: Moment) -> Result<(), StoreError> {
        sqlx::query!(
            "/* give_consent */ INSERT INTO consents (person_id, rule, given_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            id.0,
            rule,
            now
        )
        .execute(&self.work)
        .await?;
        Ok(())
    }

    /// The rules a person has agreed to.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn consents(&self, id: PersonId) -> Result<Vec<String>, StoreError> {
        Ok(sqlx::query_scalar!("/* consents */ SELECT rule FROM consents WHERE person_id = $1 ORDER BY rule", id.0)
            .fetch_all(&self.work)
            .await?)
    }

    /// Takes an agreement back. Answers whether there was one.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn withdraw_consent(&self, id: PersonId, rule: &str) -> Result<bool, StoreError> {
        let withdrawn =
            sqlx::query!("/* withdraw_consent */ DELETE FROM consents WHERE person_id = $1 AND rule = $2", id.0, rule)
                .execute(&self.work)
                .await?;
        Ok(withdrawn.rows_affected() > 0)
    }

    /// The people who have agreed to a rule, the first to agree first.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn people_who_agreed(&self, rule: &str) -> Result<Vec<Person>, StoreError> {
        Ok(sqlx::query_as!(
            Person,
            "/* people_who_agreed */ SELECT p.* FROM people p JOIN consents c ON c.person_id = p.id WHERE c.rule = $1
            ORDER BY c.given_at, p.id LIMIT 10",
            rule
        )
        .fetch_all(&self.work)
        .await?)
    }

    /// The rules that each of these people has agreed to.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn consents_of(&self, people: &[PersonId]) -> Result<Vec<(PersonId, String)>, StoreError> {
        let ids: Vec<i64> = people.iter().map(|id| id.0).collect();
        let rows = sqlx::query!(
            "/* consents_of */ SELECT person_id, rule FROM consents WHERE person_id = ANY($1) ORDER BY person_id, rule",
            &ids
        )
        .fetch_all(&self.work)
        .await?;
        Ok(rows.into_iter().map(|row| (row.person_id, row.rule)).collect())
    }

    /// The stored proof of the sealing key; the first caller's is kept.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn vault_proof(&self, candidate: &[u8]) -> Result<Vec<u8>, StoreError> {
        sqlx::query!("/* vault_proof */ INSERT INTO vault_proof (proof) VALUES ($1) ON CONFLICT DO NOTHING", candidate)
            .execute(&self.work)
            .await?;
        Ok(sqlx::query_scalar!("/* vault_proof */ SELECT proof FROM vault_proof").fetch_one(&self.work).await?)
    }

    /// Whether anything was ever sealed for this database.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn has_vault_proof(&self) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar!(r#"/* has_vault_proof */ SELECT EXISTS (SELECT FROM vault_proof) AS "there!""#)
            .fetch_one(&self.work)
            .await?)
    }

    /// Replaces the proof after everything was sealed anew.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is changed.
    pub async fn replace_vault_proof(&self, proof: &[u8]) -> Result<(), StoreError> {
        sqlx::query!("/* replace_vault_proof */ UPDATE vault_proof SET proof = $1", proof).execute(&self.work).await?;
        Ok(())
    }
}

impl Tx {
    /// Whether a person has a token that GitHub has not refused and that has not ended.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn has_usable_token(&mut self, id: PersonId, now: Moment) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"/* has_usable_token */
            SELECT EXISTS (SELECT FROM people WHERE id = $1 AND token IS NOT NULL AND token_state = 'ok'
                             AND (token_expires_at IS NULL OR token_expires_at > $2
                                  OR refresh_token IS NOT NULL AND coalesce(refresh_expires_at, 'infinity') > $2)
                          ) AS "usable!""#,
            id.0,
            now
        )
        .fetch_one(self.connection())
        .await?)
    }
}
