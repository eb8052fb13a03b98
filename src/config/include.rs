//! `rules_from`: which further files hold rules.

use std::path::{Path as FilePath, PathBuf};

use super::findings::Findings;
use super::node::{Document, Kind, Node};
use super::place::Path;
use super::reader::Reader;

/// How many files may be named, so that a pattern at the wrong place cannot read a whole disk.
const MAX_FILES: usize = 1_000;

/// The files that `rules_from` names, in order, each once, never the main file itself.
pub(super) fn files(document: &Document, main: &FilePath, reader: &Reader, found: &mut Findings) -> Vec<PathBuf> {
    let folder = main.parent().unwrap_or(FilePath::new(""));
    let mut files: Vec<PathBuf> = Vec::new();
    for (path, text) in patterns(document) {
        match matches(&folder.join(text), reader) {
            Ok(matched) if matched.is_empty() => {
                found.warn(document, &path, "no rule file is there");
            }
            Ok(matched) => {
                for file in matched {
                    if file != main && !files.contains(&file) {
                        files.push(file);
                    }
                }
            }
            Err(message) => found.fault(document, &path, message),
        }
        if files.len() > MAX_FILES {
            found.fault(document, &path, format!("names more than {MAX_FILES} files"));
            files.clear();
            break;
        }
    }
    files
}

/// What `rules_from` says, where it says text; all else is the schema's to refuse.
fn patterns(document: &Document) -> Vec<(Path, &str)> {
    let path = Path::of(&["rules_from"]);
    match document.root.entry("rules_from").map(|entry| &entry.value) {
        Some(Node { kind: Kind::Text(text), .. }) => vec![(path, text)],
        Some(Node { kind: Kind::List(items), .. }) => {
            let texts = items.iter().enumerate().filter_map(|(nth, item)| Some((path.index(nth), item.text()?)));
            texts.collect()
        }
        _ => Vec::new(),
    }
}

fn matches(pattern: &FilePath, reader: &Reader) -> Result<Vec<PathBuf>, String> {
    let name = pattern.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let parent = pattern.parent().unwrap_or(FilePath::new(""));
    if parent.to_string_lossy().contains('*') {
        return Err("`*` may stand in the name of the file only, not in its folder".to_owned());
    }
    let is_yaml = |file: &PathBuf| file.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
    if name.contains('*') {
        let files = reader.list(parent).map_err(|error| format!("the folder cannot be read: {error}"))?;
        let fits = |file: &PathBuf| file.file_name().and_then(|own| own.to_str()).is_some_and(|own| fits(name, own));
        return Ok(files.into_iter().filter(|file| is_yaml(file) && fits(file)).collect());
    }
    // A name with the right ending is a file; anything else is tried as a folder.
    if is_yaml(&pattern.to_path_buf()) {
        return Ok(vec![pattern.to_path_buf()]);
    }
    let files = reader.list(pattern).map_err(|error| format!("the folder cannot be read: {error}"))?;
    Ok(files.into_iter().filter(is_yaml).collect())
}

/// Whether `name` fits a pattern in which `*` stands for any characters.
fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, name, expected) in [
            ("*.yaml", "a.yaml", true),
            ("*.yaml", "a.yml", false),
            ("a*c*e.yaml", "abcde.yaml", true),
            ("a*c*e.yaml", "abde.yaml", false),
            ("ab*ba.yaml", "aba.yaml", false),
            ("a.yaml", "a.yaml", true),
            ("a.yaml", "a.yaml.old", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }
}
