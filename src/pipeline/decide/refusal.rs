//! Telling that nothing was started, and why.

use super::settled::Plan;
use crate::clock::Ground;
use crate::ids::ReportId;
use crate::pipeline::whisper::{Whisper, whisper};
use crate::store::reports::{NewReport, ReportKind};

/// What is told of a wish that a guard refused, if there is somewhere to tell it.
pub(super) fn told(ground: &Ground, plan: &Plan, cause: &str) -> Option<NewReport> {
    let task = &plan.task;
    if let Some(place) = &task.chat {
        let text = format!("The rule `{}` did not start a task: {cause}.", task.rule);
        let nth = format!("refused:{}", task.rule);
        return Some(whisper(ground, task.delivery_id, place, &nth, &Whisper::words(text)));
    }
    if !task.report.comment {
        return None;
    }
    Some(NewReport {
        id: ReportId::new(ground),
        task_id: None,
        delivery_id: Some(task.delivery_id),
        kind: ReportKind::Notice,
        dedupe: notice_key(plan.intents.first()?),
        repo_id: task.origin_repo_id,
        repo_owner: task.origin_owner.clone(),
        repo_name: task.origin_name.clone(),
        subject_number: task.subject_number?,
        comment_id: None,
        comment_on_diff: false,
        person_id: Some(task.person_id),
        content: refusal_text(&task.actor_login, &task.rule, cause),
        chat: None,
    })
}

/// The text of a notice that says why nothing was started.
#[must_use]
pub fn refusal_text(actor: &str, rule: &str, cause: &str) -> String {
    format!("@{actor}, the rule `{rule}` did not start a task: {cause}.")
}

/// One notice a wish: a comment that two hooks tell of is answered once.
#[must_use]
pub fn notice_key(wish: &[u8; 32]) -> String {
    format!("notice:{}", hex::encode(wish))
}
