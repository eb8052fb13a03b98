//! Each known sender: a webhook signed and laid out as it does, and what is read of it.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;
use serde_json::{Value, json};
use taskbridge::cli::live_of;
use taskbridge::domain::event::{Event, SubjectKind};
use taskbridge::pipeline::Live;
use taskbridge::sources::{Envelope, Reading, Refusal};

use crate::support::senders::hex_code;
use crate::support::world::{HOOK_SECRET, SIGNING_KEY, configuration};

const NOW: i64 = 1_800_000_000;

fn live() -> Live {
    let plain = ["gitea", "forgejo", "bitbucket", "jira", "linear", "sentry", "pagerduty", "stripe", "gitlab"];
    let mut text = "sources:\n".to_owned();
    for name in plain {
        text.push_str(&format!("  {name}: {{ type: {name}, secrets: \"${{HOOK_SECRET}}\" }}\n"));
    }
    text.push_str(
        "  signing: { type: gitlab, signing: true, secrets: \"${SIGNING_KEY}\" }\n  \
         grafana: { type: grafana, secrets: \"${HOOK_SECRET}\", timestamp_header: X-Grafana-Time }\n  \
         devops: { type: azure-devops, username: keeper, secrets: \"${HOOK_SECRET}\" }\nrules: []\n",
    );
    live_of(&configuration(&text), "github.com")
}

fn verify(source: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Envelope, Refusal> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    live().sources[source].source.verify(&map, body, DateTime::from_timestamp(NOW, 0).unwrap())
}

/// Verifies and reads; shows that another body under the same proof is turned away where the proof covers it.
fn read(source: &str, headers: &[(&str, &str)], body: &str, covers: bool) -> (Envelope, Event) {
    let envelope = verify(source, headers, body.as_bytes()).unwrap_or_else(|refusal| panic!("{source}: {refusal}"));
    let other = verify(source, headers, format!("{body} ").as_bytes());
    assert_eq!(other.is_err(), covers, "{source}");
    match live().sources[source].source.read(source, &envelope, body.as_bytes()).unwrap() {
        Reading::Event(event) => (envelope, *event),
        Reading::Ping | Reading::Nothing(_) | Reading::Elsewhere(_) => panic!("{source}: no event"),
    }
}

/// Over the body alone, in hex.
fn code(body: &str) -> String {
    hex_code(HOOK_SECRET.as_bytes(), &[body.as_bytes()])
}

/// Name with action, kind, title, text, page and state, in one line each.
fn shown(event: &Event) -> [String; 6] {
    let subject = event.subject.as_ref().unwrap();
    assert!(event.actor.is_none() && event.repo.is_none(), "nobody whose right could be looked up");
    [
        event.full_name(),
        format!("{:?}", subject.kind),
        subject.title.clone(),
        subject.body.clone(),
        subject.url.clone(),
        subject.state.clone(),
    ]
}

#[test]
fn sentry_tells_of_issues_and_alerts() {
    let issue = json!({ "action": "resolved", "data": { "issue": {
        "id": "7", "title": "TypeError", "culprit": "cart in total", "web_url": "https://s.example.com/7/" } } });
    let cases: [(&str, Value, [&str; 6]); 3] = [
        (
            "issue",
            issue,
            ["issue.resolved", "Alert", "TypeError", "cart in total", "https://s.example.com/7/", "resolved"],
        ),
        (
            "event_alert",
            json!({ "action": "triggered", "data": { "event": {
                "title": "Boom", "web_url": "https://s.example.com/e/1", "culprit": "main" }, "triggered_rule": "r" } }),
            ["event_alert.triggered", "Alert", "Boom", "main", "https://s.example.com/e/1", "firing"],
        ),
        (
            "metric_alert",
            json!({ "action": "critical", "data": {
                "description_title": "Errors up", "description_text": "1200 events", "web_url": "https://s.example.com/m" } }),
            ["metric_alert.critical", "Alert", "Errors up", "1200 events", "https://s.example.com/m", "firing"],
        ),
    ];
    for (resource, body, wanted) in cases {
        let body = body.to_string();
        let headers = [
            ("sentry-hook-resource", resource),
            ("request-id", "r-1"),
            ("sentry-hook-timestamp", "1"),
            ("sentry-hook-signature", &code(&body)),
        ];
        let (envelope, event) = read("sentry", &headers, &body, true);
        assert_eq!((envelope.sender_id.as_str(), envelope.event_name.as_str()), ("r-1", resource));
        assert_eq!(shown(&event), wanted);
    }
}

#[test]
fn pagerduty_tells_of_incidents_and_any_signature_in_its_list_is_enough() {
    let body = json!({ "event": {
        "id": "01E", "event_type": "incident.acknowledged", "occurred_at": "2027-01-15T08:00:00Z",
        "data": { "type": "incident", "title": "Disk full", "html_url": "https://p.example.com/i/1" } } })
    .to_string();
    let list = format!("v1={},v1={}", "0".repeat(64), code(&body));
    let (envelope, event) =
        read("pagerduty", &[("x-pagerduty-signature", &list), ("x-webhook-subscription", "S1")], &body, true);
    assert_eq!((envelope.sender_id.as_str(), envelope.hook_id.as_str()), ("01E", "S1"));
    let wanted = ["incident.acknowledged", "Alert", "Disk full", "", "https://p.example.com/i/1", "acknowledged"];
    assert_eq!(shown(&event), wanted);
    assert_eq!((event.name.as_str(), event.at), ("incident", DateTime::from_timestamp(NOW, 0)));
    let many = vec![format!("v1={}", code(&body)); 17].join(",");
    assert_eq!(
        verify("pagerduty", &[("x-pagerduty-signature", &many)], body.as_bytes()),
        Err(Refusal::SignatureMalformed)
    );
}

#[test]
fn grafana_signs_its_time_stamp_where_one_is_configured() {
    let body = json!({
        "status": "firing", "title": "[FIRING:1] High load", "message": "load is 40", "externalURL": "https://g.example.com/",
        "alerts": [{ "status": "firing", "generatorURL": "https://g.example.com/alerting/1" }] })
    .to_string();
    let stamp = NOW.to_string();
    let right = hex_code(HOOK_SECRET.as_bytes(), &[stamp.as_bytes(), b":", body.as_bytes()]);
    let headers = [("x-grafana-alerting-signature", right.as_str()), ("x-grafana-time", &stamp)];
    let (envelope, event) = read("grafana", &headers, &body, true);
    assert!(envelope.sender_id.starts_with("body "), "it gives no id: {}", envelope.sender_id);
    assert_eq!(
        shown(&event),
        ["alert.firing", "Alert", "[FIRING:1] High load", "load is 40", "https://g.example.com/alerting/1", "firing"]
    );
    let bare = [("x-grafana-alerting-signature", code(&body))];
    let bare: Vec<(&str, &str)> = bare.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(verify("grafana", &bare, body.as_bytes()), Err(Refusal::SignatureMissing));
}

#[test]
fn linear_and_jira_tell_of_issues() {
    let body = json!({
        "action": "create", "type": "Issue", "webhookTimestamp": NOW * 1000, "url": "https://linear.app/acme/issue/A-1",
        "data": { "id": "x", "title": "It leaks", "description": "Under load." } })
    .to_string();
    let (envelope, event) =
        read("linear", &[("linear-signature", &code(&body)), ("linear-delivery", "l-1")], &body, true);
    assert_eq!((envelope.sender_id.as_str(), envelope.event_name.as_str()), ("l-1", "Issue"));
    assert_eq!(
        shown(&event),
        ["Issue.create", "Other", "It leaks", "Under load.", "https://linear.app/acme/issue/A-1", ""]
    );
    let body = json!({
        "timestamp": NOW * 1000, "webhookEvent": "jira:issue_created",
        "issue": { "id": "1", "key": "ACME-1", "self": "https://acme.atlassian.net/rest/api/2/issue/1",
                   "fields": { "summary": "It leaks", "description": "Under load." } } })
    .to_string();
    let signature = format!("sha256={}", code(&body));
    let headers = [("x-hub-signature", signature.as_str()), ("x-atlassian-webhook-identifier", "j-1")];
    let (envelope, event) = read("jira", &headers, &body, true);
    assert_eq!(envelope.sender_id, "j-1");
    assert_eq!(
        shown(&event),
        ["jira:issue_created", "Other", "It leaks", "Under load.", "https://acme.atlassian.net/browse/ACME-1", ""]
    );
    assert_eq!(event.at, DateTime::from_timestamp(NOW, 0));
}

#[test]
fn forges_tell_of_issues_under_their_own_headers() {
    let body = json!({ "action": "opened", "issue": { "title": "It leaks", "body": "Under load.", "html_url": "https://f.example.com/1" } })
        .to_string();
    for name in ["gitea", "forgejo"] {
        let own = |end: &str| format!("x-{name}-{end}");
        let (signature, event, delivery) = (own("signature"), own("event"), own("delivery"));
        let headers = [(&*signature, code(&body)), (&*event, "issues".to_owned()), (&*delivery, "g-1".to_owned())];
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let (envelope, event) = read(name, &headers, &body, true);
        assert_eq!(envelope.sender_id, "g-1");
        assert_eq!(shown(&event), ["issues.opened", "Other", "It leaks", "Under load.", "https://f.example.com/1", ""]);
        // As a form, the text inside is what is signed and read.
        let form = form_urlencoded::Serializer::new(String::new()).append_pair("payload", &body).finish();
        let mut headers = headers.clone();
        headers.push(("content-type", "application/x-www-form-urlencoded"));
        let envelope = verify(name, &headers, form.as_bytes()).unwrap();
        let again = live().sources[name].source.read(name, &envelope, form.as_bytes()).unwrap();
        assert!(matches!(again, Reading::Event(event) if event.full_name() == "issues.opened"));
    }
    let body = json!({ "pullrequest": { "title": "Mend it", "description": "d", "links": { "html": { "href": "https://b.example.com/1" } } } })
        .to_string();
    let signature = format!("sha256={}", code(&body));
    let headers = [
        ("x-hub-signature", signature.as_str()),
        ("x-event-key", "pullrequest:created"),
        ("x-request-uuid", "b-1"),
        ("x-hook-uuid", "h-1"),
    ];
    let (envelope, event) = read("bitbucket", &headers, &body, true);
    assert_eq!((envelope.sender_id.as_str(), envelope.hook_id.as_str()), ("b-1", "h-1"));
    assert_eq!(shown(&event), ["pullrequest:created", "Other", "Mend it", "d", "https://b.example.com/1", ""]);
    let wrong = [("x-hub-signature-256", signature.as_str())];
    assert_eq!(verify("bitbucket", &wrong, body.as_bytes()), Err(Refusal::SignatureMissing));
}

#[test]
fn gitlab_shows_a_token_or_signs() {
    let body = json!({ "object_kind": "issue", "object_attributes": {
        "title": "It leaks", "description": "Under load.", "action": "open", "url": "https://gitlab.example.com/1" } })
    .to_string();
    let wanted = ["Issue Hook.open", "Other", "It leaks", "Under load.", "https://gitlab.example.com/1", ""];
    let headers = [("x-gitlab-token", HOOK_SECRET), ("x-gitlab-event", "Issue Hook"), ("idempotency-key", "k-1")];
    let (envelope, event) = read("gitlab", &headers, &body, false);
    assert_eq!(envelope.sender_id, "k-1");
    assert_eq!(shown(&event), wanted);

    let key = STANDARD.decode(&SIGNING_KEY["whsec_".len()..]).unwrap();
    let stamp = NOW.to_string();
    let signed = crate::support::senders::base64_code(&key, &[b"w-1.", stamp.as_bytes(), b".", body.as_bytes()]);
    let signature = format!("v1,{signed}");
    let headers = [
        ("webhook-id", "w-1"),
        ("webhook-timestamp", stamp.as_str()),
        ("webhook-signature", signature.as_str()),
        ("x-gitlab-event", "Issue Hook"),
    ];
    let (envelope, event) = read("signing", &headers, &body, true);
    assert_eq!(envelope.sender_id, "w-1");
    assert_eq!(shown(&event), wanted);
    let only_token = [("x-gitlab-token", SIGNING_KEY), ("x-gitlab-event", "Issue Hook")];
    assert_eq!(
        verify("signing", &only_token, body.as_bytes()),
        Err(Refusal::SignatureMissing),
        "a token is no signature"
    );
}

#[test]
fn stripe_and_azure_devops_name_their_events_in_the_body() {
    let body = json!({ "id": "evt_1", "type": "charge.dispute.created", "created": NOW, "data": { "object": {} } })
        .to_string();
    let stamp = NOW.to_string();
    let right = hex_code(HOOK_SECRET.as_bytes(), &[stamp.as_bytes(), b".", body.as_bytes()]);
    let header = format!("t={stamp},v1={right},v0=00");
    let (envelope, event) = read("stripe", &[("stripe-signature", &header)], &body, true);
    assert_eq!(envelope.sender_id, "evt_1");
    assert_eq!((event.name.as_str(), event.action.as_str()), ("charge", "dispute.created"));
    assert_eq!(event.subject.unwrap().kind, SubjectKind::Other);
    let twice = format!("t={stamp},t={stamp},v1={right}");
    assert_eq!(verify("stripe", &[("stripe-signature", &twice)], body.as_bytes()), Err(Refusal::SignatureDoubled));

    let body = json!({
        "id": "a-1", "eventType": "build.complete", "createdDate": "2027-01-15T08:00:00.123Z",
        "message": { "text": "Build failed" }, "detailedMessage": { "text": "1 error" },
        "resource": { "_links": { "web": { "href": "https://dev.azure.com/acme/_build/1" } } } })
    .to_string();
    let basic = format!("Basic {}", STANDARD.encode(format!("keeper:{HOOK_SECRET}")));
    let (envelope, event) = read("devops", &[("authorization", &basic)], &body, false);
    assert_eq!(envelope.sender_id, "a-1");
    assert_eq!(
        shown(&event),
        ["build.complete", "Other", "Build failed", "1 error", "https://dev.azure.com/acme/_build/1", ""]
    );
    let other = format!("Basic {}", STANDARD.encode(format!("keeper2:{HOOK_SECRET}")));
    assert_eq!(verify("devops", &[("authorization", &other)], body.as_bytes()), Err(Refusal::SignatureWrong));
}

#[test]
fn a_link_that_is_no_page_and_a_name_that_is_none_are_left_out() {
    let body = json!({ "action": "created", "data": { "issue": { "title": "x", "web_url": "javascript:alert(1)" } } })
        .to_string();
    let headers = [("sentry-hook-resource", "issue"), ("sentry-hook-signature", &code(&body))];
    let (_, event) = read("sentry", &headers, &body, true);
    assert_eq!(event.subject.unwrap().url, "");
    let body = json!({ "event": { "id": "x".repeat(200), "event_type": "incident\ntriggered" } }).to_string();
    let list = format!("v1={}", code(&body));
    let (envelope, _) = read("pagerduty", &[("x-pagerduty-signature", &list)], &body, true);
    assert!(envelope.sender_id.starts_with("body "), "{}", envelope.sender_id);
    assert_eq!(envelope.event_name, "webhook");
}
