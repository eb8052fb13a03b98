//! One short text that changes when any file of a configuration does, for a worker that looks from
//! time to time. Polling works on every file system, mounted secrets and config maps included.

use std::collections::BTreeSet;
use std::path::{Path as FilePath, PathBuf};

use sha2::{Digest as _, Sha256};

use super::findings::Findings;
use super::node::{Kind, Node};
use super::reader::Reader;
use super::{include, yaml};

/// A hash over the contents of the main file and of all rule, secret and certificate files it names. A file
/// that cannot be read counts as such, so that its coming and going is a change too.
#[must_use]
pub fn fingerprint(path: &FilePath, reader: &Reader) -> String {
    let mut hash = Sha256::new();
    let main = add(&mut hash, path, reader);
    let document = main.and_then(|text| yaml::parse(&path.display().to_string(), &text).ok());
    if let Some(document) = document {
        for file in include::files(&document, path, reader, &mut Findings::default()) {
            add(&mut hash, &file, reader);
        }
        let mut named = BTreeSet::new();
        named_files(&document.root, &mut named);
        let folder = path.parent().unwrap_or(FilePath::new(""));
        for file in named {
            add(&mut hash, &folder.join(file), reader);
        }
    }
    hex::encode(hash.finalize())
}

fn add(hash: &mut Sha256, path: &FilePath, reader: &Reader) -> Option<String> {
    let read = reader.text(path, yaml::MAX_FILE_BYTES);
    // Lengths go in too: otherwise moving text from one file to the next would go unseen.
    let name = path.as_os_str().as_encoded_bytes();
    hash.update(name.len().to_le_bytes());
    hash.update(name);
    match &read {
        Ok((text, _)) => {
            hash.update(text.len().to_le_bytes());
            hash.update(text);
        }
        Err(reason) => hash.update(reason),
    }
    read.ok().map(|(text, _)| text)
}

/// The files that `{file: path}` and `extra_ca_file: path` name, wherever they stand.
fn named_files(node: &Node, named: &mut BTreeSet<PathBuf>) {
    match &node.kind {
        Kind::List(items) => items.iter().for_each(|item| named_files(item, named)),
        Kind::Map(entries) => {
            for entry in entries {
                match entry.value.text() {
                    Some(file) if entry.key == "file" || entry.key == "extra_ca_file" => {
                        named.insert(PathBuf::from(file));
                    }
                    _ => named_files(&entry.value, named),
                }
            }
        }
        _ => {}
    }
}
