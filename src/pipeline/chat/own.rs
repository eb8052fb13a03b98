//! Our own commands and buttons in a chat: about the account itself, and what they do everywhere.

use super::talk::{AGAIN, Hearing, NOT_LINKED, Talk, account, no_such_repo, repo_of};
use crate::chat::address_in;
use crate::domain::chat::Address;
use crate::domain::command::{Own, OwnWord, place};
use crate::domain::rule::Allow;
use crate::github::RepoPath;
use crate::pipeline::StepError;
use crate::pipeline::guard::{May, may};
use crate::pipeline::links::{self, NotConfirmed};
use crate::pipeline::own_words::{Asker, NO_TASK, Unanswered, find, list, sees, steer_task, story};
use crate::pipeline::why_not::of_subject;
use crate::store::people::Person;

pub(super) async fn act(talk: &Talk<'_>, own: &Own, person: Option<&Person>) -> Result<Hearing, StepError> {
    let reason = format!("answered: {}", own.word.as_str());
    let argument = own.argument.as_deref();
    if own.word == OwnWord::Link {
        return link(talk, argument, person).await;
    }
    let Some(person) = person else { return Ok(talk.ask_to_link(NOT_LINKED, false)) };
    match said(talk, own.word, argument, person).await {
        Ok(Ok(text)) => Ok(talk.answer(&reason, text)),
        Ok(Err(hearing)) => Ok(hearing),
        Err(Unanswered::Later(later)) => Ok(Hearing::Later(later)),
        Err(Unanswered::Step(error)) => Err(error),
    }
}

/// The answer to somebody who is linked.
async fn said(
    talk: &Talk<'_>,
    word: OwnWord,
    argument: Option<&str>,
    person: &Person,
) -> Result<Result<String, Hearing>, Unanswered> {
    let who = account(person);
    let asker = talk.asker(&who);
    let text = match word {
        OwnWord::Status | OwnWord::List if argument.is_none() => {
            list(&asker, word == OwnWord::Status, talk.alone()).await?
        }
        // Of one task it says the same.
        OwnWord::Status | OwnWord::List | OwnWord::Why => {
            match argument.and_then(|word| place::subject_of(word, &talk.event.host)) {
                Some((repo, number)) => return about_subject(talk, &asker, person, &repo, number).await,
                None => match find(&asker, word, argument).await? {
                    Some(task) if sees(&asker, &task).await? => story(&asker, &task).await?,
                    _ => NO_TASK.to_owned(),
                },
            }
        }
        OwnWord::Retry | OwnWord::Cancel | OwnWord::Approve => match find(&asker, word, argument).await? {
            Some(task) => steer_task(&asker, word, &task).await?,
            None => NO_TASK.to_owned(),
        },
        OwnWord::Link | OwnWord::Unlink => match links::unlink(talk.bridge, &talk.chat.identity).await? {
            true => "This account is no longer linked to a GitHub account.".to_owned(),
            false => "This account was not linked.".to_owned(),
        },
    };
    Ok(Ok(text))
}

async fn link(talk: &Talk<'_>, code: Option<&str>, person: Option<&Person>) -> Result<Hearing, StepError> {
    if let Some(code) = code {
        let text = match links::confirm_link(talk.bridge, &talk.chat.identity, code).await {
            Ok(linked) => {
                let more = match linked.goes_on {
                    true => "What you asked for before goes on by itself.",
                    false => "What you ask for here runs as that account.",
                };
                format!("This account is linked to {} on GitHub now. {more}", linked.login)
            }
            Err(NotConfirmed::Store(error)) => return Err(error.into()),
            Err(why) => format!("That did not work: {why}. {} to begin anew.", write_here(talk, "link")),
        };
        return Ok(talk.answer("answered: a code", text));
    }
    let now = talk.bridge.ground.now();
    Ok(match person {
        Some(person) if person.usable_token(now).is_none() => talk.ask_to_link(AGAIN, false),
        Some(person) => talk.answer(
            "answered: linked already",
            format!(
                "This account is linked to {} on GitHub. {} to undo that.",
                person.login,
                write_here(talk, "unlink")
            ),
        ),
        None => talk.ask_to_link(NOT_LINKED, false),
    })
}

/// How a word of ours is written in this chat, at the start of a sentence.
fn write_here(talk: &Talk<'_>, word: &str) -> String {
    let typed = links::typed(talk.live, &talk.chat.identity, word);
    match address_in(talk.chat.identity.platform()) {
        Address::Command => format!("Write `{typed}`"),
        Address::Mention => format!("Mention me and write `{typed}`"),
    }
}

/// Why an issue or pull request led to what it did.
async fn about_subject(
    talk: &Talk<'_>,
    asker: &Asker<'_>,
    person: &Person,
    repo: &str,
    number: i64,
) -> Result<Result<String, Hearing>, Unanswered> {
    let Ok(path) = repo.parse::<RepoPath>() else { return Ok(Ok(no_such_repo(repo))) };
    let found = match repo_of(talk, &path, person).await? {
        Ok(found) => found,
        Err(hearing) => return Ok(Err(hearing)),
    };
    match may(talk.bridge, &asker.asked, &Allow::default(), &path, asker.who).await {
        May::Yes(_) => {}
        May::Later(later) => return Ok(Err(Hearing::Later(later))),
        May::No { .. } | May::NoReader(_) => return Ok(Ok(no_such_repo(repo))),
    }
    Ok(Ok(of_subject(asker, found.id, &found.full_name(), number).await?))
}
