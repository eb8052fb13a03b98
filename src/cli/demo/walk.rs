//! The walk of one webhook, told as it happens. Each step has its time; the first that does not come is named.

use std::time::Duration;

use super::super::CliError;
use super::screen::Screen;
use super::stage::Stage;
use super::webhook::{self, Acknowledged};
use crate::domain::task::State;
use crate::github::RepoPath;
use crate::ids::{DeliveryId, PersonId, TaskId};
use crate::pipeline::explain::{Answer, Explanation, of_delivery};
use crate::pipeline::people::act_as;
use crate::store::deliveries::DeliveryState;
use crate::store::tasks::Task;

const REPO: &str = "acme/widgets";
const ISSUE: i64 = 42;
const LABEL: &str = "copilot-fix";
const MONA: PersonId = PersonId(1001);
/// How long one step may take.
const STEP: Duration = Duration::from_secs(8);
/// How often is looked whether something has happened.
pub(super) const LOOK: Duration = Duration::from_millis(40);

/// Tells the walk; ends when the task has ended and the comment says so.
pub(super) async fn tell(stage: &Stage, screen: &Screen) -> Result<(), CliError> {
    let hook = in_time(screen, "recorded", label_and_send(stage)).await?;
    screen.step("verified", "mona put `copilot-fix` on issue 42; the webhook's signature is right");
    let took = hook.took.as_secs_f64() * 1000.0;
    screen.step("recorded", &format!("answered {} in {took:.0} ms, after the commit", hook.status));
    screen.detail(&format!("delivery {}", hook.delivery));

    let told = in_time(screen, "matched", decided(stage, hook.delivery)).await?;
    show_rules(screen, &told);
    let Some(id) = told.rules.iter().find_map(|rule| rule.task.as_ref()).map(|task| task.id) else {
        return Err(CliError::Said(format!("no rule made a task: {}", told.outcome)));
    };
    let task = task(stage, id).await?;
    screen.step("prompt", "what the agent is told, kept with the task before anything is sent:");
    screen.quote(&task.prompt, 8);

    follow(stage, screen, id, "mona").await?;
    let comment = in_time(screen, "told", comment(stage)).await?;
    screen.step("told", "one living comment on the issue, edited at every step; it now reads:");
    screen.quote(&comment, 14);
    Ok(())
}

/// Waits for a step, and names it when it does not come.
pub(super) async fn in_time<T>(
    screen: &Screen,
    step: &str,
    work: impl Future<Output = Result<T, CliError>>,
) -> Result<T, CliError> {
    within(STEP, screen, step, work).await
}

async fn within<T>(
    limit: Duration,
    screen: &Screen,
    step: &str,
    work: impl Future<Output = Result<T, CliError>>,
) -> Result<T, CliError> {
    let missed = || CliError::Said(format!("nothing came within {} s", limit.as_secs()));
    let outcome = tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(missed()));
    outcome.map_err(|error| {
        screen.failed(step, "did not happen");
        CliError::Said(format!(
            "the demo stopped at the step `{step}`: {}",
            error.to_string().replace("taskbridge: ", "")
        ))
    })
}

async fn label_and_send(stage: &Stage) -> Result<Acknowledged, CliError> {
    let bridge = &stage.opened.bridge;
    let path: RepoPath = REPO.parse().map_err(CliError::said)?;
    let mona = act_as(bridge, MONA).await.map_err(CliError::said)?.session;
    mona.add_labels(&path, ISSUE, &[LABEL]).await.map_err(|error| CliError::Said(error.for_person()))?;
    let issue = mona.issue(&path, ISSUE).await.map_err(|error| CliError::Said(error.for_person()))?;
    let body = "Two widgets at 10 with 20 % off come to 20, not 16.";
    let payload = webhook::labelled(&issue, LABEL, body, bridge.ground.now());
    let sender_id = DeliveryId::new(&bridge.ground).to_string();
    webhook::send(stage.running.address, &stage.hook_secret, &sender_id, &payload).await
}

/// The explanation, once there is something to explain.
async fn decided(stage: &Stage, id: DeliveryId) -> Result<Explanation, CliError> {
    loop {
        let told = of_delivery(&stage.opened.bridge, id).await.map_err(CliError::said)?;
        match told {
            Some(told) if told.state != Some(DeliveryState::Received) => return Ok(told),
            _ => tokio::time::sleep(LOOK).await,
        }
    }
}

fn show_rules(screen: &Screen, told: &Explanation) {
    for rule in &told.rules {
        match rule.answer {
            Answer::Matched => {
                screen.step("matched", &format!("the rule `{}`", rule.rule));
                screen.detail(&format!("allowed: {}", rule.why));
            }
            Answer::NotListening => {}
            _ => {
                screen.going("not matched", &format!("the rule `{}`", rule.rule));
                screen.detail(&rule.why);
                if !rule.saw.is_empty() {
                    screen.detail(&format!("it saw {}", rule.saw));
                }
            }
        }
    }
}

async fn task(stage: &Stage, id: TaskId) -> Result<Task, CliError> {
    let found = stage.opened.bridge.store.task(id).await?;
    found.ok_or_else(|| CliError::Said(format!("the task {id} is gone")))
}

/// Shows every change of the task until it has ended.
pub(super) async fn follow(stage: &Stage, screen: &Screen, id: TaskId, person: &str) -> Result<(), CliError> {
    let mut shown = 0;
    let mut pull_shown = false;
    loop {
        let (entries, task) = in_time(screen, waits_for(shown), changed(stage, id, shown, pull_shown)).await?;
        for state in entries.iter().skip(shown) {
            // The last change of all is told after the pull request that came before it.
            if State::parse(state).is_some_and(State::is_end) {
                pull_shown = show_pull(screen, &task, pull_shown);
            }
            show_state(screen, state, &task, person)?;
        }
        shown = entries.len();
        pull_shown = show_pull(screen, &task, pull_shown);
        // What was shown decides, not what was read: the task may already be further than the story.
        if entries.last().and_then(|state| State::parse(state)).is_some_and(State::is_end) {
            return Ok(());
        }
    }
}

/// The name of the next step, should it not come.
fn waits_for(shown: usize) -> &'static str {
    ["starting", "queued", "in progress", "completed"].get(shown).copied().unwrap_or("completed")
}

/// The states that the task went through, as soon as there is one more, or the pull request.
async fn changed(stage: &Stage, id: TaskId, shown: usize, pull_shown: bool) -> Result<(Vec<String>, Task), CliError> {
    loop {
        // The story first: the task that is read after it is at least as far.
        let entries = stage.opened.bridge.store.timeline(id).await?;
        let task = task(stage, id).await?;
        let states: Vec<String> = entries.into_iter().filter_map(|entry| entry.to_state).collect();
        if states.len() > shown || (!pull_shown && task.pull_number.is_some()) {
            return Ok((states, task));
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn show_pull(screen: &Screen, task: &Task, shown: bool) -> bool {
    let Some(number) = task.pull_number.filter(|_| !shown) else { return shown };
    screen.step("pull request", &format!("#{number}"));
    if let Some(url) = &task.pull_url {
        screen.detail(url);
    }
    true
}

fn show_state(screen: &Screen, state: &str, task: &Task, person: &str) -> Result<(), CliError> {
    match State::parse(state) {
        Some(State::Pending) => {}
        Some(State::Starting) => screen.step("starting", "the attempt is written down before the request leaves"),
        Some(State::Queued) => {
            screen.step("queued", &format!("GitHub has taken it, with {person}'s own token"));
            if let Some(url) = &task.remote_url {
                screen.detail(url);
            }
        }
        Some(State::InProgress) => screen.step("in progress", "the agent works"),
        Some(State::Completed) => screen.step("completed", "the agent is done"),
        _ => {
            return Err(CliError::Said(format!(
                "the demo stopped: the task became {state}, which was not to be ({})",
                crate::domain::trust::clean_line(&task.reason, 300)
            )));
        }
    }
    Ok(())
}

/// Markdown as GitHub would show it, near enough: links by their text, the table in columns.
pub(super) fn plain(markdown: &str) -> String {
    let lines = markdown.lines().filter(|line| !matches!(*line, "| | |" | "| --- | --- |"));
    let shown = lines.map(|line| {
        let line = without_links(line).replace("**", "").replace('`', "");
        match line.trim_matches(['|', ' ']).split_once(" | ") {
            Some((name, value)) if line.starts_with('|') => format!("{name}: {value}"),
            _ => line,
        }
    });
    shown.collect::<Vec<_>>().join("\n")
}

fn without_links(line: &str) -> String {
    let mut shown = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('[') {
        let Some((text, (_, behind))) =
            after.split_once("](").and_then(|(text, link)| Some((text, link.split_once(')')?)))
        else {
            break;
        };
        shown.push_str(before);
        shown.push_str(text);
        rest = behind;
    }
    shown + rest
}

/// The living comment, once it tells of the end; without the prompt folded away below it.
async fn comment(stage: &Stage) -> Result<String, CliError> {
    loop {
        let comments = stage.sandbox.control().comments(REPO, ISSUE).map_err(CliError::said)?;
        if let Some(comment) = comments.iter().find(|comment| comment.body.contains("**Done**")) {
            let shown = comment.body.split("<details>").next().unwrap_or_default();
            return Ok(plain(shown));
        }
        tokio::time::sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_step_that_does_not_come_or_fails_is_named() {
        let screen = Screen::new();
        let never = std::future::pending::<Result<(), CliError>>();
        let late = within(Duration::from_millis(5), &screen, "queued", never).await.unwrap_err();
        assert_eq!(late.to_string(), "taskbridge: the demo stopped at the step `queued`: nothing came within 0 s");
        let fails = async { Err::<(), _>(CliError::Said("it is gone".to_owned())) };
        let failed = in_time(&screen, "matched", fails).await.unwrap_err();
        assert_eq!(failed.to_string(), "taskbridge: the demo stopped at the step `matched`: it is gone");
        assert_eq!(in_time(&screen, "told", async { Ok(7) }).await.unwrap(), 7);
    }
}
