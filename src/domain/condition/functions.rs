//! The functions that a condition can call, how each is written, and what people of other languages call them.

use super::super::nearest::nearest;
use super::super::trust::clean_line;
use super::super::view::Shape;

/// How a function is written.
struct Function {
    name: &'static str,
    /// How many values it takes in its brackets when it stands behind one, at least and at most: `text.contains("x")`.
    behind: Option<(usize, usize)>,
    /// How many it takes when it stands alone: `size(list)`.
    alone: Option<usize>,
    example: &'static str,
    gives: Shape,
}

const fn behind(name: &'static str, counts: (usize, usize), example: &'static str, gives: Shape) -> Function {
    Function { name, behind: Some(counts), alone: None, example, gives }
}

const fn alone(name: &'static str, example: &'static str, gives: Shape) -> Function {
    Function { name, behind: None, alone: Some(1), example, gives }
}

static FUNCTIONS: [Function; 25] = [
    alone("bool", "bool(\"true\")", Shape::Truth),
    alone("bytes", "bytes(\"x\")", Shape::Unknown),
    behind("contains", (1, 1), "issue.title.contains(\"x\")", Shape::Truth),
    alone("double", "double(\"1.5\")", Shape::Number),
    alone("duration", "duration(\"1h\")", Shape::Unknown),
    alone("dyn", "dyn(payload.x)", Shape::Unknown),
    behind("endsWith", (1, 1), "issue.title.endsWith(\"x\")", Shape::Truth),
    behind("getDate", (0, 1), "timestamp(payload.at).getDate()", Shape::Number),
    behind("getDayOfMonth", (0, 1), "timestamp(payload.at).getDayOfMonth()", Shape::Number),
    behind("getDayOfWeek", (0, 1), "timestamp(payload.at).getDayOfWeek()", Shape::Number),
    behind("getDayOfYear", (0, 1), "timestamp(payload.at).getDayOfYear()", Shape::Number),
    behind("getFullYear", (0, 1), "timestamp(payload.at).getFullYear()", Shape::Number),
    behind("getHours", (0, 1), "timestamp(payload.at).getHours()", Shape::Number),
    behind("getMilliseconds", (0, 1), "timestamp(payload.at).getMilliseconds()", Shape::Number),
    behind("getMinutes", (0, 1), "timestamp(payload.at).getMinutes()", Shape::Number),
    behind("getMonth", (0, 1), "timestamp(payload.at).getMonth()", Shape::Number),
    behind("getSeconds", (0, 1), "timestamp(payload.at).getSeconds()", Shape::Number),
    alone("int", "int(\"42\")", Shape::Number),
    Function {
        name: "matches",
        behind: Some((1, 1)),
        alone: Some(2),
        example: "issue.title.matches(\"^Fix\")",
        gives: Shape::Truth,
    },
    Function {
        name: "size",
        behind: Some((0, 0)),
        alone: Some(1),
        example: "size(issue.labels)",
        gives: Shape::Number,
    },
    behind("startsWith", (1, 1), "issue.title.startsWith(\"x\")", Shape::Truth),
    alone("string", "string(issue.number)", Shape::Text),
    alone("timestamp", "timestamp(payload.at)", Shape::Unknown),
    alone("type", "type(payload.x) == string", Shape::Unknown),
    alone("uint", "uint(\"42\")", Shape::Number),
];

/// What the parser makes other things of, where it is written as it should be.
const MACROS: [(&str, &str); 7] = [
    ("all", "issue.labels.all(label, label.startsWith(\"x\"))"),
    ("exists", "issue.labels.exists(label, label == \"bug\")"),
    ("existsOne", "issue.labels.exists_one(label, label == \"bug\")"),
    ("exists_one", "issue.labels.exists_one(label, label == \"bug\")"),
    ("filter", "issue.labels.filter(label, label.startsWith(\"x\"))"),
    ("has", "has(issue.title)"),
    ("map", "payload.items.map(item, item.name)"),
];

/// What other languages have, and how it is written here.
const ELSEWHERE: &[(&[&str], &str)] = &[
    (&["length", "len", "count", "lenght", "strlen"], "write `size(issue.labels)`"),
    (&["any", "some"], "write `issue.labels.exists(label, label == \"bug\")`"),
    (&["every"], "write `issue.labels.all(label, label.startsWith(\"x\"))`"),
    (&["includes", "include", "indexOf", "find"], "write `issue.title.contains(\"x\")`, or `\"bug\" in issue.labels`"),
    (
        &[
            "lower",
            "upper",
            "lowerAscii",
            "upperAscii",
            "toLower",
            "toUpper",
            "toLowerCase",
            "toUpperCase",
            "lowercase",
        ],
        "to compare without case, write `issue.title.matches(\"(?i)^text$\")`",
    ),
    (&["regex", "match", "test", "re_match", "regexMatch"], "write `issue.title.matches(\"^Fix\")`"),
    (&["str", "toString", "to_string"], "write `string(issue.number)`"),
    (&["toInt", "parseInt", "to_int", "number"], "write `int(\"42\")`"),
    (&["defined", "exists_key", "isset", "present", "hasOwnProperty"], "write `has(command.text)`"),
    (&["isEmpty", "empty"], "write `size(issue.labels) == 0`"),
    (&["date", "time", "parseDate"], "write `timestamp(payload.at)`"),
];

/// What one call says: its name, whether it stands behind a value, and how many values are in its brackets.
pub(super) struct Call<'a> {
    pub(super) name: &'a str,
    pub(super) behind: bool,
    pub(super) values: usize,
}

/// What a call gives.
///
/// # Errors
/// What is wrong with it, in a sentence.
pub(super) fn check(call: &Call<'_>) -> Result<Shape, String> {
    let name = clean_line(call.name, 60);
    if let Some((_, example)) = MACROS.iter().find(|(known, _)| *known == call.name) {
        return Err(format!("`{name}` is not written so: `{example}`"));
    }
    let Some(function) = FUNCTIONS.iter().find(|function| function.name == call.name) else {
        return Err(unknown(&name));
    };
    let counts = if call.behind { function.behind } else { function.alone.map(|count| (count, count)) };
    let example = function.example;
    match counts {
        Some((least, most)) if (least..=most).contains(&call.values) => Ok(function.gives.clone()),
        Some((least, most)) => {
            let (takes, given) = (counted(least, most), call.values);
            Err(format!("`{name}` takes {takes} in its brackets, and here {} {given}: `{example}`", are(given)))
        }
        None if call.behind => Err(format!("`{name}` does not stand behind a value: `{example}`")),
        None => Err(format!("`{name}` stands behind a value: `{example}`")),
    }
}

/// What is wrong with whom a function asks: `written`, of which something may be known.
///
/// # Errors
/// What is wrong, in a sentence.
pub(super) fn asks(name: &str, written: &str, shape: &Shape) -> Result<(), String> {
    let of_texts = matches!(name, "contains" | "endsWith" | "matches" | "startsWith");
    let Some(what) = shape.in_words() else { return Ok(()) };
    match shape {
        Shape::List(_) if name == "contains" => Err(format!("`{written}` is {what}: write `\"x\" in {written}`")),
        Shape::Number if of_texts => {
            Err(format!("`{written}` is {what}, and `{name}` asks texts: write `string({written})`"))
        }
        Shape::List(_) if of_texts => {
            Err(format!("`{written}` is {what}, and `{name}` asks texts: write `{written}.exists(entry, …)`"))
        }
        Shape::Truth | Shape::Thing(_) if of_texts => Err(format!("`{written}` is {what}, and `{name}` asks texts")),
        Shape::Number | Shape::Truth if name == "size" => Err(format!("`{written}` is {what}, and has no size")),
        _ => Ok(()),
    }
}

fn unknown(name: &str) -> String {
    let said = format!("there is no function `{name}`");
    if let Some((_, hint)) = ELSEWHERE.iter().find(|(theirs, _)| theirs.contains(&name)) {
        return format!("{said}: {hint}");
    }
    let names = || FUNCTIONS.iter().map(|function| function.name).chain(MACROS.iter().map(|(name, _)| *name));
    match nearest(name, names()) {
        Some(near) => format!("{said}; did you mean `{near}`?"),
        // Those that read parts of a time are one of a kind.
        None => {
            let some: Vec<_> = names()
                .filter(|name| *name != "existsOne" && (!name.starts_with("get") || *name == "getHours"))
                .collect();
            format!("{said}; there are {}", some.join(", "))
        }
    }
}

fn counted(least: usize, most: usize) -> String {
    match (least, most) {
        (0, 0) => "nothing".to_owned(),
        (1, 1) => "one value".to_owned(),
        (2, 2) => "two values".to_owned(),
        (least, most) => format!("{least} to {most} values"),
    }
}

fn are(count: usize) -> &'static str {
    if count == 1 { "is" } else { "are" }
}
