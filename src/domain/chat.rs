//! What somebody says in a chat, whichever chat it is: who, where, and in which of the few ways people can say it.

use serde::{Deserialize, Serialize};

use super::identity::Identity;
use crate::secret::Secret;

/// One thing said to us in a chat.
#[derive(Debug, Clone)]
pub struct Chat {
    /// Who said it.
    pub identity: Identity,
    /// Where it was said, and is answered.
    pub place: Place,
    /// The server it was said in, where an account is the same in all servers.
    pub server: Option<String>,
    /// What was said.
    pub said: ChatSaid,
    /// Whether it was said in the thread of an earlier message.
    pub replies: bool,
    /// An address for a few answers, for a short time. Whoever has it can answer.
    pub answer_to: Option<Secret>,
    /// What lets a form be opened, once and at once.
    pub opens: Option<Secret>,
}

/// A place in a chat. It is kept with tasks and reports.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The configured source.
    pub source: String,
    /// The channel, whose settings hold and for which limits count.
    pub channel: String,
    /// The thread in it, where threads are channels of their own: there we speak.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<String>,
    /// The message whose thread it is, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// Whether somebody had replied in that thread before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub thread_stands: bool,
    /// The account that asked, by the chat's own id.
    pub account: String,
}

impl Place {
    /// The channel in which we speak, by the chat's own id.
    #[must_use]
    pub fn speaks_in(&self) -> &str {
        self.within.as_deref().unwrap_or(&self.channel)
    }

    /// The message in whose thread it is, if it is in one: where threads are channels of their own, one that was started from a
    /// message has that message's id.
    #[must_use]
    pub fn hangs_on(&self) -> Option<&str> {
        self.thread.as_deref().or(self.within.as_deref())
    }
}

/// How one turns to us in a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address {
    /// With a command, which stands before all that is said.
    Command,
    /// By mentioning us: all that is said stands behind the name that we have there.
    Mention,
}

/// How a message in the thread of a task begins that is a task of its own, and no word to the agent.
const NEW: &str = "new:";

/// What stands behind `new:`, if a text begins with it.
#[must_use]
pub fn anew(text: &str) -> Option<&str> {
    let text = text.trim_start();
    let (head, rest) = text.split_at_checked(NEW.len())?;
    head.eq_ignore_ascii_case(NEW).then(|| rest.trim_start())
}

/// In which way it was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChatSaid {
    /// A command with its text, or a message to us, which counts as the command.
    Command {
        /// The command: `/copilot`.
        name: String,
        /// The text after it.
        text: String,
    },
    /// A button under one of our messages.
    Button {
        /// Which one.
        name: String,
        /// What it carries: a task.
        value: String,
    },
    /// Our form, filled in.
    Form(Form),
    /// A message was chosen to become a task: the form is opened with its text.
    Chosen {
        /// The text of the message, by anybody.
        text: String,
    },
}

/// The form for a new task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form {
    /// The command that opened it.
    pub command: String,
    /// The repository, `owner/name`.
    pub repo: String,
    /// What the agent is to do.
    pub prompt: String,
    /// The branch to start from.
    pub base: Option<String>,
    /// Whether a branch stood there and was taken out: the default one is meant.
    pub base_emptied: bool,
    /// Whether it was opened where there is no channel, so that nothing of one stood in it.
    pub without_channel: bool,
    /// The model.
    pub model: Option<String>,
    /// Whether a pull request is opened, if that was said.
    pub pull_request: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::anew;

    #[test]
    fn a_task_of_its_own_is_asked_for_with_one_word_at_the_start() {
        assert_eq!(anew("new: fix it"), Some("fix it"));
        assert_eq!(anew("  NEW:fix it"), Some("fix it"));
        for other in ["new buttons are blue", "", "né", "the new: one"] {
            assert_eq!(anew(other), None, "{other}");
        }
    }
}
