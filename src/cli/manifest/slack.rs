//! What Slack asks for when an app is made there.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::CliError;
use crate::config::WebUrl;

/// Print the manifest of an app for Slack: Create New App, From a manifest, JSON.
#[derive(Debug, Args)]
pub(super) struct Slack {
    /// Where Slack reaches this service: `https://bridge.example.com`. Not needed with `--socket-mode`.
    #[arg(long, required_unless_present = "socket_mode")]
    url: Option<String>,
    /// Slack sends through a connection that this service opens (`app_token`), and to no address.
    #[arg(long)]
    socket_mode: bool,
    /// The app's tokens end after twelve hours and are renewed (`rotation`). Slack cannot switch it off again.
    #[arg(long)]
    token_rotation: bool,
    /// The name of the source in the configuration.
    #[arg(long, default_value = "slack")]
    source: String,
    /// The command that people type.
    #[arg(long, default_value = "/copilot")]
    command: String,
    /// The name of the app.
    #[arg(long, default_value = "taskbridge")]
    name: String,
}

impl Slack {
    pub(super) fn manifest(&self) -> Result<Value, CliError> {
        let wrong = |what: &str, why: String| CliError::Said(format!("{what}: {why}"));
        let command = crate::config::SlashName::read(&self.command).map_err(|why| wrong("--command", why))?;
        let source = crate::config::Name::read(&self.source).map_err(|why| wrong("--source", why))?;
        let hook = match self.url.as_ref().filter(|_| !self.socket_mode) {
            None => None,
            Some(url) => {
                let url = WebUrl::read(url).map_err(|why| wrong("--url", why))?;
                if !url.starts_with("https://") {
                    return Err(wrong("--url", "Slack sends to `https` addresses only".to_owned()));
                }
                Some(format!("{}/hooks/{}", *url, *source))
            }
        };
        let mut manifest = json!({
            "display_information": {
                "name": self.name,
                "description": "Starts GitHub Copilot agent tasks as you, and follows them to their end.",
            },
            "features": {
                "app_home": {
                    "home_tab_enabled": false, "messages_tab_enabled": true, "messages_tab_read_only_enabled": false,
                },
                "bot_user": { "display_name": self.name, "always_online": true },
                "slash_commands": [{
                    "command": *command, "should_escape": true,
                    "description": "Start an agent task, or see yours",
                    "usage_hint": "[repo:owner/name] what to do | status | list | help",
                }],
                "shortcuts": [
                    {
                        "name": "Make it a task", "type": "message", "callback_id": "taskbridge_from_message",
                        "description": "Opens the form for a new task with this message",
                    },
                    {
                        "name": "New agent task", "type": "global", "callback_id": "taskbridge_new",
                        "description": "Opens the form for a new task",
                    },
                ],
            },
            "oauth_config": {
                "scopes": { "bot": ["app_mentions:read", "chat:write", "commands", "im:history"] },
            },
            "settings": {
                "event_subscriptions": {
                    "bot_events": ["app_mention", "app_uninstalled", "message.im", "tokens_revoked"],
                },
                "interactivity": { "is_enabled": true },
                "org_deploy_enabled": false,
                "socket_mode_enabled": self.socket_mode,
                "token_rotation_enabled": self.token_rotation,
            },
        });
        if let Some(hook) = hook {
            manifest["features"]["slash_commands"][0]["url"] = hook.clone().into();
            manifest["settings"]["event_subscriptions"]["request_url"] = hook.clone().into();
            manifest["settings"]["interactivity"]["request_url"] = hook.into();
        }
        Ok(manifest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slack(url: &str) -> Slack {
        let text = |text: &str| text.to_owned();
        Slack {
            url: Some(text(url)),
            socket_mode: false,
            token_rotation: false,
            source: text("team"),
            command: text("/fix"),
            name: text("taskbridge"),
        }
    }

    #[test]
    fn all_addresses_lead_to_the_source() {
        let manifest = slack("https://bridge.example.com/").manifest().expect("a manifest");
        for place in [
            "/features/slash_commands/0/url",
            "/settings/event_subscriptions/request_url",
            "/settings/interactivity/request_url",
        ] {
            assert_eq!(manifest.pointer(place).and_then(Value::as_str), Some("https://bridge.example.com/hooks/team"));
        }
        assert_eq!(manifest.pointer("/features/slash_commands/0/command"), Some(&"/fix".into()));
        let shortcuts = manifest["features"]["shortcuts"].as_array().expect("shortcuts");
        let kinds: Vec<_> = shortcuts.iter().filter_map(|shortcut| shortcut["type"].as_str()).collect();
        assert_eq!(kinds, ["message", "global"], "those that are read");
        assert_eq!(manifest.pointer("/settings/token_rotation_enabled"), Some(&false.into()));
        let rotating = Slack { token_rotation: true, ..slack("https://bridge.example.com/") };
        let manifest = rotating.manifest().expect("a manifest");
        assert_eq!(manifest.pointer("/settings/token_rotation_enabled"), Some(&true.into()));
        assert!(slack("http://bridge.example.com").manifest().is_err());
        assert!(slack("bridge").manifest().is_err());
    }

    #[test]
    fn with_a_socket_there_is_no_address() {
        let manifest = Slack { url: None, socket_mode: true, ..slack("") }.manifest().expect("a manifest");
        assert_eq!(manifest.pointer("/settings/socket_mode_enabled"), Some(&true.into()));
        assert!(!manifest.to_string().contains("url"), "{manifest}");
    }
}
