//! A start that fails on the wire: is it surely not done, or does nobody know? The wrong answer starts a task twice.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use taskbridge::github::{CallError, Next, RemoteTask};

use crate::github_kit::{Mock, Raw, TOKEN, as_person, github_at, new_task, raw, reply, repo, session};

const TASK: &str = r#"{"id":"t1","state":"queued","created_at":"2026-11-23T12:00:00Z"}"#;

async fn start_at(url: &str) -> Result<RemoteTask, CallError> {
    session(url).start_task(&repo(), &new_task()).await
}

async fn start_raw(how: Raw) -> CallError {
    let (url, _server) = raw(how).await;
    start_at(&url).await.unwrap_err()
}

async fn start_answered(status: u16, body: &'static str) -> Result<RemoteTask, CallError> {
    let mock = Mock::start(move |_| reply(status, body)).await;
    let result = start_at(&mock.url).await;
    assert_eq!(mock.seen().len(), 1, "a start leaves once");
    result
}

fn assert_unknown(error: &CallError, status: Option<u16>, word: &str) {
    let CallError::Unknown { status: got, why } = error else { panic!("not unknown: {error:?}") };
    assert_eq!(*got, status, "{why}");
    assert!(why.contains(word), "{why:?} does not say {word:?}");
    assert_eq!(error.next(), Next::Look);
}

#[tokio::test]
async fn a_201_with_an_id_is_a_start() {
    let task = start_answered(201, TASK).await.unwrap();
    assert_eq!((task.id.as_str(), task.state.as_str()), ("t1", "queued"));
}

#[tokio::test]
async fn the_request_is_what_github_asks_for() {
    let mock = Mock::start(|_| reply(201, TASK)).await;
    start_at(&mock.url).await.unwrap();
    let seen = &mock.seen()[0];
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/agents/repos/octo/hello/tasks"));
    assert_eq!(seen.header("authorization"), format!("Bearer {TOKEN}"));
    assert_eq!(seen.header("accept"), "application/vnd.github+json");
    assert_eq!(seen.header("x-github-api-version"), "2022-11-28");
    assert_eq!(seen.header("content-type"), "application/json");
    assert_eq!(seen.header("user-agent"), concat!("taskbridge/", env!("CARGO_PKG_VERSION")));
    assert_eq!(seen.body, r#"{"prompt":"do it","create_pull_request":true}"#);
}

/// Case 46.
#[tokio::test]
async fn a_refused_connection_was_surely_not_sent() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = start_at(&url).await.unwrap_err();
    let CallError::NotSent { why } = &error else { panic!("{error:?}") };
    assert!(why.to_lowercase().contains("refused") && !why.contains("127.0.0.1/"), "{why}");
    assert_eq!(error.next(), Next::Retry);
}

/// Case 46.
#[tokio::test]
async fn a_name_that_nobody_knows_was_surely_not_sent() {
    // Reserved so that it never leads anywhere (RFC 6761).
    let error = start_at("https://github.invalid").await.unwrap_err();
    assert!(matches!(error, CallError::NotSent { .. }), "{error:?}");
    assert_eq!(error.next(), Next::Retry);
}

/// Case 46.
#[tokio::test]
async fn a_failed_tls_handshake_was_surely_not_sent() {
    let (url, _server) = raw(Raw::Close).await;
    let error = start_at(&url.replace("http://", "https://")).await.unwrap_err();
    assert!(matches!(error, CallError::NotSent { .. }), "{error:?}");
}

/// Case 46.
#[tokio::test]
async fn a_reset_after_accept_proves_nothing() {
    assert_unknown(&start_raw(Raw::Reset).await, None, "");
}

/// Case 47.
#[tokio::test]
async fn a_cut_after_the_request_proves_nothing() {
    assert_unknown(&start_raw(Raw::Close).await, None, "");
}

/// Case 47.
#[tokio::test]
async fn silence_proves_nothing() {
    assert_unknown(&start_raw(Raw::Silence).await, None, "no answer within");
}

/// Case 47.
#[tokio::test]
async fn a_body_that_stops_coming_proves_nothing() {
    let head = b"HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n{\"id\":".to_vec();
    assert_unknown(&start_raw(Raw::BytesThenSilence(head)).await, None, "no answer within");
}

/// Case 47.
#[tokio::test]
async fn a_cut_body_proves_nothing() {
    let long = format!("HTTP/1.1 201 Created\r\ncontent-length: {}\r\n\r\n{TASK}", TASK.len() + 9);
    assert_unknown(&start_raw(Raw::Bytes(long.into_bytes())).await, Some(201), "");
    let chunked = format!("HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{TASK}\r\n", TASK.len());
    assert_unknown(&start_raw(Raw::Bytes(chunked.into_bytes())).await, Some(201), "");
}

/// Case 47.
#[tokio::test]
async fn a_content_length_that_is_too_short_proves_nothing() {
    let short = format!("HTTP/1.1 201 Created\r\ncontent-length: {}\r\n\r\n{TASK}", TASK.len() - 9);
    assert_unknown(&start_raw(Raw::Bytes(short.into_bytes())).await, Some(201), "ends too early");
}

#[tokio::test]
async fn an_answer_that_is_no_http_proves_nothing() {
    assert_unknown(&start_raw(Raw::Bytes(b"\x15\x03\x01 hello\r\n\r\n".to_vec())).await, None, "");
}

/// Case 47.
#[tokio::test]
async fn a_strange_success_proves_nothing() {
    let unknown = [
        (201, "<html>ok</html>", "not JSON"),
        (201, "", "ends too early"),
        (201, r#"{"state":"queued"}"#, "no task id"),
        (201, r#"{"id":"","state":"queued"}"#, "no task id"),
        (201, r#"{"id":null}"#, "no task id"),
        (201, r#"["t1"]"#, "no task id"),
        (201, r#"{"id":"t1"} trailing"#, "not JSON"),
        (200, TASK, "expected status 201"),
        (202, TASK, "expected status 201"),
        (204, "", "expected status 201"),
    ];
    for (status, body, word) in unknown {
        assert_unknown(&start_answered(status, body).await.unwrap_err(), Some(status), word);
    }
}

/// Case 45.
#[tokio::test]
async fn a_server_error_proves_nothing() {
    for status in [500, 502, 503, 504, 599] {
        assert_unknown(&start_answered(status, r#"{"message":"oops"}"#).await.unwrap_err(), Some(status), "oops");
    }
    assert_unknown(&start_answered(408, "<html>").await.unwrap_err(), Some(408), "");
    for status in [300, 303, 304] {
        assert_unknown(&start_answered(status, "").await.unwrap_err(), Some(status), "");
    }
}

/// Case 47.
#[tokio::test]
async fn a_huge_body_is_not_read_to_its_end() {
    let told = b"HTTP/1.1 201 Created\r\ncontent-length: 99999999999\r\n\r\n{".to_vec();
    assert_unknown(&start_raw(Raw::BytesThenSilence(told)).await, Some(201), "longer than 1048576");

    let mut untold = b"HTTP/1.1 201 Created\r\n\r\n{\"id\":\"t1\",\"name\":\"".to_vec();
    untold.resize(untold.len() + 2 * 1024 * 1024, b'x');
    assert_unknown(&start_raw(Raw::BytesThenSilence(untold)).await, Some(201), "longer than 1048576");
}

/// Case 49.
#[tokio::test]
async fn refusals_are_told_apart_and_say_what_github_said() {
    let message = r#"{"message":"no seat\u0007\nfor you"}"#;
    let said = "no seat  for you".to_owned();
    let cases = [
        (401, CallError::Unauthorized { message: said.clone() }, Next::AskPerson),
        (403, CallError::Forbidden { message: said.clone() }, Next::GiveUp),
        (404, CallError::NotFound { message: said.clone() }, Next::GiveUp),
        (410, CallError::Gone { message: said.clone() }, Next::GiveUp),
        (400, CallError::Refused { status: 400, message: said.clone() }, Next::GiveUp),
        (451, CallError::Refused { status: 451, message: said.clone() }, Next::GiveUp),
    ];
    for (status, expected, next) in cases {
        let error = start_answered(status, message).await.unwrap_err();
        assert_eq!((error.next(), &error), (next, &expected));
        assert!(status == 401 || error.for_person().contains("no seat"), "{}", error.for_person());
    }
    // The status decides even when nobody can read the body.
    let cut = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 500\r\n\r\n{\"mess".to_vec();
    assert_eq!(start_raw(Raw::Bytes(cut)).await, CallError::Forbidden { message: String::new() });
}

/// Case 49.
#[tokio::test]
async fn a_422_carries_its_list() {
    let body = r#"{"message":"Validation Failed","errors":["bad ref",{"code":"custom","message":"no such agent"},
        {"resource":"Task","field":"model","code":"invalid"},7]}"#;
    let error = start_answered(422, body).await.unwrap_err();
    let CallError::Invalid { message, details } = &error else { panic!("{error:?}") };
    assert_eq!(message, "Validation Failed");
    assert_eq!(details, &["bad ref", "no such agent", "Task model invalid", ""]);
    assert!(error.for_person().contains("no such agent"));
}

#[tokio::test]
async fn no_token_is_ever_printed() {
    let echo = format!(r#"{{"message":"bad token {TOKEN} {}"}}"#, "long ".repeat(500));
    let mock = Mock::start(move |_| reply(403, &echo)).await;
    let (github, _) = github_at(&mock.url);
    let session = as_person(&github, 1);
    let error = session.start_task(&repo(), &new_task()).await.unwrap_err();
    let CallError::Forbidden { message } = &error else { panic!("{error:?}") };
    assert_eq!(message.chars().count(), 500);
    for text in [format!("{session:?} {github:?}"), format!("{error:?} {error} {}", error.for_person())] {
        assert!(!text.contains("never-be-printed"), "{text}");
    }
}

#[tokio::test]
async fn an_odd_answer_is_not_quoted() {
    let error = start_answered(201, "secret-of-a-body").await.unwrap_err();
    assert!(!format!("{error:?}{error}").contains("secret"), "{error}");
    let mock = Mock::start(|_| reply(200, r#"{"id":"secret-of-a-body","login":"x"}"#)).await;
    let error = session(&mock.url).me().await.unwrap_err();
    assert!(!format!("{error:?}{error}").contains("secret"), "{error}");
    assert_unknown(&error, Some(200), "at id");
}

#[tokio::test]
async fn an_answer_that_repeats_the_token_is_told_without_it() {
    for body in [
        format!(r#"{{"id":"t1","{TOKEN}":"#),
        format!(r#"{{"id":"t1","sessions":{{"{TOKEN}":[}}}}"#),
        format!(r#"{{"message":"no {TOKEN}"}}"#),
        format!(r#"{{"message":"no {}\u200b{}"}}"#, &TOKEN[..5], &TOKEN[5..]),
        format!(r#"{{"message":"no","errors":["{}\ufeff{}"]}}"#, &TOKEN[..5], &TOKEN[5..]),
    ] {
        for status in [201, 422, 502] {
            let body = body.clone();
            let mock = Mock::start(move |_| reply(status, &body)).await;
            let error = start_at(&mock.url).await.unwrap_err();
            assert!(!format!("{error} {error:?} {}", error.for_person()).contains(TOKEN), "{status} {error}");
        }
    }
}
