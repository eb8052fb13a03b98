//! Why an issue or pull request led to what it did, for somebody who may write there: its tasks, and what came about it and
//! started nothing, with what the rules said. Where others read the answer, a rule's condition, its teams and people, and what it
//! saw of another repository are not theirs to know: there only those words are told that anybody may read.

use serde_json::Value;

use super::guard::OWN_DOING;
use super::own_words::{Asker, Unanswered, shown, story};
use crate::domain::trust::clean_line;
use crate::store::StoreError;
use crate::store::decisions::{Decision, Verdict};
use crate::store::deliveries::Delivery;

/// Most tasks that are told of.
const TASKS: i64 = 3;
/// Most deliveries that are told of.
const CAME: i64 = 5;
/// Most lines about them.
const LINES: usize = 10;
/// Longest name of an event, a rule or an account, in characters.
const NAME: usize = 80;

/// Why an issue or pull request of the repository with this id and name led to what it did. Whoever asks may write there.
pub(super) async fn of_subject(asker: &Asker<'_>, repo_id: i64, repo: &str, number: i64) -> Result<String, Unanswered> {
    let store = &asker.bridge.store;
    let mut texts = Vec::new();
    for id in store.newest_tasks_of_subject(repo_id, number, TASKS).await? {
        if let Some(task) = store.task(id).await?.filter(|task| asker.speaks_of(task)) {
            texts.push(story(asker, &task).await?);
        }
    }
    let started = !texts.is_empty();
    let came = what_came(asker, repo, number, started).await?;
    texts.push(match (started, came.is_empty()) {
        (true, true) => return Ok(texts.join("\n\n")),
        (true, false) => format!("Also came, and started nothing:\n{}", came.join("\n")),
        (false, false) => format!("Nothing was started for it. What came, the newest first:\n{}", came.join("\n")),
        (false, true) => {
            "Nothing was started for it. Whoever runs taskbridge sees every decision with `taskbridge explain`."
                .to_owned()
        }
    });
    Ok(texts.join("\n\n"))
}

/// What came about it and started nothing, a line each, the newest first; beside tasks only what was refused or failed.
async fn what_came(asker: &Asker<'_>, repo: &str, number: i64, started: bool) -> Result<Vec<String>, StoreError> {
    let store = &asker.bridge.store;
    let web = asker.bridge.github.web_url();
    let pages = ["issues", "pull"].map(|kind| format!("{web}/{repo}/{kind}/{number}"));
    let mut lines = Vec::new();
    for delivery in store.deliveries_about(repo, &pages, OWN_DOING, CAME).await? {
        let decisions = store.decisions(delivery.id).await?;
        let only_no = started || decisions.iter().any(|decision| decision.verdict == Verdict::Matched);
        let told = decisions.iter().filter(|decision| match decision.verdict {
            Verdict::Matched => false,
            // Which rules there are, and for what, is not for all to read.
            Verdict::NotMatched => !only_no && asker.alone,
            Verdict::Refused | Verdict::Failed => true,
        });
        let rules = rules_of(asker, &delivery).await?;
        let mut said: Vec<String> = told.map(|decision| said_by(asker, rules.as_ref(), decision)).collect();
        let not_told = decisions.iter().filter(|decision| decision.verdict == Verdict::NotMatched).count();
        if said.is_empty() && !asker.alone && !only_no && not_told > 0 {
            said.push("  no rule matched; whoever runs taskbridge sees why with `taskbridge explain`".to_owned());
        }
        if decisions.is_empty() && !started {
            said.extend(delivery.reason.as_deref().map(|reason| format!("  {}", shown(asker, reason))));
        }
        if !said.is_empty() {
            lines.push(headline(&delivery));
            lines.append(&mut said);
        }
    }
    if lines.len() > LINES {
        lines.truncate(LINES);
        lines.push("…".to_owned());
    }
    Ok(lines)
}

fn headline(delivery: &Delivery) -> String {
    let by = delivery.actor_login.as_deref().map(|login| format!(" by {}", name(login))).unwrap_or_default();
    format!("• {} `{}`{by}", delivery.received_at.format("%Y-%m-%d %H:%M:%S UTC"), name(&delivery.full_name()))
}

/// What a rule said, and why.
fn said_by(asker: &Asker<'_>, rules: Option<&Value>, decision: &Decision) -> String {
    let word = match decision.verdict {
        Verdict::Matched => "matched",
        Verdict::NotMatched => "did not match",
        Verdict::Refused => "refused",
        Verdict::Failed => "failed",
    };
    let why = if !asker.alone && !told_to_all(rules, decision) {
        "whoever runs taskbridge sees why with `taskbridge explain`".to_owned()
    } else if decision.verdict == Verdict::Refused && !decision.saw.is_empty() {
        shown(asker, &format!("{}; {}", decision.cause, decision.saw))
    } else {
        shown(asker, &decision.cause)
    };
    format!("  the rule `{}` {word}: {why}", name(&decision.rule))
}

/// Whether anybody may read what a rule said: it refused by a permission on this repository, and names nothing else. One that is
/// not known any more may name anything.
fn told_to_all(rules: Option<&Value>, decision: &Decision) -> bool {
    let rule = usize::try_from(decision.position).ok().and_then(|position| rules?.get(position));
    let names = |rule: &Value, list: &str| rule["allow"][list].as_array().is_some_and(|names| !names.is_empty());
    decision.verdict == Verdict::Refused
        && rule.is_some_and(|rule| {
            rule["task"]["repo"].is_null()
                && rule["run_as"].as_str().is_none_or(|whose| whose == "actor")
                && !["teams", "people"].iter().any(|list| names(rule, list))
        })
}

/// The rules that looked at a delivery, as they were written; not needed where the answer is for one alone.
async fn rules_of(asker: &Asker<'_>, delivery: &Delivery) -> Result<Option<Value>, StoreError> {
    match &delivery.rule_version {
        Some(version) if !asker.alone => asker.bridge.store.rule_version(version).await,
        _ => Ok(None),
    }
}

/// A name in the midst of our words.
fn name(text: &str) -> String {
    clean_line(text, NAME).replace('`', "'")
}
