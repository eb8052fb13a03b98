//! What is said to a running agent: a message in the thread of its task becomes a comment on the task's pull request that
//! calls the agent, written as the one who said it and as nobody else. The comment and the answer in the thread are
//! committed together with the end of the message, so that each is written once; the answer waits until it is known what
//! became of the comment.

use serde::{Deserialize, Serialize};

use super::talk::{AGAIN, Hearing, NOT_LINKED, Talk, account};
use crate::domain::chat::{ChatSaid, anew};
use crate::domain::intent;
use crate::domain::rule::Allow;
use crate::domain::task::State;
use crate::domain::trust::clean;
use crate::github::RepoPath;
use crate::ids::ReportId;
use crate::pipeline::asked::Asked;
use crate::pipeline::guard::{Later, May, may};
use crate::pipeline::own_words::{NO_TASK, Unanswered, sees};
use crate::pipeline::people::{NoToken, act_as};
use crate::pipeline::{Bridge, StepError};
use crate::store::people::Person;
use crate::store::reports::{NewReport, ReportKind};
use crate::store::tasks::Task;

/// How the agent is called in a comment.
const AGENT: &str = "@copilot";
/// Most characters that are said to it at once.
const WORDS: usize = 8000;
/// Most tasks of a thread that are looked at.
const TASKS: i64 = 10;

/// What an answer in a thread is about.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::pipeline) struct Reply {
    /// The comment.
    pub comment: Option<ReportId>,
    /// The pull request.
    pub pull: i64,
}

/// What becomes of a message in the thread of a task; `None` when it is no such message, and is to be heard as any other.
///
/// # Errors
/// [`StepError`]: retry.
pub(super) async fn follow_up(talk: &Talk<'_>, person: Option<&Person>) -> Result<Option<Hearing>, StepError> {
    let (ChatSaid::Command { text, .. }, Some(thread), true) =
        (&talk.chat.said, talk.chat.place.hangs_on(), talk.chat.replies)
    else {
        return Ok(None);
    };
    if anew(text).is_some() {
        return Ok(None);
    }
    let Some(task) = task_of(talk.bridge, &talk.chat.place.source, &talk.chat.place.channel, thread).await? else {
        return Ok(None);
    };
    let Some(person) = person else { return Ok(Some(talk.ask_to_link(NOT_LINKED, true))) };
    Ok(Some(said_to(talk, person, &task, text).await?))
}

/// The task that a thread is about: the newest that has not ended, or the newest.
async fn task_of(bridge: &Bridge, source: &str, channel: &str, thread: &str) -> Result<Option<Task>, StepError> {
    let mut newest = None;
    for id in bridge.store.tasks_of_thread(source, channel, thread, TASKS).await? {
        let Some(task) = bridge.store.task(id).await? else { continue };
        if !task.state.is_end() {
            return Ok(Some(task));
        }
        newest = newest.or(Some(task));
    }
    Ok(newest)
}

async fn said_to(talk: &Talk<'_>, person: &Person, task: &Task, text: &str) -> Result<Hearing, StepError> {
    match may_speak(talk.bridge, person, task).await {
        May::Yes(_) => {}
        May::Later(later) => return Ok(Hearing::Later(later)),
        // Not kept: a token that is there and does not open would call it back at once, again and again.
        May::NoReader(_) => return Ok(talk.ask_to_link(AGAIN, false)),
        May::No { saw, .. } => {
            let who = account(person);
            let asker = talk.asker(&who);
            let seen = match sees(&asker, task).await {
                Ok(seen) => seen,
                Err(Unanswered::Later(later)) => return Ok(Hearing::Later(later)),
                Err(Unanswered::Step(error)) => return Err(error),
            };
            let text = match seen {
                true => format!(
                    "You may not steer this task. {}",
                    possible(task, "Ask somebody who can write in its repository")
                ),
                false => format!("{} {ANEW}", NO_TASK),
            };
            return Ok(talk.answer(&format!("no word to the agent of task {}: {saw}", task.id), text));
        }
    }
    let not_now = |why: &str, then: &str| {
        let text = format!("{why} {}", possible(task, then));
        talk.answer(&format!("no word to the agent of task {}: {}", task.id, why.trim_end_matches('.')), text)
    };
    let pull = match (task.state, task.pull_number) {
        (State::Held | State::Pending, _) => {
            return Ok(not_now("The task has not started.", "Cancel it and ask anew"));
        }
        (state, Some(_)) if state.is_end() => {
            return Ok(not_now("The task has ended.", &format!("Write to {AGENT} on its pull request")));
        }
        (state, None) if state.is_end() => return Ok(not_now("The task has ended.", "Look at what it did")),
        (_, None) => {
            let why = "The agent has opened no pull request yet, and cannot be spoken to before it has.";
            return Ok(not_now(why, "Write again when it is there"));
        }
        (_, Some(pull)) => pull,
    };
    let words = clean(text, WORDS);
    if words.trim().is_empty() {
        return Ok(talk.answer("no word to the agent: nothing visible was said", "There is nothing visible in it."));
    }
    // Asked for now, so that whoever must sign in is told so instead of a comment that fails.
    match act_as(talk.bridge, person.id).await {
        Ok(_) | Err(NoToken::Later(_)) => {}
        Err(NoToken::Store(error)) => return Err(error.into()),
        Err(NoToken::Missing(_)) => return Ok(talk.ask_to_link(AGAIN, true)),
        // To sign in again would be no help, and what is asked for would come back at once.
        Err(NoToken::Sealed(error)) => {
            tracing::error!(person = %person.id, %error, "a stored token does not open");
            return Ok(Hearing::Later(Later::soon("a stored token does not open")));
        }
    }
    let [wish, _] = intent::keys("follow_up", talk.event, "");
    let wish = hex::encode(wish);
    let comment = NewReport {
        id: ReportId::new(&talk.bridge.ground),
        task_id: Some(task.id),
        delivery_id: Some(talk.delivery),
        kind: ReportKind::FollowUp,
        dedupe: format!("follow_up:{wish}"),
        repo_id: task.repo_id,
        repo_owner: task.repo_owner.clone(),
        repo_name: task.repo_name.clone(),
        subject_number: pull,
        comment_id: None,
        comment_on_diff: false,
        person_id: Some(person.id),
        content: format!("{AGENT} {words}"),
        chat: None,
    };
    let about = Reply { comment: Some(comment.id), pull };
    let reply = NewReport {
        id: ReportId::new(&talk.bridge.ground),
        kind: ReportKind::Reply,
        dedupe: format!("reply:{wish}"),
        content: serde_json::to_string(&about).unwrap_or_default(),
        chat: Some(talk.chat.place.clone()),
        ..comment.clone()
    };
    let reason = format!("a word to the agent of task {}, on pull request #{pull} as @{}", task.id, person.login);
    Ok(Hearing::Ended { reason, tell: vec![comment, reply], wish: None })
}

/// Who may: whom the rule lets start such a task, and, where the agent works in another repository, who can write there.
async fn may_speak(bridge: &Bridge, person: &Person, task: &Task) -> May {
    let no = || May::No { needs: String::new(), saw: "its repository cannot be named".to_owned(), insider: false };
    let (Ok(origin), Ok(works_in)) =
        (RepoPath::new(&task.origin_owner, &task.origin_name), RepoPath::new(&task.repo_owner, &task.repo_name))
    else {
        return no();
    };
    let asked = Asked::default();
    match may(bridge, &asked, &task.allow_rule, &origin, &account(person)).await {
        May::Yes(_) if task.repo_id != task.origin_repo_id => {
            may(bridge, &asked, &Allow::default(), &works_in, &account(person)).await
        }
        answer => answer,
    }
}

const ANEW: &str = "`new: …` in this thread starts another task.";

/// What can be done instead, with the page where it is done.
fn possible(task: &Task, then: &str) -> String {
    let is_page = |url: &&String| url.starts_with("https://") || url.starts_with("http://");
    let page = match task.pull_url.as_ref().filter(is_page) {
        Some(url) => format!(" ([its pull request]({url}))"),
        None => task.remote_url.as_ref().filter(is_page).map(|url| format!(" ([its page]({url}))")).unwrap_or_default(),
    };
    format!("{then}{page}, or {}", ANEW)
}
