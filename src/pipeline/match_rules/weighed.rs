//! What becomes of a delivery, and how somebody is told of it on GitHub although nothing starts.

use super::concern::Concern;
use crate::domain::event::{Account, Event};
use crate::domain::intent;
use crate::github::RepoPath;
use crate::ids::{PersonId, ReportId};
use crate::pipeline::Bridge;
use crate::pipeline::decide::{Notice, Settled, notice_key};
use crate::pipeline::guard::Later;
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
