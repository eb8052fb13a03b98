//! The house rules that no compiler holds: who may import whom, how long a file may be, where SQL and the wall clock
//! are. The checks are plain functions over text, and each is shown a bad sample, so that none can pass by being blind.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

/// The rooms from the ground up; `main` is the door on the roof. Rooms in one line do not know each other.
const FLOORS: [&[&str]; 13] = [
    &["clock", "fail_point", "secret"],
    &["ids"],
    &["domain"],
    &["config"],
    &["vault"],
    &["store"],
    &["chat", "github", "outgoing"],
    &["sources"],
    &["pipeline"],
    &["workers"],
    &["http"],
    &["sandbox"],
    &["cli"],
];
/// Longest file, in lines.
const LINES: usize = 400;

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All files under these folders with these endings, by their path from the root.
fn files(folders: &[&str], endings: &[&str]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if endings.iter().any(|ending| path.extension().is_some_and(|own| own == *ending)) {
            let name = path.strip_prefix(root()).unwrap().display().to_string();
            found.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
    found
}

pub(crate) fn sources() -> BTreeMap<String, String> {
    let sources = files(&["src"], &["rs"]);
    assert!(sources.len() > 100, "only {} files: looked in the wrong place", sources.len());
    sources
}

/// The room of a file of `src/`; none for `lib.rs` and `main.rs`.
fn room(path: &str) -> Option<&str> {
    let inner = path.strip_prefix("src/")?;
    let room = inner.split('/').next()?.trim_end_matches(".rs");
    (!matches!(room, "lib" | "main")).then_some(room)
}

/// Code without comments, doc comments and the unit tests at its end.
pub(crate) fn code(text: &str) -> String {
    let product = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
    let lines = product.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.map(|line| line.split(" // ").next().unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// The rooms named as `crate::room`, also in groups as in `use crate::{a, b::c}`.
fn crate_rooms(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with('$') || code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        let parts: Vec<&str> = match rest.strip_prefix('{') {
            Some(group) => split_group(group),
            None => vec![rest],
        };
        for part in parts {
            found.insert(word(part.trim_start()));
        }
    }
    found
}

/// The parts of `a, b::{c, d}, e};` at its outermost level.
pub(crate) fn split_group(group: &str) -> Vec<&str> {
    let (mut depth, mut from, mut parts) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                parts.push(&group[from..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&group[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.retain(|part| !part.trim().is_empty());
    parts
}

/// Imports that go to the same floor or a higher one.
fn upward(path: &str, text: &str) -> Vec<String> {
    let Some(own) = room(path) else { return Vec::new() };
    let Some(own_floor) = floor(own) else { return vec![format!("{path}: the room {own} has no floor")] };
    let rooms = crate_rooms(&code(text));
    let wrong = rooms.iter().filter(|other| *other != own && floor(other).is_some_and(|floor| floor >= own_floor));
    wrong.map(|other| format!("{path}: {own} must not know {other}")).collect()
}

fn has_sql(text: &str) -> bool {
    let code = code(text);
    ["sqlx::query", "\"SELECT ", "\"INSERT INTO", "\"UPDATE ", "\"DELETE FROM", "*/ SELECT "]
        .iter()
        .any(|sign| code.contains(sign))
}

fn reads_wall_clock(text: &str) -> bool {
    let code = code(text);
    ["Utc::now(", "Local::now(", "SystemTime::now(", "now_v7("].iter().any(|sign| code.contains(sign))
}

#[test]
fn a_room_imports_only_from_rooms_above_it_in_the_list() {
    let wrong: Vec<String> = sources().iter().flat_map(|(path, text)| upward(path, text)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let listed: BTreeSet<String> = sources().keys().filter_map(|path| room(path)).map(str::to_owned).collect();
    let known: BTreeSet<String> = FLOORS.iter().copied().flatten().map(|room| (*room).to_owned()).collect();
    assert_eq!(listed, known, "rooms and floors");
}

#[test]
fn no_file_is_longer_than_one_can_read_standing_up() {
    let all = files(&["src", "tests", "benches", "crash"], &["rs"]);
    let long: Vec<String> = all
        .iter()
        .filter(|(_, text)| text.lines().count() > LINES)
        .map(|(path, text)| format!("{path}: {} lines", text.lines().count()))
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn sql_is_only_in_the_store() {
    let sources = sources();
    let wrong: Vec<&String> = sources
        .iter()
        .filter(|(path, text)| !path.starts_with("src/store/") && has_sql(text))
        .map(|(path, _)| path)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(sources.iter().any(|(path, text)| path.starts_with("src/store/") && has_sql(text)));
}

#[test]
fn the_wall_clock_is_read_in_one_file() {
    let sources = sources();
    let readers: Vec<&String> =
        sources.iter().filter(|(_, text)| reads_wall_clock(text)).map(|(path, _)| path).collect();
    assert_eq!(readers, ["src/clock.rs"]);
}

#[test]
fn every_file_opens_with_why_it_exists_and_none_is_unsafe() {
    let sign = ["unsafe", " {"].concat();
    for (path, text) in files(&["src", "tests", "benches", "crash"], &["rs"]) {
        assert!(text.starts_with("//!"), "{path} does not say why it exists");
        let code = code(&text);
        assert!(!code.contains(&sign) && !code.contains(&sign.replace('{', "fn ")), "{path} is unsafe");
    }
}

#[test]
fn nothing_speaks_of_the_machine_it_was_made_on() {
    let signs = [["/wo", "rk/"].concat(), ["../sha", "red"].concat()];
    let kinds = ["rs", "md", "toml", "yaml", "yml", "sql", "sh", "json", "html", "css", "js"];
    let mut all = files(&["src", "tests", "benches", "crash", "docs", "examples", "migrations", ".ci"], &kinds);
    let at_the_root = [
        "Cargo.toml",
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "Dockerfile",
        ".dockerignore",
        "docker-compose.yml",
        ".env.example",
        "clippy.toml",
        "rustfmt.toml",
        "build.rs",
        "sqlx.toml",
        ".ci/sqlx",
        ".ci/run",
    ];
    for file in at_the_root {
        let text = fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        all.insert(file.to_owned(), text);
    }
    let wrong: Vec<String> = all
        .iter()
        .filter(|(_, text)| signs.iter().any(|sign| mentions(text, sign)))
        .map(|(path, _)| path.clone())
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Whether a text names this path, not as the end of a longer one (`$work/data`, `$dir/work/`).
fn mentions(text: &str, sign: &str) -> bool {
    text.match_indices(sign).any(|(at, _)| !text[..at].ends_with(|c: char| c.is_alphanumeric() || "_-$}".contains(c)))
}

#[test]
fn the_checks_see_what_they_are_for() {
    assert_eq!(
        upward("src/store/a.rs", "use crate::pipeline::Bridge;"),
        ["src/store/a.rs: store must not know pipeline"]
    );
    assert_eq!(
        upward("src/clock.rs", "use crate::{ids::TaskId, secret::{b, c}};").len(),
        2,
        "a higher floor, and the same"
    );
    assert_eq!(upward("src/domain/a.rs", "fn f() { crate::config::load() }").len(), 1);
    assert_eq!(upward("src/attic/a.rs", "").len(), 1, "a new room needs its floor");
    assert!(upward("src/http/a.rs", "/// [`crate::cli`]\nuse crate::pipeline::x;").is_empty());
    assert!(has_sql("let x = sqlx::query!(\"x\");") && has_sql("f(\"SELECT 1\")"));
    assert!(!has_sql("// sqlx::query\n/// \"SELECT 1\"") && !has_sql("#[cfg(test)]\nmod tests { \"SELECT 1\" }"));
    assert!(reads_wall_clock("let t = Utc::now();") && !reads_wall_clock("ground.now()"));
    let path = ["/wo", "rk/"].concat();
    assert!(mentions(&format!("cd {path}x"), &path) && !mentions(&format!("$dir{path}"), &path));
}
