//! What our own commands do, wherever they are written: in a chat or in a comment. Whoever asks sees only what they could
//! see on GitHub, and moves only what is theirs: a retry runs with the token of the first task's person, so nobody else may
//! ask for it. A comment is read by all who read its repository, so nothing but the tasks of that repository is told there.

use super::asked::Asked;
use super::decide::AGAIN;
use super::guard::{Later, May, may};
use super::{Bridge, StepError, steer};
use crate::domain::command::OwnWord;
use crate::domain::event::{Account, Event};
use crate::domain::intent;
use crate::domain::rule::Allow;
use crate::domain::task::State;
use crate::domain::telling::ago;
use crate::domain::trust::{bare, clean_line};
use crate::github::RepoPath;
use crate::ids::{PersonId, TaskId};
use crate::store::tasks::list::ListedTask;
use crate::store::tasks::{Hold, Task};
use crate::store::{Moment, StoreError};

/// Most tasks of a list.
const LISTED: i64 = 10;
/// How much of a prompt is looked at for its first words, and the most of them that are told, in characters.
const LOOKED_AT: i32 = 200;
const EXCERPT: usize = 40;
/// Most entries of a task's story that are told.
const STORY: usize = 8;
/// How much of a prompt is told to those who may approve it, in characters: chats cut longer answers.
const PROMPT: usize = 1000;
/// Longest entry, in characters.
const ENTRY: usize = 300;
pub(super) const NO_TASK: &str = "There is no such task, or it is not yours to see.";

/// Why there is no answer.
pub(super) enum Unanswered {
    /// Retry.
    Step(StepError),
    /// GitHub could not be asked who may what: retry then. A doubt is no "no".
    Later(Later),
}

impl From<StepError> for Unanswered {
    fn from(error: StepError) -> Self {
        Self::Step(error)
    }
}

impl From<StoreError> for Unanswered {
    fn from(error: StoreError) -> Self {
        Self::Step(error.into())
    }
}

/// Who asks, and where.
pub(super) struct Asker<'a> {
    pub bridge: &'a Bridge,
    pub who: &'a Account,
    /// What GitHub was asked for it.
    pub asked: Asked,
    /// What they said.
    pub said: &'a Event,
    /// When we heard it. What is there only since then was not meant, however late the word is acted upon.
    pub heard_at: Moment,
    /// The issue or pull request whose comment it is; none in a chat.
    pub thread: Option<Thread>,
    /// Whether nobody else reads the answer.
    pub alone: bool,
}

/// An issue or pull request in whose comments somebody asks.
pub(super) struct Thread {
    pub repo_id: i64,
    pub repo: String,
    pub number: i64,
}

impl Thread {
    /// Whether a task may be told of to all who read this repository: all of it happened there.
    fn holds(&self, task: &Task) -> bool {
        task.repo_id == self.repo_id && task.origin_repo_id == self.repo_id
    }
}

impl Asker<'_> {
    /// Whether the task is one that may be spoken of here at all.
    pub(super) fn speaks_of(&self, task: &Task) -> bool {
        self.thread.as_ref().is_none_or(|thread| thread.holds(task))
    }

    /// The tasks that run as the one who asks, the newest first; with `live` those that have not ended.
    pub(super) async fn own(&self, live: bool, limit: i64) -> Result<Vec<ListedTask>, StepError> {
        let repo = self.thread.as_ref().map(|thread| thread.repo_id);
        Ok(self.bridge.store.tasks_of_person(PersonId(self.who.id), repo, live, limit).await?)
    }
}

/// The tasks of the one who asks; with `live` those that have not ended. How their prompts begin is told where nobody else reads it.
pub(super) async fn list(asker: &Asker<'_>, live: bool, alone: bool) -> Result<String, Unanswered> {
    // Some that run here were asked for elsewhere, and are not told of.
    let tasks = asker.own(live, LISTED * if asker.thread.is_some() { 3 } else { 1 }).await?;
    let ids: Vec<TaskId> = tasks.iter().filter(|_| alone).map(|task| task.id).collect();
    let begun = asker.bridge.store.prompts_begin(&ids, LOOKED_AT).await?;
    let now = asker.bridge.ground.now();
    let mut lines = Vec::new();
    for task in &tasks {
        if lines.len() >= usize::try_from(LISTED).unwrap_or_default() {
            break;
        }
        if asker.thread.is_some() && !visible(asker, task.id).await? {
            continue;
        }
        let page = task.pull_url.as_deref().or(task.remote_url.as_deref());
        let page = page.map(|url| format!(" · [open]({url})")).unwrap_or_default();
        let place = format!("{}/{}", task.repo_owner, task.repo_name);
        let words = begun.get(&task.id).map(|text| excerpt(text)).filter(|words| !words.is_empty());
        let words = words.map(|words| format!(" `{words}` ·")).unwrap_or_default();
        let ago = ago(now.signed_duration_since(task.created_at).to_std().unwrap_or_default());
        lines.push(format!("• **{}**{words} `{place}` · rule `{}`{page} · {ago} · {}", task.state, task.rule, task.id));
    }
    let here = if asker.thread.is_some() { " in this repository" } else { "" };
    Ok(match (lines.is_empty(), live) {
        (true, true) => format!("Nothing runs for you{here} now."),
        (true, false) => format!("You have no tasks{here} yet."),
        (false, _) => lines.join("\n"),
    })
}

/// The first words of a text, as they stand between backticks.
fn excerpt(text: &str) -> String {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    clean_line(line.trim(), EXCERPT).replace('`', "'")
}

async fn visible(asker: &Asker<'_>, id: TaskId) -> Result<bool, StepError> {
    Ok(asker.bridge.store.task(id).await?.is_some_and(|task| asker.speaks_of(&task)))
}

/// The task that is named; else in the thread of tasks in a chat one of these, elsewhere in a chat the newest of the one who
/// asks, and in a comment the newest of its issue or pull request, of their own if one is.
pub(super) async fn find(asker: &Asker<'_>, word: OwnWord, named: Option<&str>) -> Result<Option<Task>, Unanswered> {
    let store = &asker.bridge.store;
    let of_chat = if named.is_none() { of_chat_thread(asker).await? } else { Vec::new() };
    let in_chat = !of_chat.is_empty();
    let ids: Vec<TaskId> = match (named, &asker.thread) {
        (Some(text), _) => text.trim_start_matches('#').parse().into_iter().collect(),
        (None, Some(thread)) => store.newest_tasks_of_subject(thread.repo_id, thread.number, LISTED).await?,
        (None, None) if in_chat => of_chat,
        (None, None) => asker.own(false, LISTED).await?.iter().map(|task| task.id).collect(),
    };
    let mut best: Option<((bool, bool), Task)> = None;
    for id in ids {
        let is_meant = |task: &Task| asker.speaks_of(task) && (named.is_some() || task.created_at <= asker.heard_at);
        let Some(task) = store.task(id).await?.filter(is_meant) else { continue };
        let fit = (in_chat && is_for(word, &task), is_theirs(asker, &task));
        if best.as_ref().is_none_or(|(least, _)| fit > *least) {
            best = Some((fit, task));
        }
        if fit == (in_chat, true) {
            break;
        }
    }
    Ok(best.map(|(_, task)| task))
}

/// The tasks in whose thread something is said in a chat, the newest first.
async fn of_chat_thread(asker: &Asker<'_>) -> Result<Vec<TaskId>, StepError> {
    let place = asker.said.chat.as_deref().map(|chat| &chat.place);
    let Some((place, thread)) = place.and_then(|place| Some((place, place.hangs_on()?))) else {
        return Ok(Vec::new());
    };
    Ok(asker.bridge.store.tasks_of_thread(&place.source, &place.channel, thread, LISTED).await?)
}

/// Whether the word can be meant for a task that stands so.
fn is_for(word: OwnWord, task: &Task) -> bool {
    match word {
        OwnWord::Retry => task.state.is_end(),
        OwnWord::Cancel => !task.state.is_end(),
        OwnWord::Approve => task.hold == Some(Hold::Approval),
        _ => true,
    }
}

fn is_theirs(asker: &Asker<'_>, task: &Task) -> bool {
    task.person_id.0 == asker.who.id || task.actor_id == Some(asker.who.id)
}

/// Whether the one who asks may do in the task's repository what `allow` guards; what cannot be looked up at all is no.
async fn may_there(asker: &Asker<'_>, allow: &Allow, task: &Task) -> Result<bool, Unanswered> {
    let Ok(path) = RepoPath::new(&task.origin_owner, &task.origin_name) else { return Ok(false) };
    match may(asker.bridge, &asker.asked, allow, &path, asker.who).await {
        May::Yes(_) => Ok(true),
        May::No { .. } | May::NoReader(_) => Ok(false),
        May::Later(later) => Err(Unanswered::Later(later)),
    }
}

/// Whether the one who asks may be told of the task.
pub(super) async fn sees(asker: &Asker<'_>, task: &Task) -> Result<bool, Unanswered> {
    Ok(asker.speaks_of(task) && (is_theirs(asker, task) || may_there(asker, &Allow::default(), task).await?))
}

/// Whether the one who asks may move the task so.
pub(super) async fn may_move(asker: &Asker<'_>, word: OwnWord, task: &Task) -> Result<bool, Unanswered> {
    if !asker.speaks_of(task) {
        return Ok(false);
    }
    let allow = task.allow_rule.of_people();
    Ok(match word {
        OwnWord::Retry => task.person_id.0 == asker.who.id,
        // Who may only ask does not approve for themselves.
        OwnWord::Approve => may_there(asker, &Allow::default(), task).await? && may_there(asker, &allow, task).await?,
        _ => is_theirs(asker, task) || may_there(asker, &allow, task).await?,
    })
}

/// Retries, cancels or approves a task, and says what came of it.
pub(super) async fn steer_task(asker: &Asker<'_>, word: OwnWord, task: &Task) -> Result<String, Unanswered> {
    if !may_move(asker, word, task).await? {
        return Ok(match sees(asker, task).await? {
            true if word == OwnWord::Retry => {
                format!("This task runs as {}: nobody else can try it again.", task.person_login)
            }
            true => "The rule does not let you do this.".to_owned(),
            false => NO_TASK.to_owned(),
        });
    }
    let place = if asker.thread.is_some() { "in a comment" } else { "in a chat" };
    let by = format!("@{} {place}", asker.who.login);
    let outcome = match word {
        OwnWord::Retry => {
            let [wish, _] = intent::keys(word.as_str(), asker.said, "");
            steer::retry(asker.bridge, task.id, steer::Mover { name: &by, wish: &[wish] }, false).await
        }
        OwnWord::Approve => steer::approve(asker.bridge, task.id, &by).await,
        _ => steer::cancel(asker.bridge, task.id, &by).await,
    };
    Ok(match outcome {
        Ok(now) if word == OwnWord::Retry && now.id != task.id => format!("It is tried again as task {}.", now.id),
        Ok(now) if now.state == State::Held => format!("Done: the task waits still: {}.", now.reason),
        Ok(now) => format!("Done: the task is {}.", now.state),
        Err(steer::SteerError::NotFound) => NO_TASK.to_owned(),
        Err(steer::SteerError::Conflict { message, link, .. }) => {
            let page = link.map(|url| format!(" [Open it on GitHub]({url}).")).unwrap_or_default();
            format!("That cannot be done: {message}.{page}")
        }
        Err(steer::SteerError::Store(error)) => return Err(error.into()),
    })
}

/// A text of ours about what happened, as it is shown here.
pub(super) fn shown(asker: &Asker<'_>, text: &str) -> String {
    let text = clean_line(text, ENTRY);
    // In a comment it would call people and refer to issues; in a chat what strangers wrote would be a link of ours.
    if asker.thread.is_some() { format!("`{}`", text.replace('`', "'")) } else { text.replace("](", "] (") }
}

/// The story of a task, without its prompt, but for those who decide about that.
pub(super) async fn story(asker: &Asker<'_>, task: &Task) -> Result<String, Unanswered> {
    let mut entries = asker.bridge.store.timeline(task.id).await?;
    // What came again may have happened in another repository than the one whose readers see this.
    entries.retain(|entry| asker.thread.is_none() || !entry.text.starts_with(AGAIN));
    let from = entries.len().saturating_sub(STORY);
    let shown = |text: &str| shown(asker, &task.marker.mask(text));
    let mut lines = vec![format!("Task {} in `{}` is **{}**.", task.id, task.repo_full_name(), task.state)];
    if task.state == State::Held && !task.reason.is_empty() {
        lines.push(shown(&task.reason));
    }
    if task.hold == Some(Hold::Approval) && asker.alone && may_move(asker, OwnWord::Approve, task).await? {
        // Who decides reads it, or sees that some is missing. A fence ends where three of these stand.
        let prompt = bare(&task.marker.mask(&task.prompt), PROMPT).replace("```", "'''").replace("](", "] (");
        lines.push(format!("The agent would be told:\n```\n{prompt}\n```"));
    }
    lines.extend(entries.iter().skip(from).map(|entry| {
        let what = entry.to_state.as_deref().unwrap_or(&entry.kind);
        format!("• {} {what}: {}", entry.at.format("%H:%M:%S"), shown(&entry.text))
    }));
    Ok(lines.join("\n"))
}
