//! What a page shows of its sender works as it stands there: the configuration is loaded, a webhook is sent that is signed as the
//! page says, and the task is there.

use axum::http::StatusCode;
use base64::Engine as _;
use serde_json::{Value, json};

use crate::docs_pages::read;
use crate::support::senders::{base64_code, hex_code, request};
use crate::support::world::{HOOK_SECRET, SIGNING_KEY, World};

/// What a sender sends.
struct Sent {
    page: &'static str,
    source: &'static str,
    body: Value,
    /// Its headers, for a body at a time in seconds.
    headers: fn(&str, i64) -> Vec<(&'static str, String)>,
    /// What the task is told.
    told: &'static str,
}

fn hex(parts: &[&str]) -> String {
    let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
    hex_code(HOOK_SECRET.as_bytes(), &parts)
}

fn basic(user: &str) -> String {
    let word = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{HOOK_SECRET}"));
    format!("Basic {word}")
}

/// As Standard Webhooks signs.
fn standard(body: &str, stamp: i64) -> Vec<(&'static str, String)> {
    let key = base64::engine::general_purpose::STANDARD.decode(SIGNING_KEY.trim_start_matches("whsec_")).unwrap();
    let signed = base64_code(&key, &[b"m-1.", stamp.to_string().as_bytes(), b".", body.as_bytes()]);
    let stamp = stamp.to_string();
    vec![("webhook-id", "m-1".into()), ("webhook-timestamp", stamp), ("webhook-signature", format!("v1,{signed}"))]
}

/// An issue as the forges that grew out of one another send it.
fn issue() -> Value {
    json!({ "action": "opened", "issue": { "title": "It leaks", "body": "Under load.", "html_url": "https://f.example.com/1" } })
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn all() -> Vec<Sent> {
    vec![
        Sent {
            page: "azure-devops",
            source: "devops",
            body: json!({ "id": "e-1", "eventType": "build.complete", "message": { "text": "Build 7 failed" },
                "resource": { "result": "failed", "definition": { "id": 3 } } }),
            headers: |_, _| vec![("authorization", basic("taskbridge"))],
            told: "Build 7 failed",
        },
        Sent {
            page: "bitbucket",
            source: "bitbucket",
            body: json!({ "issue": { "title": "It leaks", "content": { "raw": "Under load." },
                "links": { "html": { "href": "https://b.example.com/1" } } } }),
            headers: |body, _| {
                let code = format!("sha256={}", hex(&[body]));
                vec![
                    ("x-event-key", "issue:created".into()),
                    ("x-request-uuid", "r-1".into()),
                    ("x-hub-signature", code),
                ]
            },
            told: "It leaks",
        },
        Sent {
            page: "forgejo",
            source: "forgejo",
            body: issue(),
            headers: |body, _| {
                vec![
                    ("x-forgejo-event", "issues".into()),
                    ("x-forgejo-delivery", "d-1".into()),
                    ("x-forgejo-signature", hex(&[body])),
                ]
            },
            told: "Under load.",
        },
        Sent {
            page: "gitea",
            source: "gitea",
            body: issue(),
            headers: |body, _| {
                vec![
                    ("x-gitea-event", "issues".into()),
                    ("x-gitea-delivery", "d-1".into()),
                    ("x-gitea-signature", hex(&[body])),
                ]
            },
            told: "Under load.",
        },
        Sent {
            page: "gitlab",
            source: "gitlab",
            body: json!({ "object_kind": "issue", "object_attributes": {
                "action": "open", "title": "It leaks", "description": "Under load.", "url": "https://l.example.com/1" } }),
            headers: |body, stamp| {
                let mut headers = standard(body, stamp);
                headers.push(("x-gitlab-event", "Issue Hook".into()));
                headers
            },
            told: "https://l.example.com/1",
        },
        Sent {
            page: "grafana",
            source: "grafana",
            body: json!({ "status": "firing", "groupKey": "g", "title": "Load is high", "commonLabels": { "team": "shop" } }),
            headers: |body, stamp| {
                let stamp = stamp.to_string();
                let code = hex(&[&stamp, ":", body]);
                vec![("x-grafana-alerting-timestamp", stamp), ("x-grafana-alerting-signature", code)]
            },
            told: "`Load is high`",
        },
        Sent {
            page: "hmac",
            source: "deploys",
            body: json!({ "kind": "deploy.failed", "environment": "production", "title": "Rollout failed", "log": "exit 1" }),
            headers: |body, stamp| {
                let stamp = stamp.to_string();
                let code = format!("v1={}", hex(&["d-1.", &stamp, ".", body]));
                vec![("x-deploy-id", "d-1".into()), ("x-deploy-time", stamp), ("x-deploy-signature", code)]
            },
            told: "Rollout failed",
        },
        Sent {
            page: "jira",
            source: "jira",
            body: json!({ "webhookEvent": "jira:issue_updated", "issue": { "key": "SHOP-1",
                "fields": { "labels": ["copilot"], "summary": "It leaks", "description": "Under load." } } }),
            headers: |body, _| {
                let code = format!("sha256={}", hex(&[body]));
                vec![("x-atlassian-webhook-identifier", "w-1".into()), ("x-hub-signature", code)]
            },
            told: "Under load.",
        },
        Sent {
            page: "linear",
            source: "linear",
            body: json!({ "type": "Issue", "action": "create", "webhookTimestamp": 0,
                "data": { "identifier": "SHO-1", "title": "It leaks", "description": "Under load." } }),
            headers: |body, _| vec![("linear-delivery", "d-1".into()), ("linear-signature", hex(&[body]))],
            told: "Under load.",
        },
        Sent {
            page: "pagerduty",
            source: "pagerduty",
            body: json!({ "event": { "id": "e-1", "event_type": "incident.triggered", "data": {
                "id": "P1", "urgency": "high", "title": "Shop is down", "html_url": "https://p.example.com/1" } } }),
            headers: |body, _| vec![("x-pagerduty-signature", format!("v1={}", hex(&[body])))],
            told: "Shop is down",
        },
        Sent {
            page: "sentry",
            source: "sentry",
            body: json!({ "action": "created", "data": { "issue": { "id": "1", "title": "KeyError", "web_url": "https://s.example.com/1" } } }),
            headers: |body, _| {
                vec![
                    ("request-id", "r-1".into()),
                    ("sentry-hook-resource", "issue".into()),
                    ("sentry-hook-signature", hex(&[body])),
                ]
            },
            told: "KeyError",
        },
        Sent {
            page: "standard-webhooks",
            source: "shop",
            body: json!({ "type": "order.lost", "data": { "title": "Order 7", "url": "https://o.example.com/7" } }),
            headers: standard,
            told: "Order 7",
        },
        Sent {
            page: "stripe",
            source: "stripe",
            body: json!({ "id": "evt_1", "type": "invoice.payment_failed", "data": { "object": { "id": "in_7" } } }),
            headers: |body, stamp| {
                let stamp = stamp.to_string();
                let code = hex(&[&stamp, ".", body]);
                vec![("stripe-signature", format!("t={stamp},v1={code}"))]
            },
            told: "invoice in_7 failed",
        },
        Sent {
            page: "token",
            source: "alerts",
            body: json!({ "status": "firing", "groupKey": "g", "commonLabels": { "alertname": "DiskFull" } }),
            headers: |_, _| vec![("authorization", basic("alertmanager"))],
            told: "DiskFull",
        },
    ]
}

/// The configuration of a page, for the people and repositories of a story.
fn configuration(page: &str) -> String {
    let text = read(&format!("docs/sources/{page}.md"));
    let block = text.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let block = block.replace("octo-builder", "mona").replace("octo-org/octo-shop", "acme/widgets");
    let mut parts = block.split("${");
    let mut told = parts.next().unwrap().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').unwrap();
        let known = match name {
            name if name.contains("SIGNING") => "SIGNING_KEY",
            name if name.contains("OLD") => "OLD_SECRET",
            _ => "HOOK_SECRET",
        };
        told.push_str(&format!("${{{known}}}{rest}"));
    }
    told
}

#[tokio::test]
async fn what_a_page_shows_of_its_sender_makes_a_task() {
    let all = all();
    let mut pages: Vec<String> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/sources"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap().trim_end_matches(".md").to_owned())
        .filter(|page| !["README", "slack", "discord", "mattermost", "teams"].contains(&page.as_str()))
        .collect();
    pages.sort_unstable();
    assert_eq!(pages, all.iter().map(|sent| sent.page).collect::<Vec<_>>(), "each page, and nothing else");
    for Sent { page, source, mut body, headers, told } in all {
        let file = configuration(page);
        let world = World::new(&file).await;
        let rule = file.split("- name: ").nth(1).and_then(|rest| rest.lines().next()).unwrap();
        world.mona_consents(&[rule]).await;
        let now = world.bridge.ground.now();
        if body["webhookTimestamp"].is_number() {
            body["webhookTimestamp"] = now.timestamp_millis().into();
        }
        let body = body.to_string();
        let mut headers = headers(&body, now.timestamp());
        headers.push(("content-type", "application/json".into()));
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = world.send(request(source, &headers, body.as_bytes())).await;
        assert!(answer.status == StatusCode::ACCEPTED || answer.status == StatusCode::OK, "{page}: {}", answer.body);
        world.settle().await;
        let task = world.task().await;
        assert_eq!(task.rule, rule, "{page}");
        let prompts: Vec<String> = world.control().tasks().into_iter().map(|task| task.prompt).collect();
        assert!(prompts.len() == 1 && prompts[0].contains(told), "{page}: {prompts:?}");
    }
}

/// An alert rule of Sentry sends another body than an issue does, and the page has a rule for it too.
#[tokio::test]
async fn the_page_of_sentry_takes_alert_rules_too() {
    let world = World::new(&configuration("sentry")).await;
    world.mona_consents(&["sentry-alerts"]).await;
    let body = json!({ "action": "triggered", "data": { "triggered_rule": "Many errors", "event": {
        "issue_id": "1", "title": "KeyError", "web_url": "https://s.example.com/e/1" } } });
    let body = body.to_string();
    let code = hex(&[&body]);
    let headers = [
        ("content-type", "application/json"),
        ("request-id", "r-2"),
        ("sentry-hook-resource", "event_alert"),
        ("sentry-hook-signature", code.as_str()),
    ];
    let answer = world.send(request("sentry", &headers, body.as_bytes())).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    world.settle().await;
    let task = world.task().await;
    assert_eq!(task.rule, "sentry-alerts");
    assert!(task.prompt.contains("KeyError"), "{}", task.prompt);
}

/// A second rollout that fails with the same words is a delivery of its own: the page signs its id.
#[tokio::test]
async fn equal_bodies_with_ids_of_their_own_are_two_deliveries() {
    let world = World::new(&configuration("hmac")).await;
    world.mona_consents(&["repair-deploys"]).await;
    let stamp = world.bridge.ground.now().timestamp().to_string();
    let body = json!({ "kind": "deploy.failed", "environment": "production", "title": "Rollout failed" }).to_string();
    for id in ["d-1", "d-2", "d-2"] {
        let code = format!("v1={}", hex(&[id, ".", &stamp, ".", &body]));
        let headers = [
            ("content-type", "application/json"),
            ("x-deploy-id", id),
            ("x-deploy-time", stamp.as_str()),
            ("x-deploy-signature", code.as_str()),
        ];
        let answer = world.send(request("deploys", &headers, body.as_bytes())).await;
        assert!(answer.status == StatusCode::ACCEPTED || answer.status == StatusCode::OK, "{}", answer.body);
    }
    world.settle().await;
    assert_eq!(world.control().tasks().len(), 2);
}
