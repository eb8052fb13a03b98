//! The doors of the admin API: who gets in, and how it says no. Every failure is a problem document.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use taskbridge::http::api::openapi;
use taskbridge::store::api_keys::Scope;

use crate::api_kit::{Caller, request, shown};
use crate::support::world::{LABEL_RULE, World};

const SOME_ID: &str = "0199d1c8-8f6e-7cc1-9bb2-3f4a5b6c7d8e";

/// Cases 71, 78.
#[tokio::test]
async fn no_operation_answers_without_a_key_or_with_one_that_may_less() {
    let world = World::new(LABEL_RULE).await;
    let reader = Caller::new(&world, "dashboards", Scope::Read).await;
    let document = serde_json::to_value(openapi()).unwrap();
    let mut seen = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let path = path.replace("{id}", SOME_ID);
            let stranger = world.send(request(method.clone(), &path).body(Body::empty()).unwrap()).await;
            assert_eq!(stranger.status, StatusCode::UNAUTHORIZED, "{method} {path}");
            let answer = reader.call(method.clone(), &path, None).await;
            let only_operators = operation["security"][0]["key"] != json!(["read"]);
            assert_eq!(only_operators, method != Method::GET, "{method} {path}");
            assert_eq!(answer.status == StatusCode::FORBIDDEN, only_operators, "{method} {path}: {}", answer.body);
            seen += 1;
        }
    }
    assert_eq!(seen, 14);
}

/// Case 71.
#[tokio::test]
async fn only_a_living_key_of_this_installation_opens() {
    let world = World::new(LABEL_RULE).await;
    let caller = Caller::new(&world, "ops", Scope::Read).await;
    let key = caller.key.expose();
    let ask = |headers: Vec<String>| {
        let mut request = request(Method::GET, "/api/v1/status");
        for value in headers {
            request = request.header("authorization", value);
        }
        world.send(request.body(Body::empty()).unwrap())
    };
    assert_eq!(ask(vec![format!("Bearer {key}")]).await.status, StatusCode::OK);
    assert_eq!(ask(vec![format!("bearer {key}")]).await.status, StatusCode::OK, "the scheme has no case");
    for bad in [
        vec![],
        vec![key.to_owned()],
        vec![format!("Basic {key}")],
        vec![format!("Bearer {}", &key[3..])],
        vec![format!("Bearer {}", key.to_uppercase())],
        vec![format!("Bearer tb_{}", "A".repeat(43))],
        vec![format!("Bearer {key}"), format!("Bearer {key}")],
    ] {
        let answer = ask(bad.clone()).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{bad:?}");
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
    }
    let known = world.bridge.store.api_keys().await.unwrap();
    assert!(known[0].last_used_at.is_some());
    assert!(world.bridge.store.revoke_api_key(known[0].id, world.bridge.ground.now()).await.unwrap());
    assert_eq!(ask(vec![format!("Bearer {key}")]).await.status, StatusCode::UNAUTHORIZED, "it is revoked");
}

#[tokio::test]
async fn refusals_are_problem_documents() {
    let world = World::new(LABEL_RULE).await;
    let reader = Caller::new(&world, "dashboards", Scope::Read).await;
    let operator = Caller::new(&world, "ops", Scope::Operate).await;
    let nobody = world.send(request(Method::GET, "/api/v1/tasks").body(Body::empty()).unwrap()).await;
    insta::assert_snapshot!("no_key", shown(&nobody));
    insta::assert_snapshot!("scope", shown(&reader.post(&format!("/api/v1/tasks/{SOME_ID}/cancel")).await));
    insta::assert_snapshot!("no_task", shown(&reader.get(&format!("/api/v1/tasks/{SOME_ID}")).await));
    insta::assert_snapshot!(
        "no_task_to_cancel",
        shown(&operator.post(&format!("/api/v1/tasks/{SOME_ID}/cancel")).await)
    );
    insta::assert_snapshot!("no_id", shown(&reader.get("/api/v1/tasks/42").await));
    insta::assert_snapshot!("no_route", shown(&reader.get("/api/v1/nothing").await));
    insta::assert_snapshot!("no_method", shown(&reader.call(Method::DELETE, "/api/v1/pause", None).await));
    insta::assert_snapshot!("unknown_parameter", shown(&reader.get("/api/v1/tasks?stat=failed").await));
    insta::assert_snapshot!("bad_state", shown(&reader.get("/api/v1/deliveries?state=lost").await));
    insta::assert_snapshot!("bad_cursor", shown(&reader.get("/api/v1/tasks?cursor=AAAA").await));
    insta::assert_snapshot!("bad_body", shown(&operator.put("/api/v1/pause", &json!({ "scope": "everything" })).await));
}

/// Case 73.
#[tokio::test]
async fn parameters_that_cannot_be_used_are_named() {
    let world = World::new(LABEL_RULE).await;
    let reader = Caller::new(&world, "dashboards", Scope::Read).await;
    let long = format!("/api/v1/tasks?rule={}", "r".repeat(256));
    for (path, parameter) in [
        ("/api/v1/tasks?limit=0", "limit"),
        ("/api/v1/tasks?limit=201", "limit"),
        ("/api/v1/tasks?limit=1000000000", "limit"),
        ("/api/v1/tasks?limit=ten", "limit"),
        ("/api/v1/tasks?limit=99999999999999999999999999", "limit"),
        ("/api/v1/tasks?since=yesterday", "since"),
        ("/api/v1/tasks?since=2026-01-01T00:00:00+01:00", "since"),
        ("/api/v1/tasks?repo=widgets", "repo"),
        ("/api/v1/tasks?repo=a/b/c", "repo"),
        ("/api/v1/tasks?repo=acme/wid%00gets", "repo"),
        ("/api/v1/tasks?rule=a%00b", "rule"),
        ("/api/v1/tasks?rule=", "rule"),
        (long.as_str(), "rule"),
        ("/api/v1/tasks?person=%00", "person"),
        ("/api/v1/tasks?state=done", "state"),
        ("/api/v1/tasks?state=failed&state=lost", "state"),
        ("/api/v1/tasks?cursor=", "cursor"),
        ("/api/v1/tasks?cursor=%00", "cursor"),
        ("/api/v1/deliveries?event=%00", "event"),
        ("/api/v1/deliveries?rule=x", "rule"),
        ("/api/v1/people?cursor=x", "cursor"),
        ("/api/v1/usage?repo=acme/widgets", "repo"),
        ("/api/v1/status?verbose=1", "verbose"),
        ("/api/v1/pause?all", "all"),
    ] {
        let answer = reader.get(path).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(answer.body["parameter"], parameter, "{path}");
        assert!(answer.body["detail"].as_str().unwrap().contains(&format!("`{parameter}`")), "{path}");
        assert_eq!(answer.headers["content-type"], "application/problem+json");
    }
    let answer = reader.get("/api/v1/tasks?since=2026-01-01T00:00:00%2B01:00&limit=200").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body, json!({ "items": [] }));
    for path in ["/api/v1/usage", "/api/v1/usage?rule=a&repo=1"] {
        assert_eq!(reader.get(path).await.status, StatusCode::BAD_REQUEST, "{path}");
    }
}

#[tokio::test]
async fn bodies_that_cannot_be_used_are_refused() {
    let world = World::new(LABEL_RULE).await;
    let operator = Caller::new(&world, "ops", Scope::Operate).await;
    let put = |kind: &'static str, body: Vec<u8>| {
        let request = request(Method::PUT, "/api/v1/pause")
            .header("authorization", format!("Bearer {}", operator.key.expose()))
            .header("content-type", kind);
        world.send(request.body(Body::from(body)).unwrap())
    };
    let json = "application/json; charset=utf-8";
    let deep = [vec![b'['; 50_000], vec![b']'; 10_000]].concat();
    for (kind, body, status) in [
        (json, b"{".to_vec(), StatusCode::BAD_REQUEST),
        (json, Vec::new(), StatusCode::BAD_REQUEST),
        (json, deep, StatusCode::BAD_REQUEST),
        (json, vec![0xff, 0xfe], StatusCode::BAD_REQUEST),
        (json, br#"{"scope":"all","paused":true} {}"#.to_vec(), StatusCode::BAD_REQUEST),
        (json, br#"{"scope":"all","paused":true,"paused":false}"#.to_vec(), StatusCode::BAD_REQUEST),
        (json, br#"{"scope":"all","paused":true,"until":"noon"}"#.to_vec(), StatusCode::BAD_REQUEST),
        (json, br#"{"scope":"all","paused":true,"reason":"a\u0000b"}"#.to_vec(), StatusCode::BAD_REQUEST),
        (json, br#"{"scope":"all","name":"x","paused":true}"#.to_vec(), StatusCode::BAD_REQUEST),
        (json, br#"{"scope":"repo","name":"widgets","paused":true}"#.to_vec(), StatusCode::BAD_REQUEST),
        (json, br#"{"scope":"rule","paused":true}"#.to_vec(), StatusCode::BAD_REQUEST),
        ("text/plain", br#"{"scope":"all","paused":true}"#.to_vec(), StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (json, vec![b' '; 64 * 1024 + 1], StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        let answer = put(kind, body).await;
        assert_eq!(answer.status, status, "{shown}: {}", answer.body);
        assert_eq!(answer.headers["content-type"], "application/problem+json", "{shown}");
    }
    assert!(world.bridge.store.pauses().await.unwrap().is_empty());
}

#[tokio::test]
async fn the_description_needs_no_key_and_every_answer_is_guarded() {
    let world = World::new(LABEL_RULE).await;
    let reader = Caller::new(&world, "dashboards", Scope::Read).await;
    let description = world.send(request(Method::GET, "/openapi.json").body(Body::empty()).unwrap()).await;
    assert_eq!(description.status, StatusCode::OK);
    assert_eq!(description.body["openapi"], "3.1.0");
    for answer in [description, reader.get("/api/v1/status").await, reader.get("/api/v1/nothing").await] {
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert_ne!(answer.body, Value::Null);
    }
}
