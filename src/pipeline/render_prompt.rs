//! From a rule and an event to the exact prompt: which texts are untrusted, which branch, which model.

use super::Bridge;
use super::guard::{Later, could_have_started};
use super::people::{NoReader, NoToken, forget_dead, reader};
use super::sight::Sight;
use crate::domain::command::Command;
use crate::domain::event::{Account, Event, SubjectKind};
use crate::domain::rule::{Rule, Untrusted};
use crate::domain::view::{Shown, Texts, View};
use crate::github::{CallError, Next, RepoPath};
use crate::ids::PersonId;

/// What will be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// The prompt, without the marker.
    pub text: String,
    /// Whether it was cut at the limit.
    pub cut: bool,
    /// The branch to start from.
    pub base_ref: Option<String>,
    /// The branch of an open pull request to work on.
    pub head_ref: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// The custom agent.
    pub custom_agent: Option<String>,
    /// Whether the agent opens a pull request.
    pub create_pull_request: bool,
    /// The key of `once_per`.
    pub once_key: Option<String>,
    /// Whether it holds text by people who could not have started it, and the rule wants approval then.
    pub needs_approval: bool,
}

/// Why there is no prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoPrompt {
    /// The rule itself failed for this event.
    Failed(String),
    /// The pull request cannot be worked on.
    Refused(String),
    /// GitHub could not be asked now.
    Later(Later),
}

/// Renders `rule` for an event, of which `plain` is what the rule sees.
///
/// # Errors
/// [`NoPrompt`].
pub(super) async fn render_prompt(
    bridge: &Bridge,
    rule: &Rule,
    sight: &Sight<'_>,
    plain: &View,
) -> Result<Prompt, NoPrompt> {
    let (event, command) = (sight.event, sight.command);
    let trusted = Trusted {
        subject: trusts(bridge, rule, sight, shown_author(rule, event)).await,
        comment: trusts(bridge, rule, sight, shown_commenter(rule, event)).await,
    };
    let mut prompt = fill(rule, event, command, plain, trusted)?;
    if works_on_pull(rule, event, &prompt) {
        if command.is_some_and(|command| command.base.is_some()) {
            return Err(NoPrompt::Refused(
                "on a pull request the agent works on its branch, so `--base` cannot be used here".to_owned(),
            ));
        }
        let (base, head) = pull_branches(bridge, event).await?;
        prompt.base_ref = Some(base);
        prompt.head_ref = Some(head);
        // The pull request is there already.
        prompt.create_pull_request = false;
    }
    Ok(prompt)
}

/// Whose texts are shown as they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trusted {
    pub(super) subject: bool,
    pub(super) comment: bool,
}

impl Trusted {
    /// Trusts nobody but the one who did it: for those who can look nothing up.
    pub(super) fn only_actor(rule: &Rule, event: &Event) -> Self {
        let own = |shown: Option<Option<&Account>>| match shown {
            Some(author) => author.zip(event.actor.as_ref()).is_some_and(|(author, actor)| author.id == actor.id),
            None => true,
        };
        Self { subject: own(shown_author(rule, event)), comment: own(shown_commenter(rule, event)) }
    }
}

/// What needs nobody to be asked: the templates, with the texts of the subject and of the comment quoted unless
/// their authors are trusted. The branches of a pull request are not looked up.
///
/// # Errors
/// [`NoPrompt::Failed`].
pub(super) fn fill(
    rule: &Rule,
    event: &Event,
    command: Option<&Command>,
    plain: &View,
    trusted: Trusted,
) -> Result<Prompt, NoPrompt> {
    let (texts, untrusted) = texts(rule, event, trusted);
    let view = plain.with_texts(texts);
    // Branches and keys are no words for the agent, and a quotation is no branch.
    let render = |template: &crate::domain::prompt::Template| {
        template.render(plain).map_err(|error| NoPrompt::Failed(error.message))
    };
    let rendered = rule.task.prompt.render(&view).map_err(|error| NoPrompt::Failed(error.message))?;
    if rendered.text.trim().is_empty() {
        return Err(NoPrompt::Failed("the prompt is empty for this event".to_owned()));
    }
    let branch = |template: &Option<crate::domain::prompt::Template>| {
        template.as_ref().map(&render).transpose().map(|rendered| rendered.map(|r| r.text.trim().to_owned()))
    };
    let once_key = rule.once_per.as_ref().map(|once| render(&once.key)).transpose()?.map(|r| r.text);
    let once_key = once_key.map(|key| key.trim().chars().take(512).collect::<String>());
    let option = |pick: fn(&Command) -> Option<String>| command.and_then(pick);
    Ok(Prompt {
        text: rendered.text,
        cut: rendered.cut,
        base_ref: option(|c| c.base.clone()).or(branch(&rule.task.base_ref)?),
        head_ref: branch(&rule.task.head_ref)?,
        model: option(|c| c.model.clone()).or_else(|| rule.task.model.clone()),
        custom_agent: option(|c| c.agent.clone()).or_else(|| rule.task.custom_agent.clone()),
        create_pull_request: command.and_then(|c| c.create_pull_request).unwrap_or(rule.task.create_pull_request),
        once_key,
        needs_approval: untrusted && rule.untrusted == Untrusted::Hold,
    })
}

/// Whether the agent is to work on the pull request that the event is about.
pub(super) fn works_on_pull(rule: &Rule, event: &Event, prompt: &Prompt) -> bool {
    let is_pull = event.subject.as_ref().is_some_and(|subject| subject.kind == SubjectKind::PullRequest);
    is_pull && rule.task.repo.is_none() && rule.task.base_ref.is_none() && prompt.head_ref.is_none()
}

/// Base and head of the pull request as it is now: the event may be old, and for a comment it carries neither.
async fn pull_branches(bridge: &Bridge, event: &Event) -> Result<(String, String), NoPrompt> {
    let (Some(repo), Some(subject), Some(actor)) = (&event.repo, &event.subject, &event.actor) else {
        return Err(NoPrompt::Refused("the event names no repository or nobody who did it".to_owned()));
    };
    let path = RepoPath::new(&repo.owner, &repo.name).map_err(|error| NoPrompt::Refused(error.to_string()))?;
    let session = reader(bridge, &path, PersonId(actor.id)).await.map_err(|error| match error {
        NoReader::Token(NoToken::Store(error)) => NoPrompt::Later(Later::from(&error)),
        NoReader::Token(error) => NoPrompt::Refused(format!("the pull request cannot be read: {error}")),
        NoReader::Call(error) => NoPrompt::Later(Later::from(&error)),
    })?;
    let asked = |error: CallError| match error.next() {
        Next::GiveUp | Next::AskPerson => {
            NoPrompt::Refused(format!("the pull request cannot be read: {}", error.for_person()))
        }
        _ => NoPrompt::Later(Later::from(&error)),
    };
    let pull = match session.pull(&path, subject.number.unwrap_or_default()).await {
        Err(error) if forget_dead(bridge, &session, &error).await => {
            return Err(NoPrompt::Later(Later::soon("GitHub no longer accepts the App's token")));
        }
        answer => answer.map_err(asked)?,
    };
    let refuse = |why: &str| Err(NoPrompt::Refused(why.to_owned()));
    let default_branch = match &repo.default_branch {
        Some(branch) => branch.clone(),
        None => session.repo(&path).await.map_err(asked)?.default_branch,
    };
    match pull.head_repo_id {
        None => refuse("the branch of this pull request is gone: its repository was deleted"),
        Some(id) if id != repo.id => {
            refuse("this pull request comes from a fork, and the agent works only on branches of the repository itself")
        }
        Some(_) if pull.state != "open" => refuse("this pull request is closed; open it again, or ask on an issue"),
        Some(_) if pull.head_ref == default_branch => {
            refuse("the branch of this pull request is the default branch, on which the agent does not work")
        }
        Some(_) => Ok((pull.base_ref, pull.head_ref)),
    }
}

/// How the texts of an event are shown, and whether any of those that the rule uses is untrusted.
fn texts(rule: &Rule, event: &Event, trusted: Trusted) -> (Texts, bool) {
    let mut texts = Texts::plain();
    let mut untrusted = false;
    if let Some(author) = shown_author(rule, event)
        && !trusted.subject
    {
        let shown = Shown::untrusted(rule.untrusted, login(author));
        texts.title = shown.clone();
        texts.body = shown;
        untrusted = true;
    }
    if let Some(author) = shown_commenter(rule, event)
        && !trusted.comment
    {
        texts.comment = Shown::untrusted(rule.untrusted, login(author));
        untrusted = true;
    }
    if rule.task.prompt.uses("payload") {
        // A raw payload holds texts of anybody.
        let who = match &event.subject {
            Some(subject) => subject.author.as_ref(),
            None => event.actor.as_ref(),
        };
        texts.payload = Shown::untrusted(rule.untrusted, login(who));
        untrusted = true;
    }
    (texts, untrusted)
}

/// Who wrote the subject (`None` inside: nobody knows), if the prompt shows its texts and it has any.
fn shown_author<'a>(rule: &Rule, event: &'a Event) -> Option<Option<&'a Account>> {
    let shows = ["subject", "issue", "pull_request", "event"].iter().any(|name| rule.task.prompt.uses(name));
    let subject = event.subject.as_ref().filter(|subject| !(subject.title.is_empty() && subject.body.is_empty()))?;
    shows.then_some(subject.author.as_ref())
}

/// Who wrote the comment, in the same way: whoever edits or dismisses it is somebody else.
fn shown_commenter<'a>(rule: &Rule, event: &'a Event) -> Option<Option<&'a Account>> {
    let comment = event.comment.as_ref().filter(|comment| !comment.body.is_empty())?;
    rule.task.prompt.uses("comment").then_some(comment.author.as_ref())
}

/// The login of an author for a quotation; empty when nobody knows who it was.
fn login(author: Option<&Account>) -> &str {
    author.map_or("", |account| account.login.as_str())
}

/// Whether a text may be shown as it is: none is shown, or its author could have started the task. An author
/// nobody knows (a deleted account, a run) has no right that could be looked up.
async fn trusts(bridge: &Bridge, rule: &Rule, sight: &Sight<'_>, shown: Option<Option<&Account>>) -> bool {
    let Some(author) = shown else { return true };
    let (Some(author), Some(repo), Some(actor)) = (author, &sight.event.repo, &sight.event.actor) else { return false };
    let Ok(path) = RepoPath::new(&repo.owner, &repo.name) else { return false };
    could_have_started(bridge, &sight.asked, &rule.allow, &path, actor, author).await
}
