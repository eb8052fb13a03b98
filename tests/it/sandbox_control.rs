//! The sandbox's control over HTTP, its pages, its App and its deliveries.

use reqwest::Method;
use serde_json::{Value, json};
use taskbridge::sandbox::{AppSpec, DeliverySpec};

use crate::sandbox_world::{MONA, Place, TASKS};

/// The public half of a key that was thrown away after it signed [`JWT`].
const PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA1E1yvFkQAkuPD188YTKr
qNAbAit1ZWuvDQPveVMQJTnBXOzojk21SRSpOp8VeK3vQC0MlFDA8KiWgn9X7O32
snkrDE9tNBxHr2/cU6EWPC+xNwGnMQ7HaAzvdm8I+IxR/iYDPtT+GFD1H0tTpcJd
fLEM9z16fn4l2k2kwHBApetAyaUpKcBnVc12jLxLwa9AnVPmy6RLupfVaidqRqsv
vygoyKkheQWCgPYiAfecG5K/2XqBKYzEZIXhl5Vn0BEu4KIbpX7yRLUsAPVDiPjH
qAK135GGEL71+V0l8S6ItSZkFRb63iPHI7YydfPXVNLTswYENPGfDQRc/nnXW1Nj
owIDAQAB
-----END PUBLIC KEY-----";
/// Issued by App 7001 a minute before the test's noon, for ten minutes.
pub(crate) const JWT: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE3OTk5OTk5NDAsImV4cCI6MTgwMDAwMDU0MCwiaXNzIjoiNzAwMSJ9.lAQ4ofK_vaR4EVpaFy3IoyfVIIjj73Q83vFC5MeJvRs5a2EubAh0fYFsfUreEt4F2sJJtzeGhUNeU4dBlWFuk-vVpE0RZXMrDuFbdPNRZ9Sn7Rqrxt88P7I4GrE5DKqoMVxca1mFP4p9-sTiJvUqV9wVfEGKdufedZ0_ZDcNflWzjJ6ydNY9LZqL0WlsD-aHDOIojwd5xLz-1mLfyfMkaBbVx1qksjcx0RVfSVZnrxffkj_phSbhV0L88pwF5BNNoh6mFQCQr3tVdWKeUB2sHgFNd3N1cdAW5QywbD-kt1XCi3rGFCfGU-hVSOG_vK-eljAyks0h8mFz8wjSxCH9eA";

fn app(public_key: Option<&str>) -> AppSpec {
    let slug = "bridge".to_owned();
    AppSpec { id: 7001, slug, client_id: "Iv1".to_owned(), public_key: public_key.map(str::to_owned) }
}

#[tokio::test]
async fn the_app_signs_in_with_a_jwt_and_takes_an_installation_token_for_an_hour() {
    let place = Place::new().await;
    place.control().set_app(app(Some(PUBLIC_KEY))).unwrap();
    let call = async |method: Method, path: &str, token: &str| {
        let response = place.call(method, path, token).send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap_or(Value::Null))
    };
    assert_eq!(call(Method::GET, "/app", JWT).await.1["slug"], "bridge");
    let found = call(Method::GET, "/repos/acme/widgets/installation", JWT).await;
    assert_eq!((found.0, &found.1["id"]), (200, &json!(8001)));
    let forged = format!("{}B{}", &JWT[..JWT.len() - 20], &JWT[JWT.len() - 19..]);
    assert_eq!(call(Method::GET, "/app", &forged).await.0, 401);
    assert_eq!(call(Method::GET, "/app", MONA).await.0, 401);
    assert_eq!(call(Method::GET, "/user", JWT).await.0, 401);

    let (status, token) = call(Method::POST, "/app/installations/8001/access_tokens", JWT).await;
    assert_eq!(status, 201);
    assert_eq!(token["expires_at"], "2027-01-15T09:00:00Z");
    let token = token["token"].as_str().unwrap();
    assert!(token.starts_with("ghs_"));
    for (method, path) in
        [(Method::GET, "/agents/tasks"), (Method::GET, TASKS), (Method::POST, TASKS), (Method::GET, "/user")]
    {
        assert_eq!(call(method, path, token).await.0, 403, "{path}");
    }
    let comment = place.call(Method::POST, "/repos/acme/widgets/issues/42/comments", token);
    let comment: Value = comment.json(&json!({ "body": "x" })).send().await.unwrap().json().await.unwrap();
    assert_eq!((&comment["user"]["login"], &comment["user"]["type"]), (&json!("bridge[bot]"), &json!("Bot")));
    assert_eq!(call(Method::GET, "/repos/acme/widgets", token).await.0, 200);
    place.advance(3_600);
    assert_eq!(call(Method::GET, "/repos/acme/widgets", token).await.0, 401);
    assert_eq!(call(Method::GET, "/app", JWT).await.0, 401);
}

#[tokio::test]
async fn without_a_public_key_only_the_claims_count() {
    let place = Place::new().await;
    let get = async || place.call(Method::GET, "/app", JWT).send().await.unwrap().status().as_u16();
    assert_eq!(get().await, 200);
    place.control().set_app(AppSpec { id: 7002, ..app(None) }).unwrap();
    assert_eq!(get().await, 401);
}

#[tokio::test]
async fn failed_deliveries_are_listed_by_cursor_and_redelivered_under_the_same_guid() {
    let place = Place::new().await;
    for number in 0..5_u16 {
        let spec = DeliverySpec {
            repo: None,
            org: None,
            hook_id: 0,
            guid: format!("guid-{number}"),
            status_code: if number % 2 == 0 { 502 } else { 202 },
            event: "issues".to_owned(),
            headers: std::collections::BTreeMap::new(),
            payload: json!({ "action": "labeled", "repository": { "id": 5001 } }),
        };
        place.control().add_delivery(spec).unwrap();
    }
    let get = async |path: &str| place.call(Method::GET, path, JWT).send().await.unwrap();
    let first = get("/app/hook/deliveries?status=failure&per_page=2").await;
    let link = first.headers()["link"].to_str().unwrap().to_owned();
    let first: Value = first.json().await.unwrap();
    assert_eq!((&first[0]["guid"], &first[1]["guid"]), (&json!("guid-4"), &json!("guid-2")));
    assert_eq!((&first[0]["action"], &first[0]["repository_id"]), (&json!("labeled"), &json!(5001)));
    assert!(first[0].get("request").is_none());
    let next = link.trim_start_matches('<').split('>').next().unwrap().replace(place.sandbox.url(), "");
    let last = get(&next).await;
    assert!(last.headers().get("link").is_none());
    let last: Value = last.json().await.unwrap();
    assert_eq!((last.as_array().unwrap().len(), &last[0]["guid"]), (1, &json!("guid-0")));
    let id = last[0]["id"].as_i64().unwrap();
    assert!(id > 1 << 53);
    let one: Value = get(&format!("/app/hook/deliveries/{id}")).await.json().await.unwrap();
    assert_eq!(one["request"]["payload"]["action"], "labeled");
    let again = place.call(Method::POST, &format!("/app/hook/deliveries/{id}/attempts"), JWT).send().await.unwrap();
    assert_eq!((again.status().as_u16(), place.control().attempts("guid-0")), (202, 2));
    let hooks = place.get("/repos/acme/widgets/hooks/1/deliveries").await;
    assert_eq!(hooks.status(), 404);
}

#[tokio::test]
async fn the_world_is_made_and_disturbed_and_seen_over_http() {
    let place = Place::new().await;
    let post = async |path: &str, body: Value| {
        let response = place.bare(Method::POST, &format!("/_sandbox/{path}")).json(&body).send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    let get = async |path: &str| -> Value {
        place.bare(Method::GET, &format!("/_sandbox/{path}")).send().await.unwrap().json().await.unwrap()
    };
    for (path, body) in [
        ("clear", json!({})),
        ("users", json!({ "id": 1, "login": "ida", "token": "t", "token_kind": "app_user" })),
        ("repos", json!({ "id": 2, "owner": "acme", "name": "widgets" })),
        ("installations", json!({ "id": 8, "account": "acme" })),
        ("permissions", json!({ "repo": "acme/widgets", "login": "ida", "role": "write" })),
        ("members", json!({ "org": "acme", "login": "ida" })),
        ("members", json!({ "org": "acme", "team": "makers", "login": "ida" })),
        ("issues", json!({ "repo": "acme/widgets", "author": "ida", "title": "one" })),
        ("comments", json!({ "repo": "acme/widgets", "number": 1, "author": "ida", "body": "hi" })),
        (
            "pulls",
            json!({ "issue": { "repo": "acme/widgets", "author": "ida", "title": "p" }, "head_ref": "f", "head_repo": null }),
        ),
        ("outcomes", json!({ "outcome": "failed", "message": "no" })),
        (
            "faults",
            json!({ "method": "POST", "path": "/agents", "times": 1, "kind": { "kind": "status_after", "status": 502 } }),
        ),
        ("pace", json!({ "queued_ms": 0, "working_ms": 0 })),
        ("usage", json!({ "type": "premium_requests", "amount": 2.5 })),
    ] {
        assert_eq!(post(path, body).await.0, 200, "{path}");
    }
    assert_eq!(get("faults").await[0]["fault"]["kind"]["kind"], "status_after");
    let lost = place.call(Method::POST, TASKS, "t").json(&json!({ "prompt": "a\nRef: 9" })).send().await.unwrap();
    assert_eq!(lost.status(), 502);
    assert_eq!(get("creations").await["by_last_line"], json!({ "Ref: 9": 1 }));
    let state = get("state").await;
    assert_eq!((&state["tasks"][0]["state"], &state["tasks"][0]["creator"]), (&json!("failed"), &json!("ida")));
    assert_eq!(state["threads"][0]["comments"][0]["comment"]["body"], "hi");
    assert_eq!(get("calls").await["calls"][0]["status"], 502);

    assert_eq!(post("users", json!({ "id": 1, "login": "eve" })).await.0, 409);
    assert_eq!(post("permissions", json!({ "repo": "no/no", "login": "ida", "role": "write" })).await.0, 404);
    let (status, wrong) = post("permissions", json!({ "repo": "a/b", "login": "ida", "role": "king" })).await;
    assert!(status == 400 && wrong["error"].as_str().unwrap().starts_with("role: "), "{wrong}");
    assert_eq!(post("nothing", json!({})).await.0, 404);
}

#[tokio::test]
async fn pages_show_what_was_written_and_run_none_of_it() {
    let place = Place::new().await;
    let evil = "<script>alert('x')</script> & \"more\"";
    let task = place.start(evil).await;
    place.post("/repos/acme/widgets/issues/42/comments", json!({ "body": evil })).await;
    place.post("/repos/acme/widgets/issues/42/labels", json!({ "labels": ["<b>"] })).await;
    place.advance(40);
    let issue = place.json("/repos/acme/widgets/issues/42").await;
    let web = |json: &Value| json["html_url"].as_str().unwrap().replace(place.sandbox.url(), "");
    let pull = place.json("/repos/acme/widgets/pulls").await;
    for path in ["/".to_owned(), "/acme/widgets".to_owned(), web(&task), web(&issue), web(&pull[0])] {
        let page = place.bare(Method::GET, &path).send().await.unwrap();
        assert_eq!(page.status(), 200, "{path}");
        assert!(page.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
        let text = page.text().await.unwrap();
        assert!(!text.contains("<script") && !text.contains("<b>"), "{path}");
        assert!(text.contains("&lt;script&gt;"), "{path}");
    }
    assert_eq!(place.bare(Method::GET, "/acme/widgets/issues/99").send().await.unwrap().status(), 404);
}
