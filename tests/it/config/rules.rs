//! Rules: from the file to the checked form, and what is wrong with them.

use super::{faults, load_text, warnings};
use std::time::Duration;
use taskbridge::config::{Reader, load};
use taskbridge::domain::rule::{
    Allow, NamedPerson, OnceThen, Permission, Reaction, Reporting, RunAs, Trigger, Untrusted,
};

#[test]
fn the_shortest_rule_has_safe_defaults() {
    let text = "rules:\n  - name: a\n    on: { label: Fix }\n    prompt: do it\n";
    let rule = load_text(text).expect("good").rules.rules.remove(0);
    assert_eq!(rule.on, Trigger::Label(vec!["Fix".to_owned()]));
    assert_eq!(
        rule.allow,
        Allow { permission: Some(Permission::Write), teams: vec![], people: vec![], sources: vec![] }
    );
    assert_eq!((rule.run_as, rule.untrusted, rule.proceed), (RunAs::Actor, Untrusted::Fence, false));
    assert_eq!(rule.report, Reporting::default());
    assert!(rule.task.create_pull_request && rule.sources.is_empty() && rule.once_per.is_none());
    assert_eq!(rule.task.prompt.source(), "do it");
}

#[test]
fn the_longest_rule_comes_through_whole() {
    let text = r##"
sources: { hub: { type: github, secrets: "${GITHUB_WEBHOOK_SECRET}" } }
rules:
  - name: long
    sources: hub
    on: { command: [fix, "*"] }
    when: event.action == "created"
    allow: { permission: triage, teams: o/t, people: [ann, bob#7] }
    task:
      repo: o/r
      prompt: p
      base_ref: main
      head_ref: h
      model: m
      custom_agent: c
      create_pull_request: false
    run_as: person:ann
    once_per: { key: k, then: wait, idle_for: 4h }
    limits:
      per_rule: { live: 3 }
      per_repo: { started: { count: 10, within: 1h } }
    untrusted: hold
    report: { comment: false, reaction: "+1", labels: { running: r, done: d, failed: f } }
    continue: true
"##;
    let rule = load_text(text).expect("good").rules.rules.remove(0);
    assert_eq!(rule.sources, ["hub"]);
    assert_eq!(rule.on, Trigger::Command(vec!["fix".to_owned(), "*".to_owned()]));
    assert_eq!(rule.when.as_ref().map(|when| when.source()), Some("event.action == \"created\""));
    let people: Vec<_> = rule.allow.people.iter().map(|person| (person.login.as_str(), person.id)).collect();
    assert_eq!(people, [("ann", None), ("bob", Some(7))]);
    assert_eq!((rule.allow.permission, rule.allow.teams), (Some(Permission::Triage), vec!["o/t".to_owned()]));
    let ann = RunAs::Person(NamedPerson { login: "ann".to_owned(), id: None });
    assert_eq!((rule.run_as, rule.untrusted), (ann, Untrusted::Hold));
    let once = rule.once_per.expect("given");
    assert_eq!((once.key.source(), once.then, once.idle_for), ("k", OnceThen::Wait, Duration::from_secs(14_400)));
    assert_eq!(rule.limits.per_rule.live, Some(3));
    let window = rule.limits.per_repo.started.expect("given");
    assert_eq!((window.count, window.within), (10, Duration::from_secs(3_600)));
    assert_eq!(rule.report.reaction, Some(Reaction::ThumbsUp));
    assert!(!rule.report.comment && rule.proceed && !rule.task.create_pull_request);
}

#[test]
fn only_teams_means_that_permission_is_not_enough() {
    let text = "rules: [{ name: a, on: { label: x }, prompt: p, allow: { teams: o/t } }]\n";
    assert_eq!(load_text(text).expect("good").rules.rules[0].allow.permission, None);
}

#[test]
fn reactions_are_githubs_eight_or_false() {
    let rule = |reaction: &str| {
        format!("rules: [{{ name: a, on: {{ label: x }}, prompt: p, report: {{ reaction: {reaction} }} }}]")
    };
    assert_eq!(load_text(&rule("false")).expect("none").rules.rules[0].report.reaction, None);
    assert!(faults(&rule("true"))[0].contains("say `false`"));
    assert!(faults(&rule("+1"))[0].ends_with("(write it in quotes: \"+1\")"));
    assert!(faults(&rule("rokcet"))[0].ends_with("(did you mean `rocket`?)"));
}

#[test]
fn parts_that_do_not_fit_together_are_refused_in_their_place() {
    let text = "\
rules:
  - name: both
    on: { label: x, command: y }
    prompt: p
    task: { prompt: q }
  - name: neither
    on: {}
  - name: Both
    on: { label: x }
    prompt: ' '
    run_as: person:ann
    allow: {}
    sources: [hub, github]
    once_per: ''
  - name: lender
    on: { event: push }
    prompt: p
    run_as: person:ann
    limits: { per_repo: { started: { count: 1, within: 0s } } }
";
    assert_eq!(
        faults(text),
        [
            "t.yaml:3:9: rules[0].on: takes only one of `label`, `command`, `event`, `alert` and `slash` (write a rule for each)",
            "t.yaml:5:21: rules[0].task.prompt: the rule has a `prompt` already: keep one of them",
            "t.yaml:6:5: rules[1]: `prompt` is missing: what is the agent told?",
            "t.yaml:7:9: rules[1].on: says nothing: give it one of `label`, `command`, `event`, `alert` and `slash`",
            "t.yaml:8:11: rules[2].name: a rule named `Both` stands already at t.yaml:2:11",
            "t.yaml:10:13: rules[2].prompt: the prompt is empty",
            "t.yaml:11:13: rules[2].run_as: a rule that runs as a person must say where (add `task.repo: owner/name`)",
            "t.yaml:12:12: rules[2].allow: lets nobody in: give it `permission`, `teams`, `people` or `sources`, or remove it",
            "t.yaml:13:15: rules[2].sources[0]: there is no source `hub` (configured: `github`)",
            "t.yaml:14:15: rules[2].once_per: the key is empty: all wishes of this rule would share it",
            "t.yaml:18:13: rules[3].run_as: a rule that runs as a person must say where (add `task.repo: owner/name`)",
            "t.yaml:18:13: rules[3].run_as: a rule that runs as a person must say who may start it (add `allow`)",
            "t.yaml:19:56: rules[3].limits.per_repo.started.within: must be longer than zero",
        ]
    );
}

#[test]
fn a_report_label_that_starts_any_rule_is_refused_whatever_its_case() {
    let text = "\
rules:
  - { name: a, on: { label: [Go, other] }, prompt: p }
  - { name: b, on: { event: push }, prompt: p, report: { labels: { done: fine, failed: gO } } }
";
    assert_eq!(
        faults(text),
        [
            "t.yaml:3:88: rules[1].report.labels.failed: the label `gO` starts the rule `a`: reporting would start tasks \
          (report with another label)"
        ]
    );
}

#[test]
fn faults_inside_templates_and_conditions_stand_on_their_own_line() {
    let text = "\
rules:
  - name: a
    on: { label: x }
    when: |
      true
        && && false
    prompt: |2

        fine {{ a }}
      broken {{ b
    once_per: 'k {{ x'
  - name: b
    on: { label: y }
    prompt: >
      folded

      broken {{ b
";
    let places: Vec<String> =
        faults(text).iter().map(|fault| fault.splitn(5, ':').take(4).collect::<Vec<_>>().join(":")).collect();
    assert_eq!(
        places,
        [
            "t.yaml:6:12: rules[0].when",
            "t.yaml:10:7: rules[0].prompt",
            "t.yaml:11:16: rules[0].once_per",
            "t.yaml:15:7: rules[1].prompt",
        ]
    );
}

/// To the column, and with what to write instead.
#[test]
fn names_that_cannot_be_right_are_told_where_they_stand_with_what_to_write() {
    let text = "\
rules:
  - name: a
    on: { label: x }
    when: issue.state == 'open' && issue[\"titel\"] == 'é'
    prompt: |
      {% for l in issue.labels %}
        é {{ l.name }}
      {% endfor %}
    once_per: 'k {{ issue.user.login | uper }}'
  - name: b
    on: { label: y }
    prompt: \"\\u00e9\\t\\\"{{ issue.number }}\\n\\nx {{ issue.titel }}\"
    once_per: 'it''s {{ issue[''titel''] }}'
";
    assert_eq!(
        faults(text),
        [
            "t.yaml:4:42: rules[0].when: `issue` has no `titel`; did you mean `issue.title`?",
            "t.yaml:7:16: rules[0].prompt: `l` is a text and has no `name`: write `l` alone",
            "t.yaml:9:27: rules[0].once_per: `issue` has no `user`: write `issue.author`",
            "t.yaml:9:40: rules[0].once_per: there is no filter `uper`; did you mean `upper`?",
            "t.yaml:12:57: rules[1].prompt: `issue` has no `titel`; did you mean `issue.title`?",
            "t.yaml:13:31: rules[1].once_per: `issue` has no `titel`; did you mean `issue.title`?",
        ]
    );
}

#[test]
fn one_bad_rule_hides_no_fault_of_another() {
    let text = "\
rules:
  - { name: a, on: { label: x }, prompt: p, colour: red }
  - { name: b, on: { label: x }, prompt: '{{ a' }
";
    let faults = faults(text);
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(
        faults[0].starts_with("t.yaml:2:45: rules[0].colour") && faults[1].starts_with("t.yaml:3:43: rules[1].prompt")
    );
}

#[test]
fn misspelt_events_and_open_doors_are_warned_about() {
    let text = "\
rules:
  - { name: a, on: { event: [issue.opened, issues.opened] }, prompt: p }
  - { name: b, on: { label: x }, prompt: p, allow: { permission: none } }
";
    let found = warnings(text);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(
        found[0],
        "t.yaml:2:30: rules[0].on.event[0]: GitHub is not known to send `issue` (did you mean `issues`?)"
    );
    assert!(found[1].starts_with("t.yaml:3:66: rules[1].allow.permission: everyone"), "{found:?}");
}

#[test]
fn who_acts_as_somebody_else_is_better_named_by_account() {
    let rule = |people: &str, run_as: &str| {
        format!(
            "sources: {{ g: {{ type: github, secrets: \"${{GITHUB_WEBHOOK_SECRET}}\" }} }}\nrules:\n  - {{ name: a, \
             on: {{ label: x }}, prompt: p, task: {{ repo: o/r }}, run_as: '{run_as}', allow: {{ people: [{people}] }} }}\n"
        )
    };
    assert!(warnings(&rule("ann, bob", "actor")).is_empty());
    assert!(warnings(&rule("ann#7, bob#8", "person:eve")).is_empty());
    let found = warnings(&rule("ann#7, bob", "person:eve"));
    assert!(
        found.len() == 1 && found[0].contains("`bob` is a login alone") && found[0].contains("`bob#12345`"),
        "{found:?}"
    );
    for bad in ["ann#", "ann#0", "ann#07", "ann#x", "ann#1#2", "ann#-1", "ann#9999999999999999999", "'#7'"] {
        assert_eq!(faults(&rule(bad, "actor")).len(), 1, "{bad}");
    }
}

#[test]
fn forms_of_text_are_checked() {
    for (key, value) in [
        ("task", "{ prompt: p, repo: justaname }"),
        ("task", "{ prompt: p, repo: a/b/c }"),
        ("task", "{ prompt: p, repo: a/.. }"),
        ("allow", "{ teams: justateam }"),
        ("allow", "{ people: '@ann' }"),
        ("run_as", "ann"),
        ("run_as", "'person:'"),
        ("once_per", "{ key: k, then: queue }"),
        ("once_per", "{ key: k, idle_for: 4 hours }"),
        ("untrusted", "allow"),
        ("on", "{ command: two words }"),
        ("on", "{ command: /fix }"),
        ("on", "{ event: issues.opened.twice }"),
        ("on", "{ label: '' }"),
        ("on", "{ label: [] }"),
    ] {
        let on = if key == "on" { "" } else { "on: { label: x }, " };
        let text = format!("rules: [{{ name: a, {on}{key}: {value} }}]");
        let faults = faults(&text);
        let place = format!("rules[0].{key}");
        assert!(faults.iter().any(|fault| fault.contains(&place)), "{text}: {faults:?}");
    }
}

#[test]
fn a_chat_has_channels_with_rules_of_their_own() {
    let text = |channels: &str| {
        format!(
            "sources:\n  g: {{ type: github, secrets: \"${{GITHUB_WEBHOOK_SECRET}}\" }}\n  s: {{ type: slack, signing_secret: \"${{GITHUB_WEBHOOK_SECRET}}\", bot_token: \"${{GITHUB_WEBHOOK_SECRET}}\", channels: {channels} }}\n\
             rules:\n  - {{ name: chat, on: {{ slash: /fix }}, prompt: x }}\n  - {{ name: label, on: {{ label: y }}, prompt: x }}\n"
        )
    };
    let loaded = load_text(&text("{ C1: { repo: a/b, rule: chat } }")).unwrap();
    assert_eq!(loaded.rules.slashed("s", "/FIX"), [0]);
    assert_eq!(loaded.rules.slashed("s", "/copilot"), [0; 0]);
    for (channels, wanted) in [
        ("{ C1: { rule: chatt } }", "there is no rule `chatt`"),
        ("{ C1: { rule: label } }", "does not listen to a chat"),
        ("{ general: { repo: a/b } }", "named by its id"),
    ] {
        let faults = faults(&text(channels));
        assert!(faults.len() == 1 && faults[0].contains(wanted), "{faults:?}");
    }
}

#[test]
fn a_slack_app_speaks_with_a_token_that_stays_or_with_one_that_rotates() {
    let text = |tokens: &str| {
        format!("sources:\n  s: {{ type: slack, signing_secret: \"${{SIGNING}}\", {tokens} }}\nrules: []\n")
    };
    let loads = |tokens: &str, refresh: &str, bot: &str| {
        let env =
            [("SIGNING", "a-secret-that-signs-all"), ("SECRET", "a-client-secret-of-32"), ("R", refresh), ("B", bot)];
        let reader = Reader::fixed(&env, &[("/etc/taskbridge.yaml", &text(tokens))]);
        load(std::path::Path::new("/etc/taskbridge.yaml"), &reader).map(drop).map_err(|faults| faults.to_string())
    };
    let (bot, rotation) = (
        "bot_token: \"${B}\"",
        "rotation: { client_id: \"1.2\", client_secret: \"${SECRET}\", refresh_token: \"${R}\" }",
    );
    let (good, steady) = ("xoxe-1-a-refresh-token", "xoxb-a-token-that-stays");
    assert_eq!(loads(bot, good, steady), Ok(()));
    assert_eq!(loads(rotation, good, steady), Ok(()));
    for (tokens, refresh, token, wanted) in [
        ("app_id: A1".to_owned(), good, steady, "either `bot_token` or"),
        (format!("{bot}, {rotation}"), good, steady, "exclude each other"),
        (bot.to_owned(), good, "xoxe.xoxb-1-a-token-that-ends", "give `rotation` instead"),
        (rotation.to_owned(), "xoxe.xoxb-1-a-token-that-ends", steady, "begins with `xoxe-`"),
        (rotation.replace("1.2", ""), good, steady, "a client id"),
    ] {
        let fault = loads(&tokens, refresh, token).unwrap_err();
        assert!(fault.contains(wanted), "{tokens}: {fault}");
        assert!(!fault.contains(refresh) && !fault.contains(token), "{fault}");
    }
}
