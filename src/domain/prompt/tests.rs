//! Prompts: what is filled in, what stays literal, what is refused.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::super::event::SubjectKind;
use super::super::view::Texts;
use super::super::view::tests::{event, view};
use super::*;

fn fault(text: &str) -> TemplateFault {
    Template::parse(text).unwrap_err()
}

fn error(text: &str) -> String {
    Template::parse(text).unwrap().render(&view(SubjectKind::Issue)).unwrap_err().message
}

#[test]
fn renders_an_event() {
    let template = Template::parse("Fix #{{ issue.number }}: {{ issue.title }} by @{{ actor.login }}").unwrap();
    let rendered = template.render(&view(SubjectKind::Issue)).unwrap();
    assert_eq!(rendered, Rendered { text: "Fix #42: Crash on save by @ann".to_owned(), cut: false });
    assert!(template.uses("issue") && !template.uses("payload"));
    assert!(Template::parse("{% if payload.x %}a{% endif %}").unwrap().uses("payload"));
}

/// Case 64.
#[test]
fn a_template_inside_a_value_stays_text() {
    let mut event = event(SubjectKind::Issue);
    let injected = "{{ 7*7 }} {% include 'x' %} {# note #}";
    event.subject.as_mut().unwrap().title = injected.to_owned();
    let view = View::new(&event, None, None, Texts::plain());
    let text = Template::parse("{% set t = issue.title %}{{ t }}").unwrap().render(&view).unwrap().text;
    assert_eq!(text, injected);
}

/// Case 65.
#[test]
fn what_an_event_lacks_is_named_with_its_line() {
    assert_eq!(error("a\n{{ comment.body }}"), "this event has no `comment.body` (template line 2)");
    assert_eq!(error("{{ pull_request.number }}"), "this event has no `pull_request.number` (template line 1)");
    assert!(error(&format!("{{{{ payload.{} }}}}", "a".repeat(5_000))).chars().count() < 300);
    assert_eq!(error("{{ comment }}"), "this event has no `comment` (template line 1)");
}

#[test]
fn mistakes_are_found_when_the_rule_is_loaded() {
    let unknown = fault("a\nb\n{{ isue.title }}");
    assert_eq!(unknown.message, "there is no `isue` in an event; did you mean `issue`?");
    assert_eq!(unknown.line, Some(3));
    assert_eq!(fault("\n{{ issue.title").line, Some(2));
    assert!(fault(&format!("{{{{ {} }}}}", "a".repeat(5_000))).message.chars().count() < 300);
    assert!(fault("{{ issue.title | upcase }}").message.contains("upcase"));
    for forbidden in
        ["{% include 'x' %}", "{% extends 'x' %}", "{% import 'x' as y %}", "{% macro f() %}{% endmacro %}"]
    {
        assert_eq!(fault(forbidden).line, Some(1), "{forbidden}");
    }
    assert!(Template::parse("{{ debug() }}").is_err());
    assert!(Template::parse(&"x".repeat(SOURCE_LIMIT + 1)).is_err());
}

/// The fastest of several tries, so that a busy machine is not measured; an unoptimised build too stays within the bound,
/// and needs up to ten times as long as an optimised one.
///
/// Case 65.
#[test]
fn endless_work_ends_within_twenty_milliseconds() {
    let bombs = [
        "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}",
        "{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}",
        "{{ 'x' * 2000000000 }}",
        "{{ range(100000) | list | length }}{{ range(100000) | map('string') | join(',') | length }}",
        "{% set t = 'abcdefgh' * 10000 %}{% for a in range(9999) %}{{ t | replace('a', 'b') | length }}{% endfor %}",
        "{% set l = range(9999) | list %}{% for a in range(9999) %}{{ l | sort | length }}{{ -1 in l }}{% endfor %}",
    ];
    for bomb in bombs {
        let template = Template::parse(bomb).unwrap();
        let view = view(SubjectKind::Issue);
        let mut fastest = Duration::MAX;
        for _ in 0..20 {
            let start = Instant::now();
            let result = template.render(&view);
            fastest = fastest.min(start.elapsed());
            assert!(result.unwrap_err().message.contains("too much work"), "{bomb}");
        }
        assert!(fastest < Duration::from_millis(20), "{bomb}: {fastest:?}");
    }
}

/// What the twenty milliseconds rest on, whatever the machine: a rendering is ended after so many steps, and has then made
/// so many bytes at the most.
///
/// Case 65.
#[test]
fn no_rendering_takes_more_steps_or_memory_than_its_fuel_allows() {
    const STEPS: usize = 20_000;
    let (steps, longest) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut environment = environment(UndefinedBehavior::Strict);
    let (counted, seen) = (Arc::clone(&steps), Arc::clone(&longest));
    environment.add_function("step", move |text: &str| {
        counted.fetch_add(1, Ordering::Relaxed);
        seen.fetch_max(text.len(), Ordering::Relaxed);
        String::new()
    });
    for (bomb, least) in [
        ("{% for a in range(9999) %}{% for b in range(9999) %}{{ step('') }}{% endfor %}{% endfor %}", STEPS / 20),
        (
            "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{{ step(ns.s) }}{% endfor %}",
            10,
        ),
        ("{{ step('x' * 2000000000) }}", 0),
    ] {
        steps.store(0, Ordering::Relaxed);
        let ended = environment.render_str(bomb, ()).unwrap_err();
        assert_eq!(ended.kind(), ErrorKind::OutOfFuel, "{bomb}");
        let (steps, longest) = (steps.load(Ordering::Relaxed), longest.load(Ordering::Relaxed));
        assert!((least..=STEPS).contains(&steps), "{bomb}: {steps} steps");
        assert!(longest <= STEPS * 64, "{bomb}: {longest} bytes");
    }
}

/// Case 64.
#[test]
fn a_long_prompt_is_cut_visibly() {
    let template = Template::parse("{% for i in range(70) %}{{ issue.title * 100 }}{% endfor %}").unwrap();
    let rendered = template.render(&view(SubjectKind::Issue)).unwrap();
    assert!(rendered.cut);
    assert_eq!(rendered.text.chars().count(), PROMPT_LIMIT);
    assert!(rendered.text.ends_with("longer than 60000 characters]"));
}

#[test]
fn no_marker_gets_into_a_prompt_not_even_in_pieces() {
    let mut event = event(SubjectKind::Issue);
    let subject = event.subject.as_mut().unwrap();
    subject.title = "Taskbridge-".to_owned();
    subject.state = "Ref: aaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned();
    let view = View::new(&event, None, None, Texts::plain());
    let template = Template::parse("before\n{{ issue.title }}{{ issue.state }}\nafter").unwrap();
    assert_eq!(template.render(&view).unwrap().text, "before\nafter");
}

/// Texts made of what templates are made of.
fn templates() -> impl Strategy<Value = String> {
    let pieces = [
        "{{",
        "}}",
        "{%",
        "%}",
        "{#",
        "#}",
        "{{ 7*7 }}",
        "{% include 'x' %}",
        "{% raw %}",
        "{% endraw %}",
        "{{-",
        "-%}",
        "{{ issue.number }}",
        "{{ payload }}",
        "{% set a = 1 %}",
        "|upper",
        "range(9)",
        "7*7",
        " ",
        "\n",
        "a",
        "'",
        "\"",
    ];
    proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// However it gets into the prompt: what stands in a text is never evaluated.
    ///
    /// Case 64.
    #[test]
    fn a_text_made_of_templates_comes_out_as_it_went_in(text in templates()) {
        let mut event = event(SubjectKind::Issue);
        event.subject.as_mut().unwrap().body.clone_from(&text);
        let view = View::new(&event, None, None, Texts::plain());
        let clean = trust::clean(&text, 30_000);
        let ways = [
            "{{ issue.body }}",
            "{% set t = issue.body %}{{ t }}",
            "{{ issue.body | default('x') }}",
            "{% if issue.body %}{{ issue.body }}{% endif %}",
            "{{ '' ~ issue.body }}",
        ];
        for way in ways {
            let rendered = Template::parse(way).unwrap().render(&view).unwrap();
            prop_assert_eq!(rendered.text.trim(), clean.trim(), "{}", way);
        }
    }
}
