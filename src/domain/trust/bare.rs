//! A text as it is shown to somebody who decides about it: what the agent would read, they read too. It belongs into a fence,
//! where nothing in it is markup.

use std::fmt::Write as _;

use super::clean::CUT;
use super::footer;
use super::hidden::{is_invisible, is_symbol};
use super::marker::strip_markers;

/// `text` with its hidden parts: comments as they stand, invisible characters as their numbers. Only our own marks are taken
/// out. Cut to about `limit` characters with a visible mark.
#[must_use]
pub fn bare(text: &str, limit: usize) -> String {
    let text = strip_markers(text).replace(footer::OPEN, "<!-- ");
    let (mut out, mut length, mut before) = (String::new(), 0, '\n');
    for c in text.trim_end().chars() {
        if length >= limit {
            out.push_str(CUT);
            break;
        }
        let is_drawn = matches!(c, '\u{FE0E}' | '\u{FE0F}') && is_symbol(before) || c == '\r';
        if is_invisible(c) && !is_drawn {
            let number = c.escape_unicode();
            length += number.len();
            let _ = write!(out, "{number}");
        } else {
            length += 1;
            out.push(c);
        }
        before = c;
    }
    out
}
