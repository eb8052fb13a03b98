//! What is told of a template when it is loaded, and what must not be: a line an input.

use super::super::event::SubjectKind;
use super::super::view::Texts;
use super::super::view::tests::event;
use super::words::{FILTERS, FUNCTIONS, Given, TESTS};
use super::*;

/// The place of the fault is marked with `§` in the text.
fn told(marked: &str) -> String {
    let at = marked.find('§').unwrap_or_else(|| panic!("no place in {marked}"));
    let text = marked.replace('§', "");
    let fault = match Template::parse(&text) {
        Ok(_) => panic!("passes unseen: {text}"),
        Err(fault) => fault,
    };
    let before = &marked[..at];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    assert_eq!((fault.line, fault.column), (Some(line), Some(column)), "{marked}: {fault:?}");
    fault.message
}

#[test]
fn parts_that_nothing_has_are_told_however_they_are_written() {
    for (text, says) in [
        ("Fix it é\n é {{ issue.§titel }}", "`issue` has no `titel`; did you mean `issue.title`?"),
        ("{{ issue[§\"titel\"] }}", "`issue` has no `titel`; did you mean `issue.title`?"),
        ("{{ issue['author'].§nam }}", "`issue.author` has no `nam`; it has id, login, kind"),
        ("{{ issue | attr(§'titel') }}", "`issue` has no `titel`; did you mean `issue.title`?"),
        ("{% set i = issue %}{{ i.§titel }}", "`i` has no `titel`; did you mean `i.title`?"),
        ("{% set i = issue %}{% set j = i.author %}{{ j.§titel }}", "`j` has no `titel`; it has id, login, kind"),
        ("{% set i, a = issue, actor %}{{ i.title }}{{ a.§title }}", "`a` has no `title`; it has id, login, kind"),
        ("{% with a = actor %}{{ a.§title }}{% endwith %}", "`a` has no `title`; it has id, login, kind"),
        (
            "{% if repo.private %}{% set i = issue %}{% else %}{% set i = issue %}{% endif %}{{ i.§titel }}",
            "`i.title`?",
        ),
        ("{{ (issue if repo.private else pull_request).§titel }}", "`it` has no `titel`; did you mean `it.title`?"),
        ("{{ (issue or subject).§titel }}", "did you mean `it.title`?"),
        ("{% if comment is defined %}{{ comment.§bodi }}{% endif %}", "did you mean `comment.body`?"),
        (
            "{% if issue.state == 'x' %}{% elif 1 %}{{ repo.§branch }}{% endif %}",
            "`repo` has no `branch`; it has id, owner",
        ),
        ("{% for l in issue.labels %}{{ l.§name }}{% endfor %}", "`l` is a text and has no `name`: write `l` alone"),
        ("{% for l in issue.labels | sort | unique %}{{ l.§name }}{% endfor %}", "`l` is a text and has no `name`"),
        ("{% for l in issue.labels if l.§name == 'x' %}{{ l }}{% endfor %}", "`l` is a text and has no `name`"),
        ("{{ (issue.labels | first).§name }}", "`it` is a text and has no `name`"),
        ("{{ issue.labels[0].§name }}{{ issue.labels[:3] }}", "`it` is a text and has no `name`"),
        (
            "{{ issue.labels | map(attribute=§'name') | join(', ') }}",
            "each entry of `issue.labels` is a text and has no `name`: write `issue.labels` alone",
        ),
        ("{{ issue.labels | selectattr(§'name', 'eq', 'x') | list }}", "is a text and has no `name`"),
        (
            "{{ issue.labels.§length }}",
            "`issue.labels` is a list of texts and has no `length`: write `issue.labels | length`",
        ),
        ("{{ issue.§user.login }}", "`issue` has no `user`: write `issue.author`"),
        ("{{ repo.owner.§login }}", "`repo.owner` is a text and has no `login`: write `repo.owner` alone"),
        ("{{ issue.§milestone.title }}", "here `payload.issue.milestone`"),
        ("{{ §sender.login }}", "there is no `sender` in an event: write `actor`"),
        ("a\nb\n{{ §isue.title }}", "there is no `isue` in an event; did you mean `issue`?"),
        ("{% for l in issue.labels %}{{ loop.§indx }}{% endfor %}", "`loop` has no `indx`; it has index, index0,"),
        ("{{ §loop.index }}", "`loop` is there inside of `{% for … %}` only"),
        (
            "{% for l in issue.labels %}{% set x = l %}{% endfor %}{{ §x }}",
            "there is no `x` in an event; there is event",
        ),
        ("{% for x in §issue.number %}{% endfor %}", "`issue.number` is a number, and no list to go through"),
    ] {
        let message = told(text);
        assert!(message.contains(says), "{text}: {message}");
    }
}

#[test]
fn filters_tests_and_functions_that_there_are_not_and_wrong_arguments_are_told() {
    for (text, says) in [
        ("\n{{ issue.title | §uper }}", "there is no filter `uper`; did you mean `upper`?"),
        ("{{ issue.title | §upcase }}", "there is no filter `upcase`: write `issue.title | upper`"),
        ("{{ issue.title | §frobnicate }}", "there is no filter `frobnicate`; there are abs, attr, batch,"),
        ("{{ issue.body | §truncate(80) }}", "there is no filter `truncate`: write `issue.body[:200]`"),
        ("{{ issue.title | §contains('x') }}", "write `\"x\" in issue.title`, or `\"bug\" in issue.labels`"),
        ("{% if comment %}{{ comment.body | §lenght }}{% endif %}", "did you mean `length`?"),
        ("{% if issue.state == 'a' %}x{% else %}{{ issue.title | §uper }}{% endif %}", "did you mean `upper`?"),
        ("{% if issue.state == 'a' %}{{ issue.title | §uper }}{% endif %}", "did you mean `upper`?"),
        ("{% if issue.number > 3 and issue.title | §uper == 'X' %}x{% endif %}", "did you mean `upper`?"),
        ("{{ 'a' if issue.number == 3 else issue.title | §uper }}", "did you mean `upper`?"),
        ("{% for label in issue.labels %}{{ label | §trimm }}{% else %}{{ 1 }}{% endfor %}", "did you mean `trim`?"),
        ("{% for label in [] %}{% else %}{{ issue.title | §trimm }}{% endfor %}", "did you mean `trim`?"),
        ("{% filter §uper %}x{% endfilter %}", "did you mean `upper`?"),
        ("{% set x | §uper %}x{% endset %}", "did you mean `upper`?"),
        ("{{ issue.labels | map(§'uper') | list }}", "there is no filter `uper`; did you mean `upper`?"),
        ("{{ issue.labels | select(§'evn') | list }}", "there is no test `evn`; did you mean `even`?"),
        (
            "{{ payload.list | selectattr('x', §'definde') | list }}",
            "there is no test `definde`; did you mean `defined`?",
        ),
        ("{% if issue.number is §evn %}x{% endif %}", "there is no test `evn`; did you mean `even`?"),
        ("{% if issue.body is §empty %}x{% endif %}", "there is no test `empty`: write `not issue.body`"),
        (
            "{% if issue.labels is §length %}x{% endif %}",
            "there is no test `length`, but a filter: write `issue.labels | length`",
        ),
        ("{{ issue.number | §even }}", "there is no filter `even`, but a test: write `issue.number is even`"),
        (
            "{{ §lenght(issue.labels) }}",
            "there is no function `lenght`; did you mean the filter `length`: `issue.labels | length`?",
        ),
        ("{{ §len(issue.labels) }}", "there is no function `len`: write `issue.labels | length`"),
        ("{{ §upper(issue.title) }}", "there is no function `upper`, but a filter: write `issue.title | upper`"),
        ("{{ §now() }}", "there is no function `now`; there are dict, namespace, range"),
        ("{{ §debug() }}", "there is no function `debug`; there are dict, namespace, range"),
        ("{{ §issue(1) }}", "`issue` is no function"),
        ("{{ issue.title.§upper() }}", "no methods such as `upper()`: write `issue.title | upper`"),
        ("{{ issue.title.§strip() }}", "no methods such as `strip()`: write `issue.title | trim`"),
        ("{{ payload.title.§startswith('x') }}", "write `issue.title is startingwith(\"x\")`"),
        ("{{ issue.§title() }}", "`issue.title` is no function"),
        (
            "{{ issue.title | §replace('a') }}",
            "the filter `replace` takes 2 to 3 arguments, and here is 1: `replace(\"old\", \"new\")`",
        ),
        (
            "{{ issue.title | §upper('x') }}",
            "the filter `upper` takes no arguments in brackets, and here is 1: `upper`",
        ),
        (
            "{{ issue.title | §trim(' ', 'x') }}",
            "the filter `trim` takes 0 to 1 arguments, and here are 2: `trim(\"#\")`",
        ),
        (
            "{{ issue.title | §replace('a', 'b', number=1) }}",
            "the filter `replace` has no argument named `number`; it has count",
        ),
        ("{{ issue.title | §default(value='x') }}", "has no argument named `value`: write `default(\"none\")`"),
        ("{{ issue.labels | §sort(revers=true) }}", "no argument named `revers`; did you mean `reverse`?"),
        (
            "{% if issue.number is §divisibleby %}x{% endif %}",
            "the test `divisibleby` takes one argument, and here are 0",
        ),
        (
            "{% if issue.number is §even(2) %}x{% endif %}",
            "the test `even` takes no arguments in brackets, and here is 1",
        ),
        ("{{ §range() }}", "the function `range` takes 1 to 3 arguments, and here are 0: `range(3)`"),
    ] {
        let message = told(text);
        assert!(message.contains(says), "{text}: {message}");
    }
}

/// What is right, and what nobody can know before the event.
#[test]
fn templates_that_may_be_right_pass() {
    for good in [
        "{{ payload.any.thing }}{% for item in payload.list %}{{ loop.index }}{{ item.name }}{% endfor %}",
        "{% set who = issue.author %}{{ who.login }}{{ subject.author.login | default(\"x\") }}",
        "{% raw %}{{ issue.titel | uper }}{% endraw %}{# {{ issue.titel | uper }} #}",
        "{{ command.base or repo.default_branch }}{{ pull_request.branches.head_ref }}",
        "{% for l in issue.labels %}{{ loop.index }}/{{ loop.length }} {{ l | upper }}{% if not loop.last %}, {% endif %}{% endfor %}",
        "{% for l in issue.labels if l is startingwith('a') %}{{ l }}{% else %}none{% endfor %}",
        "{% for l in issue.labels %}{{ loop.cycle('a', 'b') }}{{ loop.changed(l) }}{{ loop.revindex0 }}{{ loop.depth }}{% endfor %}",
        "{% for x in payload.tree recursive %}{{ x.name }}{{ loop(x.children) }}{% endfor %}",
        "{% for x in [issue.labels] recursive %}{{ x.name }}{{ loop(payload.more) }}{% endfor %}",
        "{% for key, value in issue | items %}{{ key }}{{ value.any }}{% endfor %}{% for key in issue %}{{ key }}{% endfor %}",
        "{% if repo.private %}{% set a = 'x' %}{% else %}{% set a = 'y' %}{% endif %}{{ a }}",
        "{% if repo.private %}{% set a = issue %}{% elif repo.fork %}{% set a = actor %}{% endif %}{{ a.login }}{{ a.titel }}",
        "{% set a = issue %}{% if repo.private %}{% set a = payload %}{% endif %}{{ a.titel }}",
        "{% for l in issue.labels %}{% if not loop.first %}{{ before.x }}{% endif %}{% set before = payload %}{% endfor %}",
        "{% set i = issue %}{% for l in issue.labels %}{{ i.login }}{% set i = actor %}{% endfor %}{{ i.title }}",
        "{% for l in issue.labels %}{% if loop.first %}{% set x = l %}{% endif %}{{ x }}{% endfor %}",
        "{% set ns = namespace(found=false) %}{% for l in issue.labels %}{% set ns.found = ns.found or l == 'x' %}{% endfor %}{{ ns.found }}",
        "{% set d = dict(a=1, b=issue) %}{{ d.a }}{{ d.b.titel }}{{ {'a': 1}.a }}{{ {'a': issue}['a'].anything }}",
        "{{ (comment or issue).anything }}{{ (comment | default(issue)).anything }}{{ (payload.x or issue).anything }}",
        "{{ issue['title'] }}{{ issue['author']['login'] }}{{ payload['x y'].z }}{{ issue[payload.name] }}{{ issue.labels.0 }}",
        "{{ issue.title | trim | lower | replace(' ', '-') | truncate_not_here }}",
        "{{ issue.body[:200] }}{{ issue.labels[1:] | join(', ') }}{{ payload.list[::2] | first }}",
        "{{ issue.labels | map('upper') | join(' ') }}{{ issue.labels | select('startingwith', 'a') | list | length }}",
        "{{ payload.labels | map(attribute='name') | join(', ') }}{{ payload.labels | groupby('kind') }}",
        "{{ payload.labels | selectattr('done') | list }}{{ payload.labels | rejectattr('n', '>', 3) | list }}",
        "{{ issue.labels | sort(reverse=true, case_sensitive=false) | unique | batch(2, '') | list }}",
        "{{ issue.number | string | length }}{{ issue.number * 2 + 1 }}{{ issue.number // 2 ** 3 }}{{ -issue.number | abs }}",
        "{{ '%s by %s' | format(issue.title, actor.login) }}{{ issue.title ~ '!' }}{{ 'x' in issue.title }}{{ 'x' not in issue.labels }}",
        "{{ issue.body | default('none', true) | indent(4, first=true) }}{{ issue.body | indent(width=2) | lines | length }}",
        "{{ command.text | default }}{{ payload.n | int(default=0) }}{{ payload.n | round(1) }}{{ payload.n | int(0, 16) }}",
        "{% set text %}a {{ issue.title }}{% endset %}{{ text | upper }}{% filter upper | trim %}{{ issue.title }}{% endfilter %}",
        "{% with a = issue, b = actor %}{{ a.title }}{{ b.login }}{% endwith %}{{ actor.login }}",
        "{% if comment is defined and comment.body %}x{% endif %}{{ issue.number is divisibleby 2 }}{{ 3 is in([3]) }}",
        "{% if 1 < issue.number < 5 %}x{% endif %}{{ 'a' if issue.body }}{{ issue.title if issue.body else 'x' }}",
        "{% autoescape false %}{{ issue.title }}{% endautoescape %}{% do range(3) %}{{ range(1, 5, 2) | list }}",
        "{{ [issue, actor][0].anything }}{{ [issue.title, 3] | first }}{{ (1, 2) | last }}{{ [] | first }}",
        "{{ payload.list | sum('n') }}{{ payload.list | sum(attribute='n', start=1) }}{{ payload.a | zip(payload.b) }}",
        "{{ range(*[1, 2]) }}{{ issue.title | replace(*payload.both) }}{{ dict(**payload.more) }}",
        "{{ issue.labels | attr(0) }}{{ issue | attr('title') }}{{ issue.title | attr(payload.x) }}",
        "{{ self_made | default }}{{ issue.title | select }}",
        "",
    ] {
        let good = good.replace(" | truncate_not_here", "").replace("{{ self_made | default }}", "");
        Template::parse(&good).unwrap_or_else(|fault| panic!("{good}: {fault:?}"));
    }
}

/// The engine takes as many arguments as the tables say, and knows each word in them.
#[test]
fn the_engine_has_the_words_that_are_listed_and_counts_as_they_say() {
    let environment = environment(UndefinedBehavior::Lenient);
    let run = |text: &str| environment.render_str(text, ()).err().map(|error| error.kind());
    let of = |name: &str| match name {
        "abs" | "float" | "int" | "round" | "divisibleby" | "even" | "odd" | "ge" | "gt" | "le" | "lt" => "3",
        "dictsort" | "items" => "{'a': 1}",
        "batch" | "slice" | "map" | "select" | "reject" | "selectattr" | "rejectattr" | "groupby" | "sum" | "join"
        | "chain" | "zip" | "sort" | "unique" | "max" | "min" | "first" | "last" | "reverse" | "list" => "[]",
        _ => "'%s'",
    };
    let argument = |name: &str, nth: usize| match (name, nth) {
        ("batch" | "slice" | "divisibleby" | "range", _) | ("indent", 0) => "1",
        ("split", 1) | ("replace", 2) | ("round", 0) => "1",
        ("int", 1) => "10",
        ("round", 1) => "'common'",
        ("indent", _) | ("sum", 1) => "true",
        ("chain" | "zip" | "in", _) => "['a']",
        ("dict" | "namespace", _) => "{'a': 1}",
        ("map", 0) => "'upper'",
        ("select" | "reject", 0) | ("selectattr" | "rejectattr", 1) => "'eq'",
        _ => "'a'",
    };
    let counts = |kind: words::Kind, word: &words::Word| {
        let name = word.name;
        for count in 0..6 {
            let given = (0..count).map(|nth| argument(name, nth)).collect::<Vec<_>>().join(", ");
            let text = match kind {
                words::Kind::Filter => format!("{{{{ {} | {name}({given}) }}}}", of(name)),
                words::Kind::Test => format!("{{{{ {} is {name}({given}) }}}}", of(name)),
                words::Kind::Function => format!("{{{{ {name}({given}) }}}}"),
            };
            let takes = word.takes(kind, &Given { placed: Some(count), named: Vec::new() }).is_ok();
            let error = run(&text);
            let counted = !matches!(error, Some(ErrorKind::MissingArgument | ErrorKind::TooManyArguments));
            let unknown =
                matches!(error, Some(ErrorKind::UnknownFilter | ErrorKind::UnknownTest | ErrorKind::UnknownFunction));
            assert!(!unknown, "{text}");
            // What passes arguments on, counts them only together with whom it passes them to.
            let passes = matches!(
                name,
                "map" | "select" | "reject" | "selectattr" | "rejectattr" | "format" | "dict" | "namespace"
            );
            assert!(takes == counted || passes, "{text}: {takes}, and the engine: {error:?}");
        }
    };
    FILTERS.iter().for_each(|word| counts(words::Kind::Filter, word));
    TESTS.iter().for_each(|word| counts(words::Kind::Test, word));
    FUNCTIONS.iter().for_each(|word| counts(words::Kind::Function, word));
    for text in [
        "{{ {'a': 1} | dictsort(by='value', case_sensitive=true, reverse=true) }}",
        "{{ '1' | float(default=1.0) }}{{ '1' | int(default=1, base=10) }}{{ 1 | round(precision=1, method='floor') }}",
        "{{ [] | groupby(attribute='a', case_sensitive=true, default='x') }}{{ [] | join(d=',', attribute='a') }}",
        "{{ 'a' | indent(width=1, first=true, blank=true) }}{{ 'a' | replace('a', 'b', count=1) }}",
        "{{ [] | max(attribute='a', case_sensitive=true) }}{{ [] | min(attribute='a', case_sensitive=true) }}",
        "{{ [] | sort(attribute='a', case_sensitive=true, reverse=true) }}{{ [] | sum(attribute='a', start=0) }}",
        "{{ [] | unique(attribute='a', case_sensitive=true) }}",
    ] {
        assert_eq!(run(text), None, "{text}");
    }
}

/// The engine calls itself for each link of a chain, and a thread has only so much stack.
///
/// Case 65.
#[test]
fn chains_that_would_use_up_the_stack_are_refused_and_shorter_ones_are_not() {
    let chains: [fn(usize) -> String; 9] = [
        |n| format!("{{{{ payload{} }}}}", ".a".repeat(n)),
        |n| format!("{{{{ payload{} }}}}", "+1".repeat(n)),
        |n| format!("{{{{ {}payload }}}}", "not ".repeat(n)),
        |n| format!("{{{{ {}payload }}}}", "-".repeat(n)),
        |n| format!("{{{{ payload{} }}}}", "|e".repeat(n)),
        |n| format!("{{{{ {}1 }}}}", "1 if 1 else ".repeat(n / 2)),
        |n| format!("{{{{ payload{} }}}}", "[0]".repeat(n)),
        |n| format!("{{% if 1 %}}{}{{% endif %}}", "{% elif 1 %}".repeat(n / 4)),
        |n| format!("{{% set {}a{} = 1 %}}", "(".repeat(n / 2), ")".repeat(n / 2)),
    ];
    for chain in chains {
        assert!(Template::parse(&chain(20_000.min(SOURCE_LIMIT / 13))).is_err());
        let long = chain(390);
        let parsed = Template::parse(&long);
        assert!(parsed.is_ok(), "{}: {parsed:?}", &long[..40]);
        // All at once, inside of as many blocks as may stand in one another.
        let deep = format!("{}{long}{}", "{% if 1 %}".repeat(70), "{% endif %}".repeat(70));
        assert!(Template::parse(&deep).is_ok(), "{}", &long[..40]);
    }
}

/// Also a part of a list asks for the payload, which is given to those only who mention it.
#[test]
fn a_payload_is_mentioned_wherever_it_stands() {
    let payload = serde_json::json!({ "list": ["a", "b"], "on": false });
    let view = View::new(&event(SubjectKind::Issue), None, Some(payload), Texts::plain());
    for (text, shows) in [
        ("{{ payload.list[:1] | join }}", "a"),
        ("{% set p = payload %}{{ p.list | last }}", "b"),
        ("{% autoescape payload.on %}x{% endautoescape %}", "x"),
        ("{% filter replace('x', payload.list[1]) %}x{% endfilter %}", "b"),
    ] {
        let template = Template::parse(text).unwrap();
        assert!(template.uses("payload"), "{text}");
        assert_eq!(template.render(&view).unwrap().text, shows, "{text}");
    }
}

/// One run tells all of them, each once, and nothing that only follows from another.
#[test]
fn all_faults_are_told_at_once_and_no_more_than_ten() {
    let told = |text: &str| {
        let faults = Template::parse_all(text).unwrap_err();
        faults.into_iter().map(|fault| (fault.line.unwrap_or_default(), fault.message)).collect::<Vec<_>>()
    };
    let faults = told(
        "{% set t = issue.titel %}{{ t.x | upper }}\n{% for l in issue.number %}{{ l.name }}{% endfor %}\n{% if isue %}{{ actor.logn }}{% else %}{{ \
         issue.title | uper }}{% endif %}\n{{ issue.title }}",
    );
    let lines: Vec<usize> = faults.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [1, 2, 3, 3, 3], "{faults:?}");
    for (fault, says) in faults.iter().zip(["`titel`", "no list to go through", "`isue`", "`logn`", "`uper`"]) {
        assert!(fault.1.contains(says), "{fault:?}");
    }
    let many: Vec<String> = (0..30).map(|nth| format!("{{{{ issue.x{nth} }}}}")).collect();
    assert_eq!(told(&many.concat()).len(), 10);
}
