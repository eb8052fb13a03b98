//! The form for a new task: what is asked, and what stands in it when it is opened.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The name by which we know our form again.
pub const FORM: &str = "taskbridge_new_task";
/// Longest text that a field of Slack's takes, in characters.
const FIELD: usize = 3000;

/// Our own note in a form: where it was opened. Slack gives it back as it was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FormNote {
    /// The channel.
    pub channel: String,
    /// The thread, if it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// Whether somebody had replied in it before.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub thread_stands: bool,
    /// The command that opened it.
    pub command: String,
    /// Whether a branch stood in it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub has_base: bool,
}

/// What stands in the form when it is opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prefilled {
    /// The repository.
    pub repo: Option<String>,
    /// What the agent is to do.
    pub prompt: String,
    /// The branch to start from.
    pub base: Option<String>,
    /// The model.
    pub model: Option<String>,
}

/// The form as Slack takes it.
pub(super) fn view(note: &FormNote, filled: &Prefilled) -> Value {
    let field = |id: &str, label: &str, hint: &str, value: Option<&str>, optional: bool, multiline: bool| {
        let mut element = json!({
            "type": "plain_text_input", "action_id": "value", "multiline": multiline, "max_length": FIELD,
            "placeholder": { "type": "plain_text", "text": hint },
        });
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            element["initial_value"] = value.chars().take(FIELD).collect::<String>().into();
        }
        json!({
            "type": "input", "block_id": id, "optional": optional, "element": element,
            "label": { "type": "plain_text", "text": label },
        })
    };
    let option = |value: &str, shown: &str| json!({ "text": { "type": "plain_text", "text": shown }, "value": value });
    // A shortcut is pressed nowhere: then the one who asks chooses where it is told, and the answer brings an address there.
    let channel = note.channel.is_empty().then(|| {
        json!({
            "type": "input", "block_id": "channel", "label": { "type": "plain_text", "text": "Where it is told" },
            "element": {
                "type": "conversations_select", "action_id": "value", "default_to_current_conversation": true,
                "response_url_enabled": true,
            },
        })
    });
    // Whoever leaves it as it stands has said nothing, and the rule decides: which one takes this is not known yet.
    let rule = option("rule", "As the rule says");
    let (yes, no) = (option("yes", "Open a pull request"), option("no", "Only push a branch"));
    // What a channel says stands in its field: an empty one then means the default.
    let usual_base = filled.base.as_ref().map_or("as the rule says, or the default branch", |_| "the default branch");
    let mut view = json!({
        "type": "modal", "callback_id": FORM,
        "private_metadata": serde_json::to_string(note).unwrap_or_default(),
        "title": { "type": "plain_text", "text": "New task" },
        "submit": { "type": "plain_text", "text": "Start" },
        "close": { "type": "plain_text", "text": "Cancel" },
        "blocks": [
            field("repo", "Repository", "owner/name", filled.repo.as_deref(), false, false),
            field("prompt", "What is to be done", "Fix the failing test in …", Some(&filled.prompt), false, true),
            field("base", "Branch to start from", usual_base, filled.base.as_deref(), true, false),
            field("model", "Model", "as the rule says, or GitHub's choice", filled.model.as_deref(), true, false),
            {
                "type": "input", "block_id": "pull_request",
                "label": { "type": "plain_text", "text": "When it is done" },
                "element": {
                    "type": "radio_buttons", "action_id": "value", "options": [rule, yes, no], "initial_option": rule,
                },
            },
        ],
    });
    if let (Some(channel), Some(blocks)) = (channel, view["blocks"].as_array_mut()) {
        blocks.push(channel);
    }
    view
}
