//! The filters, tests and functions that a template can use, how many arguments they take, and what people of other
//! languages call them.

use super::super::nearest::nearest;
use super::super::trust::clean_line;

/// A filter, a test or a function.
#[derive(Debug)]
pub(super) struct Word {
    pub(super) name: &'static str,
    /// How many arguments it takes besides the value that it is asked of.
    least: usize,
    most: usize,
    named: Named,
    /// The way it is written, when that is not told by its name.
    example: &'static str,
}

/// Which arguments may be given by name.
#[derive(Debug)]
enum Named {
    Any,
    These(&'static [&'static str]),
}

/// More than can be counted.
const MANY: usize = usize::MAX;

const fn word(name: &'static str, least: usize, most: usize, example: &'static str) -> Word {
    Word { name, least, most, named: Named::These(&[]), example }
}

const fn named(
    name: &'static str,
    counts: (usize, usize),
    names: &'static [&'static str],
    example: &'static str,
) -> Word {
    Word { name, least: counts.0, most: counts.1, named: Named::These(names), example }
}

const fn passing(name: &'static str, least: usize, most: usize, example: &'static str) -> Word {
    Word { name, least, most, named: Named::Any, example }
}

/// What the engine has, in the order of names.
pub(super) const FILTERS: &[Word] = &[
    word("abs", 0, 0, ""),
    word("attr", 1, 1, "attr(\"title\")"),
    word("batch", 1, 2, "batch(3)"),
    word("bool", 0, 0, ""),
    word("capitalize", 0, 0, ""),
    passing("chain", 0, MANY, "chain(payload.more)"),
    word("count", 0, 0, ""),
    word("d", 0, 2, "d(\"none\")"),
    word("default", 0, 2, "default(\"none\")"),
    named("dictsort", (0, 0), &["by", "case_sensitive", "reverse"], "dictsort(by=\"value\")"),
    word("e", 0, 0, ""),
    word("escape", 0, 0, ""),
    word("first", 0, 0, ""),
    named("float", (0, 1), &["default"], "float(default=0.0)"),
    passing("format", 0, MANY, "\"%s by %s\" | format(issue.title, actor.login)"),
    named("groupby", (1, 1), &["attribute", "case_sensitive", "default"], "groupby(\"kind\")"),
    named("indent", (0, 3), &["blank", "first", "width"], "indent(4)"),
    named("int", (0, 2), &["base", "default"], "int(default=0)"),
    word("items", 0, 0, ""),
    named("join", (0, 2), &["attribute", "d"], "join(\", \")"),
    word("last", 0, 0, ""),
    word("length", 0, 0, ""),
    word("lines", 0, 0, ""),
    word("list", 0, 0, ""),
    word("lower", 0, 0, ""),
    passing("map", 0, MANY, "map(\"upper\")"),
    named("max", (0, 0), &["attribute", "case_sensitive"], "max"),
    named("min", (0, 0), &["attribute", "case_sensitive"], "min"),
    word("pprint", 0, 0, ""),
    passing("reject", 0, MANY, "reject(\"eq\", \"bug\")"),
    passing("rejectattr", 1, MANY, "rejectattr(\"done\")"),
    named("replace", (2, 3), &["count"], "replace(\"old\", \"new\")"),
    word("reverse", 0, 0, ""),
    named("round", (0, 2), &["method", "precision"], "round(1)"),
    word("safe", 0, 0, ""),
    passing("select", 0, MANY, "select(\"startingwith\", \"area/\")"),
    passing("selectattr", 1, MANY, "selectattr(\"done\")"),
    word("slice", 1, 2, "slice(3)"),
    named("sort", (0, 0), &["attribute", "case_sensitive", "reverse"], "sort(reverse=true)"),
    word("split", 0, 2, "split(\",\")"),
    word("string", 0, 0, ""),
    named("sum", (0, 2), &["attribute", "start"], "sum(\"size\")"),
    word("title", 0, 0, ""),
    word("trim", 0, 1, "trim(\"#\")"),
    named("unique", (0, 0), &["attribute", "case_sensitive"], "unique"),
    word("upper", 0, 0, ""),
    passing("zip", 0, MANY, "zip(payload.more)"),
];

/// The tests behind `is`.
pub(super) const TESTS: &[Word] = &[
    word("boolean", 0, 0, ""),
    word("defined", 0, 0, ""),
    word("divisibleby", 1, 1, "divisibleby(2)"),
    word("endingwith", 1, 1, "endingwith(\"x\")"),
    word("eq", 1, 1, "eq(1)"),
    word("equalto", 1, 1, "equalto(1)"),
    word("escaped", 0, 0, ""),
    word("even", 0, 0, ""),
    word("false", 0, 0, ""),
    word("filter", 0, 0, ""),
    word("float", 0, 0, ""),
    word("ge", 1, 1, "ge(1)"),
    word("greaterthan", 1, 1, "greaterthan(1)"),
    word("gt", 1, 1, "gt(1)"),
    word("in", 1, 1, "in(issue.labels)"),
    word("int", 0, 0, ""),
    word("integer", 0, 0, ""),
    word("iterable", 0, 0, ""),
    word("le", 1, 1, "le(1)"),
    word("lessthan", 1, 1, "lessthan(1)"),
    word("lower", 0, 0, ""),
    word("lt", 1, 1, "lt(1)"),
    word("mapping", 0, 0, ""),
    word("ne", 1, 1, "ne(1)"),
    word("none", 0, 0, ""),
    word("number", 0, 0, ""),
    word("odd", 0, 0, ""),
    word("safe", 0, 0, ""),
    word("sameas", 1, 1, "sameas(true)"),
    word("sequence", 0, 0, ""),
    word("startingwith", 1, 1, "startingwith(\"x\")"),
    word("string", 0, 0, ""),
    word("test", 0, 0, ""),
    word("true", 0, 0, ""),
    word("undefined", 0, 0, ""),
    word("upper", 0, 0, ""),
];

/// What is called like `range(3)`.
pub(super) const FUNCTIONS: &[Word] = &[
    passing("dict", 0, 1, "dict(a=1)"),
    passing("namespace", 0, 1, "namespace(found=false)"),
    word("range", 1, 3, "range(3)"),
];

/// What other languages have, and how it is written here.
const ELSEWHERE: &[(&[&str], &str)] = &[
    (&["truncate", "trunc", "substr", "substring", "slice_text", "ellipsis"], "write `issue.body[:200]`"),
    (&["len", "size", "count_of"], "write `issue.labels | length`"),
    (&["upcase", "uppercase", "toUpperCase", "to_upper"], "write `issue.title | upper`"),
    (&["downcase", "lowercase", "toLowerCase", "to_lower", "casefold"], "write `issue.title | lower`"),
    (&["strip", "lstrip", "rstrip", "chomp"], "write `issue.title | trim`"),
    (&["startswith", "startsWith", "starts_with"], "write `issue.title is startingwith(\"x\")`"),
    (&["endswith", "endsWith", "ends_with"], "write `issue.title is endingwith(\"x\")`"),
    (
        &["contains", "includes", "containing", "include", "has"],
        "write `\"x\" in issue.title`, or `\"bug\" in issue.labels`",
    ),
    (&["splitlines", "split_lines"], "write `issue.body | lines`"),
    (&["str", "toString", "to_string"], "write `issue.number | string`"),
    (&["empty", "blank"], "write `not issue.body`"),
    (&["null", "nil", "None"], "write `is none`"),
    (&["exists", "present", "set"], "write `is defined`"),
    (&["array", "tuple"], "write `is sequence`"),
    (&["object", "dict_like"], "write `is mapping`"),
    (&["equals", "same"], "write `==`"),
    (&["get"], "write `payload.x | default(\"none\")`"),
    (&["keys", "values"], "write `{% for name, value in payload.x | items %}`"),
    (&["matches", "match", "regex"], "patterns stand in `when`: `issue.title.matches(\"^Fix\")`"),
];

/// What kind of word is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Filter,
    Test,
    Function,
}

impl Kind {
    fn words(self) -> &'static [Word] {
        match self {
            Self::Filter => FILTERS,
            Self::Test => TESTS,
            Self::Function => FUNCTIONS,
        }
    }

    fn in_words(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Test => "test",
            Self::Function => "function",
        }
    }
}

/// What was given to a word: how many arguments by place (nothing, if only the event tells), and which by name.
pub(super) struct Given<'a> {
    pub(super) placed: Option<usize>,
    pub(super) named: Vec<&'a str>,
}

/// The word of this name.
///
/// # Errors
/// That there is none, with what was meant; `of` is the value that it is asked of, as the rule writes it.
pub(super) fn find(kind: Kind, name: &str, of: Option<&str>) -> Result<&'static Word, String> {
    if let Some(word) = kind.words().iter().find(|word| word.name == name) {
        return Ok(word);
    }
    let said = format!("there is no {} `{}`", kind.in_words(), clean_line(name, 60));
    let of = of.unwrap_or("value");
    if kind != Kind::Filter && FILTERS.iter().any(|word| word.name == name) {
        return Err(format!("{said}, but a filter: write `{of} | {name}`"));
    }
    if kind != Kind::Test && TESTS.iter().any(|word| word.name == name) {
        return Err(format!("{said}, but a test: write `{of} is {name}`"));
    }
    if let Some(hint) = elsewhere(name) {
        return Err(format!("{said}: {hint}"));
    }
    let names = || kind.words().iter().map(|word| word.name);
    if let Some(near) = nearest(name, names()) {
        return Err(format!("{said}; did you mean `{near}`?"));
    }
    if kind == Kind::Function
        && let Some(near) = nearest(name, FILTERS.iter().map(|word| word.name))
    {
        return Err(format!("{said}; did you mean the filter `{near}`: `{of} | {near}`?"));
    }
    Err(format!("{said}; there are {}", names().filter(|name| name.len() > 1).collect::<Vec<_>>().join(", ")))
}

/// What to write for what other languages have.
pub(super) fn elsewhere(name: &str) -> Option<&'static str> {
    ELSEWHERE.iter().find(|(theirs, _)| theirs.contains(&name)).map(|(_, hint)| *hint)
}

impl Word {
    /// Whether it takes what it is given.
    ///
    /// # Errors
    /// What is wrong, in a sentence.
    pub(super) fn takes(&self, kind: Kind, given: &Given<'_>) -> Result<(), String> {
        let name = self.name;
        if let Named::These(known) = self.named
            && let Some(wrong) = given.named.iter().find(|wrong| !known.contains(wrong))
        {
            let said = format!("the {} `{name}` has no argument named `{}`", kind.in_words(), clean_line(wrong, 60));
            return Err(match (nearest(wrong, known.iter().copied()), known) {
                (Some(near), _) => format!("{said}; did you mean `{near}`?"),
                (None, []) if self.most == 0 => format!("{said}: it takes none"),
                (None, []) => format!("{said}: write `{}`", self.example),
                (None, known) => format!("{said}; it has {}", known.join(", ")),
            });
        }
        let Some(count) = given.placed else { return Ok(()) };
        // What is asked for by place may be given by name.
        if count <= self.most && count + given.named.len() >= self.least {
            return Ok(());
        }
        let takes = match (self.least, self.most) {
            (0, 0) => "no arguments in brackets".to_owned(),
            (1, 1) => "one argument".to_owned(),
            (least, MANY) => format!("at least {least}"),
            (least, most) => format!("{least} to {most} arguments"),
        };
        let are = if count == 1 { "is" } else { "are" };
        let example = if self.example.is_empty() { name } else { self.example };
        Err(format!("the {} `{name}` takes {takes}, and here {are} {count}: `{example}`", kind.in_words()))
    }
}
