//! What can be said of a condition's text before it is parsed, or when it cannot be: its depth and length, and mistakes that
//! the parser has no words for.

use cel::ParseErrors;

use super::super::trust::clean_line;
use super::ConditionFault;

const BRACKET_DEPTH: usize = 16;
const LINKS: usize = 500;

/// Nesting and long chains are refused before the parser sees them: each link costs it stack, and at some
/// 1,500 links (`a.a.a…`, `1<1<1…`) a thread's stack is gone. Texts in quotes count too, to be on the safe side. What
/// closes need not fit what is open: the parser skips it, and is held by its own bound then.
pub(super) fn brackets(text: &str) -> Result<(), ConditionFault> {
    let (mut depth, mut links, mut line, mut column) = (0_usize, 0_usize, 1, 0);
    for c in text.chars() {
        column += 1;
        match c {
            '\n' => (line, column) = (line + 1, 0),
            '(' | '[' | '{' => (depth, links) = (depth + 1, links + 1),
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '.' | '<' | '>' | '=' | '+' | '-' | '*' | '/' | '%' | '!' | '?' => links += 1,
            _ => {}
        }
        let message = if depth > BRACKET_DEPTH {
            format!("brackets may be nested {BRACKET_DEPTH} deep at most")
        } else if links > LINKS {
            "this condition is too long; split it into several rules".to_owned()
        } else {
            continue;
        };
        return Err(ConditionFault { message, line, column });
    }
    Ok(())
}

/// What other languages write for `==`, outside of quotes.
pub(super) fn lone_equals(text: &str) -> Option<ConditionFault> {
    let (mut quote, mut before, mut line, mut column) = (None, ' ', 1, 0);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        column += 1;
        match (c, quote) {
            ('\n', _) => (line, column) = (line + 1, 0),
            ('\\', Some(_)) => {
                column += usize::from(chars.next().is_some());
            }
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            ('=', None) if !matches!(before, '=' | '!' | '<' | '>') && chars.peek() != Some(&'=') => {
                let message = "`=` means nothing here: to compare, write `==`".to_owned();
                return Some(ConditionFault { message, line, column });
            }
            _ => {}
        }
        before = c;
    }
    None
}

pub(super) fn syntax(errors: &ParseErrors) -> ConditionFault {
    let first = errors.errors.first();
    let at = |position: isize| usize::try_from(position).unwrap_or(1).max(1);
    let (line, column) = first.map_or((1, 1), |error| (at(error.pos.0), at(error.pos.1)));
    let message = first.map_or("no valid condition", |error| error.msg.as_str());
    ConditionFault { message: clean_line(message, 200), line, column }
}

/// Line and column of a place in the text, which is counted in characters from 0.
pub(super) fn place(text: &str, offset: usize) -> (usize, usize) {
    let (mut line, mut column) = (1, 1);
    for c in text.chars().take(offset) {
        (line, column) = if c == '\n' { (line + 1, 1) } else { (line, column + 1) };
    }
    (line, column)
}

/// Where `name` stands behind a point, after a place.
pub(super) fn name_behind(text: &str, from: usize, name: &str) -> Option<usize> {
    let chars: Vec<char> = text.chars().collect();
    let behind_point = |at: usize| {
        let before = chars[..at].iter().rev().find(|c| !c.is_whitespace());
        // In `?.` and in backticks there may be a sign more.
        matches!(before, Some('.' | '?' | '`'))
    };
    (from..chars.len()).find(|at| stands(&chars, *at, name) && behind_point(*at))
}

/// Where `name` stands whose opening bracket is at a place, or at that place itself.
pub(super) fn name_before(text: &str, at: usize, name: &str) -> Option<usize> {
    let chars: Vec<char> = text.chars().collect();
    (0..=at.min(chars.len())).rev().find(|at| stands(&chars, *at, name))
}

fn stands(chars: &[char], at: usize, name: &str) -> bool {
    let word = |c: Option<&char>| c.is_some_and(|c| c.is_alphanumeric() || *c == '_');
    let mut end = at;
    let same = name.chars().all(|c| {
        end += 1;
        chars.get(end - 1) == Some(&c)
    });
    same && !word(at.checked_sub(1).and_then(|before| chars.get(before))) && !word(chars.get(end))
}
