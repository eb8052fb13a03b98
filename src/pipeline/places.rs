//! The cells of the database that sealed values belong to.

use crate::vault::Place;

/// A person's access token; `row` is the account number.
pub(super) fn token_place(row: &str) -> Place<'_> {
    Place { table: "people", row, column: "token" }
}

/// The access token of an app that speaks in a chat.
pub(super) fn chat_token_place(source: &str) -> Place<'_> {
    Place { table: "chat_tokens", row: source, column: "token" }
}

/// The refresh token of an app that speaks in a chat.
pub(super) fn chat_refresh_place(source: &str) -> Place<'_> {
    Place { table: "chat_tokens", row: source, column: "refresh_token" }
}

/// A token that is to be ended at GitHub; `row` is the id of that.
pub(super) fn revocation_place(row: &str) -> Place<'_> {
    Place { table: "revocations", row, column: "token" }
}

/// A person's refresh token; `row` is the account number.
pub(super) fn refresh_place(row: &str) -> Place<'_> {
    Place { table: "people", row, column: "refresh_token" }
}
