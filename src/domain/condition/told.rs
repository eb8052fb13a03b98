//! What is told of a condition when it is loaded, and what must not be: a line an input.

use std::sync::Arc;

use cel::{Context, Value};

use super::super::event::SubjectKind;
use super::super::view::tests::view;
use super::*;

/// The place of the fault is marked with `§` in the text.
fn told(marked: &str) -> String {
    let at = marked.chars().position(|c| c == '§').unwrap_or_else(|| panic!("no place in {marked}"));
    let text = marked.replace('§', "");
    let fault = match Condition::parse(&text) {
        Ok(_) => panic!("passes unseen: {text}"),
        Err(fault) => fault,
    };
    let before: String = marked.chars().take(at).collect();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    assert_eq!((fault.line, fault.column), (line, column), "{marked}: {fault:?}");
    fault.message
}

#[test]
fn parts_that_nothing_has_are_told_however_they_are_written() {
    for (text, says) in [
        ("issue.§titel == 'x'", "`issue` has no `titel`; did you mean `issue.title`?"),
        ("issue[§\"titel\"] == 'x'", "`issue` has no `titel`; did you mean `issue.title`?"),
        ("issue['author'].§nam == 'x'", "`issue.author` has no `nam`; it has id, login, kind"),
        ("issue.author[§'logn'] == 'x'", "`issue.author` has no `logn`; did you mean `issue.author.login`?"),
        ("has(issue.§autor.login)", "`issue` has no `autor`; did you mean `issue.author`?"),
        ("has(issue.author.§issue)", "`issue.author` has no `issue`; it has id, login, kind"),
        ("issue.title == 'é' &&\n  (true ? issue.§titel : '') == 'x'", "did you mean `issue.title`?"),
        ("issue.number == 1 || !(issue .  §titel == 'x')", "did you mean `issue.title`?"),
        ("issue.§user.login == 'mona'", "`issue` has no `user`: write `issue.author`"),
        ("issue.§html_url == 'x'", "`issue` has no `html_url`: write `issue.url`"),
        ("§sender.login == 'mona'", "there is no `sender` in an event: write `actor`"),
        ("pull_request.§head.ref == 'x'", "`pull_request` has no `head`: write `pull_request.branches.head_ref`"),
        ("pull_request.§draft", "here `payload.pull_request.draft`"),
        ("§github.event.issue.number == 1", "there is no `github` in an event: write `payload`"),
        ("§repository.name == 'x'", "there is no `repository` in an event: write `repo`"),
        ("repo.owner.§login == 'x'", "`repo.owner` is a text and has no `login`: write `repo.owner` alone"),
        ("comment.§user.login == 'x'", "`comment` has no `user`: write `actor`"),
        ("actor.§name == 'x'", "`actor` has no `name`: write `actor.login`"),
        ("§isue.title == 'x'", "there is no `isue` in an event; did you mean `issue`?"),
        ("issue.labels.exists(l, l.§name == 'x')", "`l` is a text and has no `name`: write `l` alone"),
        (
            "issue.labels.filter(l, l != 'a').exists(x, x == 'a') || issue.labels.map(l, l.§id)[0] == 1",
            "`l` is a text and has no `id`",
        ),
        ("issue.labels.all(l, issue.§titel == l)", "did you mean `issue.title`?"),
        ("issue.labels[0].§name == 'x'", "`it` is a text and has no `name`: write `it` alone"),
        (
            "issue.labels.§length > 1",
            "`issue.labels` is a list of texts and has no `length`: write `size(issue.labels)`",
        ),
        ("issue.title.§length > 1", "`issue.title` is a text and has no `length`: write `size(issue.title)`"),
        ("issue.labels.filter(l, l != 'a')[0].§name == 'x'", "is a text and has no `name`"),
        ("['a', 'b'].exists(l, l.§name == 'x')", "`l` is a text and has no `name`: write `l` alone"),
    ] {
        let message = told(text);
        assert!(message.contains(says), "{text}: {message}");
    }
}

#[test]
fn functions_that_there_are_not_and_wrong_numbers_of_values_are_told() {
    for (text, says) in [
        ("§lenght(issue.labels) > 1", "there is no function `lenght`: write `size(issue.labels)`"),
        ("issue.labels.§length() > 1", "there is no function `length`: write `size(issue.labels)`"),
        ("§siz(issue.labels) > 1", "there is no function `siz`; did you mean `size`?"),
        ("issue.title.§startswith('x')", "there is no function `startswith`; did you mean `startsWith`?"),
        ("true || issue.title . §startswith ('x')", "did you mean `startsWith`?"),
        ("repo.private == true ? issue.title.§endswith('x') : true", "did you mean `endsWith`?"),
        ("issue.title.§lowerAscii() == 'x'", "to compare without case, write `issue.title.matches(\"(?i)^text$\")`"),
        ("issue.labels.§exist(l, l == 'x')", "there is no function `exist`; did you mean `exists`?"),
        ("issue.labels.§any(l, l == 'x')", "there is no function `any`: write `issue.labels.exists(label, "),
        ("issue.labels.§exists('x')", "`exists` is not written so: `issue.labels.exists(label, label == \"bug\")`"),
        ("issue.labels.§all(l)", "`all` is not written so: `issue.labels.all(label, "),
        ("§has()", "`has` is not written so: `has(issue.title)`"),
        ("§frobnicate(1) == 2", "there is no function `frobnicate`; there are bool, bytes, contains, double,"),
        (
            "issue.title.§startsWith('x', 'y')",
            "`startsWith` takes one value in its brackets, and here are 2: `issue.ti",
        ),
        ("issue.title.§contains()", "`contains` takes one value in its brackets, and here are 0: `issue.title.cont"),
        ("§size() == 1", "`size` takes one value in its brackets, and here are 0: `size(issue.labels)`"),
        ("issue.labels.§size(1) == 1", "`size` takes nothing in its brackets, and here is 1: `size(issue.labels)`"),
        ("§int(1, 2) == 1", "`int` takes one value in its brackets, and here are 2: `int(\"42\")`"),
        ("§startsWith(issue.title, 'x')", "`startsWith` stands behind a value: `issue.title.startsWith(\"x\")`"),
        ("payload.n.§int() == 1", "`int` does not stand behind a value: `int(\"42\")`"),
        (
            "timestamp(payload.at).§getHours('a', 'b') == 1",
            "`getHours` takes 0 to 1 values in its brackets, and here are 2",
        ),
        ("issue.title.§matches('a', 'b')", "`matches` takes one value in its brackets, and here are 2"),
    ] {
        let message = told(text);
        assert!(message.contains(says), "{text}: {message}");
    }
}

#[test]
fn what_can_never_hold_is_told() {
    for (text, says) in [
        ("issue.labels.§contains('bug')", "`issue.labels` is a list of texts: write `\"x\" in issue.labels`"),
        ("issue.number.§startsWith('4')", "is a number, and `startsWith` asks texts: write `string(issue.number)`"),
        ("issue.author.§contains('x')", "`issue.author` is a thing with parts, and `contains` asks texts"),
        ("§size(issue.number) > 1", "`issue.number` is a number, and has no size"),
        ("'bug' §in issue.title", "`in` looks into lists, and `issue.title` is a text: write `issue.title.contains("),
        ("issue.number §== '42'", "`issue.number` is a number and never the same as a text: write it without quotes"),
        ("repo.private §== 'true'", "`repo.private` is true or false and never the same as a text: write it without"),
        (
            "'bug' §== issue.labels",
            "`issue.labels` is a list of texts and never the same as a text: write `\"x\" in issue",
        ),
        ("issue.author §!= 'mona'", "is a thing with parts and never the same as a text: write `issue.author.login`"),
        ("issue.§title.exists(c, c == 'x')", "`issue.title` is a text, and no list to go through"),
    ] {
        let message = told(text);
        assert!(message.contains(says), "{text}: {message}");
    }
}

/// What is right, and what nobody can know before the event.
#[test]
fn conditions_that_may_be_right_pass() {
    for good in [
        "payload.any.thing == 1 && has(payload.other) && payload['x-y'].z == 1 && payload.a[0].b['c'] == 2",
        "issue.labels.exists(actor, actor.startsWith('x'))",
        "issue.labels.exists(issue, issue == 'x') && issue.title == 'x'",
        "payload.labels.exists(l, l.name == 'x') && payload.labels.all(l, l.id > 1)",
        "payload.items.filter(x, x.id > 1).map(x, x.id).exists_one(x, x == 2) || -issue.number < 0",
        "issue.labels.map(l, size(l)).exists(n, n > 3) && issue.labels.map(l, l + '!').all(l, l.endsWith('!'))",
        "issue.labels.map(l, l != 'a', l).exists(l, l.contains('x')) && issue.labels.existsOne(l, l == 'x')",
        "issue.labels.filter(l, l.startsWith('area/')).size() == 1 && issue.labels.filter(l, l == 'x')[0] == 'x'",
        "issue.exists(part, part == 'title')",
        "(repo.private ? issue.title : issue.body).contains('x')",
        "(repo.private ? issue : payload).titel == 'x'",
        "(has(comment.body) ? (comment.body == '' ? issue : actor) : repo).anything == 1",
        "size(issue.title) > 3 && issue.body.contains('x') && !(issue.number in [1, 2])",
        "'bug' in issue.labels && issue.title in ['a', 'b'] && 'a' in {'a': 1} && 'x' in payload.list && 'title' in issue",
        "timestamp(payload.at).getFullYear() > 2020 && timestamp(payload.at).getHours('Europe/Berlin') < 18",
        "duration('1h').getMinutes() == 60 && int('3') == 3 && issue.title.matches('a.*') && matches(issue.title, 'b')",
        "type(payload) == map && [1][0] == 1 && {'a': 1}.a == 1 && (true ? 1 : 2) == 1 && 'a' + 'b' == 'ab'",
        "issue['title'] == 'x' && issue['author']['login'] == 'y' && has(subject.branches.head_ref)",
        "issue.number == 42 && issue.number == 42.0 && issue.number == 42u && issue.number == payload.number",
        "issue.title == payload.title && payload.title == 1 && issue.labels == ['a'] && issue.title != null",
        "string(issue.number) == '42' && bool('true') && double('1.5') > 1.0 && uint(3) == 3u && dyn(issue.title) == 1",
        "[issue.title, issue.number][0].startsWith('x') && [issue, actor][0].login == 'x'",
        "payload[issue.title] == 1 && issue[payload.name] == 'x' && issue.labels[issue.number] == 'x'",
        "issue.number + 1 > 2 && issue.number % 2 == 0 && size(issue.labels + ['a']) > 1",
        "payload.size > 3 && payload.count == 1 && payload.labels.length == 2",
        "// a comment with issue.titel\nissue.title == 'issue.titel == lenght(x)'",
    ] {
        Condition::parse(good).unwrap_or_else(|fault| panic!("{good}: {fault:?}"));
    }
}

/// The table of functions says what the engine does: what it lets through is answered, with one value more or less it is not.
#[test]
fn the_engine_has_the_functions_that_are_listed_and_counts_as_they_say() {
    let view = view(SubjectKind::Issue);
    for (text, more) in [
        ("bool('true')", "bool('true', 1)"),
        ("bytes('x') == b'x'", "bytes('x', 1) == b'x'"),
        ("'ab'.contains('a')", "'ab'.contains('a', 'b')"),
        ("double('1.5') == 1.5", "double('1.5', 1) == 1.5"),
        ("duration('1h') == duration('60m')", "duration('1h', 1) == duration('60m')"),
        ("dyn(1) == 1", "dyn(1, 2) == 1"),
        ("'ab'.endsWith('b')", "'ab'.endsWith()"),
        (
            "timestamp('2026-01-02T03:04:05Z').getDate() == 2",
            "timestamp('2026-01-02T03:04:05Z').getDate('UTC', 1) == 2",
        ),
        ("timestamp('2026-01-02T03:04:05Z').getDayOfMonth('UTC') == 1", "timestamp(1, 2) == timestamp(1)"),
        ("timestamp('2026-01-02T03:04:05Z').getDayOfWeek('UTC') == 5", "'x'.getDayOfWeek('UTC', 1) == 5"),
        ("timestamp('2026-01-02T03:04:05Z').getDayOfYear() == 1", "timestamp(1).getDayOfYear(1, 2) == 1"),
        ("timestamp('2026-01-02T03:04:05Z').getFullYear() == 2026", "timestamp(1).getFullYear(1, 2) == 1"),
        ("timestamp('2026-01-02T03:04:05Z').getHours('UTC') == 3", "timestamp(1).getHours(1, 2) == 1"),
        ("timestamp('2026-01-02T03:04:05Z').getMilliseconds() == 0", "timestamp(1).getMilliseconds(1, 2) == 1"),
        ("timestamp('2026-01-02T03:04:05Z').getMinutes() == 4", "timestamp(1).getMinutes(1, 2) == 1"),
        ("timestamp('2026-01-02T03:04:05Z').getMonth() == 0", "timestamp(1).getMonth(1, 2) == 1"),
        ("duration('5s').getSeconds() == 5", "duration('5s').getSeconds('UTC', 1) == 5"),
        ("int('42') == 42", "int() == 42"),
        ("'ab'.matches('a') && matches('ab', 'b')", "'ab'.matches('a', 'b')"),
        ("size('ab') == 2 && [1].size() == 1", "size([1], 2) == 1"),
        ("'ab'.startsWith('a')", "startsWith('ab', 'a')"),
        ("string(1) == '1'", "1.string() == '1'"),
        ("timestamp('2026-01-02T03:04:05Z') == timestamp('2026-01-02T03:04:05Z')", "timestamp() == 1"),
        ("type(1) == int", "type(1, 2) == int"),
        ("uint('42') == 42u", "uint('42', 1) == 42u"),
    ] {
        assert_eq!(Condition::parse(text).unwrap().evaluate(&view).map(|outcome| outcome.holds), Ok(true), "{text}");
        assert!(Condition::parse(more).is_err(), "{more}");
        let raw = ENV.parser().parse(more).unwrap();
        let answer = Value::resolve(&raw, &Context::with_env(Arc::clone(&ENV)));
        assert!(answer.is_err(), "the engine answers {more}: {answer:?}");
    }
}

/// One run tells all of them, each once, and nothing that only follows from another.
#[test]
fn all_faults_are_told_at_once_and_no_more_than_ten() {
    let told = |text: &str| {
        let faults = Condition::parse_all(text).unwrap_err();
        faults.into_iter().map(|fault| (fault.line, fault.message)).collect::<Vec<_>>()
    };
    let faults = told(
        "issue.titel.startsWith('x') &&\n  lenght(issue.labels) > 1 &&\n  isue.title == 'y' && issue.number == 'x'",
    );
    let lines: Vec<usize> = faults.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [1, 2, 3, 3], "{faults:?}");
    for (fault, says) in faults.iter().zip(["`titel`", "`lenght`", "`isue`", "never the same as a text"]) {
        assert!(fault.1.contains(says), "{fault:?}");
    }
    assert_eq!(told("issue.titel.a.b[0].contains('x') && size(issue.titel) > 1").len(), 2);
    let many: Vec<String> = (0..30).map(|nth| format!("issue.x{nth} == 1")).collect();
    assert_eq!(told(&many.join(" || ")).len(), 10);
}
