//! What the terminal shows: a block a step, with the time since the start. Colour only where a person sees it.

use std::io::{IsTerminal as _, Write as _};
use std::time::Instant;

use crate::domain::trust::clean_line;

/// Widest line of a detail, in characters: with what stands before it, a hundred.
const WIDTH: usize = 73;
/// Where details begin: after the time, the mark and the name of the step.
const INDENT: usize = 25;

/// The terminal.
#[derive(Debug)]
pub(super) struct Screen {
    colour: bool,
    begun: Instant,
}

impl Screen {
    pub(super) fn new() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
        Self { colour: wanted && !dumb && std::io::stdout().is_terminal(), begun: Instant::now() }
    }

    /// A step that was done, with what is to be said of it.
    pub(super) fn step(&self, name: &str, text: &str) {
        self.marked("32", "✓", name, text);
    }

    /// Something that goes on.
    pub(super) fn going(&self, name: &str, text: &str) {
        self.marked("36", "·", name, text);
    }

    /// A step that did not happen in time.
    pub(super) fn failed(&self, name: &str, text: &str) {
        self.marked("31", "✗", name, text);
    }

    fn marked(&self, code: &str, mark: &str, name: &str, text: &str) {
        let time = format!("{:>6.2} s", self.begun.elapsed().as_secs_f64());
        self.print(&format!(
            "{}  {} {} {}",
            self.paint("2", &time),
            self.paint(code, mark),
            self.paint("1", &format!("{name:<12}")),
            clean_line(text, 300)
        ));
    }

    /// A line below a step.
    pub(super) fn detail(&self, text: &str) {
        // An address is never cut: it is to be copied.
        let lines = if text.starts_with("http") { vec![clean_line(text, 1000)] } else { wrap(text) };
        for line in lines {
            self.print(&format!("{:INDENT$}{}", "", self.paint("2", &line)));
        }
    }

    /// A text of somebody, with a bar at its left, at most `lines` lines of it.
    pub(super) fn quote(&self, text: &str, lines: usize) {
        let all: Vec<String> = text.trim().lines().flat_map(wrap).collect();
        for line in all.iter().take(lines) {
            self.print(format!("{:INDENT$}{} {}", "", self.paint("2", "│"), line).trim_end());
        }
        if all.len() > lines {
            self.print(&format!(
                "{:INDENT$}{}",
                "",
                self.paint("2", &format!("│ … and {} lines more", all.len() - lines))
            ));
        }
    }

    /// A line of its own.
    pub(super) fn line(&self, text: &str) {
        self.print(text);
    }

    /// A heading.
    pub(super) fn title(&self, text: &str) {
        self.print(&self.paint("1", text));
    }

    /// A label and an address or command to copy, never cut.
    pub(super) fn link(&self, label: &str, text: &str) {
        self.print(&format!("  {label:<20}{}", self.paint("36", text)));
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// A closed pipe is no reason to leave processes behind.
    fn print(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{text}");
        let _ = out.flush();
    }
}

/// A line in as many as it needs; a word that is longer than all of one stands alone.
fn wrap(text: &str) -> Vec<String> {
    let clean = clean_line(text, 1000);
    let mut lines = vec![String::new()];
    for word in clean.split(' ') {
        let last = lines.last().map_or(0, |line| line.chars().count());
        if last > 0 && last + 1 + word.chars().count() > WIDTH {
            lines.push(word.to_owned());
        } else if let Some(line) = lines.last_mut() {
            line.push_str(if last > 0 { " " } else { "" });
            line.push_str(word);
        }
    }
    lines
}
