//! The client of the sign-in at a GitHub that misbehaves: every no is told from every perhaps, and no text holds a secret.

use std::time::Duration;

use taskbridge::clock::Ground;
use taskbridge::github::{Github, Next, OAuthError, Settings, SignInSettings};
use taskbridge::sandbox::{Fault, FaultKind, Sandbox, SandboxConfig, UserSpec};
use taskbridge::secret::Secret;

const SECRET: &str = "a-client-secret-for-tests";
const REFRESH: &str = "ghr_a-refresh-token-for-tests";

async fn at(timeout: Duration) -> (Sandbox, Github) {
    let sandbox = Sandbox::start(SandboxConfig::new(Ground::system())).await.unwrap();
    sandbox.control().add_user(UserSpec::person(1001, "mona", "sandbox-mona-token")).unwrap();
    sandbox.control().set_sign_in("Iv23x", SECRET, None);
    let settings = Settings {
        api_url: sandbox.url().to_owned(),
        web_url: sandbox.url().to_owned(),
        timeout,
        connect_timeout: timeout / 2,
        sign_in: Some(SignInSettings {
            client_id: "Iv23x".to_owned(),
            client_secret: Secret::new(SECRET),
            scopes: vec!["repo".to_owned(), "read:org".to_owned()],
        }),
        ..Settings::default()
    };
    let github = Github::new(settings, Ground::system()).unwrap();
    (sandbox, github)
}

async fn refused(sandbox: &Sandbox, github: &Github, kind: Option<FaultKind>) -> OAuthError {
    if let Some(kind) = kind {
        let path = "/login/oauth/access_token".to_owned();
        sandbox.control().inject(Fault { method: None, path, user: None, times: Some(1), kind });
    }
    let error = github.oauth().unwrap().refresh(&Secret::new(REFRESH)).await.unwrap_err();
    for text in [error.to_string(), format!("{error:?}"), error.for_person()] {
        assert!(!text.contains(SECRET) && !text.contains("ghr_") && !text.contains("127.0.0.1"), "{text}");
    }
    error
}

#[tokio::test]
async fn a_no_with_status_200_is_a_no_and_a_strange_answer_proves_nothing() {
    let (sandbox, github) = at(Duration::from_secs(2)).await;
    let known = refused(&sandbox, &github, None).await;
    assert!(matches!(&known, OAuthError::Refused { code, .. } if code == "bad_refresh_token"), "{known}");
    assert_eq!(known.next(), Next::AskPerson);
    let strange = [
        FaultKind::DropBefore,
        FaultKind::DropAfter,
        FaultKind::Truncate,
        FaultKind::Html,
        FaultKind::Huge { bytes: 100_000 },
        FaultKind::StatusBefore { status: 502 },
        FaultKind::StatusAfter { status: 500 },
        FaultKind::OtherStatus { status: 201 },
        FaultKind::DelayAfter { ms: 2500 },
        // A redirect is not followed: whether it was done is not known.
        FaultKind::Redirect { status: 307, location: None },
    ];
    for kind in strange {
        let error = refused(&sandbox, &github, Some(kind.clone())).await;
        assert_eq!(error.next(), Next::Look, "{kind:?}: {error}");
    }
    assert_eq!(sandbox.control().count_calls("POST", "/moved"), 0, "not followed");
    let busy = FaultKind::SecondaryLimit { status: 429, retry_after: None };
    assert_eq!(refused(&sandbox, &github, Some(busy)).await.next(), Next::Retry);
    let gone = FaultKind::StatusBefore { status: 404 };
    assert_eq!(refused(&sandbox, &github, Some(gone)).await.next(), Next::GiveUp, "an operator's fault");
    sandbox.stop().await;
    let error = github.oauth().unwrap().refresh(&Secret::new(REFRESH)).await.unwrap_err();
    assert_eq!(error.next(), Next::Retry, "surely not sent: {error}");
}

#[tokio::test]
async fn what_is_printed_and_what_stands_in_addresses_is_no_secret() {
    let (sandbox, github) = at(Duration::from_secs(2)).await;
    let oauth = github.oauth().unwrap();
    let url = oauth.authorize_url("http://127.0.0.1:9/connect/callback", "the state", "the challenge");
    for there in ["client_id=Iv23x", "state=the+state", "code_challenge_method=S256", "scope=repo+read%3Aorg"] {
        assert!(url.contains(there), "{there} in {url}");
    }
    let back = sandbox.control().approve(&url, Some("mona")).unwrap();
    let code = back.split_once("code=").unwrap().1.split('&').next().unwrap();
    // The challenge was no hash of anything, so no verifier fits.
    let error =
        oauth.exchange(code, "http://127.0.0.1:9/connect/callback", &Secret::new("verifier")).await.unwrap_err();
    assert!(matches!(error, OAuthError::Refused { code, .. } if code == "bad_verification_code"));
    let device = oauth.device().await.unwrap();
    assert_eq!(device.interval, Duration::from_secs(5));
    for text in [url, format!("{oauth:?} {github:?} {device:?}")] {
        assert!(!text.contains(SECRET) && !text.contains(device.device_code.expose()), "{text}");
    }
    for (id, secret) in [("", "s"), ("with blank", "s"), ("with:colon", "s"), ("Iv23x", "")] {
        let sign_in =
            SignInSettings { client_id: id.to_owned(), client_secret: Secret::new(secret), scopes: Vec::new() };
        let settings = Settings {
            sign_in: Some(sign_in),
            api_url: sandbox.url().to_owned(),
            web_url: sandbox.url().to_owned(),
            ..Settings::default()
        };
        assert!(Github::new(settings, Ground::system()).is_err(), "{id} {secret}");
    }
}
