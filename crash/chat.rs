//! The chat of a round: people ask for work there too, and each of their tasks has a message there that is edited until it
//! ends. The chat takes no mark by which a message would be known again, so that one whose answer was lost is said twice;
//! how often is counted, and more often than something died or went wrong is a fault.

use std::collections::BTreeMap;

use taskbridge::sandbox::{Sandbox, SlackFault};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::app_tokens;
use crate::chance::Dice;
use crate::check::note;
use crate::stage::{Fatal, REPOS, Stage, WRITERS};
use crate::tasks::Found;
use crate::webhook::{Envelope, Kind, Wish};

/// Where it is asked, and where it is told.
const CHANNEL: &str = "C0001";
/// What is called to tell.
const METHODS: [&str; 2] = ["chat.postMessage", "chat.update"];

/// The source, as the configuration has it.
pub(crate) fn source(sandbox: &Sandbox) -> String {
    format!(
        "{{ type: slack, signing_secret: \"${{SLACK_SIGNING_SECRET}}\", {}, app_id: A0001, \
         api_url: \"{}\", channels: {{ {CHANNEL}: {{ repo: acme/{} }} }} }}",
        app_tokens::configured(),
        sandbox.slack().api_url(),
        REPOS[0].0
    )
}

fn account(nth: usize) -> String {
    format!("U0MONA{nth}")
}

/// Binds everybody's account to them, as if they had signed in.
pub(crate) async fn link(stage: &Stage) -> Result<(), Fatal> {
    let pool = stage.database.pool().await?;
    for (nth, someone) in stage.people.iter().enumerate() {
        sqlx::query("INSERT INTO identities (platform, team, account, person_id, linked_at) VALUES ('slack', 'T0001@slack', $1, $2, now())")
            .bind(account(nth))
            .bind(someone.id)
            .execute(&pool)
            .await?;
    }
    pool.close().await;
    Ok(())
}

/// Somebody asks for work.
pub(crate) fn ask(stage: &Stage, dice: &mut Dice, token: String) -> Wish {
    let request = stage.sandbox.slack().slash(&account(dice.below(WRITERS)), CHANNEL, "/copilot", &token);
    let id = form_urlencoded::parse(request.body.as_bytes()).find(|(name, _)| name == "trigger_id");
    let delivery = id.map(|(_, id)| id.into_owned()).unwrap_or_default();
    let (body, of_chat) = (request.body.into(), Some(request.headers));
    let envelopes = vec![Envelope { hook: "", delivery, event: "slash", body, of_chat }];
    Wish { token, kind: Kind::Chat, repo: format!("acme/{}", REPOS[0].0), issue: 0, envelopes }
}

/// Lets the chat misbehave until told to stop. What it has not done by then it does no more: every wait is short afterwards, and
/// the tries of hours would be used up on it within seconds.
pub(crate) async fn disturb(stage: &Stage, stop: &CancellationToken) {
    let mut dice = Dice::of(stage.seed, "chat");
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = sleep(dice.millis(500, 3_000)) => {}
        }
        let fault = if dice.percent(50) { SlackFault::Away } else { SlackFault::Limited(1) };
        stage.sandbox.slack().fail(METHODS[dice.below(METHODS.len())], fault);
        stage.tally.add("faults.of_the_chat", 1);
    }
    stage.sandbox.slack().clear_faults();
}

/// Every task that was asked for in the chat has its message, which tells how it ended, and called the one who asked.
pub(crate) fn told(stage: &Stage, found: &Found) {
    let messages = stage.sandbox.slack().messages();
    let mut living: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut calls: BTreeMap<&str, u64> = BTreeMap::new();
    let mut of_message: BTreeMap<&str, String> = BTreeMap::new();
    for message in &messages {
        if let Some(task) = message.text.lines().find_map(|line| line.strip_prefix("task ")) {
            living.entry(task.to_owned()).or_default().push(&message.text);
            of_message.insert(&message.ts, task.to_owned());
        }
        if let Some(thread) = &message.thread {
            *calls.entry(thread).or_default() += 1;
        }
    }
    let (mut none, mut stale, mut uncalled) = (Vec::new(), Vec::new(), Vec::new());
    let mut again = 0;
    for task in found.tasks.iter().filter(|task| task.subject_number.is_none()) {
        let id = task.id.to_string();
        let own = living.get(&id).map(Vec::as_slice).unwrap_or_default();
        let called: u64 = of_message.iter().filter(|(_, of)| **of == id).filter_map(|(ts, _)| calls.get(ts)).sum();
        again += own.len().saturating_sub(1) as u64 + called.saturating_sub(1);
        if own.is_empty() {
            none.push(id);
        } else if task.state == "completed"
            && !own.iter().any(|text| text.contains("**Done**") || text.contains("*Done*"))
        {
            stale.push(id);
        } else if task.state == "completed" && called == 0 {
            uncalled.push(id);
        }
    }
    note(stage, "not_told_in_the_chat", &none);
    note(stage, "told_of_an_older_state_in_the_chat", &stale);
    note(stage, "nobody_called_in_the_chat", &uncalled);
    stage.tally.add("chat.messages", messages.len() as u64);
    stage.tally.add("chat.said_again", again);
    let deaths = stage.deaths.lock().unwrap_or_else(std::sync::PoisonError::into_inner).len() as u64;
    // Most die elsewhere than between a message and its record.
    if again > 3 + (deaths + stage.tally.get("pauses.random")) / 4 {
        note(stage, "said_too_often_in_the_chat", &[format!("{again} times, and {deaths} replicas ended")]);
    }
}
