//! The bridge as a GitHub App: its signed statement, and one refresh however many ask.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use ring::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use taskbridge::clock::{Ground, ManualClock, SystemChance};
use taskbridge::github::{AppSettings, CallError, Github, Settings, SetupError};
use taskbridge::secret::Secret;
use tokio::task::JoinSet;

use crate::github_kit::{Mock, noon, reply, repo, settings};

const PKCS1: &str = include_str!("../../src/sandbox/test-only-github-app-key.pem");
const PKCS8: &str = include_str!("../fixtures/test-only-github-app-pkcs8.pem");

fn app_at(url: &str, pem: &str) -> Result<(Github, Arc<ManualClock>), SetupError> {
    let clock = ManualClock::at(noon());
    let ground = Ground { clock: clock.clone(), chance: Arc::new(SystemChance) };
    let app = Some(AppSettings { id: 12345, private_key_pem: Secret::new(pem) });
    Ok((Github::new(Settings { app, ..settings(url) }, ground)?, clock))
}

/// A server that hands out `ghs_1`, `ghs_2` … for an hour each from the time of `clock`'s start plus `n` hours.
async fn token_server() -> Mock {
    let count = std::sync::atomic::AtomicU32::new(0);
    Mock::start(move |seen| match seen.path.as_str() {
        "/app/installations/8/access_tokens" => {
            let n = count.fetch_add(1, Ordering::Relaxed) + 1;
            let expires = noon() + TimeDelta::hours(i64::from(n));
            reply(201, &format!(r#"{{"token":"ghs_{n}","expires_at":"{}"}}"#, expires.to_rfc3339()))
        }
        "/repos/octo/hello/installation" => reply(200, r#"{"id":8,"app_id":12345}"#),
        _ => reply(200, r#"{"id":1,"login":"bot"}"#),
    })
    .await
}

fn refreshes(mock: &Mock) -> usize {
    mock.paths().iter().filter(|path| path.ends_with("/access_tokens")).count()
}

#[tokio::test]
async fn the_statement_is_signed_and_dated_as_github_asks() {
    let key = RsaKeyPair::from_pkcs8(PrivatePkcs8KeyDer::from_pem_slice(PKCS8.as_bytes()).unwrap().secret_pkcs8_der());
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.unwrap().public_key().as_ref().to_vec());
    for pem in [PKCS1, PKCS8] {
        let mock = token_server().await;
        let (github, _) = app_at(&mock.url, pem).unwrap();
        assert_eq!(github.app().unwrap().installation_of(&repo()).await.unwrap(), 8);
        let seen = &mock.seen()[0];
        assert_eq!(seen.path, "/repos/octo/hello/installation");
        let jwt = seen.header("authorization").strip_prefix("Bearer ").unwrap();
        let (signed, signature) = jwt.rsplit_once('.').unwrap();
        public.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).expect("a good signature");

        let (header, claims) = signed.split_once('.').unwrap();
        let read = |part| serde_json::from_slice::<serde_json::Value>(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
        assert_eq!(read(header)["alg"], "RS256");
        let (claims, now) = (read(claims), noon().timestamp());
        assert_eq!(claims["iss"], "12345");
        assert_eq!(claims["iat"], now - 60);
        let validity = claims["exp"].as_i64().unwrap() - now;
        assert!((1..=600).contains(&validity), "{validity}");
    }
}

#[tokio::test]
async fn ten_callers_share_one_refresh() {
    let mock = token_server().await;
    let (github, clock) = app_at(&mock.url, PKCS1).unwrap();
    let mut callers = JoinSet::new();
    for _ in 0..10 {
        let github = github.clone();
        callers.spawn(async move { github.app().unwrap().as_installation(8).await.unwrap().me().await.unwrap() });
    }
    assert_eq!(callers.join_all().await.len(), 10);
    assert_eq!(refreshes(&mock), 1);
    assert!(
        mock.seen()
            .iter()
            .filter(|seen| seen.path == "/user")
            .all(|seen| seen.header("authorization") == "Bearer ghs_1")
    );

    let app = github.app().unwrap();
    clock.advance(Duration::from_secs(55 * 60 - 1));
    app.as_installation(8).await.unwrap();
    assert_eq!(refreshes(&mock), 1, "it holds for more than five minutes");
    clock.advance(Duration::from_secs(1));
    app.as_installation(8).await.unwrap();
    assert_eq!(refreshes(&mock), 2, "five minutes are left");
    app.forget_installation(8).await;
    app.as_installation(8).await.unwrap();
    assert_eq!(refreshes(&mock), 3);
}

#[tokio::test]
async fn a_failed_refresh_is_shared_by_those_who_waited_and_tried_again_by_the_next() {
    let broken = Arc::new(AtomicBool::new(true));
    let down = broken.clone();
    let mock = Mock::start(move |_| {
        std::thread::sleep(Duration::from_millis(50));
        if down.load(Ordering::Relaxed) {
            return reply(502, "");
        }
        reply(201, r#"{"token":"ghs_1","expires_at":"2026-11-23T13:00:00Z"}"#)
    })
    .await;
    let (github, _) = app_at(&mock.url, PKCS1).unwrap();
    let app = github.app().unwrap();
    let (one, two, three) = tokio::join!(app.as_installation(8), app.as_installation(8), app.as_installation(8));
    for result in [one, two, three] {
        assert!(matches!(result, Err(CallError::Unknown { status: Some(502), .. })), "{result:?}");
    }
    assert_eq!(mock.seen().len(), 1);
    broken.store(false, Ordering::Relaxed);
    app.as_installation(8).await.unwrap();
    assert_eq!(mock.seen().len(), 2);
}

#[tokio::test]
async fn an_odd_token_answer_is_neither_used_nor_quoted() {
    for body in [r#"{"token":"ghs_leak"}"#, r#"{"token":"ghs_leak","expires_at":"ghs_leak"}"#] {
        let mock = Mock::start(move |_| reply(201, body)).await;
        let (github, _) = app_at(&mock.url, PKCS1).unwrap();
        let error = github.app().unwrap().as_installation(8).await.unwrap_err();
        assert!(matches!(error, CallError::Unknown { status: Some(201), .. }), "{error:?}");
        assert!(!format!("{error:?}{error}").contains("leak"));
    }
}

#[test]
fn a_key_that_is_none_is_refused_without_being_shown() {
    let cut = PKCS1.replace("\nM", "\nMIIBOgIBAAJBAKj34GkxFhD9");
    for pem in
        ["", "nonsense", &PKCS1[..600], &cut, "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n"]
    {
        let error = app_at("http://127.0.0.1:1", pem).unwrap_err();
        assert!(matches!(error, SetupError::AppKey { .. }), "{error:?}");
        assert!(!format!("{error:?}{error}").contains("MII"), "{error}");
    }
    let (github, _) = app_at("http://127.0.0.1:1", PKCS1).unwrap();
    assert!(!format!("{github:?} {:?}", github.app().unwrap().as_itself()).contains("eyJ"));
}
