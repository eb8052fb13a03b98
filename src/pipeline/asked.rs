//! What GitHub was asked about rights for one delivery: the same question is asked once. Nothing is kept for the next one,
//! because rights change, and whoever lost one must not start a task with it a moment later.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::github::{CallError, PermissionAnswer, RepoPath, Session};

/// The questions of one delivery, all asked with the same token, and GitHub's answers. Errors are no answers.
#[derive(Debug, Default)]
pub struct Asked(Mutex<Answers>);

#[derive(Debug, Default)]
struct Answers {
    permissions: HashMap<(String, String), PermissionAnswer>,
    accounts: HashMap<String, Option<i64>>,
    members: HashMap<(String, String), bool>,
}

impl Asked {
    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`Session::permission`].
    pub(super) async fn permission(
        &self,
        session: &Session,
        repo: &RepoPath,
        login: &str,
    ) -> Result<PermissionAnswer, CallError> {
        let question = (repo.to_string(), login.to_owned());
        let known = self.answers().permissions.get(&question).copied();
        if let Some(known) = known {
            return Ok(known);
        }
        let answer = session.permission(repo, login).await?;
        self.answers().permissions.insert(question, answer);
        Ok(answer)
    }

    /// As [`Session::user_id`].
    pub(super) async fn user_id(&self, session: &Session, login: &str) -> Result<Option<i64>, CallError> {
        let known = self.answers().accounts.get(login).copied();
        if let Some(known) = known {
            return Ok(known);
        }
        let answer = session.user_id(login).await?;
        self.answers().accounts.insert(login.to_owned(), answer);
        Ok(answer)
    }

    /// As [`Session::team_member`], of a team as `org/slug`.
    pub(super) async fn team_member(
        &self,
        session: &Session,
        (org, slug): (&str, &str),
        login: &str,
    ) -> Result<bool, CallError> {
        let question = (format!("{org}/{slug}"), login.to_owned());
        let known = self.answers().members.get(&question).copied();
        if let Some(known) = known {
            return Ok(known);
        }
        let answer = session.team_member(org, slug, login).await?;
        self.answers().members.insert(question, answer);
        Ok(answer)
    }
}
