//! `taskbridge explain`: why a delivery became what it became, or what the rules would say to a payload.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use super::open::{Needs, beside, github, load_with_own_secrets};
use super::{CliError, live_of, settings_of};
use crate::clock::Ground;
use crate::config::is_chat;
use crate::ids::DeliveryId;
use crate::pipeline::Bridge;
use crate::pipeline::explain::{Explanation, of_delivery, of_payload, of_sender_id};

/// Largest payload read, in bytes: what GitHub sends at most.
const PAYLOAD_BYTES: u64 = 26_214_400;

/// Tell why a delivery became what it became, rule by rule, or try a payload against the rules.
///
/// With the id of a delivery, ours or GitHub's, it tells what was decided. With a file it is a dry run: nothing is recorded,
/// started or asked of GitHub.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The id of a recorded delivery (also that in `X-GitHub-Delivery`), or a file with a payload.
    #[arg(value_name = "DELIVERY|FILE")]
    what: String,
    /// For a file: the kind of event, as the sender's header says it (`X-GitHub-Event`). Guessed from the payload when absent.
    #[arg(long)]
    event: Option<String>,
    /// For a file: the source that it would come from.
    #[arg(long, default_value = "github")]
    source: String,
    /// Print JSON instead of words.
    #[arg(long)]
    json: bool,
}

impl Explain {
    pub(super) async fn run(self, config: &Path) -> Result<(), CliError> {
        let id = self.what.parse::<DeliveryId>().ok();
        let told = if id.is_some() || self.is_of_sender() {
            let found =
                beside(config, Needs::ADatabaseWithContent, async |_, bridge| recorded(bridge, id, &self.what).await);
            found.await?
        } else {
            vec![self.dry_run(config)?]
        };
        if told.is_empty() {
            return Err(CliError::Said(format!(
                "there is no delivery {}, neither by our id nor by its sender's. It never came in, or was \
                 forgotten after its time: look on the hook's page under Recent Deliveries what was answered",
                self.what
            )));
        }
        for (nth, told) in told.iter().enumerate() {
            if self.json {
                println!("{:#}", serde_json::to_value(told).map_err(CliError::said)?);
            } else {
                print!("{}{}", if nth == 0 { "" } else { "\n" }, told.text());
            }
        }
        Ok(())
    }

    /// Whether it may be a sender's own id, which can be anything: no file is meant.
    fn is_of_sender(&self) -> bool {
        let is_path = self.what.contains('/') || self.what.ends_with(".json");
        !is_path && self.what.bytes().any(|byte| byte.is_ascii_digit()) && !Path::new(&self.what).exists()
    }

    fn dry_run(&self, config: &Path) -> Result<Explanation, CliError> {
        let path = PathBuf::from(&self.what);
        let unreadable = |why: &dyn std::fmt::Display| {
            CliError::Said(format!(
                "`{}` is no id of a delivery, and no file that can be read: {why}. Give the id that the answer to the \
                 webhook named (or the one in its header X-GitHub-Delivery), or the path of a file with a payload",
                self.what
            ))
        };
        let size = std::fs::metadata(&path).map_err(|error| unreadable(&error))?.len();
        if size > PAYLOAD_BYTES {
            return Err(unreadable(&"it is larger than any webhook"));
        }
        let body = std::fs::read(&path).map_err(|error| unreadable(&error))?;
        let loaded = load_with_own_secrets(config)?;
        let Some(source) = loaded.config.sources.get(&self.source) else {
            let known: Vec<String> = loaded.config.sources.keys().map(|name| format!("`{name}`")).collect();
            return Err(CliError::Said(format!(
                "there is no source `{}`; configured: {}",
                self.source,
                known.join(", ")
            )));
        };
        let of_chat = is_chat(source.kind());
        // Commands of Slack and Mattermost are forms of many fields.
        let form = body.starts_with(b"payload=") || (of_chat && !body.trim_ascii_start().starts_with(b"{"));
        let content_type = if form { "application/x-www-form-urlencoded" } else { "application/json" };
        let github = github(&loaded.config, &Ground::system())?;
        let live = live_of(&loaded, github.host());
        let told = live.sources.get(&self.source).and_then(|source| match source.source.names_actors() {
            // In what a chat sends it stands itself.
            true if of_chat => Some("message".to_owned()),
            true => guess(&body),
            false => source.source.event_of(&body),
        });
        let event = self.event.clone().or(told).ok_or_else(|| {
            let name = if live.sources.get(&self.source).is_some_and(|source| source.source.names_actors()) {
                "issues"
            } else {
                "NAME"
            };
            CliError::Said(format!("the kind of event cannot be told from the payload: say it with `--event {name}`"))
        })?;
        let mut told = of_payload(&live, &settings_of(&loaded.config), &self.source, &event, content_type, &body);
        if of_chat {
            told.notes.push(
                "for a chat the file holds the body of a request as the chat sends it: JSON, or for a command of Slack or \
                 Mattermost a form (`command=%2Fcopilot&text=…`). Who said it and where was not looked up"
                    .to_owned(),
            );
        }
        Ok(told)
    }
}

/// By our own id, else by the sender's, which may have the same form.
async fn recorded(bridge: &Bridge, id: Option<DeliveryId>, written: &str) -> Result<Vec<Explanation>, CliError> {
    let own = match id {
        Some(id) => of_delivery(bridge, id).await.map_err(CliError::said)?,
        None => None,
    };
    match own {
        Some(told) => Ok(vec![told]),
        None => of_sender_id(bridge, written).await.map_err(CliError::said),
    }
}

/// The kind of event, by what the payload is about.
fn guess(body: &[u8]) -> Option<String> {
    let payload: Value = serde_json::from_slice(body).ok()?;
    let has = |key: &str| payload.get(key).is_some_and(|value| !value.is_null());
    let event = match () {
        () if has("issue") && has("comment") => "issue_comment",
        () if has("issue") => "issues",
        () if has("pull_request") && has("comment") => "pull_request_review_comment",
        () if has("pull_request") && has("review") => "pull_request_review",
        () if has("pull_request") => "pull_request",
        () if has("workflow_run") => "workflow_run",
        () if has("check_run") => "check_run",
        () if has("commits") && has("ref") => "push",
        () => return None,
    };
    Some(event.to_owned())
}
