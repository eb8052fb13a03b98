//! From a selected rule to a planned task: as whom it runs, whether the actor may, where the agent works,
//! and the exact prompt. What must be counted is left to the transaction in `decide`.

use super::concern::Concern;
use super::gate::{Gate, refused};
use super::runs_as::{RunsAs, runs_as, workplace};
use super::weighed::actor_and_repo;
use crate::domain::event::{Account, Event, SubjectKind};
use crate::domain::intent;
use crate::domain::rule::{HoldFor, Rule, RunAs, Trigger};
use crate::domain::task::State;
use crate::domain::trust::{Marker, clean_line};
use crate::github::RepoPath;
use crate::ids::TaskId;
use crate::pipeline::asked::Asked;
use crate::pipeline::bridge::LiveSource;
use crate::pipeline::decide::Plan;
use crate::pipeline::guard::{May, approval_needs, may};
use crate::pipeline::render_prompt::{NoPrompt, Prompt, render_prompt};
use crate::pipeline::sight::Sight;
use crate::pipeline::{Bridge, Live, StepError};
use crate::store::tasks::Hold;
use crate::store::tasks::make::NewTask;

/// Longest title or link in the story of another task, in characters.
const TOLD_LIMIT: usize = 300;

pub(super) async fn plan(
    bridge: &Bridge,
    live: &Live,
    concern: &Concern,
    sight: &Sight<'_>,
    rule: &Rule,
    position: usize,
) -> Result<Gate, StepError> {
    let event = &concern.heard.event;
    let plain = match sight.of(rule) {
        Ok(plain) => plain,
        Err(why) => return Ok(Gate::Failed(why)),
    };
    let asker = actor_and_repo(event);
    let names_actors = live.sources.get(&event.source).is_none_or(|source| source.source.names_actors());
    let (allowed, allow_pending) = match &asker {
        Some((actor, origin)) => match actor_may(bridge, &sight.asked, rule, event, actor, origin).await {
            Ok(allowed) => allowed,
            Err(gate) => return Ok(gate),
        },
        None if names_actors => {
            return Ok(refused("allow: the event names no repository, or nobody who did it", "", false));
        }
        None => match sender_may(rule, &event.source) {
            Ok(why) => (why, false),
            Err(gate) => return Ok(gate),
        },
    };
    let mut runs_as = match runs_as(bridge, rule, asker.as_ref().map(|(actor, _)| *actor)).await? {
        Ok(runs_as) => runs_as,
        Err(gate) => return Ok(gate),
    };
    let origin = asker.as_ref().map(|(_, origin)| origin);
    let (repo_id, path) = match workplace(bridge, rule, event, origin, &mut runs_as).await? {
        Ok(found) => found,
        Err(Gate::Later { later, .. }) => return Ok(Gate::Later { later, known: !allow_pending }),
        Err(gate) => return Ok(gate),
    };
    let prompt = match render_prompt(bridge, rule, sight, plain).await {
        Ok(prompt) => prompt,
        Err(NoPrompt::Failed(why)) => return Ok(Gate::Failed(why)),
        Err(NoPrompt::Refused(why)) => return Ok(refused(why, "", true)),
        Err(NoPrompt::Later(later)) => return Ok(Gate::Later { later, known: !allow_pending }),
    };
    let actor = asker.map(|(actor, _)| actor);
    let task = new_task(bridge, live, concern, rule, actor, &runs_as, repo_id, &path, prompt, allow_pending);
    let mut saw = allowed.clone();
    if let Some(when) = &rule.when {
        saw = format!("{saw}; when holds: {}", when.source().trim());
    }
    Ok(Gate::Open(Box::new(Plan {
        position,
        intents: intent::keys(&rule.name, event, &concern.delivery.sender_id).to_vec(),
        once_then: rule.once_per.as_ref().map(|once| once.then),
        once_window: rule.once_per.as_ref().and_then(|once| once.window),
        told: told(event, &concern.delivery.sender_id),
        limits: rule.limits.clone(),
        allowed,
        saw,
        task,
    })))
}

/// Whether the one who did it may, and whether that is still to be looked up before the start.
async fn actor_may(
    bridge: &Bridge,
    asked: &Asked,
    rule: &Rule,
    event: &Event,
    actor: &Account,
    origin: &RepoPath,
) -> Result<(String, bool), Gate> {
    match may(bridge, asked, &rule.allow, origin, actor).await {
        May::Yes(why) => Ok((why, false)),
        May::Later(later) => Err(Gate::Later { later, known: false }),
        May::No { needs, saw, insider } => Err(refused(format!("allow: @{} needs {needs}", actor.login), saw, insider)),
        // Nothing to look it up with. Someone whom GitHub let put a label on, or whom it calls a member, may
        // wait for a token; the right is then looked up before the start. Anybody else is refused.
        May::NoReader(why) if rule.run_as == RunAs::Actor && is_known_there(event) => {
            Ok((format!("to be looked up before the start: {why}"), true))
        }
        May::NoReader(why) => {
            Err(refused(format!("allow: the right of @{} cannot be looked up", actor.login), why, false))
        }
    }
}

/// Whether the signature of a sender that names nobody is enough. `check` demands all of this; here it is held once more,
/// because it decides with whose rights something is done.
fn sender_may(rule: &Rule, source: &str) -> Result<String, Gate> {
    let missing = if !rule.allow.sources.iter().any(|allowed| allowed == source) {
        format!(
            "allow: the source `{source}` names nobody whose right could be looked up, and is not under `allow.sources`"
        )
    } else if rule.run_as == RunAs::Actor {
        format!("run_as: the source `{source}` names nobody whose token the task could run with")
    } else if rule.task.repo.is_none() {
        format!("task.repo: the source `{source}` names no repository of GitHub")
    } else {
        return Ok(format!("the signature of the source `{source}` is enough (allow.sources)"));
    };
    Err(refused(missing, "", false))
}

/// What a further wish adds to the story of the task that it belongs to: what, and where to look.
fn told(event: &Event, sender_id: &str) -> String {
    let subject = event.subject.as_ref();
    let title = subject.map(|subject| clean_line(&subject.title, TOLD_LIMIT)).unwrap_or_default();
    let link = subject.map(|subject| clean_line(&subject.url, TOLD_LIMIT)).unwrap_or_default();
    let mut text = format!("{} from `{}` (its id {sender_id})", event.full_name(), event.source);
    for more in [title, link].iter().filter(|more| !more.is_empty()) {
        text.push_str(": ");
        text.push_str(more);
    }
    text
}

/// Labels need triage rights; for a comment GitHub's own word about its author, who is the actor.
fn is_known_there(event: &Event) -> bool {
    match &event.comment {
        Some(comment) => matches!(comment.author_association.as_str(), "OWNER" | "MEMBER" | "COLLABORATOR"),
        None => event.label.is_some(),
    }
}

#[expect(clippy::too_many_arguments, reason = "each is one part of the task, and it is called once")]
fn new_task(
    bridge: &Bridge,
    live: &Live,
    concern: &Concern,
    rule: &Rule,
    actor: Option<&Account>,
    runs_as: &RunsAs,
    repo_id: i64,
    path: &RepoPath,
    prompt: Prompt,
    allow_pending: bool,
) -> NewTask {
    let event = &concern.heard.event;
    let subject = event.subject.as_ref();
    let origin = event.repo.as_ref();
    let waits = match rule.hold {
        _ if prompt.needs_approval => Some("it quotes text by somebody who could not have started it"),
        Some(HoldFor::Approval) => Some("its rule demands it"),
        None => None,
    };
    let id = TaskId::new(&bridge.ground);
    let (state, hold, reason) = if let Some(why) = waits {
        let how = how_to_approve(live.sources.get(&event.source), subject.and_then(|subject| subject.number), id);
        let needs = approval_needs(&rule.allow.of_people());
        let reason = format!("it waits for approval, which needs {needs}, because {why}: {how}");
        (State::Held, Some(Hold::Approval), reason)
    } else if !runs_as.has_token {
        (State::Held, Some(Hold::Token), format!("taskbridge holds no usable token of @{}", runs_as.login))
    } else {
        (State::Pending, None, String::new())
    };
    NewTask {
        id,
        state,
        reason,
        hold,
        rule: rule.name.clone(),
        rule_version: live.rules.version.clone(),
        delivery_id: concern.delivery.id,
        retry_of: None,
        source: event.source.clone(),
        host: event.host.clone(),
        event: event.full_name(),
        repo_id,
        repo_owner: path.owner().to_owned(),
        repo_name: path.name().to_owned(),
        origin_repo_id: origin.map(|repo| repo.id).unwrap_or_default(),
        origin_owner: origin.map(|repo| repo.owner.clone()).unwrap_or_default(),
        origin_name: origin.map(|repo| repo.name.clone()).unwrap_or_default(),
        subject_kind: subject.map_or("none", |subject| kind_word(subject.kind)).to_owned(),
        subject_number: subject.and_then(|subject| subject.number),
        subject_url: subject.map(|subject| subject.url.clone()).unwrap_or_default(),
        comment_id: event.comment.as_ref().map(|comment| comment.id),
        comment_on_diff: event.comment.as_ref().is_some_and(|comment| comment.on_diff),
        label_name: event
            .label
            .as_ref()
            .filter(|_| matches!(rule.on, Trigger::Label(_)))
            .map(|label| label.name.clone()),
        actor_id: actor.map(|actor| actor.id),
        actor_login: actor.map(|actor| actor.login.clone()).unwrap_or_default(),
        person_id: runs_as.id,
        person_login: runs_as.login.clone(),
        allow_pending,
        allow_rule: rule.allow.clone(),
        report: rule.report.clone(),
        once_key: prompt.once_key,
        once_idle_s: rule.once_per.as_ref().map(|once| i64::try_from(once.idle_for.as_secs()).unwrap_or(i64::MAX)),
        prompt: prompt.text,
        marker: Marker::from_bytes(bridge.ground.bytes()).into(),
        model: prompt.model,
        custom_agent: prompt.custom_agent,
        base_ref: prompt.base_ref,
        head_ref: prompt.head_ref,
        create_pull_request: prompt.create_pull_request,
        unapproved: hold == Some(Hold::Approval),
        event_at: event.at,
        chat: event.chat.as_ref().map(|chat| chat.place.clone()),
    }
}

/// What can be done about a task that waits for approval, where it was asked for.
fn how_to_approve(source: Option<&LiveSource>, number: Option<i64>, id: TaskId) -> String {
    let prefix = source.map(|source| source.grammar.prefix.as_str()).unwrap_or_default();
    match source.and_then(|source| source.chat.as_ref()) {
        Some(side) if side.platform.has_buttons() => {
            format!("press Why to read what it would be told, then Approve, or write `{prefix} approve {id}`")
        }
        Some(side) if side.platform.answers_at_the_door() => format!("mention me and write `approve {id}`"),
        Some(_) => format!("write `{prefix} why {id}` to read what it would be told, then `{prefix} approve {id}`"),
        None if number.is_some() && !prefix.is_empty() => format!("write `{prefix} approve` here"),
        None => "the admin API takes it".to_owned(),
    }
}

fn kind_word(kind: SubjectKind) -> &'static str {
    match kind {
        SubjectKind::Issue => "issue",
        SubjectKind::PullRequest => "pull_request",
        SubjectKind::Discussion => "discussion",
        SubjectKind::WorkflowRun => "workflow_run",
        SubjectKind::CheckRun => "check_run",
        SubjectKind::Alert => "alert",
        SubjectKind::Other => "other",
    }
}
