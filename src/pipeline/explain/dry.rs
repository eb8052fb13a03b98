//! What the rules in force would say to a payload. Nobody is asked: no GitHub, no database, so the guards that
//! need them are named and not answered.

use super::{Answer, Explanation, RuleTold, add_facts};
use crate::domain::command::{Own, OwnWord};
use crate::domain::rule::{Rule, RunAs};
use crate::pipeline::explain::silent::{self, Heard};
use crate::pipeline::guard::Later;
use crate::pipeline::match_rules::weigh::{self, When};
use crate::pipeline::render_prompt::{NoPrompt, Trusted, fill, works_on_pull};
use crate::pipeline::sight::{Raw, Sight};
use crate::pipeline::sort::{self, Said};
use crate::pipeline::{Live, Settings};
use crate::sources::{Envelope, Reading};

/// Runs a payload against the rules in force without asking anybody.
#[must_use]
pub fn of_payload(
    live: &Live,
    settings: &Settings,
    source_name: &str,
    event_name: &str,
    content_type: &str,
    body: &[u8],
) -> Explanation {
    let mut told = Explanation {
        delivery: None,
        source: source_name.to_owned(),
        event: event_name.to_owned(),
        actor: None,
        repo: None,
        subject_url: None,
        label: None,
        command: None,
        alert: None,
        chat: None,
        received_at: None,
        state: None,
        outcome: String::new(),
        rule_version: Some(live.rules.version.clone()),
        rules: Vec::new(),
        notes: Vec::new(),
    };
    let Some(source) = live.sources.get(source_name) else {
        let known = live.sources.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        told.outcome = format!("there is no source `{source_name}`; configured: {known}");
        return told;
    };
    let envelope = Envelope {
        sender_id: String::new(),
        hook_id: String::new(),
        event_name: event_name.to_owned(),
        content_type: content_type.to_owned(),
    };
    let event = match source.source.read(source_name, &envelope, body) {
        Ok(Reading::Event(event)) => *event,
        Ok(Reading::Ping) => {
            told.outcome = "a ping starts nothing".to_owned();
            return told;
        }
        Ok(Reading::Nothing(why) | Reading::Elsewhere(why)) => {
            told.outcome = format!("nothing would start: {why}");
            return told;
        }
        Err(unreadable) => {
            told.outcome = format!("it would fail: {unreadable}");
            return told;
        }
    };
    add_facts(&mut told, &event, live);
    let said = sort::said(&event, source);
    if let Some(agent) = event.actor.as_ref().filter(|actor| settings.agent_ids.contains(&actor.id)) {
        told.outcome = format!("nothing would start: @{} is the agent itself", agent.login);
        return told;
    }
    if let Said::Answer(text) = &said {
        told.outcome = format!("nothing would start; the comment would be answered: {text}");
        return told;
    }
    if let Said::Own(Own { word: OwnWord::Approve, .. }) = &said {
        told.outcome =
            "nothing new would start; what waits there for approval would go on, if its rule lets the author"
                .to_owned();
        return told;
    }
    if let Said::Own(_) | Said::Help | Said::Form = &said {
        told.outcome = "nothing would start; the one who said it would be answered".to_owned();
        return told;
    }
    let command = match &said {
        Said::Command(command) => Some(command),
        _ => None,
    };
    let raw = Raw { source: &source.source, envelope: &envelope, body };
    ask_rules(&mut told, live, &Sight::new(&event, command, Some(raw)));
    told
}

fn ask_rules(told: &mut Explanation, live: &Live, sight: &Sight<'_>) {
    let event = sight.event;
    let name = sight.command.map(|command| command.name.as_str());
    let label = sort::put_on(event);
    let candidates = match (&event.chat, live.sources.get(&event.source), sight.command) {
        (Some(chat), Some(source), Some(command)) => {
            sort::chat_candidates(live, source, chat, &Said::Command(command.clone()))
        }
        _ => sort::listeners(live, event, label, name),
    };
    let written = silent::written(&live.rules.source_json);
    let mut had: Option<&Rule> = None;
    let mut rules = Vec::new();
    for (position, rule) in live.rules.rules.iter().enumerate() {
        let mut answer = RuleTold {
            rule: rule.name.clone(),
            answer: Answer::NotListening,
            why: String::new(),
            saw: String::new(),
            task: None,
            prompt: None,
        };
        if !candidates.contains(&position) {
            let why = written.get(position).and_then(|rule| silent::why(rule, &written, Heard::of(told), true));
            answer.why = why.unwrap_or_else(|| "listens to something else".to_owned());
        } else if let Some(above) = had {
            answer.answer = Answer::NotReached;
            answer.why = format!("`{}` above has the delivery, and does not say `continue`", above.name);
        } else {
            consider(&mut answer, rule, sight);
            if answer.answer != Answer::NotMatched && !rule.proceed {
                had = Some(rule);
            }
        }
        rules.push(answer);
    }
    let selected: Vec<&RuleTold> = rules.iter().filter(|rule| rule.answer == Answer::Selected).collect();
    told.outcome = match selected.as_slice() {
        [] if rules.iter().any(|rule| rule.answer == Answer::Failed) => "a rule failed; nothing would start".to_owned(),
        [] if candidates.is_empty() => format!("nothing would start: {}", sort::nobody_listens(event, label)),
        [] => "nothing would start".to_owned(),
        [one] => format!("the rule `{}` would start a task, if its guards allow it", one.rule),
        more => format!("{} rules would start a task each, if their guards allow it", more.len()),
    };
    if !selected.is_empty() {
        told.notes.push(
            "GitHub and the database were not asked: rights (`allow`), tokens, `once_per`, `limits`, pauses and whether \
             the comment or label is our own"
                .to_owned(),
        );
    }
    told.rules = rules;
}

fn consider(answer: &mut RuleTold, rule: &Rule, sight: &Sight<'_>) {
    let view = match sight.of(rule) {
        Ok(view) => view,
        Err(why) => return (answer.answer, answer.why) = (Answer::Failed, why),
    };
    match weigh::when(rule, view) {
        When::Holds => {}
        When::False { cause, saw } => {
            return (answer.answer, answer.why, answer.saw) = (Answer::NotMatched, cause, saw);
        }
        When::Broken { cause, saw } => {
            return (answer.answer, answer.why, answer.saw) = (Answer::Failed, cause, saw);
        }
    }
    let trusted = Trusted::only_actor(rule, sight.event);
    match fill(rule, sight.event, sight.command, view, trusted) {
        Ok(prompt) => {
            answer.answer = Answer::Selected;
            answer.why = match &rule.run_as {
                RunAs::Actor => "it would run with the token of the one who did it".to_owned(),
                RunAs::Person(person) => format!("it would run with the token of @{person}"),
            };
            if !(trusted.subject && trusted.comment) {
                answer.why.push_str(
                    "; texts by others are shown as by somebody who could not have started it, since their author's \
                     right was not looked up",
                );
            }
            if works_on_pull(rule, sight.event, &prompt) {
                answer.why.push_str("; it would work on the branch of the pull request, which was not looked up");
            }
            answer.prompt = Some(prompt.text);
        }
        Err(NoPrompt::Failed(why) | NoPrompt::Refused(why) | NoPrompt::Later(Later { why, .. })) => {
            answer.answer = Answer::Failed;
            answer.why = format!("the rule failed: {why}");
        }
    }
}
