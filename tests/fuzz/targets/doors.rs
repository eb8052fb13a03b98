//! Requests of Discord, Mattermost and Teams, rightly signed: a line with the chat and the content type, then the body.
//!
//! Promise: whatever the body, the request is kept under a name and an id that the table takes, the same each time; it
//! reads the same each time or fails for good; who said it is named by plain ids and where by a short one; what is answered
//! without being recorded starts nothing, and nothing that was said is answered so; and with another body it is turned away.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderValue};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use sha2::Sha256;
use taskbridge::domain::signing_key::{PublicKey, SharedKey};
use taskbridge::secret::Secret;
use taskbridge::sources::doors::Door;
use taskbridge::sources::{Reading, Refusal, Reply, Source};
use taskbridge::store::Moment;

use super::Target;

pub(crate) const DOORS: Target = Target {
    name: "doors",
    check,
    words: &[
        "discord application/json\n",
        "mattermost application/x-www-form-urlencoded\n",
        "teams application/json\n",
        "{\"type\":1}",
        "{\"type\":2,\"id\":\"1\",\"application_id\":\"845027738276462632\",\"token\":\"t\",\"channel_id\":\"3\"}",
        "\"data\":{\"name\":\"copilot\",\"options\":[{\"type\":3,\"value\":\"fix it\"}]}",
        "\"data\":{\"custom_id\":\"tb:why:0190\"}",
        "\"user\":{\"id\":\"4\"}",
        "\"member\":{\"user\":{\"id\":\"4\"}}",
        "\"guild_id\":\"5\"",
        "team_id=t&user_id=u&channel_id=c&command=%2Fcopilot",
        "&text=fix+it",
        "&token=the-token-of-a-command",
        "&token=another",
        "&response_url=https%3A%2F%2Fchat.example%2Fhooks%2Fcommands%2F1",
        "&trigger_id=1",
        "&root_id=r",
        "\"timestamp\":\"2027-01-15T08:00:00Z\",",
        "{\"timestamp\":\"2027-01-15T08:00:00Z\",\"type\":\"message\",\"id\":\"1\",\"text\":\"<at>Bridge</at> fix\"}",
        "\"from\":{\"aadObjectId\":\"a\"}",
        "\"conversation\":{\"id\":\"19:x@thread.tacv2;messageid=1\",\"tenantId\":\"t\"}",
        "\"channelData\":{\"tenant\":{\"id\":\"t\"}}",
        "&nbsp;",
        "&lt;",
        "</at>",
        "\u{0}",
        "\\ud800",
        "null",
        "[]",
        "{}",
    ],
    slowest_ms: 1_000,
};

const TOKEN: &str = "the-token-of-a-command";
const KEY: [u8; 32] = [9; 32];
const NOW: i64 = 1_800_000_000;

fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

fn door(chat: &[u8]) -> Option<Source> {
    let host = "github.com".to_owned();
    Some(Source::Door(match chat {
        b"discord" => {
            let key = PublicKey::of_hex(&hex::encode(pair().public_key().as_ref())).unwrap();
            Door::discord(vec![key], "845027738276462632".to_owned(), host)
        }
        b"mattermost" => Door::mattermost(vec![Secret::new(TOKEN)], host),
        b"teams" => {
            let key = SharedKey::of_base64(&Secret::new(STANDARD.encode(KEY))).unwrap();
            Door::teams(vec![key], "/copilot".to_owned(), host)
        }
        _ => return None,
    }))
}

fn signed(chat: &[u8], content_type: &[u8], body: &[u8]) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_bytes(content_type).ok()?);
    match chat {
        b"discord" => {
            let signature = pair().sign(&[NOW.to_string().as_bytes(), body].concat());
            headers.insert("x-signature-timestamp", HeaderValue::from(NOW));
            let signature = HeaderValue::from_str(&hex::encode(signature)).unwrap();
            headers.insert("x-signature-ed25519", signature);
        }
        b"mattermost" => {
            headers.insert("authorization", HeaderValue::from_str(&format!("Token {TOKEN}")).unwrap());
        }
        _ => {
            let mut mac = Hmac::<Sha256>::new_from_slice(&KEY).unwrap();
            mac.update(body);
            let shown = format!("HMAC {}", STANDARD.encode(mac.finalize().into_bytes()));
            headers.insert("authorization", HeaderValue::from_str(&shown).unwrap());
        }
    }
    Some(headers)
}

fn check(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (head, body) = (&data[..end], data.get(end + 1..).unwrap_or_default());
    let gap = head.iter().position(|byte| *byte == b' ').unwrap_or(head.len());
    let (chat, content_type) = (&head[..gap], head.get(gap + 1..).unwrap_or_default());
    let Some(source) = door(chat) else { return };
    let Some(headers) = signed(chat, content_type, body) else { return };
    let now = Moment::from_timestamp(NOW, 0).unwrap();
    let envelope = match source.verify(&headers, body, now) {
        Ok(envelope) => envelope,
        // A form may show a token of its own, which is then to be right.
        Err(Refusal::SignatureWrong | Refusal::SignatureDoubled) if chat == b"mattermost" => return,
        // A message says when it was written, and must have been written now.
        Err(Refusal::StampUnusable | Refusal::StampStale) if chat == b"teams" => return,
        Err(refusal) => return assert_eq!(refusal, Refusal::HeaderUnusable, "it is rightly signed"),
    };
    assert_eq!(source.verify(&headers, body, now).as_ref(), Ok(&envelope));
    for kept in [&envelope.sender_id, &envelope.event_name] {
        assert!((1..=128).contains(&kept.len()) && kept.bytes().all(|b| (0x20..0x7f).contains(&b)), "{kept:?}");
    }
    if chat != b"mattermost" {
        assert_eq!(source.verify(&headers, &[body, b"x"].concat(), now), Err(Refusal::SignatureWrong));
    }

    let reply = source.reply(&envelope, body);
    let read = source.read("chat", &envelope, body);
    let again = source.read("chat", &envelope, body);
    assert_eq!(format!("{read:?}"), format!("{again:?}"));
    match &read {
        Ok(Reading::Event(event)) => {
            let said = event.chat.as_ref().unwrap();
            assert!(!event.identity.is_empty() && event.actor.is_none() && event.repo.is_none());
            assert!(matches!(reply, Reply::Recorded { .. } | Reply::Heard), "said, and not recorded: {reply:?}");
            for id in [said.identity.platform(), said.identity.team(), said.identity.account()] {
                assert!((1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()), "{id:?}");
            }
            assert!((1..=256).contains(&said.place.channel.len()), "{:?}", said.place.channel);
        }
        Ok(Reading::Ping) => assert!(matches!(reply, Reply::AtOnce { .. }), "{reply:?}"),
        Ok(Reading::Nothing(_) | Reading::Elsewhere(_)) | Err(_) => {
            assert!(matches!(reply, Reply::Recorded { .. } | Reply::Quiet), "{reply:?}");
        }
    }
    if let Ok(payload) = source.payload(&envelope, body) {
        for secret in ["token", "response_url", "trigger_id"] {
            assert!(payload.get(secret).is_none(), "{secret}");
        }
    }
}
