//! Who may, looked up live and by account number; and what is our own doing and must start nothing.
//! What cannot be looked up is refused, never assumed.

use super::asked::Asked;
use super::installed::{Reach, reach};
use super::people::{NoReader, NoToken, forget_dead, reader, reader_and_token};
use super::token_ended::refuse;
use super::{Bridge, StepError};
use crate::domain::event::{Account, AccountKind, Event};
use crate::domain::rule::{Allow, Permission};
use crate::domain::trust::Footer;
use crate::github::{CallError, Next, RepoPath, Session};
use crate::ids::PersonId;
use crate::store::refreshes::Refusal;
use crate::store::{Moment, StoreError};

/// The purpose of the key that authenticates the footers of our comments.
pub const FOOTER_KEY: &str = "comment footer";

/// Why it is looked up again a little later.
pub(super) const RENEWED_FIRST: &str = "GitHub refused a token that is renewed before it is used again";

/// Something could not be looked up now; later it may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Later {
    /// Why, in words.
    pub why: String,
    /// Not before this time, if GitHub named one.
    pub until: Option<Moment>,
}

impl Later {
    /// For a reason that names no time.
    #[must_use]
    pub fn soon(why: &str) -> Self {
        Self { why: why.to_owned(), until: None }
    }
}

impl From<&CallError> for Later {
    fn from(error: &CallError) -> Self {
        let until = match error {
            CallError::Limited { until, .. } | CallError::Away { until } => Some(*until),
            _ => None,
        };
        Self { why: error.for_person(), until }
    }
}

impl From<&StoreError> for Later {
    fn from(error: &StoreError) -> Self {
        Self { why: error.to_string(), until: None }
    }
}

/// What the look-up of a right says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum May {
    /// The actor may, and why.
    Yes(String),
    /// The actor may not: what is needed, what was seen, and whether it is somebody who works there (and
    /// may so be told).
    No {
        /// What would be needed.
        needs: String,
        /// What the actor has.
        saw: String,
        /// Whether the actor can at least triage there.
        insider: bool,
    },
    /// It could not be looked up now; later it may.
    Later(Later),
    /// There is nothing to look it up with: no App there, and no token of the actor.
    NoReader(String),
}

/// Whether `actor` may do what `allow` guards in `repo`. What was asked for the same delivery is not asked again.
pub async fn may(bridge: &Bridge, asked: &Asked, allow: &Allow, repo: &RepoPath, actor: &Account) -> May {
    let (session, own) = match reader_and_token(bridge, repo, PersonId(actor.id)).await {
        Ok(reader) => reader,
        Err(NoReader::Token(NoToken::Store(error))) => return May::Later(Later::from(&error)),
        Err(NoReader::Token(error)) => return May::NoReader(error.to_string()),
        Err(NoReader::Call(error)) => return May::Later(Later::from(&error)),
    };
    match ask(bridge, &session, asked, allow, repo, actor).await {
        Ok(answer) => answer,
        Err(error) if forget_dead(bridge, &session, &error).await => {
            May::Later(Later::soon("GitHub no longer accepts the App's token; a new one is asked for"))
        }
        Err(error) if error.next() == Next::AskPerson => {
            if let Some(sealed) = own {
                match refuse(bridge, PersonId(actor.id), &sealed, &error).await {
                    Ok(Refusal::Ended) => {}
                    Ok(Refusal::Renewable | Refusal::Newer) => return May::Later(Later::soon(RENEWED_FIRST)),
                    Err(error) => return May::Later(Later { why: error.to_string(), until: None }),
                }
            }
            May::NoReader("GitHub no longer accepts the token that the right would be looked up with".to_owned())
        }
        Err(error) if error.next() == Next::GiveUp => {
            if own.is_some() {
                match reach(bridge, PersonId(actor.id), repo, true).await {
                    Ok(Reach::Gone(why)) => return May::NoReader(why),
                    Ok(Reach::There | Reach::Unknown) => {}
                    Err(error) => return May::Later(Later::from(&error)),
                }
            }
            May::No {
                needs: needs(allow),
                saw: format!("the right could not be read: {}", error.for_person()),
                insider: false,
            }
        }
        Err(error) => May::Later(Later::from(&error)),
    }
}

async fn ask(
    bridge: &Bridge,
    session: &Session,
    asked: &Asked,
    allow: &Allow,
    repo: &RepoPath,
    actor: &Account,
) -> Result<May, CallError> {
    if allow.people.iter().any(|person| person.id == Some(actor.id)) {
        return Ok(May::Yes(format!("@{} is named in allow.people by account number", actor.login)));
    }
    if allow.people.iter().any(|person| person.id.is_none() && person.login.eq_ignore_ascii_case(&actor.login)) {
        // A login can change hands. If we know whose it was, the number decides.
        match bridge.store.people_by_login(&actor.login).await {
            Err(error) => return Ok(May::Later(Later::from(&error))),
            Ok(known) if known.is_empty() || known.iter().any(|person| person.id.0 == actor.id) => {
                return Ok(May::Yes(format!("@{} is named in allow.people", actor.login)));
            }
            Ok(_) => {}
        }
    }
    let mut saw = Vec::new();
    let mut insider = false;
    // Everything below is looked up by login: it must still be the actor's.
    let mut same_account = None;
    let says_nothing = allow.teams.is_empty() && allow.people.is_empty() && allow.sources.is_empty();
    if allow.permission.is_some() || says_nothing {
        let needed = allow.permission.unwrap_or(Permission::Write);
        let answer = asked.permission(session, repo, &actor.login).await?;
        same_account = answer.user_id.map(|id| id == actor.id);
        if same_account == Some(false) {
            saw.push(someone_else(actor));
        } else if answer.permission >= needed {
            return Ok(May::Yes(format!("@{} has {} on {repo}", actor.login, word(answer.permission))));
        } else {
            insider = answer.permission >= Permission::Triage;
            saw.push(format!("@{} has {} on {repo}", actor.login, word(answer.permission)));
        }
    }
    if same_account.is_none() && !allow.teams.is_empty() {
        same_account = Some(asked.user_id(session, &actor.login).await? == Some(actor.id));
        if same_account == Some(false) {
            saw.push(someone_else(actor));
        }
    }
    for team in allow.teams.iter().filter(|_| same_account != Some(false)) {
        let Some(parts) = team.split_once('/') else { continue };
        if asked.team_member(session, parts, &actor.login).await? {
            return Ok(May::Yes(format!("@{} is in the team {team}", actor.login)));
        }
        saw.push(format!("@{} is not in the team {team}", actor.login));
    }
    if saw.is_empty() {
        saw.push(format!("@{} is not named", actor.login));
    }
    Ok(May::No { needs: needs(allow), saw: saw.join("; "), insider })
}

fn someone_else(actor: &Account) -> String {
    format!("the login @{} now belongs to another account", actor.login)
}

/// What `allow` asks of a person, in words.
pub(super) fn needs(allow: &Allow) -> String {
    let mut ways = Vec::new();
    if let Some(permission) = allow.permission {
        ways.push(format!("{} on the repository", word(permission)));
    }
    ways.extend(allow.teams.iter().map(|team| format!("membership of {team}")));
    if !allow.people.is_empty() {
        ways.push("being named in allow.people".to_owned());
    }
    match ways.as_slice() {
        [] if allow.sources.is_empty() => "write on the repository".to_owned(),
        [] => "another rule: this one is for the sources under allow.sources alone".to_owned(),
        _ => ways.join(", or "),
    }
}

/// What it takes to approve what `allow` let in: to be let in oneself, and to write.
pub(super) fn approval_needs(allow: &Allow) -> String {
    let names_some = !allow.teams.is_empty() || !allow.people.is_empty();
    match allow.permission {
        Some(permission) if permission <= Permission::Write => "write on the repository".to_owned(),
        Some(_) if !names_some => needs(allow),
        _ => format!("write on the repository together with {}", needs(allow)),
    }
}

fn word(permission: Permission) -> &'static str {
    match permission {
        Permission::None => "no permission",
        Permission::Read => "read",
        Permission::Triage => "triage",
        Permission::Write => "write",
        Permission::Maintain => "maintain",
        Permission::Admin => "admin",
    }
}

/// Whether the account that wrote a text could have started the task itself. When in doubt: no.
pub async fn could_have_started(
    bridge: &Bridge,
    asked: &Asked,
    allow: &Allow,
    repo: &RepoPath,
    actor: &Account,
    author: &Account,
) -> bool {
    if author.id == actor.id {
        return true;
    }
    if author.kind != AccountKind::User {
        return false;
    }
    let Ok(session) = reader(bridge, repo, PersonId(actor.id)).await else { return false };
    match ask(bridge, &session, asked, allow, repo, author).await {
        Ok(answer) => matches!(answer, May::Yes(_)),
        Err(error) => {
            forget_dead(bridge, &session, &error).await;
            false
        }
    }
}

/// How the end of a delivery begins that tells of such a doing.
pub(super) const OWN_DOING: &str = "our own doing starts nothing";

/// Why an event is our own doing or the agent's, if it is: it then starts nothing.
///
/// # Errors
/// [`StepError::Store`]: retry.
pub async fn own_action(bridge: &Bridge, event: &Event) -> Result<Option<String>, StepError> {
    if let Some(actor) = &event.actor
        && bridge.settings.agent_ids.contains(&actor.id)
    {
        return Ok(Some(format!("@{} is the agent itself", actor.login)));
    }
    if let Some(comment) = &event.comment {
        let ours = bridge.github.app().is_some_and(|app| comment.via_app == Some(app.id()));
        if ours {
            return Ok(Some("the comment was written by this installation's App".to_owned()));
        }
        let keys = bridge.vault.subkeys(FOOTER_KEY);
        if keys.iter().any(|key| Footer::verify(key.expose(), &comment.body).is_some()) {
            return Ok(Some("the comment carries the footer of this installation".to_owned()));
        }
    }
    if let (Some(label), Some(repo), Some(number)) =
        (&event.label, &event.repo, event.subject.as_ref().and_then(|subject| subject.number))
        && bridge.store.labels_are_ours(repo.id, number, &label.name).await?
    {
        return Ok(Some(format!("the label {} is one that this installation sets", label.name)));
    }
    Ok(None)
}
