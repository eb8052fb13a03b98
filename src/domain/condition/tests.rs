//! What a condition says, and what it must refuse to become.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::super::event::SubjectKind;
use super::super::view::tests::{event, view};
use super::super::view::{LIST_LIMIT, Texts};
use super::*;

fn evaluate(text: &str) -> Result<Outcome, ConditionError> {
    Condition::parse(text).unwrap().evaluate(&view(SubjectKind::Issue))
}

fn holds(text: &str) -> bool {
    evaluate(text).unwrap().holds
}

#[test]
fn reads_the_view() {
    assert!(holds("event.full_name == 'issues.labeled' && issue.number == 42"));
    assert!(holds("'bug' in issue.labels && issue.labels.exists(l, l.startsWith('copilot-'))"));
    assert!(holds("subject.kind == 'issue' && !repo.private && actor.id == 7"));
    assert!(holds("issue.body.contains('do evil')"), "conditions see what prompts do not");
    assert!(!holds("size(issue.labels) > 2 || issue.state == 'closed'"));
}

#[test]
fn a_false_condition_says_which_part_failed_and_what_it_saw() {
    let outcome = evaluate("issue.number == 42 && repo.private && label.name == 'x'").unwrap();
    assert_eq!(outcome, Outcome { holds: false, saw: vec![("repo.private".to_owned(), "false".to_owned())] });
    let outcome = evaluate("actor.login == 'bob' || 'x' in issue.labels || has(comment.id)").unwrap();
    let saw: Vec<_> = outcome.saw.iter().map(|(path, value)| format!("{path}={value}")).collect();
    assert_eq!(saw, ["actor.login=\"ann\"", "issue.labels=[\"bug\",\"copilot-fix\"]", "comment.id=absent"]);
}

#[test]
fn what_it_saw_is_short() {
    let mut event = event(SubjectKind::Issue);
    event.subject.as_mut().unwrap().body = "long ".repeat(5_000);
    let view = View::new(&event, None, None, Texts::plain());
    let outcome = Condition::parse("issue.body == ''").unwrap().evaluate(&view).unwrap();
    assert!(outcome.saw[0].1.chars().count() <= 120, "{:?}", outcome.saw);
}

#[test]
fn what_it_saw_holds_no_secret() {
    let payload = serde_json::json!({
        "config": { "secret": "canary-1", "keyboard": "qwerty" }, "access_token": 4711, "odd": "x ghp_canary0123456789",
        "list": [{ "password": "canary-2" }, "Bearer canary-3333"]
    });
    let view = View::new(&event(SubjectKind::Issue), None, Some(payload), Texts::plain());
    let text = "payload.config.secret == 'x' || payload.access_token == 1 || payload.odd == 'x' || 'x' in payload.list \
                || payload.config.keyboard == 'x'";
    let saw = Condition::parse(text).unwrap().evaluate(&view).unwrap().saw;
    let shown: Vec<_> = saw.iter().map(|(path, value)| format!("{path}={value}")).collect();
    assert_eq!(
        shown,
        [
            "payload.config.secret=(secret)",
            "payload.access_token=(secret)",
            "payload.odd=(secret)",
            "payload.list=[{\"password\":\"(secret)\"},\"(secret)\"]",
            "payload.config.keyboard=\"qwerty\""
        ]
    );
    for text in [
        "payload.config.secret < 1",
        "payload.odd + 1 == 2",
        "payload.config + 1 == 2",
        "payload.list + 1 == 2",
        "payload.config.matches('a')",
        "payload.list.startsWith('a')",
    ] {
        let message = Condition::parse(text).unwrap().evaluate(&view).unwrap_err().message;
        // Which of an object's fields come first is by chance: none may.
        assert!(!message.contains("canary") && !message.contains("keyboard"), "{message}");
    }
}

#[test]
fn a_missing_field_is_named_unless_it_was_asked_for() {
    let message = |text: &str| evaluate(text).unwrap_err().message;
    assert_eq!(message("command.text == 'x'"), "this event has no `command.text`; ask `has(command.text)` first");
    assert!(message("comment.body == 'x'").contains("`comment.body`"));
    assert!(message("pull_request.branches.head_ref == 'x'").contains("pull_request.branches"));
    assert!(!holds("has(comment.body) && comment.body == 'x'"));
    assert!(!holds("has(subject.branches)"));
}

/// Case 66.
#[test]
fn what_went_wrong_is_short_and_the_same_each_time() {
    let long = format!("payload.{} == 1", "very".repeat(200));
    let message = evaluate(&long).unwrap_err().message;
    assert!(message.chars().count() <= 300 && message.ends_with("` first"), "{message}");
    let text = "{'a': 1, 'b': 2, 'c': 3, 'd': 4, 'e': 5} + 1 == 2";
    let messages: Vec<_> = (0..20).map(|_| evaluate(text).unwrap_err().message).collect();
    assert!(messages.iter().all(|message| message == "`add` is not possible with a map and Int(1)"), "{messages:?}");
}

#[test]
fn errors_refuse_but_a_false_part_outweighs_them() {
    assert!(!holds("comment.body == 'x' && false"));
    assert!(evaluate("comment.body == 'x' && true").is_err());
    assert!(evaluate("true && issue.number").unwrap_err().message.contains("int"));
    assert!(evaluate("issue.title").unwrap_err().message.contains("string"));
    assert!(evaluate("issue.title < 3").is_err());
}

#[test]
fn looks_only_at_the_part_of_a_payload_it_names() {
    let payload = serde_json::json!({ "a": { "b": [{ "s": "x" }], "n": null }, "big": 18_446_744_073_709_551_615_u64 });
    let view = View::new(&event(SubjectKind::Alert), None, Some(payload), Texts::plain());
    let condition = Condition::parse("payload.a.b[0].s == 'x' && payload.a.n == null && !has(payload.a.c)").unwrap();
    assert!(condition.uses("payload") && !condition.uses("issue"));
    assert!(condition.evaluate(&view).unwrap().holds);
    assert!(Condition::parse("has(payload.a.n)").unwrap().evaluate(&view).unwrap().holds);
}

#[test]
fn faults_have_a_place() {
    let fault = Condition::parse("issue.number == 1 &&\n  isue.title == 'x'").unwrap_err();
    assert_eq!(fault.message, "there is no `isue` in an event; did you mean `issue`?");
    assert_eq!((fault.line, fault.column), (2, 3));
    let fault = Condition::parse("issue.number ==").unwrap_err();
    assert_eq!(fault.line, 1);
    assert!(fault.column > 10, "{fault:?}");
    assert!(Condition::parse(" ").is_err());
    let fault = Condition::parse("issue.title == 'a = b' &&\n  repo.name = 'x'").unwrap_err();
    assert_eq!((fault.line, fault.column), (2, 13), "{fault:?}");
    assert!(fault.message.contains("to compare, write `==`"), "{fault:?}");
    for other in
        ["issue.title == 'a = b' &&", "issue.number <= 1 &&", "issue.number != 1 &&", "(issue.title == 'it\\'s = '"]
    {
        let fault = Condition::parse(other).unwrap_err();
        assert!(!fault.message.contains("write `==`"), "{other}: {fault:?}");
    }
}

/// Case 66.
#[test]
fn bombs_are_refused_when_loaded() {
    let nested = |n: usize| format!("{}true{}", "(".repeat(n), ")".repeat(n));
    let mut chain = String::from("true");
    for _ in 0..5_000 {
        chain.push_str(" && repo.private");
    }
    let mut short_chain = String::from("true");
    for i in 0..390 {
        let _ = write!(short_chain, "||{}>1", i % 10);
    }
    let bombs = [
        nested(5_000),
        nested(40),
        chain,
        short_chain,
        format!("has(issue{})", ".a".repeat(1_500)),
        format!("{}true", "!".repeat(3_000)),
        format!("1{} > 0", "+1".repeat(1_500)),
        "issue.labels.all(a, issue.labels.all(b, issue.labels.all(c, a == c)))".to_owned(),
        "issue.labels.map(a, issue.labels.filter(b, b == a)).size() > 0".to_owned(),
        r"issue.title.matches('\\w{900}{900}')".to_owned(),
        format!("issue.title.matches('{}')", "a".repeat(600)),
        "issue.title.matches(issue.body)".to_owned(),
        "matches(issue.title, 'a' + 'b')".to_owned(),
    ];
    for bomb in bombs {
        let start = Instant::now();
        let result = Condition::parse(&bomb);
        assert!(result.is_err(), "{}", &bomb[..bomb.len().min(80)]);
        assert!(start.elapsed() < Duration::from_secs(1), "{}: {:?}", &bomb[..bomb.len().min(80)], start.elapsed());
    }
}

/// Case 66.
#[test]
fn the_parser_calls_itself_only_so_deep_whatever_is_open() {
    let check = || {
        assert!(holds(&format!("{}true{}", "(".repeat(16), ")".repeat(16))));
        assert!(holds(&format!("{}true", "repo.private ? false : ".repeat(20))));
        for open in ["(].a".repeat(70), "?true:true".repeat(70)] {
            assert!(Condition::parse(&format!("a{open}")).is_err());
        }
    };
    // The product's threads have as much; those of tests have less.
    std::thread::Builder::new().stack_size(8 * 1024 * 1024).spawn(check).unwrap().join().unwrap();
}

/// Case 67.
#[test]
fn patterns_are_linear_and_checked_when_loaded() {
    let mut event = event(SubjectKind::Issue);
    event.subject.as_mut().unwrap().body = format!("{}!", "a".repeat(50_000));
    let view = View::new(&event, None, None, Texts::plain());
    let condition = Condition::parse("issue.body.matches('^(a+)+$') || matches(issue.title, '^(?i)CRASH')").unwrap();
    let start = Instant::now();
    assert!(condition.evaluate(&view).unwrap().holds);
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    let fault = Condition::parse("true && issue.title.matches('(a')").unwrap_err();
    assert_eq!(fault.message, "this pattern is not valid: unclosed group");
    assert!(evaluate("command.text.matches('a')").is_err());
}

#[test]
fn a_pattern_in_a_macro_works() {
    assert!(holds("issue.labels.exists(l, l.matches('^copilot-[a-z]+$'))"));
    let outcome = evaluate("issue.labels.exists(label, label.matches('^x'))").unwrap();
    assert_eq!(outcome.saw.len(), 1, "a macro's own variable is not a path: {:?}", outcome.saw);
}

/// Conditions made of the pieces that conditions are made of.
fn conditions() -> impl Strategy<Value = String> {
    let pieces = [
        "issue.labels",
        "issue.title",
        "issue.number",
        "payload",
        "event.name",
        "label",
        "l",
        "x",
        ".all(x, ",
        ".map(x, ",
        ".exists(l, ",
        ".filter(l, ",
        ".matches('",
        "(a+)+$')",
        ".size()",
        ".startsWith(",
        "has(",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        " && ",
        " || ",
        "!",
        " == ",
        " < ",
        " + ",
        " in ",
        " ? ",
        " : ",
        ",",
        ".",
        "'a'",
        "\"",
        "1",
        "1e400",
        "-",
        "9223372036854775807",
        "true",
        "null",
        "b'\\xff'",
        "timestamp('x')",
        "duration('1h')",
        "//",
        "\u{0}",
        "é",
    ];
    proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// Refused or answered, in bounded time, and never with a panic; what is refused has a place in the text.
    ///
    /// Case 66.
    #[test]
    fn any_heap_of_pieces_is_refused_or_answered_in_time(text in conditions()) {
        let view = view(SubjectKind::Issue);
        let start = Instant::now();
        match Condition::parse(&text) {
            Ok(condition) => drop(condition.evaluate(&view)),
            Err(fault) => prop_assert!(fault.line >= 1 && !fault.message.is_empty()),
        }
        prop_assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    }
}

/// The parser looks for a way out of these, and calls itself deeper than it would for a condition without mistakes.
///
/// Case 66.
#[test]
fn a_heap_of_open_mistakes_is_refused_in_an_ordinary_thread() {
    let text = "{]]} < .map(x,  == .startsWith( issue.labelshas([{timestamp('x').all(x, 'a'..filter(l, .exists(l,  + \
                }.startsWith(.startsWith( == .filter(l, ( in .all(x, {";
    assert!(Condition::parse(text).is_err());
}

/// What is let through costs little on the largest event that it can meet: of a list it sees no more than its beginning.
///
/// Case 66.
#[test]
fn the_dearest_condition_that_is_let_through_is_answered_in_time() {
    let labels: Vec<String> = (0..300).map(|n| format!("label-{n}")).collect();
    let payload = serde_json::json!({ "list": (0..20_000).collect::<Vec<u32>>(), "labels": labels });
    let mut event = event(SubjectKind::Issue);
    event.subject.as_mut().unwrap().labels = labels;
    let view = View::new(&event, None, Some(payload), Texts::plain());
    let size = format!("payload.list.size() == {LIST_LIMIT} && payload.labels.size() == {LIST_LIMIT}");
    for text in [
        size.as_str(),
        "payload.list.all(x, x >= 0 && x < 20000 && x != 20001)",
        "payload.list.filter(x, x > 5).size() > 3 && !payload.list.exists(x, x == 19999)",
        "issue.labels.all(l, l.matches('^label-[0-9]+$') && l.size() > 3)",
    ] {
        let condition = Condition::parse(text).unwrap();
        let start = Instant::now();
        assert_eq!(condition.evaluate(&view), Ok(Outcome { holds: true, saw: Vec::new() }), "{text}");
        // Unoptimised and alone it takes less than a hundredth of that.
        assert!(start.elapsed() < Duration::from_millis(100), "{text}: {:?}", start.elapsed());
    }
}
