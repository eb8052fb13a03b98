//! The bodies that Slack sends, with the few fields that are used. Everything is optional: what is missing is told where it
//! is needed, and what is new is passed over.

use serde::Deserialize;
use serde_json::Value;

use super::super::form::Form;
use super::super::unreadable::Unreadable;

/// One body, told apart by its form.
#[derive(Debug)]
pub(super) enum Body {
    /// Slack looks whether the address has a certificate.
    Check,
    /// Slack looks whether the address is ours: this is to be answered.
    Challenge(String),
    Command(Box<SlashCommand>),
    Event(Box<EventCallback>),
    Interaction(Box<Interaction>),
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SlashCommand {
    pub team_id: String,
    pub enterprise_id: Option<String>,
    pub channel_id: String,
    pub user_id: String,
    pub command: String,
    pub text: String,
    pub api_app_id: Option<String>,
    pub response_url: Option<String>,
    pub trigger_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct EventCallback {
    #[serde(rename = "type")]
    pub kind: String,
    pub challenge: String,
    pub team_id: String,
    pub enterprise_id: Option<String>,
    pub context_enterprise_id: Option<String>,
    pub api_app_id: Option<String>,
    pub event_id: Option<String>,
    pub event_time: Option<i64>,
    pub is_ext_shared_channel: bool,
    pub authorizations: Vec<Authorization>,
    pub event: Event,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Authorization {
    pub enterprise_id: Option<String>,
    pub team_id: Option<String>,
    pub user_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    #[serde(rename = "type")]
    pub kind: String,
    pub subtype: Option<String>,
    pub bot_id: Option<String>,
    pub app_id: Option<String>,
    pub user: Option<String>,
    pub user_team: Option<String>,
    pub team: Option<String>,
    pub text: String,
    pub ts: String,
    pub thread_ts: Option<String>,
    pub channel: Option<Value>,
    pub channel_type: Option<String>,
    pub tokens: Option<Tokens>,
}

/// The accounts whose tokens were taken back.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Tokens {
    pub bot: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Interaction {
    #[serde(rename = "type")]
    pub kind: String,
    pub callback_id: Option<String>,
    pub api_app_id: Option<String>,
    pub trigger_id: Option<String>,
    pub response_url: Option<String>,
    /// Of a form in which a channel was chosen.
    pub response_urls: Vec<ResponseUrl>,
    pub user: Named,
    pub team: Option<Named>,
    pub enterprise: Option<Named>,
    pub channel: Option<Named>,
    pub message: Option<Message>,
    pub actions: Vec<Action>,
    pub view: Option<View>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ResponseUrl {
    pub response_url: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Named {
    pub id: String,
    pub team_id: Option<String>,
    pub enterprise_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Message {
    pub text: String,
    pub ts: String,
    pub thread_ts: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Action {
    pub action_id: String,
    pub value: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct View {
    pub id: String,
    pub hash: Option<String>,
    pub callback_id: String,
    pub private_metadata: String,
    pub state: Option<ViewState>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ViewState {
    /// By block, then by action.
    pub values: serde_json::Map<String, Value>,
}

impl Body {
    pub(super) fn parse(content_type: &str, body: &[u8]) -> Result<Self, Unreadable> {
        let wrong = |error: serde_json::Error| Unreadable(error.to_string());
        if !Form::is_one(content_type) {
            let mut event: EventCallback = serde_json::from_slice(body).map_err(wrong)?;
            return Ok(match event.kind.as_str() {
                "url_verification" => Self::Challenge(std::mem::take(&mut event.challenge)),
                _ => Self::Event(Box::new(event)),
            });
        }
        let form = Form::parse(body)?;
        if let Some(payload) = form.field("payload") {
            return Ok(Self::Interaction(Box::new(serde_json::from_str(payload).map_err(wrong)?)));
        }
        if form.field("ssl_check") == Some("1") {
            return Ok(Self::Check);
        }
        Ok(Self::Command(Box::new(form.read()?)))
    }

    /// The kind of event.
    pub(super) fn kind(&self) -> &str {
        match self {
            Self::Check => "ssl_check",
            Self::Challenge(_) => "url_verification",
            Self::Command(_) => "slash_command",
            Self::Event(event) if event.event.kind.is_empty() => &event.kind,
            Self::Event(event) => &event.event.kind,
            Self::Interaction(interaction) => &interaction.kind,
        }
    }

    /// What is the same when Slack sends it again.
    pub(super) fn id(&self) -> Option<String> {
        match self {
            Self::Check | Self::Challenge(_) => None,
            Self::Command(command) => command.trigger_id.clone(),
            Self::Event(event) => event.event_id.clone(),
            Self::Interaction(interaction) => match (&interaction.trigger_id, &interaction.view) {
                (Some(id), _) => Some(id.clone()),
                (None, Some(view)) => {
                    let hash = view.hash.as_deref().unwrap_or_default();
                    Some(format!("{} {} {hash}", interaction.kind, view.id))
                }
                (None, None) => None,
            },
        }
    }

    /// The app that it is meant for.
    pub(super) fn app_id(&self) -> Option<&str> {
        match self {
            Self::Check | Self::Challenge(_) => None,
            Self::Command(command) => command.api_app_id.as_deref(),
            Self::Event(event) => event.api_app_id.as_deref(),
            Self::Interaction(interaction) => interaction.api_app_id.as_deref(),
        }
    }
}

/// The whole body as JSON.
pub(super) fn value(content_type: &str, body: &[u8]) -> Result<Value, Unreadable> {
    let wrong = |error: serde_json::Error| Unreadable(error.to_string());
    if !Form::is_one(content_type) {
        return serde_json::from_slice(body).map_err(wrong);
    }
    let form = Form::parse(body)?;
    form.field("payload").map_or_else(|| Ok(form.to_json()), |payload| serde_json::from_str(payload).map_err(wrong))
}
