//! The pages that people read first must be true: links lead somewhere, and files that are named exist.

use std::path::{Path, PathBuf};

/// A page: its path in the repository and its text.
pub(crate) struct Page {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All Markdown of the root, of `docs/` and of `docs/sources/`.
pub(crate) fn pages() -> Vec<Page> {
    let folders = [root().to_owned(), root().join("docs"), root().join("docs/sources")];
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
    let mut pages: Vec<Page> = files
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .map(|path| Page { text: std::fs::read_to_string(&path).unwrap(), path })
        .collect();
    pages.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(pages.len() >= 9, "README, CONTRIBUTING, CHANGELOG, SECURITY and the pages of docs/");
    pages
}

/// What stands in code: indented and fenced lines whole, and spans between backticks.
pub(crate) fn code(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced || line.starts_with("    ") {
            found.push(line.trim().to_owned());
        } else {
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found
}

#[test]
fn every_relative_link_leads_to_a_file() {
    let mut followed = 0;
    for page in pages() {
        // A link may be broken over two lines, but neither its text nor its target is.
        for target in page.text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target) {
            let file = target.split('#').next().unwrap_or_default();
            if file.is_empty() || file.contains("://") || file.starts_with("mailto:") {
                continue;
            }
            let there = page.path.parent().unwrap().join(file);
            assert!(there.exists(), "{} links to {target}, which is not there", page.path.display());
            followed += 1;
        }
    }
    assert!(followed > 15, "{followed}");
}

#[test]
fn every_file_that_a_page_names_exists() {
    let ours = ["src/", "docs/", "tests/", "examples/", "migrations/", "benches/", ".ci/", ".sqlx/"];
    let mut named = 0;
    for page in pages() {
        for word in code(&page.text).iter().flat_map(|code| code.split_whitespace()) {
            let word = word.trim_matches(|c: char| "()[]{}<>,;:'\"`".contains(c));
            if ours.iter().any(|folder| word.starts_with(folder)) && !word.contains(['*', '{']) {
                let word = word.split("::").next().unwrap_or(word);
                assert!(root().join(word).exists(), "{} names {word}, which is not there", page.path.display());
                named += 1;
            }
        }
    }
    assert!(named > 40, "{named}");
}

/// A row that does not belong to a table, or has more cells than its head, is shown as other text or not at all.
#[test]
fn every_table_is_shown_whole() {
    let mut tables = 0;
    for page in pages() {
        let (mut fenced, mut cells, mut rows) = (false, 0, 0);
        for (nth, line) in page.text.lines().enumerate() {
            fenced ^= line.trim_start().starts_with("```");
            if fenced || !line.starts_with('|') {
                rows = 0;
                continue;
            }
            let (place, count) =
                (format!("{}:{}", page.path.display(), nth + 1), line.replace("\\|", "").split('|').count());
            rows += 1;
            match rows {
                1 => cells = count,
                2 => {
                    let is_rule = line.chars().all(|c| "|-: ".contains(c));
                    assert!(is_rule, "{place}: the row before it stands in no table");
                    tables += 1;
                }
                _ => {}
            }
            assert_eq!(count, cells, "{place}: other cells than its head has");
            let next = page.text.lines().nth(nth + 1).unwrap_or_default();
            assert!(rows > 1 || next.starts_with('|'), "{place}: it stands in no table");
        }
    }
    assert!(tables > 30, "{tables}");
}

#[test]
fn the_walk_in_the_architecture_goes_through_every_step_of_the_pipeline() {
    let page = read("docs/architecture.md");
    let walk = page.split("## The walk of one webhook").nth(1).unwrap();
    for step in [
        "verify",
        "record",
        "match_rules/",
        "decide",
        "start_task",
        "settle_uncertain",
        "sweep_tasks",
        "report",
        "forget",
    ] {
        assert!(walk.contains(&format!("src/pipeline/{step}")), "{step} is missing");
    }
}
