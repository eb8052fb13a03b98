//! The code that a browser brings back from GitHub becomes an App: what GitHub says is looked at before it is believed, each no is
//! told from each perhaps, and no text has a secret.

use serde_json::{Value, json};
use taskbridge::clock::Ground;
use taskbridge::github::{AppOwner, CallError, Github, Next, Settings};

use crate::github_kit::{Mock, reply};

const KEY: &str = include_str!("../../src/sandbox/test-only-github-app-key.pem");
const CLIENT_SECRET: &str = "a-client-secret-of-a-test";
const HOOK_SECRET: &str = "a-webhook-secret-of-a-test";

fn told(web: &str) -> Value {
    json!({
        "id": 123_456, "slug": "bridge", "html_url": format!("{web}/github-apps/bridge"), "client_id": "Iv23liExample",
        "client_secret": CLIENT_SECRET, "webhook_secret": HOOK_SECRET, "pem": KEY, "name": "Bridge",
        "owner": { "login": "acme", "id": 1, "type": "Organization" },
    })
}

async fn github_that_says(status: u16, change: impl Fn(&mut Value)) -> (Github, Mock) {
    let mut body = told("http://127.0.0.1:9");
    change(&mut body);
    let text = body.to_string();
    let mock = Mock::start(move |_| reply(status, &text)).await;
    let settings =
        Settings { api_url: mock.url.clone(), web_url: "http://127.0.0.1:9".to_owned(), ..Settings::default() };
    (Github::new(settings, Ground::system()).unwrap(), mock)
}

#[tokio::test]
async fn a_code_becomes_an_app_without_any_token() {
    let (github, mock) = github_that_says(201, |_| ()).await;
    let made = github.made_app("0a1b/../x").await.unwrap();
    assert_eq!((made.id, made.slug.as_deref(), made.client_id.as_str()), (123_456, Some("bridge"), "Iv23liExample"));
    assert_eq!(made.page.as_deref(), Some("http://127.0.0.1:9/github-apps/bridge"));
    assert_eq!(made.owner, Some(AppOwner { login: "acme".to_owned(), is_organization: true }));
    assert_eq!((made.client_secret.expose(), made.private_key.expose()), (CLIENT_SECRET, KEY));
    let shown = format!("{made:?}");
    assert!(!shown.contains(CLIENT_SECRET) && !shown.contains(HOOK_SECRET) && !shown.contains("BEGIN"), "{shown}");
    let seen = mock.seen();
    assert_eq!((seen.len(), seen[0].method.as_str()), (1, "POST"));
    assert_eq!(seen[0].path, "/app-manifests/0a1b%2F..%2Fx/conversions", "a code is one part of the path");
    assert!(seen[0].headers.get("authorization").is_none() && seen[0].body.is_empty());
}

#[tokio::test]
async fn a_page_that_is_not_github_s_is_not_shown_and_an_app_may_have_no_webhook() {
    for elsewhere in [
        "https://evil.example.com/apps/bridge",
        "http://127.0.0.1:9.example.com/x",
        "javascript:alert(1)",
        "http://127.0.0.1:9/a\"b",
        "http://127.0.0.1:9/apps/../settings",
        "",
    ] {
        let (github, _mock) = github_that_says(201, |body| {
            body["html_url"] = elsewhere.into();
            body["webhook_secret"] = Value::Null;
            body["owner"]["type"] = "User".into();
        })
        .await;
        let made = github.made_app("0a1b").await.unwrap();
        assert_eq!(made.page.as_deref(), Some("http://127.0.0.1:9/apps/bridge"), "{elsewhere}");
        assert!(made.webhook_secret.is_none() && made.owner.is_some_and(|owner| !owner.is_organization));
    }
}

/// The code works once: what is only shown may be missing or odd.
#[tokio::test]
async fn keys_are_not_thrown_away_for_a_name() {
    let ways: [(&str, Value); 8] = [
        ("slug", "../settings".into()),
        ("slug", "..".into()),
        ("slug", Value::Null),
        ("html_url", json!(["x"])),
        ("owner", json!("acme")),
        ("owner", json!({ "login": 5, "type": {} })),
        ("webhook_secret", "".into()),
        ("webhook_secret", "with space".into()),
    ];
    for (status, (field, odd)) in [200, 201].into_iter().cycle().zip(ways) {
        let (github, _mock) = github_that_says(status, |body| body[field] = odd.clone()).await;
        let made = github.made_app("0a1b").await.unwrap();
        assert_eq!((made.id, made.private_key.expose()), (123_456, KEY), "{field}");
        assert_eq!(made.slug.is_none(), field == "slug", "{odd}");
        assert_eq!(made.owner.is_none(), field == "owner", "{odd}");
        assert_eq!(made.webhook_secret.is_none(), field == "webhook_secret", "{odd}");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_what_it_should_be_is_not_believed() {
    let long = "a".repeat(300);
    let ways: [(&str, Value); 10] = [
        ("id", 0.into()),
        ("id", json!(u64::MAX)),
        ("id", "123456".into()),
        ("client_id", "Iv23:li".into()),
        ("client_id", long.clone().into()),
        ("client_secret", "with space".into()),
        ("client_secret", long.into()),
        ("client_secret", Value::Null),
        ("pem", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n".into()),
        ("pem", format!("{KEY}{}", " ".repeat(40_000)).into()),
    ];
    for (field, wrong) in ways {
        let (github, _mock) = github_that_says(201, |body| body[field] = wrong.clone()).await;
        let error = github.made_app("0a1b").await.unwrap_err();
        assert_eq!(error.next(), Next::Look, "{field}: {error}");
        let text = error.to_string();
        assert!(text.contains(field) && !text.contains(CLIENT_SECRET) && !text.contains(HOOK_SECRET), "{text}");
    }
}

#[tokio::test]
async fn each_no_is_told_from_each_perhaps() {
    type Is = fn(&CallError) -> bool;
    let ways: [(u16, Is); 8] = [
        (401, |error| matches!(error, CallError::Unauthorized { .. })),
        (302, |error| matches!(error, CallError::Moved { .. })),
        (307, |error| matches!(error, CallError::Moved { .. })),
        (403, |error| matches!(error, CallError::Forbidden { .. })),
        (404, |error| matches!(error, CallError::NotFound { .. })),
        (422, |error| matches!(error, CallError::Invalid { .. })),
        (429, |error| matches!(error, CallError::Refused { status: 429, .. })),
        (502, |error| matches!(error, CallError::Unknown { .. })),
    ];
    for (status, is) in ways {
        let (github, mock) = github_that_says(status, |body| body["message"] = "no for 0a1b".into()).await;
        let error = github.made_app("0a1b").await.unwrap_err();
        assert!(is(&error), "{status}: {error:?}");
        assert!(!format!("{error:?}").contains("0a1b") && mock.seen().len() == 1, "{error:?}");
    }
    let gone = "http://127.0.0.1:9".to_owned();
    let settings = Settings { api_url: gone.clone(), web_url: gone, ..Settings::default() };
    let error = Github::new(settings, Ground::system()).unwrap().made_app("0a1b").await.unwrap_err();
    assert!(matches!(error, CallError::NotSent { .. }), "{error:?}");
}
