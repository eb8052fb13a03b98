//! What is asked of a Mattermost server: its REST interface, if there is a bot to speak as, and the address for answers of a
//! request, which is on the same server or is not used. Mattermost has no signed buttons, so what could be pressed is said
//! as words to type.
//! Facts from mattermost/mattermost-developer-documentation, `integrate/slash-commands/`, and mattermost/mattermost,
//! `api/v4/source/posts.yaml`.

use reqwest::Url;
use serde_json::{Value, json};

use super::http::{AGENT, Answer, Http, cut, is_id};
use super::{ChatError, ChatNext, Message};
use crate::secret::Secret;

const NAME: &str = "Mattermost";
/// Longest text of a message, in characters; a server takes 16,383.
const TEXT: usize = 16_000;
/// Where addresses for answers lead, below the server's own.
const ANSWERS_AT: &str = "/hooks/commands/";

/// One Mattermost server, as it is spoken to.
#[derive(Debug)]
pub struct Mattermost {
    http: Http,
    server: String,
    token: Option<Secret>,
    command: String,
}

impl Mattermost {
    /// The server at this address, and the token of a bot on it if there is one. `command` is what people type.
    #[must_use]
    pub fn new(server_url: &str, token: Option<Secret>, command: &str) -> Self {
        let server = server_url.trim_end_matches('/').to_owned();
        Self { http: Http::new(NAME, &server, AGENT), server, token, command: command.to_owned() }
    }

    pub(super) async fn post(
        &self,
        channel: &str,
        thread: Option<&str>,
        message: &Message,
    ) -> Result<String, ChatError> {
        let text = self.called(message).await? + &self.text(message);
        let body = json!({ "channel_id": channel, "root_id": thread.unwrap_or_default(), "message": text });
        let answer = self.call("POST", "posts", &body).await?;
        answer.id().ok_or_else(|| ChatError::Unclear(NAME, "it names no message".to_owned()))
    }

    pub(super) async fn update(&self, id: &str, message: &Message) -> Result<(), ChatError> {
        if !is_id(id) {
            return Err(ChatError::Gone);
        }
        let body = json!({ "message": self.text(message) });
        match self.call("PUT", &format!("posts/{id}/patch"), &body).await {
            // A post that somebody deleted is answered as one that never was.
            Err(ChatError::NoWay(_)) => Err(ChatError::Gone),
            updated => updated.map(drop),
        }
    }

    pub(super) async fn whisper(
        &self,
        channel: &str,
        account: &str,
        thread: Option<&str>,
        message: &Message,
    ) -> Result<(), ChatError> {
        let post = json!({
            "channel_id": channel, "root_id": thread.unwrap_or_default(), "message": self.text(message),
        });
        self.call("POST", "posts/ephemeral", &json!({ "user_id": account, "post": post })).await.map(drop)
    }

    pub(super) async fn answer(&self, to: &Secret, for_all: bool, message: &Message) -> Result<(), ChatError> {
        let url = self.answers_at(to).ok_or(ChatError::NoAnswers)?;
        let kind = if for_all { "in_channel" } else { "ephemeral" };
        let body = json!({ "response_type": kind, "text": self.text(message) });
        let answer = self.http.call(|client| client.post(url).json(&body)).await?;
        if answer.is_good() { Ok(()) } else { Err(ChatError::NoAnswers) }
    }

    /// The address, if it is the server's: whoever could name another would have us send what is meant for one person.
    fn answers_at(&self, to: &Secret) -> Option<Url> {
        let url = Url::parse(to.expose()).ok()?;
        let own = Url::parse(&self.server).ok()?;
        let path = own.path().trim_end_matches('/');
        let below = url.path().strip_prefix(path).is_some_and(|rest| rest.starts_with(ANSWERS_AT));
        (url.origin() == own.origin() && below && url.username().is_empty() && url.password().is_none()).then_some(url)
    }

    /// The name of the one who is called, which Mattermost wants in place of the id.
    async fn called(&self, message: &Message) -> Result<String, ChatError> {
        let Some(account) = message.mention.as_deref().filter(|id| is_id(id)) else { return Ok(String::new()) };
        let answer = match self.call("GET", &format!("users/{account}"), &Value::Null).await {
            Ok(answer) => answer,
            Err(error) if error.next() == ChatNext::Retry => return Err(error),
            // Whoever left is not called; what was to be said is said all the same.
            Err(_) => return Ok(String::new()),
        };
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        let name = answer.body["username"].as_str().filter(|name| name.len() <= 64 && name.bytes().all(plain));
        Ok(name.filter(|name| !is_everybody(name)).map(|name| format!("@{name} ")).unwrap_or_default())
    }

    /// The text; no `@` in it calls anybody.
    fn text(&self, message: &Message) -> String {
        let mut text = message.text.replace('@', "@\u{200b}");
        let words = message.buttons.iter().map(|button| match &button.url {
            Some(url) => format!("[{}]({url})", button.label),
            None => format!("`{} {} {}`", self.command, button.name, button.value),
        });
        let words: Vec<String> = words.collect();
        if !words.is_empty() {
            text = format!("{text}\n{}", words.join(" · "));
        }
        cut(&text, TEXT)
    }

    async fn call(&self, method: &str, path: &str, body: &Value) -> Result<Answer, ChatError> {
        let token = self.token.as_ref().ok_or(ChatError::NoWay("there is no bot token for Mattermost"))?;
        let url = format!("{}/api/v4/{path}", self.server);
        let answer = self.http.call(|client| {
            let request = match method {
                "GET" => client.get(url),
                "PUT" => client.put(url).json(body),
                _ => client.post(url).json(body),
            };
            request.bearer_auth(token.expose())
        });
        let answer = answer.await?;
        let (next, advice) = match answer.status {
            200..300 => return Ok(answer),
            404 => return Err(ChatError::NoWay("Mattermost knows no such channel or message")),
            401 => (ChatNext::AskPerson, "; make a new token for the bot and put it in"),
            403 => (ChatNext::OtherWay, "; add the bot to the team and the channel"),
            _ => (ChatNext::GiveUp, ""),
        };
        let said = format!("Mattermost refused it: status {}", answer.status);
        Err(ChatError::Refused { advice: format!("{said}{advice}"), said, next })
    }
}

/// Names that call a whole channel.
fn is_everybody(name: &str) -> bool {
    ["all", "channel", "here"].iter().any(|word| word.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Button;

    #[test]
    fn answers_go_to_the_server_alone() {
        let chat = Mattermost::new("https://chat.example.com/team/", None, "/copilot");
        let ok = |url: &str| chat.answers_at(&Secret::new(url)).is_some();
        assert!(ok("https://chat.example.com/team/hooks/commands/abc"));
        for elsewhere in [
            "https://evil.example/team/hooks/commands/abc",
            "http://chat.example.com/team/hooks/commands/abc",
            "https://chat.example.com:8443/team/hooks/commands/abc",
            "https://x@chat.example.com/team/hooks/commands/abc",
            "https://chat.example.com/hooks/commands/abc",
            "https://chat.example.com/team/hooks/../../api/v4/posts",
            "https://chat.example.com/team/api/v4/posts",
            "x",
        ] {
            assert!(!ok(elsewhere), "{elsewhere}");
        }
    }

    #[test]
    fn no_text_calls_anybody_and_buttons_are_words() {
        let chat = Mattermost::new("https://chat.example.com", None, "/copilot");
        let button =
            |name, url: Option<&str>| Button { name, label: "Open", value: "7".into(), url: url.map(str::to_owned) };
        let buttons = vec![button("why", None), button("open", Some("https://x.example"))];
        let message = Message { text: "@all done".into(), buttons, ..Message::default() };
        assert_eq!(chat.text(&message), "@\u{200b}all done\n`/copilot why 7` · [Open](https://x.example)");
    }
}
