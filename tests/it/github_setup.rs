//! Settings that would send tokens to the wrong place are refused when the client is built.

use std::time::Duration;

use taskbridge::clock::Ground;
use taskbridge::github::{Github, Settings, SetupError};

use crate::github_kit::{Mock, Raw, as_person, raw, reply, settings};

fn build(change: impl FnOnce(&mut Settings)) -> Result<Github, SetupError> {
    let mut settings = settings("http://127.0.0.1:1");
    change(&mut settings);
    Github::new(settings, Ground::system())
}

#[test]
fn addresses_must_be_https_or_loopback_and_hold_no_password() {
    for good in ["http://localhost:9", "http://127.0.0.2", "http://[::1]:9/api/v3", "http://127.0.0.1/"] {
        build(|settings| settings.api_url = good.to_owned()).unwrap();
    }
    let bad = [
        "http://api.github.com",
        "http://localhost.example.com",
        "http://10.0.0.1",
        "https://user:hunter2@api.github.com",
        "https://hunter2@api.github.com",
        "https://api.github.com?token=hunter2",
        "https://api.github.com#x",
        "ftp://127.0.0.1",
        "api.github.com",
        "",
    ];
    for url in bad {
        for error in [
            build(|settings| settings.api_url = url.to_owned()).unwrap_err(),
            build(|settings| settings.web_url = url.to_owned()).unwrap_err(),
        ] {
            assert!(matches!(error, SetupError::Address { .. }), "{url}: {error:?}");
            assert!(!format!("{error:?}{error}").contains("hunter2"), "{error}");
        }
    }
}

#[test]
fn the_rest_is_checked_too() {
    let error = build(|settings| settings.connect_timeout = settings.timeout).unwrap_err();
    assert_eq!(error, SetupError::Timeouts);
    assert_eq!(build(|settings| settings.connect_timeout = Duration::ZERO).unwrap_err(), SetupError::Timeouts);
    assert_eq!(build(|settings| settings.api_version = "2022\n".to_owned()).unwrap_err(), SetupError::ApiVersion);
    for pem in [b"".as_slice(), b"nothing", b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
        assert_eq!(build(|settings| settings.extra_ca_pem = Some(pem.to_vec())).unwrap_err(), SetupError::ExtraCa);
    }
    for proxy in ["", "socks5://x", "hunter2", "http://"] {
        let error = build(|settings| settings.proxy = Some(proxy.to_owned())).unwrap_err();
        assert!(matches!(error, SetupError::Address { which: "proxy", .. }), "{proxy}: {error:?}");
    }
    let shown = format!("{:?}", Settings { proxy: Some("http://u:hunter2@p:1".to_owned()), ..Settings::default() });
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn hosts_are_named_by_their_pages() {
    let github = Github::new(Settings::default(), Ground::system()).unwrap();
    assert_eq!((github.host(), github.web_url()), ("github.com", "https://github.com"));
    assert!(github.app().is_none());
    let ghe = Settings {
        api_url: "https://api.acme.ghe.com/".to_owned(),
        web_url: "https://acme.ghe.com/".to_owned(),
        ..Settings::default()
    };
    let github = Github::new(ghe, Ground::system()).unwrap();
    assert_eq!((github.host(), github.web_url()), ("acme.ghe.com", "https://acme.ghe.com"));
}

#[tokio::test]
async fn an_address_with_a_path_keeps_it() {
    let mock = Mock::start(|_| reply(200, r#"{"id":1,"login":"me"}"#)).await;
    let (github, _) = crate::github_kit::github_at(&format!("{}/api/v3/", mock.url));
    as_person(&github, 1).me().await.unwrap();
    assert_eq!(mock.paths(), ["GET /api/v3/user"]);
}

#[tokio::test]
async fn a_proxy_that_is_named_is_used_and_its_password_not_told() {
    let proxy = Mock::start(|_| reply(200, r#"{"id":1,"login":"through"}"#)).await;
    let with_password = proxy.url.replace("http://", "http://u:hunter2@");
    let github = build(|settings| settings.proxy = Some(with_password)).unwrap();
    assert_eq!(as_person(&github, 1).me().await.unwrap().login, "through");
    assert!(proxy.seen()[0].header("proxy-authorization").starts_with("Basic "));

    let (broken, _server) = raw(Raw::Close).await;
    let github = build(|settings| {
        settings.api_url = "https://localhost:1".to_owned();
        settings.proxy = Some(broken.replace("http://", "http://u:hunter2@"));
    })
    .unwrap();
    let error = as_person(&github, 1).me().await.unwrap_err();
    assert!(!format!("{error:?}{error}").contains("hunter2"), "{error}");
}
