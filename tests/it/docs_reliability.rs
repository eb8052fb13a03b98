//! The page of the numbered cases is true: each case has its row, each row the tests that carry its number, and no
//! test carries a number that the page does not know. What the crash program shows is read from its comments too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::docs_pages::{read, root};

/// The page.
const PAGE: &str = "docs/reliability.md";
/// How many cases there are.
const CASES: u32 = 78;
/// Where the crash program is. Its functions, those that disturb and those that look, carry numbers as tests do.
const CRASH: &str = "crash/";
/// How a row begins to say where.
const BY_CRASH: &str = "By the crash program";
/// How a row begins that has no test and says why.
const WITHOUT_TEST: [&str; 3] = ["Not yet: ", "Being written: ", "By "];

/// Where the numbers stand: `file::name` of a test, or a file whose opening words carry them, and the cases.
type Proofs = BTreeMap<String, BTreeSet<u32>>;

/// The numbers of `/// Case 7.` or `//! Cases 7, 12.`, and of no other form.
fn numbers(line: &str) -> Option<BTreeSet<u32>> {
    let words = line.trim().strip_prefix("///").or_else(|| line.trim().strip_prefix("//!"))?.trim();
    let list = words.strip_prefix("Case ").or_else(|| words.strip_prefix("Cases "))?;
    let parsed = list.strip_suffix('.').and_then(|list| list.split(", ").map(|number| number.parse().ok()).collect());
    assert!(parsed.is_some() || !list.starts_with(|first: char| first.is_ascii_digit()), "no list of cases: {line}");
    parsed
}

/// The name of the function that a line opens.
fn function(line: &str) -> Option<&str> {
    let line = line.trim().trim_start_matches("pub(crate) ").trim_start_matches("pub ").trim_start_matches("async ");
    line.strip_prefix("fn ")?.split(['(', '<']).next()
}

/// What a file proves. `shown` is its name on the page.
fn proofs_in(shown: &str, text: &str, found: &mut Proofs, tests: &mut BTreeSet<String>) {
    let (mut waiting, mut is_test) = (BTreeSet::new(), false);
    for line in text.lines() {
        if let Some(numbers) = numbers(line) {
            if line.starts_with("//!") {
                found.entry(shown.to_owned()).or_default().extend(numbers);
            } else {
                waiting.extend(numbers);
            }
        } else if line.trim().starts_with("#[") {
            is_test |= line.contains("test]") || line.contains("test(");
        } else if let Some(name) = function(line) {
            let of_crash = shown.starts_with(CRASH);
            let name = if of_crash { shown.to_owned() } else { format!("{shown}::{name}") };
            if is_test && !of_crash {
                tests.insert(name.clone());
            }
            assert!(waiting.is_empty() || is_test || of_crash, "{name} carries a number and is no test");
            if !waiting.is_empty() {
                found.entry(name).or_default().append(&mut waiting);
            }
            is_test = false;
        } else if !line.trim().starts_with("///") {
            assert!(waiting.is_empty(), "{shown}: the number belongs right above a test: {line}");
        }
    }
}

fn walk(folder: &Path, found: &mut Proofs, tests: &mut BTreeSet<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            // A folder with a target of its own is somebody else's work.
            if !path.ends_with("target") {
                walk(&path, found, tests);
            }
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let name = path.strip_prefix(root()).unwrap().to_str().unwrap();
            let shown = name.strip_prefix("tests/it/").unwrap_or(name);
            proofs_in(shown, &std::fs::read_to_string(&path).unwrap(), found, tests);
        }
    }
}

/// Everything that carries a number, and every test.
fn all() -> (Proofs, BTreeSet<String>) {
    let (mut found, mut tests) = (Proofs::new(), BTreeSet::new());
    for folder in ["src", "tests/it", "tests/fuzz", "benches", CRASH] {
        walk(&root().join(folder), &mut found, &mut tests);
    }
    (found, tests)
}

/// A row of the table of cases.
struct Row<'a> {
    line: &'a str,
    number: u32,
    /// The parts of its last cell, whether `file::name` or words.
    parts: Vec<&'a str>,
}

fn rows(page: &str) -> Vec<Row<'_>> {
    let row = |line| {
        let cells: Vec<&str> = str::trim(line).trim_matches('|').split(" | ").map(str::trim).collect();
        let number = cells[0].parse().ok()?;
        assert_eq!(cells.len(), 4, "{line}");
        Some(Row { line, number, parts: cells[3].split("<br>").collect() })
    };
    page.lines().filter(|line| line.starts_with('|')).filter_map(row).collect()
}

fn is_proof(part: &str) -> bool {
    let inner = part.trim_matches('`');
    part.len() == inner.len() + 2 && (inner.contains("::") || inner.ends_with(".rs"))
}

/// The page with the proofs of each row as they are in the code.
fn as_it_should_be(page: &str, proofs: &Proofs) -> String {
    let mut text = page.to_owned();
    for row in rows(page) {
        let proven = proofs.iter().filter(|(_, cases)| cases.contains(&row.number)).map(|(name, _)| name);
        let (crash, tests): (Vec<_>, Vec<_>) = proven.partition(|name| name.starts_with(CRASH));
        let quoted = |names: Vec<&String>| names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>();
        let (crash, mut parts) = (quoted(crash), quoted(tests));
        let unfinished = |part: &&str| !parts.is_empty() && part.starts_with("Being written: ");
        let words = row.parts.iter().copied().filter(|part| !part.is_empty() && !is_proof(part));
        let words: Vec<&str> = words.filter(|part| !unfinished(part) && !part.starts_with(BY_CRASH)).collect();
        if !crash.is_empty() {
            let too = if parts.is_empty() { "" } else { " too" };
            parts.push(format!("{BY_CRASH}{too}: {}.", crash.join(", ")));
        }
        parts.extend(words.into_iter().map(str::to_owned));
        let (before, _) = row.line.rsplit_once(" | ").unwrap();
        text = text.replace(row.line, &format!("{before} | {} |", parts.join("<br>")));
    }
    text
}

#[test]
fn every_case_has_its_row_and_every_row_its_tests() {
    let page = read(PAGE);
    let (proofs, tests) = all();
    let rows = rows(&page);
    let listed: Vec<u32> = rows.iter().map(|row| row.number).collect();
    assert_eq!(listed, (1..=CASES).collect::<Vec<_>>(), "each case once, in order");
    let wanted = as_it_should_be(&page, &proofs);
    if wanted != page {
        let beside = Path::new(env!("CARGO_TARGET_TMPDIR")).join("reliability.md");
        std::fs::write(&beside, &wanted).unwrap();
        let differ = page.lines().zip(wanted.lines()).filter(|(is, should)| is != should);
        let shown: Vec<_> = differ.map(|(is, should)| format!("is     {is}\nshould {should}")).collect();
        panic!("{PAGE} and the numbers above the tests differ; cp {} {PAGE}\n{}", beside.display(), shown.join("\n"));
    }
    for row in &rows {
        let proven = row.parts.iter().any(|part| is_proof(part));
        let says_why = row.parts.iter().any(|part| WITHOUT_TEST.iter().any(|start| part.starts_with(start)));
        assert!(proven || says_why, "case {} has no test and does not say why", row.number);
        for part in row.parts.iter().filter(|part| !is_proof(part)) {
            assert!(part.ends_with('.'), "case {}: a sentence: {part}", row.number);
        }
    }
    for cases in proofs.values() {
        assert!(cases.iter().all(|case| (1..=CASES).contains(case)), "{cases:?}");
    }
    // Also those that are only mentioned, in the promises and in words.
    let named = page.split('`').skip(1).step_by(2).filter(|code| code.contains(".rs::"));
    for name in named {
        assert!(tests.contains(name), "{PAGE} names the test {name}, which is not there");
    }
}

#[test]
fn the_check_itself_sees_numbers_where_they_stand() {
    let (mut proofs, mut tests) = (Proofs::new(), BTreeSet::new());
    let text = "//! Why.\n//! Case 3.\n\n/// Words.\n/// Cases 7, 12.\n#[tokio::test]\nasync fn a_b() {\n}\n#[test]\nfn c() {}\n";
    proofs_in("x.rs", text, &mut proofs, &mut tests);
    assert_eq!(proofs, [("x.rs".to_owned(), [3].into()), ("x.rs::a_b".to_owned(), [7, 12].into())].into());
    assert_eq!(tests, ["x.rs::a_b".to_owned(), "x.rs::c".to_owned()].into());
    let page = "| 3 | a | b | Being written: more.<br>By hand. |\n| 7 | a | b | `x.rs::old` |\n";
    let should = "| 3 | a | b | `x.rs`<br>By hand. |\n| 7 | a | b | `x.rs::a_b` |\n";
    assert_eq!(as_it_should_be(page, &proofs), should);
    assert_eq!(rows(page).len(), 2);
}

#[test]
fn what_the_crash_program_shows_is_named_by_its_files() {
    let (mut proofs, mut tests) = (Proofs::from([("x.rs::a_b".to_owned(), [7].into())]), BTreeSet::new());
    let text = "/// Words.\n///\n/// Cases 7, 8.\npub(crate) async fn look() {\n}\n#[test]\nfn c() {}\n";
    for file in ["crash/y.rs", "crash/x.rs"] {
        proofs_in(file, text, &mut proofs, &mut tests);
    }
    assert!(tests.is_empty(), "its tests run elsewhere");
    let page = "| 7 | a | b | `x.rs::a_b`<br>By the crash program too: `crash/x.rs`. |\n\
                | 8 | a | b | Not yet: no test. |\n| 9 | a | b | By the crash program, somehow.<br>By hand. |\n";
    let should = "| 7 | a | b | `x.rs::a_b`<br>By the crash program too: `crash/x.rs`, `crash/y.rs`. |\n\
                  | 8 | a | b | By the crash program: `crash/x.rs`, `crash/y.rs`.<br>Not yet: no test. |\n\
                  | 9 | a | b | By hand. |\n";
    assert_eq!(as_it_should_be(page, &proofs), should, "what nobody claims any more is gone");
}

#[test]
#[should_panic(expected = "no list of cases")]
fn numbers_in_another_form_are_not_overlooked() {
    numbers("/// Cases 36 to 38: whatever was lost.");
}
