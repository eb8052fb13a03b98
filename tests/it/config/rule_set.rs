//! Which rules an event could concern: looked up, not searched for.

use super::load_text;
use taskbridge::domain::rule_set::RuleSet;

fn set() -> RuleSet {
    let text = "\
sources:
  hub: { type: github, secrets: \"${GITHUB_WEBHOOK_SECRET}\" }
  lab: { type: github, secrets: \"${GITHUB_WEBHOOK_SECRET}\" }
rules:
  - { name: r0, on: { label: [Fix, FIX, mend] }, prompt: p }
  - { name: r1, on: { event: issues.labeled }, prompt: p, sources: hub }
  - { name: r2, on: { event: [issues, issues.labeled] }, prompt: p }
  - { name: r3, on: { command: '*' }, prompt: p }
  - { name: r4, on: { command: [fix, test] }, prompt: p, sources: [hub, hub] }
  - { name: r5, on: { command: [go, '*'] }, prompt: p, sources: lab }
";
    load_text(text).expect("good").rules
}

#[test]
fn labels_compare_without_case_and_events_by_either_name() {
    let set = set();
    assert_eq!(set.candidates("hub", "issues.labeled", "issues", Some("fiX"), None), [0, 1, 2]);
    assert_eq!(set.candidates("lab", "issues.labeled", "issues", Some("fiX"), None), [0, 2]);
    assert_eq!(set.candidates("hub", "issues.opened", "issues", None, None), [2]);
    assert!(set.candidates("hub", "push", "push", None, None).is_empty());
}

#[test]
fn free_text_is_what_no_rule_for_the_source_has_named() {
    let set = set();
    let command = |source, text| set.candidates(source, "issue_comment.created", "issue_comment", None, Some(text));
    assert_eq!(command("hub", "fix the door"), [4]);
    assert_eq!(command("hub", "FIX it"), [4]);
    assert_eq!(command("hub", "please fix it"), [3]);
    assert_eq!(command("hub", ""), [3]);
    assert_eq!(command("lab", "fix the door"), [3, 5], "only the other source has named it");
    assert_eq!(command("lab", "go"), [5]);
    assert_eq!(set.command_names("hub"), ["fix", "test"]);
    assert_eq!(set.command_names("lab"), ["go"], "what is no command there is text, whole");
}

#[test]
fn in_a_chat_a_rule_is_named_that_names_the_chat() {
    let text = "\
sources:
  hub: { type: github, secrets: \"${GITHUB_WEBHOOK_SECRET}\" }
  team: { type: mattermost, server_url: \"https://chat.example.com\", tokens: \"${GITHUB_WEBHOOK_SECRET}\", command: /bot }
rules:
  - { name: r0, on: { slash: [/bot, /other] }, prompt: p }
  - { name: r1, on: { command: [fix, '*'] }, prompt: p, sources: team }
  - { name: r2, on: { command: [test, '*'] }, prompt: p, sources: hub }
";
    let set = load_text(text).expect("good").rules;
    let said = |command, usual, name| set.said_in_chat("team", command, usual, name);
    assert_eq!(set.chat_names("team"), ["fix"]);
    assert_eq!(said("/bot", true, "FIX"), [1]);
    assert_eq!(said("/bot", true, ""), [0, 1]);
    assert_eq!(said("/other", false, ""), [0], "names stand behind the chat's own command");
    assert!(said("/bot", true, "test").is_empty() && said("/other", false, "fix").is_empty());
}

#[test]
fn a_thousand_rules_leave_a_lookup_with_only_the_ones_it_concerns() {
    let mut text = "rules:\n".to_owned();
    for nth in 0..1_000 {
        text.push_str(&format!("  - {{ name: r{nth}, on: {{ label: l{nth} }}, prompt: p }}\n"));
    }
    let set = load_text(&text).expect("good").rules;
    assert_eq!(set.candidates("github", "issues.labeled", "issues", Some("L777"), None), [777]);
    assert_eq!(set.by_name("r3").map(|rule| rule.name.as_str()), Some("r3"));
}
