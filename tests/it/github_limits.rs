//! Rate limits: every sign GitHub gives, how long each pauses, and that a pause stays with its owner.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::time::Duration;

use chrono::TimeDelta;
use taskbridge::github::{CallError, Next, Token, TokenOwner};
use taskbridge::secret::Secret;

use crate::github_kit::{Mock, Reply, as_person, github_at, noon, reply, repo};

const ME: &str = r#"{"id":1,"login":"me"}"#;

/// Seconds until the end of the pause that a first refusal brings, and whether it counts as secondary.
async fn pause_of(answer: impl Fn() -> Reply + Send + Sync + 'static) -> (i64, bool) {
    let mock = Mock::start(move |_| answer()).await;
    let (github, _) = github_at(&mock.url);
    let error = as_person(&github, 1).me().await.unwrap_err();
    let CallError::Limited { until, secondary, sent, .. } = error else { panic!("{error:?}") };
    assert!(sent);
    assert_eq!(error.next(), Next::Retry);
    assert_eq!(as_person(&github, 1).paused_until(), Some(until));
    ((until - noon()).num_seconds(), secondary)
}

/// Case 48.
#[tokio::test]
async fn retry_after_in_all_its_forms() {
    let table = [
        ("30", 30),
        ("0", 1),
        ("-5", 1),
        ("1000000000", 3600),
        ("99999999999999999999999999", 3600),
        ("-99999999999999999999999999", 1),
        ("Mon, 23 Nov 2026 12:02:00 GMT", 120),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 1),
        ("Tue, 23 Nov 2027 12:00:00 GMT", 3600),
        ("soon", 60),
        ("", 60),
    ];
    for (value, expected) in table {
        for status in [403, 429] {
            let (wait, _) = pause_of(move || reply(status, "{}").with("retry-after", value)).await;
            assert_eq!(wait, expected, "{status} with retry-after {value:?}");
        }
    }
}

/// Case 48.
#[tokio::test]
async fn the_hourly_limit_waits_for_its_reset() {
    let reset = |after: i64| (noon().timestamp() + after).to_string();
    for (after, expected, status) in [(600, 600, 403), (600, 600, 429), (86_400, 3600, 403), (-10, 60, 403)] {
        let reset = reset(after);
        let spent =
            move || reply(status, "{}").with("x-ratelimit-remaining", "0").with("x-ratelimit-reset", &reset.clone());
        assert_eq!(pause_of(spent).await, (expected, false), "reset in {after} s");
    }
    // `retry-after` goes before the reset.
    let both = move || reply(403, "{}").with("x-ratelimit-remaining", "0").with("retry-after", "7");
    assert_eq!(pause_of(both).await.0, 7);
}

/// Case 48.
#[tokio::test]
async fn the_secondary_limit_is_known_by_its_words_or_its_status() {
    assert_eq!(pause_of(|| reply(429, "")).await, (60, true));
    for words in ["You have exceeded a secondary rate limit.", "You have triggered an abuse detection mechanism."] {
        let body = format!(r#"{{"message":"{words}"}}"#);
        assert_eq!(pause_of(move || reply(403, &body).with("x-ratelimit-remaining", "12")).await, (60, true));
    }
}

/// Case 48.
#[tokio::test]
async fn a_403_without_signs_is_about_permission() {
    let mock =
        Mock::start(|_| reply(403, r#"{"message":"Resource not accessible"}"#).with("x-ratelimit-remaining", "4000"))
            .await;
    let (github, _) = github_at(&mock.url);
    let session = as_person(&github, 1);
    assert_eq!(session.me().await.unwrap_err(), CallError::Forbidden { message: "Resource not accessible".to_owned() });
    assert_eq!((session.paused_until(), session.rate().remaining), (None, Some(4000)));
}

/// Case 48.
#[tokio::test]
async fn a_paused_token_stays_silent_and_others_do_not() {
    let mock = Mock::start(|seen| match seen.path.as_str() {
        "/user" => reply(429, r#"{"message":"slow down"}"#).with("retry-after", "30"),
        _ => reply(200, "[]"),
    })
    .await;
    let (github, clock) = github_at(&mock.url);
    let (first, second) = (as_person(&github, 1), as_person(&github, 2));
    first.me().await.unwrap_err();

    // The same person through another session is paused as well, and nothing leaves.
    let error = as_person(&github, 1).pulls_by_head(&repo(), "octo:x").await.unwrap_err();
    let CallError::Limited { until, sent, secondary, .. } = error else { panic!("{error:?}") };
    assert_eq!((until, sent, secondary), (noon() + TimeDelta::seconds(30), false, true));
    assert_eq!((mock.seen().len(), github.requests_sent()), (1, 1));

    second.pulls_by_head(&repo(), "octo:x").await.unwrap();
    clock.advance(Duration::from_secs(30));
    assert_eq!(first.paused_until(), None);
    first.pulls_by_head(&repo(), "octo:x").await.unwrap();
}

/// Case 48.
#[tokio::test]
async fn repeated_secondary_limits_wait_twice_as_long_up_to_an_hour_until_one_goes_well() {
    let mock = Mock::start(|seen| if seen.path == "/user" { reply(429, "") } else { reply(200, "[]") }).await;
    let (github, clock) = github_at(&mock.url);
    let session = as_person(&github, 1);
    for expected in [60, 120, 240, 480, 960, 1920, 3600, 3600] {
        session.me().await.unwrap_err();
        let wait = session.rate().paused_until.unwrap();
        session.me().await.unwrap_err();
        assert_eq!(session.paused_until(), Some(wait), "a call held back lengthens nothing");
        clock.advance(Duration::from_secs(expected - 1));
        assert!(session.paused_until().is_some(), "pause of {expected} s ends early");
        clock.advance(Duration::from_secs(1));
        assert_eq!(session.paused_until(), None, "pause of {expected} s ends late");
    }
    session.pulls_by_head(&repo(), "octo:x").await.unwrap();
    session.me().await.unwrap_err();
    clock.advance(Duration::from_secs(60));
    assert_eq!(session.paused_until(), None);
}

/// Case 48.
#[tokio::test]
async fn calls_refused_together_are_one_refusal() {
    let mock = Mock::start(|_| reply(429, "")).await;
    let (github, clock) = github_at(&mock.url);
    let session = as_person(&github, 1);
    let (one, two, three) = tokio::join!(session.me(), session.me(), session.me());
    assert!(one.is_err() && two.is_err() && three.is_err());
    assert_eq!(session.paused_until(), Some(noon() + TimeDelta::seconds(60)));
    clock.advance(Duration::from_secs(60));
    session.me().await.unwrap_err();
    assert_eq!(session.paused_until(), Some(noon() + TimeDelta::seconds(180)));
}

#[tokio::test]
async fn the_last_good_answer_of_the_hour_pauses_too() {
    let reset = (noon().timestamp() + 90).to_string();
    let mock = Mock::start(move |_| {
        reply(200, ME).with("x-ratelimit-remaining", "0").with("x-ratelimit-reset", &reset.clone())
    })
    .await;
    let (github, clock) = github_at(&mock.url);
    let session = as_person(&github, 1);
    session.me().await.unwrap();
    let rate = session.rate();
    assert_eq!((rate.remaining, rate.reset), (Some(0), Some(noon() + TimeDelta::seconds(90))));
    let error = session.me().await.unwrap_err();
    assert!(matches!(error, CallError::Limited { sent: false, secondary: false, .. }), "{error:?}");
    clock.advance(Duration::from_secs(90));
    session.me().await.unwrap();
    assert_eq!(mock.seen().len(), 2);
}

/// Case 48.
#[tokio::test]
async fn a_shorter_pause_does_not_end_a_longer_one() {
    let mock = Mock::start(|seen| match seen.path.as_str() {
        "/user" => reply(429, "").with("retry-after", "600"),
        _ => reply(429, "").with("retry-after", "5").late(),
    })
    .await;
    let (github, _) = github_at(&mock.url);
    let (session, repo) = (as_person(&github, 1), repo());
    let (long, short) = tokio::join!(session.me(), session.repo(&repo));
    assert!(long.is_err() && short.is_err());
    assert_eq!(mock.seen().len(), 2, "both were under way before either was refused");
    assert_eq!(session.paused_until(), Some(noon() + TimeDelta::seconds(600)));
}

#[tokio::test]
async fn a_good_answer_from_before_a_pause_does_not_forgive_it() {
    let mock = Mock::start(|seen| if seen.path == "/user" { reply(429, "") } else { reply(200, "[]").late() }).await;
    let (github, clock) = github_at(&mock.url);
    let (session, repo) = (as_person(&github, 1), repo());
    let (refused, good) = tokio::join!(session.me(), session.pulls_by_head(&repo, "octo:x"));
    assert!(refused.is_err() && good.is_ok());
    clock.advance(Duration::from_secs(60));
    session.me().await.unwrap_err();
    assert_eq!(session.paused_until(), Some(noon() + TimeDelta::seconds(60 + 120)));
}

#[tokio::test]
async fn a_token_of_nobody_yet_shares_no_pause() {
    let mock = Mock::start(|_| reply(429, "").with("retry-after", "600")).await;
    let (github, _) = github_at(&mock.url);
    let session = github.with_token(Token { secret: Secret::new("x"), owner: TokenOwner::Unbound });
    for _ in 0..2 {
        assert!(matches!(session.me().await, Err(CallError::Limited { sent: true, .. })));
    }
}
