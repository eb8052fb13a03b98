//! One bit of what was signed or shown is another: every sender and every chat is turned away, at the real door.

use axum::body::Body;
use axum::http::{HeaderValue, Request, StatusCode};

use crate::support::chat::{CHANNEL, CHAT_RULE, MONA_CHAT};
use crate::support::chats::{
    DISCORD_CHANNEL, DISCORD_MONA, DISCORD_RULE, MATTERMOST_CHANNEL, MATTERMOST_MONA, MATTERMOST_RULE, TEAMS_MONA,
    TEAMS_RULE, teams_activity, teams_signed,
};
use crate::support::senders::{base64_code, hex_code, pair};
use crate::support::world::{HOOK_SECRET, SIGNING_KEY, World, signature};

/// A request that is right.
struct Right {
    source: &'static str,
    headers: Vec<(String, String)>,
    body: String,
    /// The headers in which each bit counts, and where in them that begins.
    proofs: Vec<(&'static str, usize)>,
    /// What of the body is signed or shown.
    covered: std::ops::Range<usize>,
    /// Whether the proof is hex in any case, so that the case says nothing.
    any_case: bool,
}

impl Right {
    fn new(source: &'static str, headers: &[(&str, &str)], body: &str, proofs: &[(&'static str, usize)]) -> Self {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (body, covered, proofs) = (body.to_owned(), 0..body.len(), proofs.to_vec());
        Self { source, headers, body, proofs, covered, any_case: false }
    }

    /// Of a sender that signs nothing.
    fn shown(self) -> Self {
        Self { covered: 0..0, ..self }
    }

    /// The request, with another body, or with another value of one header. None: HTTP cannot carry it.
    fn request(&self, body: Option<Vec<u8>>, other: Option<(&str, &[u8])>) -> Option<Request<Body>> {
        let body = body.unwrap_or_else(|| self.body.clone().into_bytes());
        let mut request = Request::post(format!("/hooks/{}", self.source));
        for (name, value) in &self.headers {
            let value = other.filter(|(changed, _)| changed == name).map_or(value.as_bytes(), |(_, value)| value);
            request = request.header(name.as_str(), HeaderValue::from_bytes(value).ok()?);
        }
        Some(request.body(Body::from(body)).unwrap())
    }

    /// All that differ from it in one bit, and where.
    fn flipped(&self) -> Vec<(String, Request<Body>)> {
        let mut all = Vec::new();
        for bit in self.covered.start * 8..self.covered.end * 8 {
            let mut body = self.body.clone().into_bytes();
            body[bit / 8] ^= 1 << (bit % 8);
            all.push((format!("bit {bit} of the body"), self.request(Some(body), None).unwrap()));
        }
        for (name, from) in &self.proofs {
            let (_, value) = self.headers.iter().find(|(own, _)| own == name).expect("the proof is there");
            for bit in from * 8..value.len() * 8 {
                let mut other = value.clone().into_bytes();
                other[bit / 8] ^= 1 << (bit % 8);
                if self.any_case && other.eq_ignore_ascii_case(value.as_bytes()) {
                    continue;
                }
                all.extend(self.request(None, Some((name, &other))).map(|it| (format!("bit {bit} of {name}"), it)));
            }
        }
        all
    }
}

/// The sources of all chats, without their rules.
fn chats() -> String {
    let sources = |rules: &str| rules.split("rules:\n").next().unwrap().split("sources:\n").nth(1).unwrap().to_owned();
    let slack = sources(CHAT_RULE).replace("  github: { type: github, secrets: \"${HOOK_SECRET}\" }\n", "");
    [slack, sources(DISCORD_RULE), sources(MATTERMOST_RULE), sources(TEAMS_RULE)].concat()
}

const PLAIN: [&str; 9] = ["gitea", "forgejo", "bitbucket", "jira", "linear", "sentry", "pagerduty", "stripe", "gitlab"];

fn sources() -> String {
    let mut rules = format!("sources:\n{}", chats());
    for name in ["github"].iter().chain(&PLAIN) {
        rules.push_str(&format!("  {name}: {{ type: {name}, secrets: \"${{HOOK_SECRET}}\" }}\n"));
    }
    rules.push_str(
        "  signing: { type: gitlab, signing: true, secrets: \"${SIGNING_KEY}\" }
  grafana: { type: grafana, secrets: \"${HOOK_SECRET}\", timestamp_header: X-Grafana-Time }
  devops: { type: azure-devops, username: keeper, secrets: \"${HOOK_SECRET}\" }
  shop: { type: standard-webhooks, secrets: \"${SIGNING_KEY}\" }
  signed: { type: standard-webhooks, secrets: \"${PUBLIC_KEY}\" }
  door: { type: token, secrets: \"${HOOK_SECRET}\" }
rules: []
",
    );
    rules
}

/// Each proof of its own, and another one of its kind.
const PROOFS: [(&str, &str); 7] = [
    ("\"${HOOK_SECRET}\"", "\"${OLD_SECRET}\""),
    ("\"${SIGNING_KEY}\"", "\"${OLD_SIGNING_KEY}\""),
    ("\"${PUBLIC_KEY}\"", "\"${OLD_SIGNING_KEY}\""),
    ("\"${SLACK_SIGNING_SECRET}\"", "\"${OLD_SECRET}\""),
    ("DISCORD_KEY", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"),
    ("\"${MATTERMOST_TOKEN}\"", "\"${OLD_SECRET}\""),
    ("\"${TEAMS_TOKEN}\"", "\"${OLD_TEAMS_TOKEN}\""),
];

fn senders(world: &World) -> Vec<Right> {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let now = world.bridge.ground.now();
    let (secret, stamp) = (HOOK_SECRET.as_bytes(), now.timestamp().to_string());
    let body = format!("{{\"type\":\"Issue\",\"webhookTimestamp\":{}}}", now.timestamp_millis());
    let body = body.as_str();
    let code = hex_code(secret, &[body.as_bytes()]);
    let prefixed = signature(HOOK_SECRET, body.as_bytes());
    let listed = format!("v1={code}");
    let mut all = vec![Right::new(
        "github",
        &[
            ("content-type", "application/json"),
            ("x-github-event", "issues"),
            ("x-github-delivery", "d-1"),
            ("x-hub-signature-256", &prefixed),
        ],
        body,
        &[("x-hub-signature-256", 0)],
    )];
    for (source, header, value) in [
        ("gitea", "x-gitea-signature", &code),
        ("forgejo", "x-forgejo-signature", &code),
        ("bitbucket", "x-hub-signature", &prefixed),
        ("jira", "x-hub-signature", &prefixed),
        ("linear", "linear-signature", &code),
        ("sentry", "sentry-hook-signature", &code),
        ("pagerduty", "x-pagerduty-signature", &listed),
    ] {
        all.push(Right::new(source, &[(header, value)], body, &[(header, 0)]));
    }
    let stamped = |between: &str| hex_code(secret, &[stamp.as_bytes(), between.as_bytes(), body.as_bytes()]);
    let stripe = format!("t={stamp},v1={}", stamped("."));
    all.push(Right::new("stripe", &[("stripe-signature", &stripe)], body, &[("stripe-signature", 0)]));
    let (name, time) = ("x-grafana-alerting-signature", "x-grafana-time");
    all.push(Right::new("grafana", &[(name, &stamped(":")), (time, &stamp)], body, &[(name, 0), (time, 0)]));
    let key = STANDARD.decode(&SIGNING_KEY["whsec_".len()..]).unwrap();
    let v1 = format!("v1,{}", base64_code(&key, &[b"m-1.", stamp.as_bytes(), b".", body.as_bytes()]));
    let v1a = format!("v1a,{}", STANDARD.encode(pair().sign(format!("m-1.{stamp}.{body}").as_bytes())));
    for (source, value) in [("signing", &v1), ("shop", &v1), ("signed", &v1a)] {
        let headers = [("webhook-id", "m-1"), ("webhook-timestamp", &*stamp), ("webhook-signature", value)];
        all.push(Right::new(source, &headers, body, &headers.map(|(name, _)| (name, 0))));
    }
    let (token, basic) = (format!("Bearer {HOOK_SECRET}"), STANDARD.encode(format!("keeper:{HOOK_SECRET}")));
    let basic = format!("Basic {basic}");
    for (source, header, value, from) in [
        ("gitlab", "x-gitlab-token", HOOK_SECRET, 0),
        ("door", "authorization", &*token, "Bearer ".len()),
        ("devops", "authorization", &*basic, "Basic ".len()),
    ] {
        all.push(Right::new(source, &[(header, value)], body, &[(header, from)]).shown());
    }
    all
}

fn said_in_chats(world: &World) -> Vec<Right> {
    let slack = world.slack().slash(MONA_CHAT, CHANNEL, "/copilot", "list");
    let proofs = [("x-slack-request-timestamp", 0), ("x-slack-signature", 0)];
    let of = |source, headers: Vec<(String, String)>, body: String, proofs: &[(&'static str, usize)]| Right {
        headers,
        ..Right::new(source, &[], &body, proofs)
    };
    let mut all = vec![of("slack", slack.headers, slack.body, &proofs)];
    let discord = world.sandbox.discord().command(DISCORD_MONA, DISCORD_CHANNEL, Some("list"));
    let proofs = [("x-signature-timestamp", 0), ("x-signature-ed25519", 0)];
    all.push(Right { any_case: true, ..of("discord", discord.headers, discord.body, &proofs) });
    let command = world.sandbox.mattermost().slash(MATTERMOST_MONA, MATTERMOST_CHANNEL, "list");
    let begin = command.body.find("&token=").unwrap() + "&token=".len();
    let covered = begin..begin + command.body[begin..].find('&').unwrap();
    let command = of("mattermost", command.headers, command.body, &[("authorization", "Token ".len())]);
    all.push(Right { covered, ..command });
    let teams = teams_signed(&teams_activity(world, "1", TEAMS_MONA, "list").to_string());
    all.push(of("teams", teams.headers, teams.body, &[("authorization", "HMAC ".len())]));
    all
}

/// Case 18.
#[tokio::test]
async fn each_flipped_bit_is_turned_away_for_every_preset_and_every_chat() {
    let world = World::new(&sources()).await;
    let all: Vec<Right> = senders(&world).into_iter().chain(said_in_chats(&world)).collect();
    assert_eq!(all.len(), 20, "every sender that there is");
    for right in &all {
        let flipped = right.flipped();
        assert!(flipped.len() > 100, "{}: {}", right.source, flipped.len());
        for (place, request) in flipped {
            let answer = world.send(request).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}: {place}", right.source);
        }
    }
    assert_eq!(world.delivery_count().await, 0);
    for right in &all {
        let answer = world.send(right.request(None, None).unwrap()).await;
        assert!(answer.status.is_success(), "{}: {} {}", right.source, answer.status, answer.text);
    }
    assert_eq!(world.delivery_count().await, all.len(), "each was right but for the bit");
}

/// While a secret is being replaced both are taken, whichever stands first; once the old one is out of the file it is none.
///
/// Case 19.
#[tokio::test]
async fn every_sender_and_every_chat_has_its_secret_replaced_without_a_gap() {
    let with = |proof: fn(&str, &str) -> String| {
        PROOFS.iter().fold(sources(), |text, (own, other)| text.replace(own, &proof(own, other)))
    };
    let world = World::new(&with(|own, other| format!("[{other}, {own}]"))).await;
    let all: Vec<Right> = senders(&world).into_iter().chain(said_in_chats(&world)).collect();
    for (nth, right) in all.iter().enumerate() {
        let answer = world.send(right.request(None, None).unwrap()).await;
        assert!(answer.status.is_success(), "{}: {} {}", right.source, answer.status, answer.text);
        assert_eq!(world.delivery_count().await, nth + 1, "{}", right.source);
    }
    world.reload(&with(|_, other| other.to_owned()));
    for right in &all {
        let answer = world.send(right.request(None, None).unwrap()).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", right.source);
    }
}
