//! Who somebody is and what they may do: asked of GitHub, because what a payload says of its author is not enough.

use reqwest::StatusCode;
use serde::Deserialize;

use super::answer::ONE;
use super::error::CallError;
use super::paths::RepoPath;
use super::session::Session;
use crate::domain::rule::Permission;

/// What an account may do in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PermissionAnswer {
    /// The permission.
    pub permission: Permission,
    /// The number of the account that was answered about: compare it, the login may have changed hands.
    pub user_id: Option<i64>,
}

/// Whom a token belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Me {
    /// The number that never changes.
    pub id: i64,
    /// The name of today.
    pub login: String,
}

#[derive(Deserialize)]
struct Collaborator {
    permission: String,
    #[serde(default)]
    role_name: String,
    user: Option<User>,
}

#[derive(Deserialize)]
struct User {
    id: i64,
}

#[derive(Deserialize)]
struct Membership {
    state: String,
}

impl Session {
    /// What `login` may do in `repo`.
    ///
    /// # Errors
    /// See [`CallError`]. On any error the answer is not known: refuse, never assume.
    pub async fn permission(&self, repo: &RepoPath, login: &str) -> Result<PermissionAnswer, CallError> {
        let url = self.url(&["repos", repo.owner(), repo.name(), "collaborators", login, "permission"])?;
        let answer: Collaborator = self.get(url, ONE).await?.json(StatusCode::OK)?;
        let permission = rank(&answer.permission, &answer.role_name);
        Ok(PermissionAnswer { permission, user_id: answer.user.map(|user| user.id) })
    }

    /// Whether `login` is an active member of a team (an invitation not yet accepted is none).
    ///
    /// # Errors
    /// See [`CallError`]. A team that this token may not see answers as "no member".
    pub async fn team_member(&self, org: &str, slug: &str, login: &str) -> Result<bool, CallError> {
        let url = self.url(&["orgs", org, "teams", slug, "memberships", login])?;
        match self.get(url, ONE).await {
            Ok(answer) => Ok(answer.json::<Membership>(StatusCode::OK)?.state == "active"),
            Err(CallError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The number of the account that has the name `login` today; none if nobody has it.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn user_id(&self, login: &str) -> Result<Option<i64>, CallError> {
        match self.get(self.url(&["users", login])?, ONE).await {
            Ok(answer) => Ok(Some(answer.json::<User>(StatusCode::OK)?.id)),
            Err(CallError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether `login` is a member of an organization, as far as this token may see.
    ///
    /// # Errors
    /// See [`CallError`]. [`CallError::Moved`]: the token's owner is no member and may see public members only.
    pub async fn org_member(&self, org: &str, login: &str) -> Result<bool, CallError> {
        match self.get(self.url(&["orgs", org, "members", login])?, ONE).await {
            Ok(answer) => answer.expect(&[StatusCode::NO_CONTENT]).map(|()| true),
            Err(CallError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whose token this is. Ask after every sign-in: the person may have changed accounts.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn me(&self) -> Result<Me, CallError> {
        self.get(self.url(&["user"])?, ONE).await?.json(StatusCode::OK)
    }
}

/// GitHub folds `triage` into `read` and `maintain` into `write`, and tells the real one as the role's name. Any
/// other role (organizations make their own) counts as what it is folded into; an unknown word counts as nothing.
fn rank(permission: &str, role: &str) -> Permission {
    match (permission, role) {
        ("admin", _) => Permission::Admin,
        ("write" | "maintain", "maintain") | ("maintain", _) => Permission::Maintain,
        ("write", _) => Permission::Write,
        ("read" | "triage", "triage") | ("triage", _) => Permission::Triage,
        ("read", _) => Permission::Read,
        _ => Permission::None,
    }
}
