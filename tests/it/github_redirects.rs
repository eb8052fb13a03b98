//! Redirects: reads follow a renamed repository on the same server; a token goes nowhere else; writes never follow.

use taskbridge::domain::rule::Reaction;
use taskbridge::github::{CallError, Next, ReactTo};

use crate::github_kit::{Mock, new_task, reply, repo, session};

const REPO: &str = r#"{"id":9,"full_name":"octo/new","default_branch":"main","private":true,"fork":false}"#;

#[tokio::test]
async fn a_read_follows_a_rename() {
    for status in [301, 302, 307, 308] {
        let mock = Mock::start(move |seen| match seen.path.as_str() {
            "/repos/octo/hello" => reply(status, "{}").with("location", "/repositories/9"),
            _ => reply(200, REPO),
        })
        .await;
        let found = session(&mock.url).repo(&repo()).await.unwrap();
        assert_eq!((found.id, found.path.to_string()), (9, "octo/new".to_owned()));
        assert_eq!(mock.paths(), ["GET /repos/octo/hello", "GET /repositories/9"]);
        assert!(mock.seen()[1].header("authorization").starts_with("Bearer "));
    }
}

#[tokio::test]
async fn a_read_follows_three_hops_and_no_more() {
    let mock = Mock::start(|_| reply(302, "").with("location", "/again")).await;
    let error = session(&mock.url).repo(&repo()).await.unwrap_err();
    assert_eq!(error, CallError::Moved { location: Some("/again".to_owned()) });
    assert_eq!(mock.seen().len(), 4);
}

#[tokio::test]
async fn a_token_does_not_leave_the_server() {
    let thief = Mock::start(|_| reply(200, REPO)).await;
    let with_password = thief.url.replace("http://", "http://user:pass@");
    for target in [thief.url.clone(), with_password, "https://example.com/x".to_owned(), "file:///etc".to_owned()] {
        let to = target.clone();
        let mock = Mock::start(move |_| reply(301, "").with("location", &format!("{to}/repositories/9"))).await;
        let error = session(&mock.url).repo(&repo()).await.unwrap_err();
        assert_eq!(error, CallError::Moved { location: None }, "{target}");
        assert_eq!(mock.seen().len(), 1);
    }
    assert!(thief.seen().is_empty());
}

/// Case 50.
#[tokio::test]
async fn a_write_never_follows_and_was_surely_not_done() {
    for status in [301, 302, 307, 308] {
        let mock = Mock::start(move |_| reply(status, "{}").with("location", "/repositories/9/x?secret=1")).await;
        let session = session(&mock.url);
        let moved = CallError::Moved { location: Some("/repositories/9/x".to_owned()) };
        let start = session.start_task(&repo(), &new_task()).await.unwrap_err();
        assert_eq!((start.next(), &start), (Next::Retry, &moved));
        assert_eq!(session.create_comment(&repo(), 1, "hi").await.unwrap_err(), moved);
        assert_eq!(session.edit_comment(&repo(), 1, "hi").await.unwrap_err(), moved);
        assert_eq!(session.react(&repo(), ReactTo::Issue(1), Reaction::Eyes).await.unwrap_err(), moved);
        assert_eq!(session.remove_label(&repo(), 1, "x").await.unwrap_err(), moved);
        assert_eq!(mock.seen().len(), 5);
    }
}

#[tokio::test]
async fn a_redirect_to_nowhere_is_told() {
    let mock = Mock::start(|_| reply(301, "")).await;
    assert_eq!(session(&mock.url).repo(&repo()).await.unwrap_err(), CallError::Moved { location: None });
}
