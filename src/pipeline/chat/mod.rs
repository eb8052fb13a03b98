//! What is said to us in a chat: who says it, as which person, and where the work is to be done. What is left then goes
//! the way of every other event. Answers are seen by the one who asked alone.

mod follow_up;
/// An app that its chat no longer lets in.
pub(super) mod gone;
mod help;
mod own;
/// Tokens that end and are renewed.
pub mod rotation;
/// What a chat sends through a socket that we open.
pub mod socket;
mod talk;

pub(super) use follow_up::Reply;
use help::help;
pub(super) use talk::{Hearing, no_such_repo};
use talk::{NOT_LINKED, Talk, account, repo_of};

use super::bridge::ChannelUsual;
use super::sort::{Heard, Said};
use super::{Bridge, Live, StepError, links};
use crate::chat::slack::form::{FormNote, Prefilled};
use crate::domain::chat::ChatSaid;
use crate::domain::command::{Command, place};
use crate::github::RepoPath;
use crate::store::deliveries::ClaimedDelivery;
use crate::store::people::Person;

/// Hears what was said.
///
/// # Errors
/// [`StepError`]: retry.
pub(super) async fn hear(
    bridge: &Bridge,
    live: &Live,
    delivery: &ClaimedDelivery,
    heard: &Heard,
) -> Result<Option<Hearing>, StepError> {
    let Some(chat) = heard.event.chat.as_deref() else { return Ok(None) };
    let talk = Talk { bridge, live, delivery: delivery.id, heard_at: delivery.received_at, event: &heard.event, chat };
    let person = match links::person_of(bridge, &chat.identity).await? {
        Some(id) => bridge.store.person(id).await?,
        None => None,
    };
    // What stands in the thread of a task is meant for its agent, unless it is one of our own words.
    if matches!(heard.said, Said::Command(_) | Said::Answer(_))
        && let Some(hearing) = follow_up::follow_up(&talk, person.as_ref()).await?
    {
        return Ok(Some(hearing));
    }
    Ok(Some(match &heard.said {
        Said::Nothing => Hearing::Silent("nothing that is said to taskbridge".to_owned()),
        Said::Answer(text) => talk.answer("answered: it could not be understood", text.clone()),
        Said::Help => talk.answer("answered: help", help(&talk, person.as_ref()).await),
        Said::Form => open_form(&talk, person.as_ref()).await?,
        Said::Own(own) => own::act(&talk, own, person.as_ref()).await?,
        Said::Command(command) => work(&talk, command, person.as_ref()).await?,
    }))
}

async fn open_form(talk: &Talk<'_>, person: Option<&Person>) -> Result<Hearing, StepError> {
    if person.is_none() {
        return Ok(talk.ask_to_link(NOT_LINKED, false));
    }
    let place = &talk.chat.place;
    let (command, prompt) = match &talk.chat.said {
        ChatSaid::Command { name, .. } => (name.clone(), String::new()),
        ChatSaid::Chosen { text } => (String::new(), text.clone()),
        ChatSaid::Button { .. } | ChatSaid::Form(_) => (String::new(), String::new()),
    };
    let source = talk.live.sources.get(&talk.event.source);
    let (Some(side), Some(opens)) = (source.and_then(|source| source.chat.as_ref()), &talk.chat.opens) else {
        return Ok(talk.answer("answered: help", help(talk, person).await));
    };
    let usual = side.channels.get(&place.channel);
    let note = FormNote {
        channel: place.channel.clone(),
        thread: place.thread.clone(),
        thread_stands: place.thread_stands,
        command,
        has_base: usual.is_some_and(|usual| usual.base_ref.is_some()),
    };
    let filled = Prefilled {
        repo: usual.and_then(|usual| usual.repo.clone()),
        prompt,
        base: usual.and_then(|usual| usual.base_ref.clone()),
        model: usual.and_then(|usual| usual.model.clone()),
    };
    let opened = match rotation::speak(talk.bridge, &talk.event.source, side).await? {
        Ok(voice) => {
            let opened = voice.platform().open(opens, &note, &filled).await;
            if let Err(error) = &opened {
                voice.refused(talk.bridge, &talk.event.source, error).await?;
            }
            opened
        }
        Err(error) => Err(error),
    };
    Ok(match opened {
        Ok(()) => Hearing::Silent("the form was opened".to_owned()),
        Err(error) => {
            tracing::warn!(delivery = %talk.delivery, %error, "a form could not be opened");
            let text = format!("The form could not be opened ({error}). {}", help(talk, person).await);
            talk.answer(&format!("the form could not be opened: {error}"), text)
        }
    })
}

/// Work that somebody wants done.
async fn work(talk: &Talk<'_>, command: &Command, person: Option<&Person>) -> Result<Hearing, StepError> {
    let Some(person) = person else { return Ok(talk.ask_to_link(NOT_LINKED, true)) };
    let source = talk.live.sources.get(&talk.event.source).and_then(|source| source.chat.as_ref());
    let usual = source.and_then(|side| side.channels.get(&talk.chat.place.channel));
    let said = match &talk.chat.said {
        ChatSaid::Command { text, .. } => place::repo_of(text, &talk.event.host).ok().and_then(|(repo, _)| repo),
        ChatSaid::Form(form) => Some(form.repo.clone()),
        ChatSaid::Button { .. } | ChatSaid::Chosen { .. } => None,
    };
    let Some(repo) = said.or_else(|| usual.and_then(|usual| usual.repo.clone())) else {
        let text =
            "Say where: `repo:owner/name`, or a link into the repository. This channel has no repository of its own.";
        return Ok(talk.answer("no repository was named", text));
    };
    let Ok(path) = repo.parse::<RepoPath>() else {
        return Ok(talk.answer("no repository was named", "A repository is written `repo:owner/name`."));
    };
    let repo = match repo_of(talk, &path, person).await? {
        Ok(repo) => repo,
        Err(hearing) => return Ok(hearing),
    };
    let mut event = talk.event.clone();
    event.actor = Some(account(person));
    let mut command = command.clone();
    // A branch is one of the channel's own repository, if it has one.
    let is_own =
        |usual: &ChannelUsual| usual.repo.as_ref().is_none_or(|own| own.eq_ignore_ascii_case(&path.to_string()));
    match (&talk.chat.said, usual) {
        (ChatSaid::Form(form), _) if form.base_emptied => command.base = repo.default_branch.clone(),
        // All that the channel says stood in the form; its branch is not meant where another repository was written.
        (ChatSaid::Form(form), Some(usual)) if !form.without_channel => {
            command.base = command.base.filter(|base| is_own(usual) || usual.base_ref.as_ref() != Some(base));
        }
        (_, Some(usual)) => {
            command.base = command.base.or_else(|| usual.base_ref.clone().filter(|_| is_own(usual)));
            command.model = command.model.or_else(|| usual.model.clone());
        }
        (_, None) => {}
    }
    event.repo = Some(repo);
    Ok(Hearing::Rules(Box::new(event), command))
}

/// Lets wishes go on whose account has been linked.
///
/// # Errors
/// [`StepError`]: retry.
pub async fn match_linked(bridge: &Bridge) -> Result<usize, StepError> {
    let wishes = bridge.store.chat_wishes_to_match(bridge.ground.now()).await?;
    for &delivery in &wishes {
        // False when it goes on already: another replica was first, or its body is no longer kept.
        bridge.store.replay_delivery(delivery, bridge.ground.now()).await?;
        bridge.store.drop_chat_wish(delivery).await?;
    }
    if !wishes.is_empty() {
        bridge.wake.deliveries.notify_one();
    }
    Ok(wishes.len())
}
