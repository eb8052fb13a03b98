//! Senders other than GitHub: what of them cannot be right is refused in its place, with what to write instead.

use std::path::Path;

use taskbridge::config::{Reader, load};

use super::HOOK_SECRET;

/// Loads `text` with secrets of each kind in the environment; the faults, one a line.
fn faults(text: &str) -> Vec<String> {
    let env = [
        ("PLAIN", HOOK_SECRET),
        ("SHARED", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ("PUBLIC", "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="),
        ("WEAK", "whpk_AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        ("EMPTY", ""),
    ];
    match load(Path::new("t.yaml"), &Reader::fixed(&env, &[("t.yaml", text)])) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.0.iter().map(ToString::to_string).collect(),
    }
}

fn one(source: &str) -> Vec<String> {
    faults(&format!("sources:\n  s: {{ {source} }}\nrules: []\n"))
}

#[test]
fn each_kind_needs_a_secret_and_little_else() {
    for source in [
        "type: hmac, secrets: '${PLAIN}', header: X-Sig",
        "type: hmac, secrets: ['${PLAIN}', '${SHARED}'], header: X-Sig, algorithm: sha512, encoding: base64, prefix: 'x=', \
         signed: '{id}.{timestamp}.{header:X-More}.{body}', timestamp: { header: X-T, window: 10m }, \
         reads: { id: { header: X-Id }, event: { body: /type }, title: /a/b, text: /c, link: /d }",
        "type: standard-webhooks, secrets: ['${SHARED}', '${PUBLIC}']",
        "type: standard-webhooks, secrets: '${SHARED}', header_prefix: svix, window: 1m, reads: { event: { always: x } }",
        "type: token, secrets: '${PLAIN}'",
        "type: token, secrets: '${PLAIN}', header: Authorization, prefix: 'Token '",
        "type: basic, username: u, secrets: '${PLAIN}'",
        "type: gitlab, secrets: '${PLAIN}'",
        "type: gitlab, secrets: '${SHARED}', signing: true",
        "type: gitea, secrets: '${PLAIN}'",
        "type: forgejo, secrets: '${PLAIN}'",
        "type: bitbucket, secrets: '${PLAIN}'",
        "type: jira, secrets: '${PLAIN}'",
        "type: linear, secrets: '${PLAIN}'",
        "type: sentry, secrets: '${PLAIN}'",
        "type: pagerduty, secrets: '${PLAIN}'",
        "type: grafana, secrets: '${PLAIN}', timestamp_header: X-T",
        "type: stripe, secrets: '${PLAIN}'",
        "type: azure-devops, username: u, secrets: '${PLAIN}'",
    ] {
        assert_eq!(one(source), [""; 0], "{source}");
        let empty = source.replace("'${PLAIN}'", "'${EMPTY}'").replace("'${SHARED}'", "'${EMPTY}'");
        assert!(one(&empty).iter().any(|fault| fault.contains("the secret is empty")), "{empty}: {:?}", one(&empty));
    }
}

#[test]
fn what_proves_nothing_is_refused_in_its_place() {
    for (source, wanted) in [
        ("type: hmac, secrets: '${PLAIN}'", "sources.s: `header` is missing"),
        ("type: hmac, secrets: '${PLAIN}', header: 'X Sig'", "sources.s.header: the name of a header is"),
        ("type: hmac, secrets: '${PLAIN}', header: X, signed: '{timestamp}'", "sources.s.signed: `{body}` is missing"),
        ("type: hmac, secrets: '${PLAIN}', header: X, signed: '{body}{body}'", "`{body}` stands there more than once"),
        ("type: hmac, secrets: '${PLAIN}', header: X, signed: '{body}{when}'", "known here: `{body}`"),
        ("type: hmac, secrets: '${PLAIN}', header: X, signed: '{body'", "a `{` is not closed"),
        (
            "type: hmac, secrets: '${PLAIN}', header: X, signed: '{timestamp}{body}'",
            "say under `timestamp` which header",
        ),
        (
            "type: hmac, secrets: '${PLAIN}', header: X, timestamp: { header: T }",
            "sources.s.timestamp: a time stamp that is not signed",
        ),
        ("type: hmac, secrets: '${PLAIN}', header: X, signed: '{id}{body}'", "say under `reads.id.header`"),
        (
            "type: hmac, secrets: '${PLAIN}', header: X, signed: '{timestamp}{body}', timestamp: { header: T, window: 0s }",
            "sources.s.timestamp.window: must be longer than zero",
        ),
        (
            "type: hmac, secrets: '${PLAIN}', header: X, reads: { id: { header: A, body: /b } }",
            "reads.id: takes exactly one of",
        ),
        ("type: hmac, secrets: '${PLAIN}', header: X, reads: { id: { always: a } }", "would make one delivery of all"),
        (
            "type: hmac, secrets: '${PLAIN}', header: X, reads: { title: title }",
            "reads.title: a place in the body is a JSON pointer",
        ),
        ("type: standard-webhooks, secrets: '${PLAIN}'", "sources.s.secrets: a key of Standard Webhooks begins with"),
        (
            "type: standard-webhooks, secrets: ['${SHARED}', '${WEAK}']",
            "sources.s.secrets[1]: this public key is a weak one",
        ),
        (
            "type: standard-webhooks, secrets: '${SHARED}', reads: { id: { header: X } }",
            "the id is the signed `webhook-id` always",
        ),
        ("type: token, secrets: '${PLAIN}', prefix: 'x '", "say the `header` too"),
        ("type: basic, username: 'a:b', secrets: '${PLAIN}'", "a user name has no `:`"),
        ("type: gitlab, secrets: '${PLAIN}', signing: true", "sources.s.signing: `signing` demands signing tokens"),
        (
            "type: gitlab, secrets: ['${PLAIN}', '${SHARED}']",
            "sources.s.secrets[0]: a key of Standard Webhooks begins with",
        ),
        ("type: linear, secrets: '${PLAIN}', window: 2d", "sources.s.window: must be at most `1d`"),
        ("type: sentry, secrets: '${PLAIN}', header: X", "sources.s.header: unknown key `header`"),
    ] {
        let found = one(source);
        assert!(found.len() == 1 && found[0].contains(wanted), "{source}: {found:?}");
        assert!(found[0].starts_with("t.yaml:2:"), "{found:?}");
    }
}

const SOURCES: &str = "sources:\n  gh: { type: github, secrets: '${PLAIN}' }\n  sentry: { type: sentry, secrets: '${PLAIN}' }\n  \
                       shop: { type: stripe, secrets: '${PLAIN}' }\n";

fn rule(rule: &str) -> Vec<String> {
    faults(&format!("{SOURCES}rules:\n  - {{ name: a, {rule} }}\n"))
}

#[test]
fn a_rule_for_a_sender_that_names_nobody_says_who_answers_for_it() {
    let full = "on: { alert: firing, source: sentry }, run_as: 'person:ann', task: { repo: o/r, prompt: p }, allow: { sources: sentry }";
    assert_eq!(rule(full), [""; 0]);
    assert_eq!(
        rule("on: { alert: firing, source: sentry }, prompt: p"),
        [
            "t.yaml:6:5: rules[0].allow: the source `sentry` names nobody whose right could be looked up (add `sources: sentry` \
             to `allow`: then whatever `sentry` signs may start this)",
            "t.yaml:6:5: rules[0].run_as: the source `sentry` names nobody whose token the task could run with (add `run_as: \
             person:<login>`, `task: { repo: owner/name }` and `allow: { sources: sentry }`)",
        ]
    );
    for (changed, wanted) in [
        (full.replace("repo: o/r, ", ""), "a rule that runs as a person must say where (add `task.repo: owner/name`)"),
        (
            full.replace("allow: { sources: sentry }", "allow: { people: 'bob#7' }"),
            "rules[0].allow: the source `sentry` names nobody",
        ),
        (
            full.replace("allow: { sources: sentry }", "allow: { sources: [sentry, shop] }"),
            "does not listen to the source `shop`",
        ),
        (
            full.replace("allow: { sources: sentry }", "allow: { sources: [sentry, gh] }"),
            "the source `gh` names who did it",
        ),
        (
            full.replace("allow: { sources: sentry }", "allow: { sources: [sentry, sentri] }"),
            "there is no source `sentri`",
        ),
        (
            full.replace("allow: { sources: sentry }", "allow: { sources: sentri }"),
            "rules[0].allow.sources: there is no source `sentri` (did you mean `sentry`?)",
        ),
        (full.replace("alert: firing", "alert: fireing"), "`fireing` is not one of `firing`"),
        (full.replace("alert: firing", "label: firing"), "rules[0].on.label: the source `sentry` sends no labels"),
        (full.replace("sentry", "shop"), "the source `shop` (stripe) sends no alerts that have a state"),
        (full.replace("source: sentry", "source: [sentry, gh]"), ""),
        (format!("{full}, sources: sentry"), "the rule has `sources` already: keep one of them"),
        (
            format!("{full}, once_per: {{ key: k, then: wait, window: 1h }}"),
            "rules[0].once_per.window: within the window",
        ),
        (format!("{full}, once_per: {{ key: k, window: 0s }}"), "rules[0].once_per.window: must be longer than zero"),
    ] {
        let found = rule(&changed);
        match wanted {
            "" => assert_eq!(found, [""; 0], "{changed}"),
            _ => assert!(found.len() == 1 && found[0].contains(wanted), "{changed}: {found:?}"),
        }
    }
}

#[test]
fn a_rule_that_names_no_source_hears_github_alone() {
    assert_eq!(rule("on: { event: push }, prompt: p"), [""; 0]);
    assert!(rule("on: { event: 'Issue Hook' }, prompt: p")[0].contains("an event is written `name.action`"));
    let alone = "sources: { s: { type: sentry, secrets: '${PLAIN}' } }\nrules: [{ name: a, on: { event: issue }, prompt: p }]\n";
    let found = faults(alone);
    assert_eq!(found, ["t.yaml:2:9: rules[0]: the rule does not say which sources it listens to (add `sources: s`)"]);
}
