//! What is asked of Discord. In a channel the bot speaks with its token; the one who asked is answered with the token of
//! their request, which is good for fifteen minutes and a secret: whoever has it can answer in our name.
//! Facts from discord/discord-api-docs, `interactions/receiving-and-responding` and `resources/message`.

mod message;

use std::time::Duration;

use serde_json::Value;

use super::http::{Answer, Http, is_id};
use super::{ChatError, ChatNext, Message};
use crate::secret::Secret;

const NAME: &str = "Discord";
/// Longest token of a request.
const TOKEN: usize = 1024;
/// How soon a request may be answered: Discord knows its token only once it has our first answer.
const NOT_YET: Duration = Duration::from_millis(600);
/// Discord's own numbers for what is not there.
const UNKNOWN_MESSAGE: u64 = 10_008;
const UNKNOWN_CHANNEL: u64 = 10_003;

/// The word that a button's id stands for, and what it carries; none if it is not ours.
#[must_use]
pub fn read_button(custom_id: &str) -> Option<(&str, &str)> {
    custom_id.strip_prefix(message::OURS)?.split_once(':')
}

/// One application of Discord, as it speaks.
#[derive(Debug)]
pub struct Discord {
    http: Http,
    api: String,
    application: String,
    token: Secret,
}

impl Discord {
    /// The application with this bot token, behind this address (`https://discord.com/api/v10`). It asks nothing yet.
    #[must_use]
    pub fn new(api_url: &str, application: &str, token: Secret) -> Self {
        let api = api_url.trim_end_matches('/').to_owned();
        let agent = concat!("DiscordBot (taskbridge, ", env!("CARGO_PKG_VERSION"), ")");
        Self { http: Http::new(NAME, &api, agent), api, application: application.to_owned(), token }
    }

    pub(super) async fn post(
        &self,
        channel: &str,
        replies_to: Option<&str>,
        message: &Message,
    ) -> Result<String, ChatError> {
        let url = format!("{}/channels/{}/messages", self.api, checked(channel)?);
        let fields = message::new_fields(message, replies_to);
        let answer =
            self.http.call(|client| client.post(url).header("authorization", self.bot()).json(&fields)).await?;
        judge(&answer)?;
        answer.id().ok_or_else(|| ChatError::Unclear(NAME, "it names no message".to_owned()))
    }

    pub(super) async fn update(&self, channel: &str, id: &str, message: &Message) -> Result<(), ChatError> {
        let url = format!("{}/channels/{}/messages/{}", self.api, checked(channel)?, checked(id)?);
        let fields = message::fields(message, None);
        let answer =
            self.http.call(|client| client.patch(url).header("authorization", self.bot()).json(&fields)).await?;
        judge(&answer)
    }

    /// Answers a request. Its first answer was that we think about it, seen by the one who asked alone: this takes its place,
    /// however often it is said. What all are to see follows as a message of its own.
    pub(super) async fn answer(&self, to: &Secret, for_all: bool, message: &Message) -> Result<(), ChatError> {
        let token = to.expose();
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if token.is_empty() || token.len() > TOKEN || token.starts_with('.') || !token.bytes().all(plain) {
            return Err(ChatError::NoAnswers);
        }
        let base = format!("{}/webhooks/{}/{token}", self.api, self.application);
        let taken_up = Message { text: "It was taken up.".to_owned(), ..Message::default() };
        let own = message::fields(if for_all { &taken_up } else { message }, None);
        let url = format!("{base}/messages/@original");
        let mut answer = self.http.call(|client| client.patch(&url).json(&own)).await?;
        if answer.status == 404 {
            tokio::time::sleep(NOT_YET).await;
            answer = self.http.call(|client| client.patch(&url).json(&own)).await?;
        }
        if answer.is_good() && for_all {
            let fields = message::fields(message, None);
            answer = self.http.call(|client| client.post(base).json(&fields)).await?;
        }
        if answer.is_good() { Ok(()) } else { Err(ChatError::NoAnswers) }
    }

    fn bot(&self) -> String {
        format!("Bot {}", self.token.expose())
    }
}

/// Only an id goes into an address.
fn checked(id: &str) -> Result<&str, ChatError> {
    let bad = || ChatError::Refused {
        said: "this is no id of Discord".to_owned(),
        advice: "this is no id of Discord".to_owned(),
        next: ChatNext::GiveUp,
    };
    if is_id(id) { Ok(id) } else { Err(bad()) }
}

fn judge(answer: &Answer) -> Result<(), ChatError> {
    let code = answer.body.get("code").and_then(Value::as_u64).unwrap_or_default();
    let (next, advice) = match (answer.status, code) {
        (200..300, _) => return Ok(()),
        (404, UNKNOWN_MESSAGE) => return Err(ChatError::Gone),
        (401, _) => (ChatNext::AskPerson, "; make a new bot token at Discord and put it in"),
        (403, _) | (404, UNKNOWN_CHANNEL) => {
            (ChatNext::OtherWay, "; let the bot see the channel and send messages in it")
        }
        _ => (ChatNext::GiveUp, ""),
    };
    // Discord's own texts are not repeated: the number says it.
    let said = format!("Discord refused it: status {}, code {code}", answer.status);
    Err(ChatError::Refused { advice: format!("{said}{advice}"), said, next })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_no_token_goes_into_no_address() {
        let discord = Discord::new("http://127.0.0.1:9", "1", Secret::new("a-bot-token-of-a-test"));
        for bad in ["", "../../users/@me", "a/b", "a?b", "..", ".x", "a%2f", &"a".repeat(1025)] {
            let outcome = discord.answer(&Secret::new(bad), false, &Message::default()).await;
            assert_eq!(outcome, Err(ChatError::NoAnswers), "{bad}");
        }
        let outcome = discord.post("1/../2", None, &Message::default()).await;
        assert_eq!(outcome.map_err(|error| error.next()), Err(ChatNext::GiveUp));
        assert!(!format!("{discord:?}").contains("a-bot-token"));
    }

    #[test]
    fn only_our_own_buttons_are_read() {
        assert_eq!(read_button("tb:why:0190"), Some(("why", "0190")));
        for other in ["why:0190", "tb:why", "", "TB:why:1"] {
            assert_eq!(read_button(other), None, "{other}");
        }
    }
}
