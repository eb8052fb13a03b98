//! Each misbehaviour of the sandbox, and whether the work behind it was done.

use std::time::{Duration, Instant};

use reqwest::{Method, Response};
use serde_json::{Value, json};
use taskbridge::sandbox::{Fault, FaultKind};

use crate::sandbox_world::{MONA, Place, TASKS};

/// Arranges `kind` for the next POST of a task, sends it, and tells how many tasks that made.
async fn meet(place: &Place, kind: FaultKind) -> (Result<Response, reqwest::Error>, usize) {
    place.control().inject(Fault::new(kind).on("POST", "/agents/repos/*/*/tasks").times(1));
    let before = place.control().creations().len();
    let answer = place.call(Method::POST, TASKS, MONA).json(&json!({ "prompt": "x" })).send().await;
    assert_eq!(place.control().faults(), [], "a fault for one call is over after it");
    (answer, place.control().creations().len() - before)
}

#[tokio::test]
async fn faults_before_the_work_make_nothing() {
    let place = Place::new().await;
    let (answer, made) = meet(&place, FaultKind::StatusBefore { status: 503 }).await;
    assert_eq!((answer.unwrap().status().as_u16(), made), (503, 0));
    let (answer, made) = meet(&place, FaultKind::Unauthorized).await;
    assert_eq!((answer.unwrap().status().as_u16(), made), (401, 0));
    let (answer, made) = meet(&place, FaultKind::Forbidden { message: "no seat".to_owned() }).await;
    let answer = answer.unwrap();
    assert_eq!((answer.status().as_u16(), made), (403, 0));
    assert_eq!(answer.json::<Value>().await.unwrap()["message"], "no seat");
    let (answer, made) = meet(&place, FaultKind::Redirect { status: 308, location: None }).await;
    let answer = answer.unwrap();
    assert_eq!((answer.status().as_u16(), made), (308, 0));
    assert!(answer.headers()["location"].to_str().unwrap().ends_with(&format!("/moved{TASKS}")));
    let (answer, made) = meet(&place, FaultKind::DropBefore).await;
    assert!(answer.is_err());
    assert_eq!(made, 0);
}

#[tokio::test]
async fn a_caller_can_be_let_go_long_before_its_call_is_done() {
    let place = Place::new().await;
    let (answer, made) = meet(&place, FaultKind::Late { ms: 2_000 }).await;
    assert!(answer.is_err());
    assert_eq!(made, 0);
    place.clock.advance(Duration::from_secs(2));
    place.call(Method::GET, "/user", MONA).send().await.unwrap();
    assert_eq!(place.control().creations().len(), 1, "done by now, though nobody waits for it");
}

#[tokio::test]
async fn faults_after_the_work_leave_one_task() {
    let place = Place::new().await;
    let (answer, made) = meet(&place, FaultKind::StatusAfter { status: 502 }).await;
    assert_eq!((answer.unwrap().status().as_u16(), made), (502, 1));
    let (answer, made) = meet(&place, FaultKind::DropAfter).await;
    assert!(!answer.unwrap_err().is_connect());
    assert_eq!((made, place.control().calls().last().unwrap().status), (1, 0));
    let (answer, made) = meet(&place, FaultKind::Truncate).await;
    let answer = answer.unwrap();
    assert_eq!((answer.status().as_u16(), made), (201, 1));
    assert!(answer.content_length().unwrap() > 100);
    assert!(answer.bytes().await.is_err());
    let (answer, made) = meet(&place, FaultKind::Html).await;
    let answer = answer.unwrap();
    assert_eq!((answer.status().as_u16(), made), (201, 1));
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    assert!(answer.text().await.unwrap().starts_with("<!DOCTYPE html>"));
    let (answer, made) = meet(&place, FaultKind::NoId).await;
    let body: Value = answer.unwrap().json().await.unwrap();
    assert!(body.get("id").is_none() && body["state"] == "queued" && made == 1);
    let (answer, made) = meet(&place, FaultKind::OtherStatus { status: 200 }).await;
    assert_eq!((answer.unwrap().status().as_u16(), made), (200, 1));
    let (answer, made) = meet(&place, FaultKind::Huge { bytes: 3_000_000 }).await;
    assert!(answer.unwrap().bytes().await.unwrap().len() > 3_000_000 && made == 1);
    assert_eq!(place.json(TASKS).await["tasks"].as_array().unwrap().len(), 7);
}

#[tokio::test]
async fn limits_say_what_they_are_told_to_say() {
    let place = Place::new().await;
    for (status, retry_after) in
        [(429, Some("0")), (403, Some("Wed, 21 Oct 2026 07:28:00 GMT")), (403, Some("-5")), (429, None)]
    {
        let kind = FaultKind::SecondaryLimit { status, retry_after: retry_after.map(str::to_owned) };
        let (answer, made) = meet(&place, kind).await;
        let answer = answer.unwrap();
        assert_eq!((answer.status().as_u16(), made), (status, 0));
        let sent = answer.headers().get("retry-after").map(|text| text.to_str().unwrap());
        assert_eq!(sent, retry_after);
        assert_ne!(answer.headers()["x-ratelimit-remaining"], "0");
    }
    let (answer, made) = meet(&place, FaultKind::PrimaryLimit { reset_in_s: 600 }).await;
    let answer = answer.unwrap();
    assert_eq!((answer.status().as_u16(), made), (403, 0));
    assert_eq!(answer.headers()["x-ratelimit-remaining"], "0");
    assert_eq!(answer.headers()["x-ratelimit-reset"], "1800000600");
}

#[tokio::test]
async fn delays_come_before_or_after_the_work() {
    let place = Place::new().await;
    let start = Instant::now();
    place.control().inject(Fault::new(FaultKind::Delay { ms: 120 }).on("GET", "/user").times(1));
    place.get("/user").await;
    assert!(start.elapsed() >= Duration::from_millis(120));
    place.control().inject(Fault::new(FaultKind::DelayAfter { ms: 60_000 }).on("POST", TASKS).times(1));
    let call = place.call(Method::POST, TASKS, MONA).json(&json!({ "prompt": "x" }));
    let late = call.timeout(Duration::from_millis(150)).send().await;
    assert!(late.unwrap_err().is_timeout());
    assert_eq!(place.control().creations().len(), 1);
}

#[tokio::test]
async fn stale_lists_lag_but_single_tasks_do_not() {
    let place = Place::new().await;
    let old = place.start("old").await;
    place.advance(20);
    let new = place.start("new").await;
    let stale = Fault::new(FaultKind::Stale { seconds: 15, tasks: 0 }).on("GET", "/agents");
    let id = place.control().inject(stale);
    let list = place.json(TASKS).await;
    assert_eq!(list["tasks"].as_array().unwrap().len(), 1);
    assert_eq!((&list["tasks"][0]["id"], &list["tasks"][0]["state"]), (&old["id"], &json!("queued")));
    assert_eq!(place.state(&old).await, "in_progress");
    assert!(place.control().remove_fault(id));
    assert_eq!(place.json(TASKS).await["tasks"].as_array().unwrap().len(), 2);
    place.control().inject(Fault::new(FaultKind::Stale { seconds: 0, tasks: 1 }).on("GET", "/agents/tasks$"));
    let list = place.json("/agents/tasks").await;
    assert!(list["tasks"].as_array().unwrap().iter().all(|task| task["id"] != new["id"]));
    place.control().clear_faults();
    assert_eq!(place.control().faults(), []);
}

#[tokio::test]
async fn a_fault_meets_only_whom_and_what_it_names() {
    let place = Place::new().await;
    let fault = Fault::new(FaultKind::StatusBefore { status: 500 }).on("GET", "/user").user("otto");
    let id = place.control().inject(fault.clone().times(2));
    let other = place.control().inject(fault.on("DELETE", "/user"));
    assert_eq!(place.get("/user").await.status(), 200);
    let otto = async |path: &str| place.call(Method::GET, path, "sandbox-otto-token").send().await.unwrap().status();
    assert_eq!(otto("/meta").await, 200);
    assert_eq!(
        (otto("/user").await.as_u16(), otto("/user").await.as_u16(), otto("/user").await.as_u16()),
        (500, 500, 200)
    );
    place.control().clear_faults();
    assert_eq!((place.control().fault_met(id), place.control().fault_met(other)), (2, 0), "and that is counted");
}
