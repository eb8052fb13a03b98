//! The application of the simulated Discord as its developer makes it: the commands that are registered, what the link asks for
//! that installs it, and the one address that interactions go to. Until one of these is said, all of them are open.
//! <https://discord.com/developers/docs/topics/permissions>

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Answer, ChatRequest, refused};

const VIEW_CHANNEL: u64 = 1 << 10;
const SEND_MESSAGES: u64 = 1 << 11;
const READ_MESSAGE_HISTORY: u64 = 1 << 16;
const SEND_MESSAGES_IN_THREADS: u64 = 1 << 38;
const MISSING_ACCESS: u64 = 50_001;
const MISSING_PERMISSIONS: u64 = 50_013;
const NO_HISTORY: u64 = 160_002;

/// The application.
#[derive(Debug, Default)]
pub(super) struct App {
    /// The names of the options of each command.
    commands: Option<BTreeMap<String, BTreeSet<String>>>,
    permissions: Option<u64>,
    used: u64,
    /// Where interactions go.
    pub(super) endpoint: Option<String>,
    /// Channels that are threads.
    pub(super) threads: BTreeSet<String>,
}

impl App {
    /// Installed with a link.
    pub(super) fn install(&mut self, application: &str, link: &str) -> Result<(), String> {
        let query =
            link.strip_prefix("https://discord.com/oauth2/authorize?").ok_or("this is no link to install with")?;
        let fields: BTreeMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        if field("client_id") != application {
            return Err("Unknown Application".to_owned());
        }
        let scopes: BTreeSet<&str> = field("scope").split(' ').collect();
        if scopes != BTreeSet::from(["applications.commands", "bot"]) {
            return Err(format!("these scopes install no bot with commands: {scopes:?}"));
        }
        self.permissions = Some(field("permissions").parse().map_err(|_| "no permissions".to_owned())?);
        Ok(())
    }

    /// The permissions that nothing has needed so far.
    pub(super) fn unused(&self) -> u64 {
        self.permissions.unwrap_or_default() & !self.used
    }

    /// Registers a command, or puts it in place of the one of its name.
    pub(super) fn register(&mut self, fields: &Value) -> Answer {
        let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let is_name = |name: &str| {
            (1..=32).contains(&name.len())
                && name.chars().all(|c| c.is_lowercase() || c.is_ascii_digit() || c == '-' || c == '_')
        };
        let is_told = |value: &Value| (1..=100).contains(&text(value, "description").chars().count());
        let options = fields["options"].as_array().cloned().unwrap_or_default();
        let good = is_name(&text(fields, "name"))
            && is_told(fields)
            && fields["type"].as_u64().unwrap_or(1) == 1
            && options
                .iter()
                .all(|option| is_name(&text(option, "name")) && is_told(option) && option["type"].is_u64());
        if !good {
            return refused(400, 50_035);
        }
        let names = options.iter().map(|option| text(option, "name")).collect();
        self.commands.get_or_insert_default().insert(text(fields, "name"), names);
        Answer::json(201, fields.clone())
    }

    /// Why the bot may not post there, if it may not.
    pub(super) fn refuses(&mut self, channel: &str, replies: bool) -> Option<Answer> {
        let write = if self.threads.contains(channel) { SEND_MESSAGES_IN_THREADS } else { SEND_MESSAGES };
        let mut needed = vec![(VIEW_CHANNEL, MISSING_ACCESS), (write, MISSING_PERMISSIONS)];
        if replies {
            needed.push((READ_MESSAGE_HISTORY, NO_HISTORY));
        }
        let given = self.permissions?;
        for (permission, code) in needed {
            if given & permission == 0 {
                return Some(refused(403, code));
            }
            self.used |= permission;
        }
        None
    }

    /// Where a request is sent.
    pub(super) fn way(&self, request: &ChatRequest) -> Result<String, String> {
        let body: Value = serde_json::from_str(&request.body).map_err(|_| "this is no interaction".to_owned())?;
        if body["type"] == 2 {
            let name = body["data"]["name"].as_str().unwrap_or_default();
            let known = self.commands.as_ref().and_then(|commands| commands.get(name));
            let options = known.ok_or_else(|| format!("there is no command {name}"))?;
            let given = body["data"]["options"].as_array().cloned().unwrap_or_default();
            if let Some(other) = given.iter().find(|one| !options.contains(one["name"].as_str().unwrap_or_default())) {
                return Err(format!("the command has no option {}", other["name"]));
            }
        }
        self.endpoint.clone().ok_or_else(|| "there is no address for interactions".to_owned())
    }
}
