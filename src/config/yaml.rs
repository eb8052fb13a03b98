//! Reads YAML into [`Node`]s, from the parser's events, so that places are kept and everything an
//! operator could get wrong by accident (doubled keys) or a stranger on purpose (alias bombs, deep
//! nesting, huge files) is refused before it costs anything.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span};

use super::fault::Fault;
use super::node::{Document, Entry, Kind, Lines, Node};
use super::place::{Path, Pos};
use super::{scalar, suggest};

/// The largest file, in bytes.
pub(super) const MAX_FILE_BYTES: usize = 1024 * 1024;
/// How many lists and mappings may stand in each other.
const MAX_DEPTH: usize = 64;
/// How many values a file may have.
const MAX_NODES: usize = 200_000;
/// In longer lines, faults inside a text are told at its start.
const MAX_LINE_BYTES: usize = 4_096;

/// Reads one document. On failure: every doubled key, and the first fault of syntax.
pub(super) fn parse(file: &str, text: &str) -> Result<Document, Vec<Fault>> {
    if text.len() > MAX_FILE_BYTES {
        return Err(vec![Fault::of_file(file, "larger than 1 MiB")]);
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // As the parser counts them: a carriage return that stands alone ends a line too.
    let lines: Vec<&str> = text.split("\r\n").flat_map(|part| part.split(['\n', '\r'])).collect();
    let end = Pos { line: lines.len(), column: lines.last().map_or(0, |last| last.chars().count()) + 1 };
    let builder = Builder { file, lines, end, open: Vec::new(), root: None, nodes: 0, doubled: Vec::new() };
    builder.run(text)
}

/// A list or mapping whose end has not come yet.
enum Open {
    List { at: Pos, items: Vec<Node> },
    Map { at: Pos, entries: Vec<Entry>, seen: HashMap<String, Pos>, key: Option<(String, Pos)> },
}

struct Builder<'a> {
    file: &'a str,
    lines: Vec<&'a str>,
    end: Pos,
    open: Vec<Open>,
    root: Option<Node>,
    nodes: usize,
    doubled: Vec<Fault>,
}

impl<'a> Builder<'a> {
    fn run(mut self, text: &'a str) -> Result<Document, Vec<Fault>> {
        let mut parser = Parser::new_from_str(text);
        while let Some(next) = parser.next_event() {
            let step = match next {
                Ok((Event::StreamEnd, _)) => break,
                Ok((event, span)) => self.event(event, span),
                Err(error) => Err(self.syntax(*error.marker(), error.info())),
            };
            if let Err(fault) = step {
                self.doubled.push(fault);
                return Err(self.doubled);
            }
        }
        if !self.doubled.is_empty() {
            return Err(self.doubled);
        }
        let empty = Node { at: Pos { line: 1, column: 1 }, kind: Kind::Map(Vec::new()), lines: Lines::Unknown };
        let root = match self.root {
            Some(Node { kind: Kind::Null, .. }) | None => empty,
            Some(root) => root,
        };
        Ok(Document { file: self.file.to_owned(), root })
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Fault> {
        let at = self.pos(span.start);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) if self.root.is_some() => Err(self
                .fault(at, "a second document starts here")
                .with_hint("a file holds one document: put the rest in a file of its own")),
            Event::DocumentStart(_) => Ok(()),
            Event::Alias(_) => Err(self.anchors(at)),
            Event::Scalar(_, _, anchor, _) | Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _)
                if anchor > 0 =>
            {
                Err(self.anchors(at))
            }
            Event::Scalar(_, _, _, Some(_)) | Event::SequenceStart(_, Some(_)) | Event::MappingStart(_, Some(_)) => {
                Err(self.fault(at, "tags (words that start with `!`) are not used here"))
            }
            Event::Scalar(text, style, _, None) => self.scalar(at, &text, style),
            Event::SequenceStart(_, None) => self.start(at, Open::List { at, items: Vec::new() }),
            Event::MappingStart(_, None) => {
                self.start(at, Open::Map { at, entries: Vec::new(), seen: HashMap::new(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List { at, items }) => {
                    self.finish(Node { at, kind: Kind::List(items), lines: Lines::Unknown });
                    Ok(())
                }
                Some(Open::Map { at, entries, .. }) => {
                    self.finish(Node { at, kind: Kind::Map(entries), lines: Lines::Unknown });
                    Ok(())
                }
                None => Ok(()),
            },
        }
    }

    fn scalar(&mut self, at: Pos, text: &str, style: ScalarStyle) -> Result<(), Fault> {
        self.count(at)?;
        if let Some(Open::Map { seen, key: None, .. }) = self.open.last() {
            if let Some(first) = seen.get(text) {
                let word = suggest::short(text);
                let message =
                    format!("the key `{word}` stands here a second time, the first is on line {}", first.line);
                self.doubled.push(self.fault(at, message));
            }
            if let Some(Open::Map { seen, key, .. }) = self.open.last_mut() {
                seen.entry(text.to_owned()).or_insert(at);
                *key = Some((text.to_owned(), at));
            }
            return Ok(());
        }
        let kind = match style {
            ScalarStyle::Plain => scalar::plain(text),
            _ => Kind::Text(text.to_owned()),
        };
        let lines = self.lines_of(at, text, style);
        self.finish(Node { at, kind, lines });
        Ok(())
    }

    /// Where the first line of a text stands, when the file holds its lines as they are.
    fn lines_of(&self, at: Pos, text: &str, style: ScalarStyle) -> Lines {
        let (blank, column) = match style {
            // The parser's place of a block is its first line that is not empty, behind the indent.
            ScalarStyle::Literal => (text.bytes().take_while(|byte| *byte == b'\n').count(), at.column),
            ScalarStyle::Folded => return Lines::Unknown,
            ScalarStyle::Plain => (0, at.column),
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => (0, at.column + 1),
        };
        let content = if style == ScalarStyle::Literal { text.lines().nth(blank).unwrap_or_default() } else { text };
        let line = self.lines.get(at.line - 1).copied().unwrap_or_default();
        // Counting columns anew for every value of a very long line would take quadratic time.
        if line.len() > MAX_LINE_BYTES {
            return Lines::Unknown;
        }
        let rest = line.char_indices().nth(column - 1).map_or("", |(byte, _)| &line[byte..]);
        if rest.starts_with(content) && blank < at.line {
            return Lines::From(Pos { line: at.line - blank, column });
        }
        match style {
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => escaped(rest, text, style, at.line, column),
            _ => Lines::Unknown,
        }
    }

    fn start(&mut self, at: Pos, open: Open) -> Result<(), Fault> {
        self.count(at)?;
        if self.open.len() >= MAX_DEPTH {
            return Err(self.fault(at, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        if let Some(Open::Map { key: None, .. }) = self.open.last() {
            return Err(self.fault(at, "a key must be a word or a text, not a list or a mapping"));
        }
        self.open.push(open);
        Ok(())
    }

    fn finish(&mut self, node: Node) {
        match self.open.last_mut() {
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, key, .. }) => {
                if let Some((key, key_at)) = key.take() {
                    entries.push(Entry { key, key_at, value: node });
                }
            }
            None => self.root = Some(node),
        }
    }

    fn count(&mut self, at: Pos) -> Result<(), Fault> {
        self.nodes += 1;
        if self.nodes > MAX_NODES { Err(self.fault(at, format!("more than {MAX_NODES} values"))) } else { Ok(()) }
    }

    fn anchors(&self, at: Pos) -> Fault {
        self.fault(at, "anchors and aliases (`&` and `*`) are not used here")
            .with_hint("write the value out, or put a text that starts with `*` or `&` in quotes")
    }

    fn syntax(&self, at: Marker, info: &str) -> Fault {
        let at = self.pos(at);
        let fault = self.fault(at, format!("not readable as YAML: {info}"));
        if info.contains("anchor") {
            return self.anchors(at);
        }
        // This line and the one before.
        let near = self.lines.iter().take(at.line).skip(at.line.saturating_sub(2));
        if near.clone().any(|line| line.contains("${") && line.contains(['[', '{'])) {
            return fault.with_hint("inside [ ] or { } put it in quotes: \"${NAME}\"");
        }
        if near.clone().any(|line| line.contains('\t')) {
            return fault.with_hint("indent with spaces, not with tabs");
        }
        fault
    }

    fn fault(&self, at: Pos, message: impl Into<String>) -> Fault {
        let path = self.path();
        Fault { line: at.line, column: at.column, path: path.to_string(), ..Fault::of_file(self.file, message) }
    }

    /// The parser's place; the end of the file for what it misses only on a line after that.
    fn pos(&self, marker: Marker) -> Pos {
        let at = Pos { line: marker.line().max(1), column: marker.col() + 1 };
        if at.line > self.end.line { self.end } else { at }
    }

    /// The way to where the reading stands.
    fn path(&self) -> Path {
        self.open.iter().fold(Path::default(), |path, open| match open {
            Open::List { items, .. } => path.index(items.len()),
            Open::Map { key: Some((key, _)), .. } => path.key(key),
            Open::Map { key: None, .. } => path,
        })
    }
}

/// Where the signs of a text in quotes stand that ends on the line where it starts; `rest` is that line from its first sign on.
fn escaped(rest: &str, text: &str, style: ScalarStyle, line: usize, column: usize) -> Lines {
    let mut columns = Vec::new();
    let mut signs = rest.chars().zip(column..).peekable();
    while let Some((sign, column)) = signs.next() {
        columns.extend(u16::try_from(column));
        let more = match (style, sign, signs.peek().map(|(next, _)| *next)) {
            (ScalarStyle::SingleQuoted, '\'', Some('\'')) => 1,
            (ScalarStyle::SingleQuoted, '\'', _) | (ScalarStyle::DoubleQuoted, '"', _) => break,
            (ScalarStyle::DoubleQuoted, '\\', Some('x')) => 3,
            (ScalarStyle::DoubleQuoted, '\\', Some('u')) => 5,
            (ScalarStyle::DoubleQuoted, '\\', Some('U')) => 9,
            (ScalarStyle::DoubleQuoted, '\\', _) => 1,
            _ => 0,
        };
        signs.by_ref().take(more).for_each(drop);
    }
    // What is read otherwise than it was read here has no places.
    if columns.len() == text.chars().count() + 1 { Lines::Escaped { line, columns } } else { Lines::Unknown }
}
