//! Webhooks as GitHub sends them, cut to what matters: the wish, the body, and the request with its signature.

use bytes::Bytes;
use chrono::SecondsFormat;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use taskbridge::sandbox::{CommentSpec, IssueSpec};

use crate::chance::Dice;
use crate::chat;
use crate::stage::{Fatal, READER, REPOS, Someone, Stage, WRITERS};

/// The hook that tells of everything.
pub(crate) const HOOK: &str = "77";
/// A second hook that tells of some of it too, under the same delivery id.
pub(crate) const SECOND_HOOK: &str = "78";

/// What somebody did on GitHub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Put the label that starts a task.
    Label,
    /// Wrote the command that starts a task.
    Command,
    /// Wrote it without the right to.
    CommandOfReader,
    /// Asked for it in the chat.
    Chat,
    /// Something that no rule listens to.
    Nothing,
}

/// Something that happened, told by one or two hooks.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    /// Stands in the title of its issue, and so in the prompt: `wish-000042`.
    pub token: String,
    pub kind: Kind,
    pub repo: String,
    pub issue: i64,
    pub envelopes: Vec<Envelope>,
}

impl Wish {
    /// Whether it must become a task.
    pub(crate) fn must_start(&self) -> bool {
        matches!(self.kind, Kind::Label | Kind::Command | Kind::Chat)
    }
}

/// One delivery: the same bytes under the same id, however often it is sent.
#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    pub hook: &'static str,
    pub delivery: String,
    pub event: &'static str,
    pub body: Bytes,
    /// The headers of a request of the chat, which brings its own.
    pub of_chat: Option<Vec<(String, String)>>,
}

impl Envelope {
    /// What it is remembered by.
    pub(crate) fn key(&self) -> (String, String) {
        (self.hook.to_owned(), self.delivery.clone())
    }

    pub(crate) fn request(&self, stage: &Stage, address: std::net::SocketAddr) -> reqwest::RequestBuilder {
        if let Some(headers) = &self.of_chat {
            let request = stage.client.post(format!("http://{address}/hooks/slack")).body(self.body.clone());
            return headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        }
        // Any length of key makes a HMAC.
        let signature = Hmac::<Sha256>::new_from_slice(stage.hook_secret.as_bytes()).map(|mut mac| {
            mac.update(&self.body);
            hex::encode(mac.finalize().into_bytes())
        });
        stage
            .client
            .post(format!("http://{address}/hooks/github"))
            .header("content-type", "application/json")
            .header("x-github-event", self.event)
            .header("x-github-delivery", &self.delivery)
            .header("x-github-hook-id", self.hook)
            .header("x-hub-signature-256", format!("sha256={}", signature.unwrap_or_default()))
            .body(self.body.clone())
    }
}

/// Makes the `number`-th thing happen: on the simulated GitHub, and as the webhooks that tell of it.
pub(crate) fn happen(stage: &Stage, dice: &mut Dice, number: usize) -> Result<Wish, Fatal> {
    let token = format!("wish-{number:06}");
    let kind = match dice.below(100) {
        0..35 => Kind::Label,
        35..60 => Kind::Command,
        60..65 => Kind::CommandOfReader,
        65..80 => Kind::Chat,
        _ => Kind::Nothing,
    };
    let actor = &stage.people[if kind == Kind::CommandOfReader { READER } else { dice.below(WRITERS) }];
    let (name, repo_id) = *dice.pick(&REPOS);
    let repo = format!("acme/{name}");
    let mut body = json!({
        "repository": {
            "id": repo_id, "name": name, "full_name": repo, "private": true, "fork": false,
            "default_branch": "main", "owner": { "id": 9001, "login": "acme", "type": "Organization" },
        },
        "sender": account(actor),
    });
    let mut issue = 0;
    if !matches!(kind, Kind::Nothing | Kind::Chat) || dice.percent(50) {
        let (author, title) = (actor.login.clone(), format!("{token} of a round"));
        issue = stage.control().add_issue(IssueSpec { repo: repo.clone(), author, title, ..IssueSpec::default() })?;
        body["issue"] = issue_json(stage, &repo, issue, actor, &token);
    }
    let event = match kind {
        Kind::Label => label(&mut body, "copilot-fix"),
        Kind::Command | Kind::CommandOfReader => comment(stage, &mut body, &repo, issue, actor, "/copilot tests")?,
        Kind::Chat => return Ok(chat::ask(stage, dice, token)),
        Kind::Nothing if issue == 0 => {
            body["ref"] = "refs/heads/main".into();
            body["after"] = token.clone().into();
            "push"
        }
        Kind::Nothing if dice.percent(50) => label(&mut body, "bug"),
        Kind::Nothing => comment(stage, &mut body, &repo, issue, actor, "I see that too.")?,
    };
    let delivery = format!("delivery-{number:06}");
    let mut envelopes =
        vec![Envelope { hook: HOOK, delivery: delivery.clone(), event, body: body.to_string().into(), of_chat: None }];
    if dice.percent(15) {
        // The hook of an App tells of its installation too.
        body["installation"] = json!({ "id": 8001 });
        let body = body.to_string().into();
        envelopes.push(Envelope { hook: SECOND_HOOK, delivery, event, body, of_chat: None });
    }
    Ok(Wish { token, kind, repo, issue, envelopes })
}

/// A delivery that kills whoever reads it, if the fail points are armed so.
pub(crate) fn poison(number: usize) -> Envelope {
    let body = json!({ "zen": "Half measures are as bad as nothing at all.", "number": number }).to_string();
    Envelope { hook: HOOK, delivery: format!("poison-{number:06}"), event: "fork", body: body.into(), of_chat: None }
}

fn label(body: &mut Value, name: &str) -> &'static str {
    body["action"] = "labeled".into();
    body["label"] = json!({ "id": 31, "name": name });
    "issues"
}

fn comment(
    stage: &Stage,
    body: &mut Value,
    repo: &str,
    number: i64,
    actor: &Someone,
    text: &str,
) -> Result<&'static str, Fatal> {
    let (author, said) = (actor.login.clone(), text.to_owned());
    let spec = CommentSpec { repo: repo.to_owned(), number, author, body: said, path: None };
    let id = stage.control().add_comment(spec)?;
    let at = now(stage);
    body["action"] = "created".into();
    body["comment"] = json!({
        "id": id, "body": text, "html_url": format!("{}/{repo}/issues/{number}#issuecomment-{id}", stage.sandbox.url()),
        "user": account(actor), "author_association": "MEMBER", "performed_via_github_app": null,
        "created_at": at, "updated_at": at,
    });
    Ok("issue_comment")
}

fn issue_json(stage: &Stage, repo: &str, number: i64, author: &Someone, token: &str) -> Value {
    json!({
        "id": 1_000_000 + number, "number": number, "title": format!("{token} of a round"), "body": null,
        "state": "open", "html_url": format!("{}/{repo}/issues/{number}", stage.sandbox.url()),
        "user": account(author), "author_association": "MEMBER", "labels": [], "updated_at": now(stage),
    })
}

fn account(someone: &Someone) -> Value {
    json!({ "id": someone.id, "login": someone.login, "type": "User" })
}

fn now(stage: &Stage) -> String {
    stage.ground.now().to_rfc3339_opts(SecondsFormat::Secs, true)
}
