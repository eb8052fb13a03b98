//! Requests of Slack, rightly signed: a line with the content type, then the body.
//!
//! Promise: whatever the body, the request is kept under a name and an id that the table takes, the same each time; it
//! reads the same each time or fails for good; who said it is named by plain ids; what is to be answered at once is
//! recorded by nobody and so starts nothing; and with another stamp, or another body, it is turned away.

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderValue};
use sha2::Sha256;
use taskbridge::domain::chat::ChatSaid;
use taskbridge::domain::signing_key::SharedKey;
use taskbridge::secret::Secret;
use taskbridge::sources::slack::SlackSource;
use taskbridge::sources::{Reading, Refusal, Reply, Source};
use taskbridge::store::Moment;

use super::Target;

pub(crate) const SLACK: Target = Target {
    name: "slack",
    check,
    words: &[
        "application/json\n",
        "application/x-www-form-urlencoded\n",
        "payload=",
        "command=%2Fcopilot&",
        "text=",
        "team_id=T1&user_id=U1&channel_id=C1",
        "trigger_id=1.2",
        "ssl_check=1",
        "{\"type\":\"event_callback\",\"event_id\":\"Ev1\",\"event\":{\"type\":\"app_mention\",\"user\":\"U1\"}}",
        "\"channel\":\"C1\"",
        "\"type\":\"view_submission\"",
        "\"callback_id\":\"taskbridge_new_task\"",
        "%7B%22type%22%3A%22block_actions%22%7D",
        "<@U1|mona>",
        "&lt;",
        "\u{0}",
        "\\ud800",
        "null",
        "[]",
        "{}",
    ],
    slowest_ms: 1_000,
};

const SECRET: &str = "the signing secret of an app";
const NOW: i64 = 1_800_000_000;

fn signed(content_type: &[u8], stamp: &str, body: &[u8]) -> Option<HeaderMap> {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("v0:{stamp}:").as_bytes());
    mac.update(body);
    let signature = format!("v0={}", hex::encode(mac.finalize().into_bytes()));
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_bytes(content_type).ok()?);
    headers.insert("x-slack-request-timestamp", HeaderValue::from_str(stamp).ok()?);
    headers.insert("x-slack-signature", HeaderValue::from_str(&signature).ok()?);
    Some(headers)
}

fn check(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (content_type, body) = (&data[..end], data.get(end + 1..).unwrap_or_default());
    let Some(headers) = signed(content_type, &NOW.to_string(), body) else { return };
    let source = || {
        let keys = vec![SharedKey::of_text(&Secret::new(SECRET))];
        Source::Slack(SlackSource::new(keys, None, "/copilot".to_owned(), "github.com".to_owned()))
    };
    let now = Moment::from_timestamp(NOW, 0).unwrap();
    let source = source();
    let envelope = match source.verify(&headers, body, now) {
        Ok(envelope) => envelope,
        Err(refusal) => return assert_eq!(refusal, Refusal::HeaderUnusable, "it is rightly signed"),
    };
    assert_eq!(source.verify(&headers, body, now).as_ref(), Ok(&envelope));
    for kept in [&envelope.sender_id, &envelope.event_name] {
        assert!((1..=128).contains(&kept.len()) && kept.bytes().all(|b| (0x20..0x7f).contains(&b)), "{kept:?}");
    }
    assert_eq!(source.verify(&headers, &[body, b"x"].concat(), now), Err(Refusal::SignatureWrong));
    let later = Moment::from_timestamp(NOW + 301, 0).unwrap();
    assert_eq!(source.verify(&headers, body, later), Err(Refusal::StampStale));

    let reply = source.reply(&envelope, body);
    let read = source.read("slack", &envelope, body);
    let again = source.read("slack", &envelope, body);
    assert_eq!(format!("{read:?}"), format!("{again:?}"));
    match &read {
        Ok(Reading::Event(event)) => {
            let Some(chat) = event.chat.as_ref() else { return assert_eq!(event.name, "app_gone") };
            assert!(!event.identity.is_empty() && event.actor.is_none() && event.repo.is_none());
            let form = matches!(chat.said, ChatSaid::Form(_));
            assert!(form || !matches!(reply, Reply::AtOnce { .. }), "said and answered at once: {reply:?}");
            for id in [chat.identity.platform(), chat.identity.team(), chat.identity.account()] {
                assert!((1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()), "{id:?}");
            }
        }
        Ok(Reading::Ping) => assert!(matches!(reply, Reply::AtOnce { .. }), "{reply:?}"),
        Ok(Reading::Nothing(_) | Reading::Elsewhere(_)) => assert_eq!(reply, Reply::Quiet),
        // A form that says neither what is wanted nor by whom is answered what is missing.
        Err(_) => {
            assert!(!matches!(reply, Reply::Accepted | Reply::AtOnce { content_type: "text/plain", .. }), "{reply:?}")
        }
    }
    if let Ok(payload) = source.payload(&envelope, body) {
        assert!(payload.get("response_url").is_none() && payload.get("trigger_id").is_none());
    }
}
