//! What is left of a stranger's text when everything is gone that the reader of the page would not see.

use super::hidden::remove_invisible;
use super::marker::strip_markers;
use super::markup::{reduce_markup, remove_comments};

pub(super) const CUT: &str = "\n[… cut]";

/// How often nested tricks are unwrapped before the characters they are made of are taken away.
const PASSES: usize = 6;

/// `text` without hidden parts: HTML comments (closed or not), invisible characters, the texts of images,
/// link titles, link definitions and HTML attributes, and lines that look like a marker of ours. Cut to
/// `limit` characters with a visible mark. Cleaning twice changes nothing more.
#[must_use]
pub fn clean(text: &str, limit: usize) -> String {
    // Nothing that removal leaves behind needs more than this; the rest of a huge text is never looked at.
    let bounded = head(text, limit.saturating_mul(8).max(4096));
    let visible = remove_invisible(bounded);
    let mut visible = if visible.contains(['<', '[', ':']) { remove_markup(visible) } else { visible };
    let kept = visible.trim_end().len();
    visible.truncate(kept);
    cut(visible, limit, bounded.len() < text.len())
}

/// [`clean`] for what belongs on one line: line ends and runs of white space become one space.
#[must_use]
pub fn clean_line(text: &str, limit: usize) -> String {
    let mut cleaned = clean(text, limit);
    for _ in 0..PASSES {
        if !cleaned.contains(['\n', '\t']) && !cleaned.contains("  ") {
            return cleaned;
        }
        // Lines that are harmless one by one can make a marker together.
        cleaned = clean(&joined(&cleaned), limit);
    }
    joined(&cleaned)
}

fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn remove_markup(mut text: String) -> String {
    for _ in 0..PASSES {
        let next = strip_markers(&reduce_markup(&remove_comments(&text)));
        if next == text {
            return text;
        }
        text = next;
    }
    text.retain(|c| !matches!(c, '<' | '[' | ']'));
    strip_markers(&text)
}

fn cut(text: String, limit: usize, already: bool) -> String {
    if !already && text.chars().nth(limit).is_none() {
        return text;
    }
    let room = limit.saturating_sub(CUT.chars().count());
    // Half of a harmless thing can be a trick of its own.
    let kept = remove_markup(head(&text, room).to_owned());
    format!("{}{CUT}", kept.trim_end())
}

/// The first `limit` characters.
fn head(text: &str, limit: usize) -> &str {
    text.char_indices().nth(limit).map_or(text, |(end, _)| &text[..end])
}
