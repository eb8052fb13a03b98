//! What a file says, with the place of every key and value: serde alone would forget the places.

use serde_json::Value;

use super::fault::Fault;
use super::place::{Path, Pos, Step};

/// One file, read.
#[derive(Debug)]
pub(super) struct Document {
    /// The file, as it was named to us.
    pub(super) file: String,
    /// All it says.
    pub(super) root: Node,
}

/// One value and its place.
#[derive(Debug)]
pub(super) struct Node {
    /// Where it starts.
    pub(super) at: Pos,
    /// What it is.
    pub(super) kind: Kind,
    /// Where the lines of a text stand in the file.
    pub(super) lines: Lines,
}

/// How the lines of a text lie in the file, to find the place of a fault inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lines {
    /// Line n of the text is line n of the file from here on, all starting at this column.
    From(Pos),
    /// All of it is on one line of the file, where its signs, and the end, stand in these columns.
    Escaped { line: usize, columns: Vec<u16> },
    /// Folded: no line of the text can be found again.
    Unknown,
}

/// What a value is.
#[derive(Debug)]
pub(super) enum Kind {
    /// Nothing: a key without a value, or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number and the way it was written.
    Number(serde_json::Number, String),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the file, without doubled keys.
    Map(Vec<Entry>),
}

/// One key and its value.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_at: Pos,
    pub(super) value: Node,
}

impl Node {
    /// The value of `key`, if this is a mapping that has it.
    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.kind {
            Kind::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The same without places.
    pub(super) fn to_json(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Number(number, _) => Value::Number(number.clone()),
            Kind::Text(text) => Value::String(text.clone()),
            Kind::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Kind::Map(entries) => {
                Value::Object(entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect())
            }
        }
    }

    /// Where a line and column inside this text (both from 1) stand in the file.
    pub(super) fn inside(&self, line: usize, column: usize) -> Pos {
        match &self.lines {
            Lines::From(start) => {
                Pos { line: start.line + line.saturating_sub(1), column: start.column + column.saturating_sub(1) }
            }
            Lines::Escaped { line: file_line, columns } => {
                let before = self.text().unwrap_or_default().split('\n').take(line.saturating_sub(1));
                let nth = before.map(|line| line.chars().count() + 1).sum::<usize>() + column.saturating_sub(1);
                columns.get(nth).map_or(self.at, |column| Pos { line: *file_line, column: usize::from(*column) })
            }
            Lines::Unknown => self.at,
        }
    }
}

impl Document {
    /// The value that `path` leads to, or the last one on the way that the file has.
    pub(super) fn nearest(&self, path: &Path) -> &Node {
        let mut node = &self.root;
        for step in &path.0 {
            let next = match (step, &node.kind) {
                (Step::Key(key), Kind::Map(entries)) => {
                    entries.iter().find(|entry| entry.key == *key).map(|entry| &entry.value)
                }
                (Step::Index(index), Kind::List(items)) => items.get(*index),
                _ => None,
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        node
    }

    /// The way in words. Where one value stands for a list of one, the way ends at it.
    fn shown(&self, path: &Path) -> String {
        let way = (0..path.0.len()).find(|&nth| {
            matches!(path.0[nth], Step::Index(_))
                && !matches!(self.nearest(&Path(path.0[..nth].to_vec())).kind, Kind::List(_))
        });
        Path(path.0[..way.unwrap_or(path.0.len())].to_vec()).to_string()
    }

    /// A fault at the value that `path` leads to.
    pub(super) fn fault(&self, path: &Path, message: impl Into<String>) -> Fault {
        self.fault_at(self.nearest(path).at, path, message)
    }

    /// A fault at a known place.
    pub(super) fn fault_at(&self, at: Pos, path: &Path, message: impl Into<String>) -> Fault {
        Fault {
            file: self.file.clone(),
            line: at.line,
            column: at.column,
            path: self.shown(path),
            message: message.into(),
            hint: None,
        }
    }
}
