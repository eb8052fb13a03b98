//! The hand on the simulated chats over HTTP: what goes wrong there next, where the app is not, and what people do there.

use std::sync::Arc;

use serde::Deserialize;

use super::{Control, ControlError};
use crate::sandbox::{ChatFault, ChatRequest, DiscordControl, MattermostControl, SlackControl, SlackFault};

/// Most calls in a row that one request spoils.
const TIMES: u32 = 1000;
/// The calls of each chat that can go wrong.
const SLACK: &[&str] = &[
    "chat.postMessage",
    "chat.postEphemeral",
    "chat.update",
    "views.open",
    "auth.test",
    "oauth.v2.access",
    "apps.connections.open",
    "hooks",
];
const DISCORD: &[&str] = &["post", "edit", "answer", "follow"];
const MATTERMOST: &[&str] = &["post", "whisper", "edit", "user", "answer"];

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Chat {
    Slack,
    Discord,
    Mattermost,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fault {
    chat: Chat,
    call: String,
    #[serde(default = "once")]
    times: u32,
    kind: Kind,
}

fn once() -> u32 {
    1
}

/// The same words for all chats; how each says it is its own.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Kind {
    /// Slack's way to refuse.
    Error {
        error: String,
    },
    /// The other chats' way.
    Refused {
        status: u16,
        #[serde(default)]
        code: u64,
    },
    Limited {
        seconds: u32,
    },
    Away,
    AwayAfter,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Closed {
    chat: Chat,
    channel: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Replied {
    channel: String,
    ts: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Installed {
    installed: bool,
}

/// Something typed in a chat, and where the chat sends it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Typed {
    chat: Chat,
    account: String,
    channel: String,
    /// What stands behind `/copilot`.
    text: String,
    to: String,
}

/// A hand on each chat.
pub(super) struct Chats {
    slack: SlackControl,
    discord: DiscordControl,
    mattermost: MattermostControl,
}

impl Chats {
    /// Of their addresses nothing is wanted.
    pub(super) fn of(control: &Control) -> Self {
        Self::at(control, "")
    }

    fn at(control: &Control, url: &str) -> Self {
        let shared = || Arc::clone(&control.0);
        Self {
            slack: SlackControl::new(shared(), url),
            discord: DiscordControl::new(shared(), url),
            mattermost: MattermostControl::new(shared(), url),
        }
    }

    /// The line for a shell that sends what was typed as the chat would: signed now, with ways to answer that the chat knows.
    pub(super) fn line(control: &Control, url: &str, typed: &Typed) -> String {
        let chats = Self::at(control, url);
        let (account, channel, text) = (&typed.account, &typed.channel, &typed.text);
        let request = match typed.chat {
            Chat::Slack => {
                let request = chats.slack.slash(account, channel, "/copilot", text);
                ChatRequest { headers: request.headers, body: request.body }
            }
            Chat::Discord => chats.discord.command(account, channel, Some(text)),
            Chat::Mattermost => chats.mattermost.slash(account, channel, text),
        };
        let quoted = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
        let mut line = format!("curl {}", quoted(&typed.to));
        for (name, value) in &request.headers {
            line.push_str(&format!(" -H {}", quoted(&format!("{name}: {value}"))));
        }
        format!("{line} --data-raw {}\n", quoted(&request.body))
    }

    pub(super) fn fail(&self, fault: &Fault) -> Result<(), ControlError> {
        let calls = match fault.chat {
            Chat::Slack => SLACK,
            Chat::Discord => DISCORD,
            Chat::Mattermost => MATTERMOST,
        };
        if !calls.contains(&fault.call.as_str()) {
            return Err(ControlError::Invalid(format!("call: one of {}", calls.join(", "))));
        }
        for _ in 0..fault.times.min(TIMES) {
            match fault.chat {
                Chat::Slack => self.slack.fail(&fault.call, in_slack(&fault.kind)?),
                Chat::Discord => self.discord.fail(&fault.call, in_others(&fault.kind)?),
                Chat::Mattermost => self.mattermost.fail(&fault.call, in_others(&fault.kind)?),
            }
        }
        Ok(())
    }

    pub(super) fn clear_faults(&self) {
        self.slack.clear_faults();
        self.discord.clear_faults();
        self.mattermost.clear_faults();
    }

    pub(super) fn close(&self, at: &Closed) {
        match at.chat {
            Chat::Slack => self.slack.close(&at.channel),
            Chat::Discord => self.discord.close(&at.channel),
            Chat::Mattermost => self.mattermost.close(&at.channel),
        }
    }

    pub(super) fn reply(&self, to: &Replied) {
        self.slack.reply(&to.channel, &to.ts);
    }

    pub(super) fn install(&self, app: &Installed) {
        self.slack.uninstall(!app.installed);
    }
}

fn in_slack(kind: &Kind) -> Result<SlackFault, ControlError> {
    Ok(match kind {
        Kind::Error { error } => SlackFault::Error(error.clone()),
        Kind::Limited { seconds } => SlackFault::Limited(u64::from(*seconds)),
        Kind::Away => SlackFault::Away,
        Kind::AwayAfter => SlackFault::AwayAfter,
        Kind::Refused { .. } => {
            return Err(ControlError::Invalid("Slack refuses with 200 and a word: `error`, not `refused`".to_owned()));
        }
    })
}

fn in_others(kind: &Kind) -> Result<ChatFault, ControlError> {
    Ok(match kind {
        Kind::Refused { status, code } => ChatFault::Refused(*status, *code),
        Kind::Limited { seconds } => ChatFault::Limited(f64::from(*seconds)),
        Kind::Away => ChatFault::Refused(503, 0),
        Kind::AwayAfter => ChatFault::Lost,
        Kind::Error { .. } => {
            return Err(ControlError::Invalid("only Slack refuses with a word: `refused`, not `error`".to_owned()));
        }
    })
}
