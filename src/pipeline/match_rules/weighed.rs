//! What becomes of a delivery, and how somebody is told of it, on GitHub or in a chat, although nothing starts.

use super::concern::Concern;
use crate::domain::event::{Account, Event};
use crate::domain::intent;
use crate::github::RepoPath;
use crate::ids::{PersonId, ReportId};
use crate::pipeline::decide::{Notice, Settled, notice_key};
use crate::pipeline::guard::Later;
use crate::pipeline::whisper::{Whisper, whisper};
use crate::pipeline::{Bridge, StepError};
use crate::store::reports::{NewReport, ReportKind};

/// What became of a delivery.
pub(super) enum Weighed {
    /// It is to be ended so.
    Settled(Box<Settled>),
    /// GitHub could not be asked.
    Later(Later),
}

pub(super) fn actor_and_repo(event: &Event) -> Option<(&Account, RepoPath)> {
    let (actor, repo) = (event.actor.as_ref()?, event.repo.as_ref()?);
    Some((actor, RepoPath::new(&repo.owner, &repo.name).ok()?))
}

/// What makes a notice one, through whichever hook its event came.
pub(super) fn told_as(concern: &Concern, what: &str) -> String {
    let [wish, _] = intent::keys(what, &concern.heard.event, &concern.delivery.sender_id);
    notice_key(&wish)
}

/// What the one who asked in a chat is told alone; `nth` tells several of one delivery apart.
pub(super) fn told_alone(bridge: &Bridge, concern: &Concern, nth: &str, text: impl Into<String>) -> Option<Notice> {
    let chat = concern.heard.event.chat.as_ref()?;
    let place = whisper(&bridge.ground, concern.delivery.id, &chat.place, nth, &Whisper::words(text));
    Some(Notice { place })
}

/// Tells the one who asked in a chat, the first time, that it waits for GitHub: whoever hears nothing asks again and again.
pub(super) async fn tell_kept(bridge: &Bridge, concern: &Concern) -> Result<(), StepError> {
    let text = "GitHub could not be asked what this needs. It is kept, and goes on by itself when GitHub answers, for a day at most.";
    let Some(Notice { place }) = told_alone(bridge, concern, "later", text) else { return Ok(()) };
    if bridge.store.is_told(&place.dedupe).await? {
        return Ok(());
    }
    let mut tx = bridge.store.begin().await?;
    tx.tell(&place, bridge.ground.now()).await?;
    tx.commit().await?;
    bridge.wake.tell();
    Ok(())
}

pub(super) fn notice(bridge: &Bridge, concern: &Concern, what: &str, content: String) -> Option<Notice> {
    let event = &concern.heard.event;
    let (repo, number) = (event.repo.as_ref()?, event.subject.as_ref()?.number?);
    Some(Notice {
        place: NewReport {
            id: ReportId::new(&bridge.ground),
            task_id: None,
            delivery_id: Some(concern.delivery.id),
            kind: ReportKind::Notice,
            dedupe: told_as(concern, what),
            repo_id: repo.id,
            repo_owner: repo.owner.clone(),
            repo_name: repo.name.clone(),
            subject_number: number,
            comment_id: None,
            comment_on_diff: false,
            person_id: event.actor.as_ref().map(|actor| PersonId(actor.id)),
            content,
            chat: None,
        },
    })
}
