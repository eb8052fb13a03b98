//! Text that others wrote, made fit for a column.

use std::borrow::Cow;

/// Text fit for a column: no NUL (PostgreSQL refuses it), at most 2,000 characters.
pub(crate) fn bounded(text: &str) -> Cow<'_, str> {
    // Nearly all are short: no character takes less than a byte.
    if text.len() <= 2000 && !text.contains('\0') {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter(|c| *c != '\0').take(2000).collect())
}
