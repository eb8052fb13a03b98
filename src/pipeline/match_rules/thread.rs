//! What is written to us in a comment and is no wish for work: our own commands, help, and what could not be understood. The
//! account that wrote it is the identity. The answer is one comment where it was asked; a stranger gets none.

use super::concern::{Concern, waited_enough};
use super::weighed::{Weighed, actor_and_repo, notice, told_as};
use crate::domain::command::{Grammar, Own, OwnWord, place, thread_help};
use crate::domain::event::Event;
use crate::domain::rule::{Rule, Trigger};
use crate::domain::task::State;
use crate::github::RepoPath;
use crate::ids::PersonId;
use crate::pipeline::asked::Asked;
use crate::pipeline::decide::Settled;
use crate::pipeline::own_words::{Asker, NO_TASK, Thread, Unanswered, find, list, may_move, sees, steer_task, story};
use crate::pipeline::sort::Said;
use crate::pipeline::steer::{self, SteerError};
use crate::pipeline::usable::{Usable, usable};
use crate::pipeline::why_not::of_subject;
use crate::pipeline::{Bridge, Live, StepError};
use crate::store::deliveries::DeliveryState;

/// What somebody may here.
struct Admitted {
    /// Whether they may write in the repository.
    writes: bool,
    /// Whether tasks run as them here.
    has_tasks: bool,
    /// The commands of rules that they may use.
    names: Vec<String>,
    free_text: bool,
}

/// Answers what was said, if it is one of these.
pub(super) async fn answer(
    bridge: &Bridge,
    live: &Live,
    concern: &Concern,
    mut settled: Settled,
) -> Result<Weighed, StepError> {
    let event = &concern.heard.event;
    let number = event.subject.as_ref().and_then(|subject| subject.number);
    let (Some((who, path)), Some(repo), Some(number)) = (actor_and_repo(event), &event.repo, number) else {
        settled.finished.end.state = DeliveryState::Ignored;
        settled.finished.end.reason = "a command by nobody, or about nothing".to_owned();
        return Ok(Weighed::Settled(Box::new(settled)));
    };
    let thread = Thread { repo_id: repo.id, repo: repo.full_name(), number };
    let asker = Asker {
        bridge,
        who,
        asked: Asked::default(),
        said: event,
        heard_at: concern.delivery.received_at,
        thread: Some(thread),
        alone: false,
    };
    settled.finished.end.reason = match answered(live, concern, &asker, &path).await {
        Ok(Answer::Text(text)) => {
            settled.notices.extend(notice(bridge, concern, ANSWER, format!("@{}: {text}", who.login)));
            format!("answered: {}", text.lines().next().unwrap_or_default())
        }
        Ok(Answer::None(why)) => format!("not answered: {why}"),
        Err(Unanswered::Later(later)) if !waited_enough(bridge, &concern.delivery) => return Ok(Weighed::Later(later)),
        Err(Unanswered::Later(later)) => format!("not answered: {}", later.why),
        Err(Unanswered::Step(error)) => return Err(error),
    };
    Ok(Weighed::Settled(Box::new(settled)))
}

/// What an answer is called among what is told of a delivery.
const ANSWER: &str = "answer";

/// What is answered.
enum Answer {
    Text(String),
    /// Nothing, and why.
    None(String),
}

async fn answered(live: &Live, concern: &Concern, asker: &Asker<'_>, path: &RepoPath) -> Result<Answer, Unanswered> {
    if asker.bridge.store.is_told(&told_as(concern, ANSWER)).await? {
        return Ok(Answer::None("these words were answered before".to_owned()));
    }
    Ok(match admit(live, asker, &concern.heard.event, path).await? {
        Ok(admitted) => Answer::Text(text_of(live, concern, asker, &admitted).await?),
        Err(why) => Answer::None(why),
    })
}

/// Who may write here is answered, and so is whoever has tasks here or may use a rule's command; else says why not.
async fn admit(
    live: &Live,
    asker: &Asker<'_>,
    event: &Event,
    path: &RepoPath,
) -> Result<Result<Admitted, String>, Unanswered> {
    let here = |rule: &&Rule| rule.sources.is_empty() || rule.sources.contains(&event.source);
    let listening = live.rules.rules.iter().filter(|rule| matches!(rule.on, Trigger::Command(_))).filter(here);
    let listening: Vec<&Rule> = listening.collect();
    let Usable { writes, why_not, rules, .. } =
        usable(asker.bridge, &asker.asked, path, asker.who, &listening).await.map_err(Unanswered::Later)?;
    let has_tasks = !asker.own(false, 1).await?.is_empty();
    let mut admitted = Admitted { writes, has_tasks, names: Vec::new(), free_text: false };
    for rule in rules {
        let Trigger::Command(names) = &rule.on else { continue };
        admitted.free_text |= names.iter().any(|name| name == "*");
        admitted.names.extend(names.iter().filter(|name| *name != "*").map(|name| name.to_lowercase()));
    }
    admitted.names.sort_unstable();
    admitted.names.dedup();
    let knows_them = writes || has_tasks || admitted.free_text || !admitted.names.is_empty();
    Ok(if knows_them { Ok(admitted) } else { Err(why_not) })
}

async fn text_of(live: &Live, concern: &Concern, asker: &Asker<'_>, admitted: &Admitted) -> Result<String, Unanswered> {
    Ok(match &concern.heard.said {
        Said::Answer(text) => text.clone(),
        Said::Own(own) => own_word(concern, asker, admitted, own).await?,
        _ => help(live, &concern.heard.event, asker, admitted).await?,
    })
}

/// Only what this account may do here.
async fn help(live: &Live, event: &Event, asker: &Asker<'_>, admitted: &Admitted) -> Result<String, Unanswered> {
    let Some(source) = live.sources.get(&event.source) else { return Ok(String::new()) };
    let mut own = source.grammar.own.clone();
    own.retain(|word| match word {
        OwnWord::Status | OwnWord::List | OwnWord::Why => true,
        OwnWord::Retry => admitted.has_tasks,
        OwnWord::Cancel => admitted.has_tasks || admitted.writes,
        OwnWord::Approve => admitted.writes,
        OwnWord::Link | OwnWord::Unlink => false,
    });
    let waits_here = admitted.writes && source.grammar.own.is_empty();
    let grammar = Grammar {
        prefix: source.grammar.prefix.clone(),
        names: admitted.names.clone(),
        free_text: admitted.free_text,
        own,
    };
    let mut text = thread_help(&grammar, waits_here);
    let person = asker.bridge.store.person(PersonId(asker.who.id)).await?;
    let usable = person.is_some_and(|person| person.usable_token(asker.bridge.ground.now()).is_some());
    if !usable && let Some(connect) = &asker.bridge.settings.connect_url {
        text.push_str(&format!("\nTasks run as you: [sign in]({connect}) first.\n"));
    }
    Ok(text)
}

async fn own_word(concern: &Concern, asker: &Asker<'_>, admitted: &Admitted, own: &Own) -> Result<String, Unanswered> {
    let argument = own.argument.as_deref();
    Ok(match own.word {
        OwnWord::Status | OwnWord::List if argument.is_none() => {
            list(asker, own.word == OwnWord::Status, false).await?
        }
        // Of one task it says the same.
        OwnWord::Status | OwnWord::List | OwnWord::Why => why(&concern.heard.event, asker, admitted, argument).await?,
        OwnWord::Retry | OwnWord::Cancel => match find(asker, own.word, argument).await? {
            Some(task) => steer_task(asker, own.word, &task).await?,
            None => NO_TASK.to_owned(),
        },
        OwnWord::Approve => approve(asker, argument).await?,
        OwnWord::Link | OwnWord::Unlink => match &asker.bridge.settings.connect_url {
            Some(page) => {
                format!("here you are known by your GitHub account. You sign in and out on [this page]({page}).")
            }
            None => {
                "here you are known by your GitHub account. Nobody can sign in by themselves; whoever runs taskbridge \
                     adds a token."
                    .to_owned()
            }
        },
    })
}

/// Without an argument, why this issue or pull request stands where it does.
async fn why(
    event: &Event,
    asker: &Asker<'_>,
    admitted: &Admitted,
    argument: Option<&str>,
) -> Result<String, Unanswered> {
    let Some(thread) = &asker.thread else { return Ok(NO_TASK.to_owned()) };
    let subject = match argument {
        None => Some((thread.repo.clone(), thread.number)),
        Some(word) => place::subject_of(word, &event.host)
            .or_else(|| Some((thread.repo.clone(), word.strip_prefix('#')?.parse().ok()?))),
    };
    match subject {
        Some((repo, _)) if !repo.eq_ignore_ascii_case(&thread.repo) => {
            Ok("only what happens in this repository is told here.".to_owned())
        }
        Some((_, number)) if admitted.writes => of_subject(asker, thread.repo_id, &thread.repo, number).await,
        Some((_, number)) if number != thread.number => Ok(NO_TASK.to_owned()),
        _ => match find(asker, OwnWord::Why, argument.filter(|_| subject.is_none())).await? {
            Some(task) if sees(asker, &task).await? => story(asker, &task).await,
            _ => Ok(NO_TASK.to_owned()),
        },
    }
}

/// Lets the tasks of this issue or pull request go on that wait for approval, or the one that is named.
async fn approve(asker: &Asker<'_>, named: Option<&str>) -> Result<String, Unanswered> {
    let Some(thread) = &asker.thread else { return Ok(NO_TASK.to_owned()) };
    let mut told = Vec::new();
    for id in asker.bridge.store.tasks_held_for_approval(thread.repo_id, thread.number).await? {
        if named.is_some_and(|named| !id.to_string().eq_ignore_ascii_case(named)) {
            continue;
        }
        let Some(task) = asker.bridge.store.task(id).await? else { continue };
        if named.is_none() && task.created_at > asker.heard_at {
            continue;
        }
        if !may_move(asker, OwnWord::Approve, &task).await? {
            told.push(format!("the rule does not let you approve task {id}"));
            continue;
        }
        match steer::approve(asker.bridge, id, &format!("@{}", asker.who.login)).await {
            Ok(task) if task.state == State::Held => told.push(format!("task {id} waits still: {}", task.reason)),
            Ok(_) => told.push(format!("task {id} is approved")),
            Err(SteerError::Conflict { message, .. }) => told.push(format!("task {id} still waits: {message}")),
            Err(SteerError::NotFound) => {}
            Err(SteerError::Store(error)) => return Err(error.into()),
        }
    }
    if told.is_empty() {
        told.push("nothing here waits for approval".to_owned());
    }
    Ok(format!("{}.", told.join("; ")))
}
