//! The app of the simulated Slack as its manifest makes it. What the manifest does not ask for is not sent, goes to no other
//! address than the one that stands there, and is refused when it is called. Without a manifest there is an app that may all.
//! <https://docs.slack.dev/reference/app-manifest>

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The events that an app can be told of, and the scope that each needs.
const EVENTS: [(&str, Option<&str>); 8] = [
    ("app_mention", Some("app_mentions:read")),
    ("app_uninstalled", None),
    ("message.channels", Some("channels:history")),
    ("message.groups", Some("groups:history")),
    ("message.im", Some("im:history")),
    ("message.mpim", Some("mpim:history")),
    ("reaction_added", Some("reactions:read")),
    ("tokens_revoked", None),
];
/// What slash commands and shortcuts need.
const COMMANDS: &str = "commands";
/// The scopes of bots that are known here.
const SCOPES: [&str; 10] = [
    "app_mentions:read",
    "channels:history",
    "chat:write",
    "chat:write.public",
    COMMANDS,
    "groups:history",
    "im:history",
    "im:write",
    "mpim:history",
    "reactions:read",
];

/// The app.
#[derive(Debug, Default, Clone)]
pub(super) struct App {
    scopes: BTreeSet<String>,
    /// Those of them that something needed.
    used: BTreeSet<String>,
    /// Where each command is sent to.
    commands: BTreeMap<String, Option<String>>,
    events: BTreeSet<String>,
    events_url: Option<String>,
    /// Where presses and forms are sent to, if anywhere.
    interactivity: Option<Option<String>>,
    /// The callback ids of shortcuts, with their type.
    shortcuts: BTreeSet<(String, String)>,
    socket: bool,
    pub(super) rotates: bool,
}

/// How a request is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlackWay {
    /// To this address.
    To(String),
    /// Through a socket.
    Socket,
}

/// What something needs in a call.
fn scope_of(method: &str) -> Option<&'static str> {
    method.starts_with("chat.").then_some("chat:write")
}

impl App {
    /// From its manifest, if Slack would take that.
    pub(super) fn read(manifest: &Value) -> Result<Self, String> {
        let text = |at: &str| manifest.pointer(at).and_then(Value::as_str).map(str::to_owned);
        let list = |at: &str| manifest.pointer(at).and_then(Value::as_array).cloned().unwrap_or_default();
        let flag = |at: &str| manifest.pointer(at).and_then(Value::as_bool).unwrap_or_default();
        let texts = |at: &str| list(at).iter().filter_map(Value::as_str).map(str::to_owned).collect::<BTreeSet<_>>();
        let most = |at: &str, most: usize| {
            let length = text(at).unwrap_or_default().chars().count();
            if (1..=most).contains(&length) { Ok(()) } else { Err(format!("{at}: 1 to {most} characters")) }
        };
        most("/display_information/name", 35)?;
        most("/display_information/description", 140)?;
        let (socket, rotates) = (flag("/settings/socket_mode_enabled"), flag("/settings/token_rotation_enabled"));
        let scopes = texts("/oauth_config/scopes/bot");
        if let Some(other) = scopes.iter().find(|scope| !SCOPES.contains(&scope.as_str())) {
            return Err(format!("invalid scope {other}"));
        }
        if !scopes.is_empty() && manifest.pointer("/features/bot_user").is_none() {
            return Err("bot scopes need a bot user".to_owned());
        }
        let mut commands = BTreeMap::new();
        for (nth, command) in list("/features/slash_commands").iter().enumerate() {
            let of = |key: &str| command[key].as_str().unwrap_or_default().to_owned();
            let (name, url) = (of("command"), command["url"].as_str().map(str::to_owned));
            let is_word =
                name.len() <= 32 && name.strip_prefix('/').is_some_and(|word| !word.is_empty() && !word.contains(' '));
            if !is_word || of("description").is_empty() || of("description").len() > 2000 {
                return Err(format!("/features/slash_commands/{nth}: a name behind `/`, and a description"));
            }
            if !socket && !url.as_ref().is_some_and(|url| url.starts_with("https://")) {
                return Err(format!("/features/slash_commands/{nth}/url: an https address"));
            }
            commands.insert(name, url);
        }
        let shortcuts = list("/features/shortcuts");
        let shortcuts = shortcuts.iter().map(|one| {
            (
                one["type"].as_str().unwrap_or_default().to_owned(),
                one["callback_id"].as_str().unwrap_or_default().to_owned(),
            )
        });
        let shortcuts: BTreeSet<_> = shortcuts.collect();
        if (!commands.is_empty() || !shortcuts.is_empty()) && !scopes.contains(COMMANDS) {
            return Err("slash commands and shortcuts need the scope commands".to_owned());
        }
        let (events, events_url) =
            (texts("/settings/event_subscriptions/bot_events"), text("/settings/event_subscriptions/request_url"));
        for event in &events {
            let known = EVENTS.iter().find(|(own, _)| own == event).ok_or_else(|| format!("unknown event {event}"))?;
            if known.1.is_some_and(|scope| !scopes.contains(scope)) {
                return Err(format!("the event {event} needs the scope {}", known.1.unwrap_or_default()));
            }
        }
        let interactivity =
            flag("/settings/interactivity/is_enabled").then(|| text("/settings/interactivity/request_url"));
        let misses = |url: &Option<String>| !socket && !url.as_ref().is_some_and(|url| url.starts_with("https://"));
        if interactivity.as_ref().is_some_and(misses) || !events.is_empty() && misses(&events_url) {
            return Err("an https address is missing under /settings".to_owned());
        }
        if !shortcuts.is_empty() && interactivity.is_none() {
            return Err("shortcuts need interactivity".to_owned());
        }
        let used = BTreeSet::new();
        Ok(Self { scopes, used, commands, events, events_url, interactivity, shortcuts, socket, rotates })
    }

    /// Whether a call may be made; what it needed is remembered.
    pub(super) fn may(&mut self, method: &str) -> bool {
        scope_of(method).is_none_or(|scope| self.needs(scope))
    }

    /// The scopes that nothing has needed so far.
    pub(super) fn unused(&self) -> Vec<String> {
        self.scopes.difference(&self.used).cloned().collect()
    }

    fn needs(&mut self, scope: &str) -> bool {
        let has = self.scopes.contains(scope);
        if has {
            self.used.insert(scope.to_owned());
        }
        has
    }

    /// Where a request with this body goes.
    pub(super) fn way(&mut self, body: &str) -> Result<SlackWay, String> {
        let pairs: BTreeMap<String, String> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        let url = match (serde_json::from_str::<Value>(body), pairs.get("payload"), pairs.get("command")) {
            (Ok(event), _, _) => self.event(&event)?,
            (_, Some(payload), _) => self.interaction(&serde_json::from_str(payload).unwrap_or_default())?,
            (_, _, Some(command)) => {
                let url =
                    self.commands.get(command).cloned().ok_or_else(|| format!("{command} is not a valid command"))?;
                self.needs(COMMANDS);
                url
            }
            _ => return Err("this is no request of Slack".to_owned()),
        };
        match url {
            _ if self.socket => Ok(SlackWay::Socket),
            Some(url) => Ok(SlackWay::To(url)),
            None => Err("there is no address for it".to_owned()),
        }
    }

    fn event(&mut self, told: &Value) -> Result<Option<String>, String> {
        if told["type"] == "url_verification" {
            return Ok(self.events_url.clone());
        }
        let event = &told["event"];
        let kind = match (event["type"].as_str().unwrap_or_default(), event["channel_type"].as_str()) {
            ("message", Some(place)) => format!("message.{}", if place == "im" { "im" } else { "channels" }),
            (kind, _) => kind.to_owned(),
        };
        if !self.events.contains(&kind) {
            return Err(format!("the app is not told of {kind}"));
        }
        let scope = EVENTS.iter().find(|(own, _)| *own == kind).and_then(|(_, scope)| *scope);
        if scope.is_some_and(|scope| !self.needs(scope)) {
            return Err(format!("the app may not hear of {kind}"));
        }
        Ok(self.events_url.clone())
    }

    fn interaction(&mut self, payload: &Value) -> Result<Option<String>, String> {
        let of = |key: &str| payload[key].as_str().unwrap_or_default().to_owned();
        let kind = match of("type").as_str() {
            "shortcut" => Some("global"),
            "message_action" => Some("message"),
            _ => None,
        };
        if let Some(kind) = kind {
            if !self.shortcuts.contains(&(kind.to_owned(), of("callback_id"))) {
                return Err(format!("the app has no such {kind} shortcut"));
            }
            self.needs(COMMANDS);
        }
        self.interactivity.clone().ok_or_else(|| "interactivity is off".to_owned())
    }
}
