//! One thing said in a chat, with what is needed to answer it, and what can come of it.

use crate::domain::chat::Chat;
use crate::domain::command::Command;
use crate::domain::event::{Account, AccountKind, Event, Repo};
use crate::domain::identity::Identity;
use crate::github::{CallError, RepoPath};
use crate::ids::DeliveryId;
use crate::pipeline::asked::Asked;
use crate::pipeline::find_repo::{Seen, see_repo};
use crate::pipeline::guard::Later;
use crate::pipeline::own_words::Asker;
use crate::pipeline::whisper::{Whisper, whisper};
use crate::pipeline::{Bridge, Live, StepError};
use crate::store::Moment;
use crate::store::people::Person;
use crate::store::reports::NewReport;

/// Whom nobody knows.
pub(super) const NOT_LINKED: &str =
    "This account is not linked to a GitHub account yet. Tasks run as the person who asks, so sign in first.";

/// Whose sign-in has ended.
pub(super) const AGAIN: &str =
    "GitHub does not accept your sign-in any more. Sign in again, and what you asked for goes on.";

/// What is to be done about it.
pub(in crate::pipeline) enum Hearing {
    /// The rules decide: the event with its person and repository, and what is wanted.
    Rules(Box<Event>, Command),
    /// It has ended: why, whom to tell what, and whose wish is kept.
    Ended { reason: String, tell: Vec<NewReport>, wish: Option<Identity> },
    /// It has ended, and there is nothing to say.
    Silent(String),
    /// GitHub could not be asked.
    Later(Later),
}

/// One thing said, with what is needed to answer it.
pub(super) struct Talk<'a> {
    pub(super) bridge: &'a Bridge,
    pub(super) live: &'a Live,
    pub(super) delivery: DeliveryId,
    pub(super) heard_at: Moment,
    pub(super) event: &'a Event,
    pub(super) chat: &'a Chat,
}

impl Talk<'_> {
    /// Whether the one who asks is answered alone.
    pub(super) fn alone(&self) -> bool {
        let side = self.live.sources.get(&self.event.source).and_then(|source| source.chat.as_ref());
        side.is_some_and(|side| !side.platform.answers_at_the_door())
    }

    /// The one who said it, to ask about tasks.
    pub(super) fn asker<'a>(&'a self, who: &'a Account) -> Asker<'a> {
        Asker {
            bridge: self.bridge,
            who,
            asked: Asked::default(),
            said: self.event,
            heard_at: self.heard_at,
            thread: None,
            alone: self.alone(),
        }
    }

    pub(super) fn answer(&self, reason: &str, text: impl Into<String>) -> Hearing {
        self.tell(reason, "answer", &Whisper::words(text), None)
    }

    /// `nth` parts what is told before an account is linked from what is told of the same delivery afterwards.
    pub(super) fn tell(&self, reason: &str, nth: &str, what: &Whisper, wish: Option<Identity>) -> Hearing {
        let tell = vec![whisper(&self.bridge.ground, self.delivery, &self.chat.place, nth, what)];
        Hearing::Ended { reason: reason.to_owned(), tell, wish }
    }

    /// The account is linked to nobody, or to somebody without a token: what was asked is kept until it is.
    pub(super) fn ask_to_link(&self, text: &str, keep: bool) -> Hearing {
        let who = &self.chat.identity;
        let (reason, wish) = match keep {
            true => (format!("it waits until the {who} is linked to somebody with a token"), Some(who.clone())),
            false => (format!("the {who} is linked to nobody"), None),
        };
        let nth = if text == AGAIN { "again" } else { "link" };
        self.tell(&reason, nth, &Whisper::with_link(text, who), wish)
    }
}

/// The person as GitHub would name the one who did it.
pub(super) fn account(person: &Person) -> Account {
    Account { id: person.id.0, login: person.login.clone(), kind: AccountKind::User }
}

/// One and the same for what is not there and what may not be seen.
pub(in crate::pipeline) fn no_such_repo(path: &str) -> String {
    format!("There is no repository `{path}`, or you may not work in it.")
}

/// The repository as it is now, as the person sees it.
pub(super) async fn repo_of(
    talk: &Talk<'_>,
    path: &RepoPath,
    person: &Person,
) -> Result<Result<Repo, Hearing>, StepError> {
    Ok(match see_repo(talk.bridge, path, person.id).await? {
        Seen::There(info) => Ok(Repo {
            id: info.id,
            owner: info.path.owner().to_owned(),
            name: info.path.name().to_owned(),
            default_branch: Some(info.default_branch),
            private: info.private,
            fork: info.fork,
        }),
        // Kept, so that the wish waits for another token.
        Seen::NoToken => Err(talk.ask_to_link(AGAIN, true)),
        Seen::NoApp(why) => {
            let text = format!("Nothing was started: {why}. Then ask once more.");
            Err(talk.answer("the App is not installed there", text))
        }
        Seen::Unreadable(error) => Err(talk.answer(&unreadable(path, &error), no_such_repo(&path.to_string()))),
        Seen::Later(later) => Err(Hearing::Later(later)),
    })
}

fn unreadable(path: &RepoPath, error: &CallError) -> String {
    format!("{path} could not be read: {}", error.for_person())
}
