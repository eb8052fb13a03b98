//! Why a rule was never asked: what it listens to, against what came. Rules are read from the stored version
//! as plain JSON and leniently, since an older program may have written it.

use serde_json::Value;

use super::told::{Explanation, InChat};

/// The part of a stored rule that says what it listens to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Written {
    pub name: String,
    sources: Vec<String>,
    labels: Vec<String>,
    commands: Vec<String>,
    events: Vec<String>,
    alerts: Vec<String>,
    slashes: Vec<String>,
}

const FOR_US: &str = "this asks for no work: taskbridge answers it itself, and no rule sees it";

/// What an event offers to the index.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard<'a> {
    source: &'a str,
    event: &'a str,
    label: Option<&'a str>,
    command: Option<&'a str>,
    alert: Option<&'a str>,
    chat: Option<&'a InChat>,
}

impl<'a> Heard<'a> {
    pub(super) fn of(told: &'a Explanation) -> Self {
        Self {
            source: &told.source,
            event: &told.event,
            label: told.label.as_deref(),
            command: told.command.as_deref(),
            alert: told.alert.as_deref(),
            chat: told.chat.as_ref(),
        }
    }
}

/// The stored rules, in order.
pub(super) fn written(rules: &Value) -> Vec<Written> {
    rules.as_array().map(|rules| rules.iter().map(one).collect()).unwrap_or_default()
}

fn one(rule: &Value) -> Written {
    let on = &rule["on"];
    Written {
        name: rule["name"].as_str().unwrap_or_default().to_owned(),
        sources: texts(&rule["sources"]),
        labels: texts(&on["label"]),
        commands: texts(&on["command"]),
        events: texts(&on["event"]),
        alerts: texts(&on["alert"]),
        slashes: texts(&on["slash"]),
    }
}

/// One text, or a list of them.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    }
}

/// Why `rule` does not listen to this; `None` when it does. With `body_known` false nothing is known of
/// labels and commands, only that the index did not lead to the rule.
pub(super) fn why(rule: &Written, all: &[Written], heard: Heard<'_>, body_known: bool) -> Option<String> {
    if !rule.hears_source(heard.source) {
        return Some(format!("listens to {} only, and this came from `{}`", quoted(&rule.sources), heard.source));
    }
    if !rule.slashes.is_empty() {
        return rule.misses_slash(heard, body_known);
    }
    if let Some(chat) = heard.chat {
        return rule.misses_in_chat(all, heard, chat);
    }
    if !rule.events.is_empty() {
        return rule.misses_event(heard.event);
    }
    if !rule.alerts.is_empty() {
        return rule.misses_alert(heard, body_known);
    }
    let about_labels = matches!(heard.event, "issues.labeled" | "pull_request.labeled");
    if !rule.labels.is_empty() {
        let wants = format!("listens to the label {}", quoted(&rule.labels));
        return match heard.label {
            Some(label) if rule.labels.iter().any(|wanted| wanted.to_lowercase() == label.to_lowercase()) => None,
            Some(label) => Some(format!("{wants}, and this one was `{label}`")),
            None if about_labels && !body_known => Some(format!("{wants}, and this was another")),
            None => Some(format!("{wants}, and `{}` puts none on", heard.event)),
        };
    }
    rule.misses_command(all, heard, body_known)
}

impl Written {
    fn hears_source(&self, source: &str) -> bool {
        self.sources.is_empty() || self.sources.iter().any(|wanted| wanted == source)
    }

    fn misses_event(&self, event: &str) -> Option<String> {
        let name = event.split('.').next().unwrap_or(event);
        let hears = self.events.iter().any(|wanted| wanted == event || wanted == name);
        (!hears).then(|| format!("listens to {}, and this was `{event}`", quoted(&self.events)))
    }

    fn misses_alert(&self, heard: Heard<'_>, body_known: bool) -> Option<String> {
        let wants = format!("listens to alerts that are {}", quoted(&self.alerts));
        match heard.alert {
            Some(state) if self.alerts.iter().any(|wanted| wanted == state || wanted == "*") => None,
            Some(state) => Some(format!("{wants}, and this one is `{state}`")),
            None if body_known => Some(format!("{wants}, and `{}` is none", heard.event)),
            None => Some(format!("{wants}, and this was another or none")),
        }
    }

    fn misses_slash(&self, heard: Heard<'_>, body_known: bool) -> Option<String> {
        let wants = format!("listens to {} in a chat", quoted(&self.slashes));
        match heard.chat {
            Some(InChat::ForUs) => Some(format!("{wants}, and {FOR_US}")),
            Some(InChat::Wanted { only: Some(only), .. }) if *only == self.name => None,
            Some(InChat::Wanted { only: Some(only), .. }) => {
                Some(format!("{wants}, and the channel leads to its own rule `{only}` alone"))
            }
            Some(InChat::Wanted { .. }) if heard.command.is_some_and(|name| !name.is_empty()) => {
                Some(format!("{wants}, and this was `{}` behind it", heard.command.unwrap_or_default()))
            }
            Some(InChat::Wanted { command, .. }) if self.slashes.iter().any(|it| it.eq_ignore_ascii_case(command)) => {
                None
            }
            Some(InChat::Wanted { command, .. }) => Some(format!("{wants}, and this was `{command}`")),
            None if body_known => Some(format!("{wants}, and `{}` was not said in one", heard.event)),
            // It may have been this one: what became of it says more.
            None => None,
        }
    }

    /// The same of a rule that is not asked for by a command of the chat's own: only by a name behind it, if it names the chat.
    fn misses_in_chat(&self, all: &[Self], heard: Heard<'_>, chat: &InChat) -> Option<String> {
        if self.commands.is_empty() || self.sources.is_empty() {
            return Some(
                "listens to no command of a chat (`on.slash`, or `on.command` with the chat in `sources`)".to_owned(),
            );
        }
        let wants = format!("listens to the command {}", quoted(&self.commands));
        match chat {
            InChat::ForUs => Some(format!("{wants}, and {FOR_US}")),
            InChat::Wanted { only: Some(only), .. } => {
                Some(format!("{wants}, and the channel leads to its own rule `{only}` alone"))
            }
            InChat::Wanted { usual: false, command, .. } => {
                Some(format!("{wants}, and no names stand behind `{command}`"))
            }
            InChat::Wanted { .. } => self.misses_name(all, heard.source, heard.command.unwrap_or_default()),
        }
    }

    fn misses_command(&self, all: &[Self], heard: Heard<'_>, body_known: bool) -> Option<String> {
        let free = self.commands.iter().any(|wanted| wanted == "*");
        let wants = if free {
            "listens to commands".to_owned()
        } else {
            format!("listens to the command {}", quoted(&self.commands))
        };
        let comments = matches!(heard.event, "issue_comment.created" | "pull_request_review_comment.created");
        let Some(word) = heard.command else {
            return Some(match comments {
                true if body_known => format!("{wants}, and this comment holds none that can be done"),
                true => format!("{wants}, and this comment held another or none"),
                false => format!("{wants}, and `{}` is no new comment", heard.event),
            });
        };
        self.misses_name(all, heard.source, word)
    }

    fn misses_name(&self, all: &[Self], source: &str, word: &str) -> Option<String> {
        let is = |wanted: &String| !word.is_empty() && wanted.eq_ignore_ascii_case(word);
        if self.commands.iter().any(is) {
            return None;
        }
        if !self.commands.iter().any(|wanted| wanted == "*") {
            let this = if word.is_empty() { "this was free text".to_owned() } else { format!("this was `{word}`") };
            return Some(format!("listens to the command {}, and {this}", quoted(&self.commands)));
        }
        let taken = all.iter().find(|rule| rule.hears_source(source) && rule.commands.iter().any(is));
        taken.map(|rule| format!("listens to free text, and `{word}` is a command of `{}`", rule.name))
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Heard, why, written};
    use crate::pipeline::explain::told::InChat;

    fn answers(event: &str, label: Option<&str>, command: Option<&str>, body_known: bool) -> Vec<String> {
        let rules = written(&json!([
            { "name": "labels", "on": { "label": ["Fix", "repair"] } },
            { "name": "tests", "on": { "command": "tests" } },
            { "name": "free", "on": { "command": ["*"] } },
            { "name": "other", "sources": ["gitlab"], "on": { "label": "fix" } },
            { "name": "opened", "on": { "event": ["issues.opened", "push"] } }
        ]));
        let heard = Heard { source: "github", event, label, command, alert: None, chat: None };
        rules.iter().map(|rule| why(rule, &rules, heard, body_known).unwrap_or_else(|| "listens".to_owned())).collect()
    }

    #[test]
    fn a_label_is_held_against_what_each_rule_listens_to() {
        assert_eq!(
            answers("issues.labeled", Some("fix"), None, true),
            [
                "listens",
                "listens to the command `tests`, and `issues.labeled` is no new comment",
                "listens to commands, and `issues.labeled` is no new comment",
                "listens to `gitlab` only, and this came from `github`",
                "listens to `issues.opened` or `push`, and this was `issues.labeled`",
            ]
        );
        assert_eq!(
            answers("issues.labeled", Some("docs"), None, true)[0],
            "listens to the label `Fix` or `repair`, and this one was `docs`"
        );
        assert_eq!(
            answers("issues.labeled", None, None, false)[0],
            "listens to the label `Fix` or `repair`, and this was another"
        );
    }

    #[test]
    fn a_word_that_a_rule_has_taken_is_no_free_text() {
        let said = answers("issue_comment.created", None, Some("tests"), true);
        assert_eq!(said[1], "listens");
        assert_eq!(said[2], "listens to free text, and `tests` is a command of `tests`");
        let said = answers("issue_comment.created", None, Some(""), true);
        assert_eq!(
            (said[1].as_str(), said[2].as_str()),
            ("listens to the command `tests`, and this was free text", "listens")
        );
    }

    #[test]
    fn only_work_that_is_wanted_in_a_chat_reaches_a_rule_and_no_other_hears_it() {
        let rules = written(&json!([
            { "name": "chat", "on": { "slash": "/copilot" } },
            { "name": "fix", "on": { "slash": ["/fix", "/mend"] } },
            { "name": "free", "on": { "command": "*" } }
        ]));
        let told = |chat: Option<&InChat>, body_known| -> Vec<String> {
            let heard = Heard { source: "slack", event: "slash", label: None, command: None, alert: None, chat };
            let of = |rule| why(rule, &rules, heard, body_known).unwrap_or_else(|| "listens".to_owned());
            rules.iter().map(of).collect()
        };
        let wanted = |only: Option<&str>| InChat::Wanted {
            command: "/fix".to_owned(),
            usual: false,
            only: only.map(str::to_owned),
        };
        let said = told(Some(&wanted(None)), true);
        assert_eq!(said[0], "listens to `/copilot` in a chat, and this was `/fix`");
        assert_eq!(
            (said[1].as_str(), said[2].as_str()),
            ("listens", "listens to no command of a chat (`on.slash`, or `on.command` with the chat in `sources`)")
        );
        let said = told(Some(&wanted(Some("chat"))), true);
        assert_eq!(said[0], "listens");
        assert_eq!(
            said[1],
            "listens to `/fix` or `/mend` in a chat, and the channel leads to its own rule `chat` alone"
        );
        let said = told(Some(&InChat::ForUs), true);
        assert!(
            said[..2].iter().all(|why| why.contains("taskbridge answers it itself, and no rule sees it")),
            "{said:?}"
        );
        assert_eq!(told(None, true)[0], "listens to `/copilot` in a chat, and `slash` was not said in one");
        assert_eq!(told(None, false)[0], "listens");
    }

    #[test]
    fn an_event_without_action_is_heard_by_its_name() {
        assert_eq!(answers("push", None, None, true)[4], "listens");
    }
}
