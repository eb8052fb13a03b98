//! The cells of the database that sealed values belong to.

use crate::vault::Place;

/// A person's access token; `row` is the account number.
pub(super) fn token_place(row: &str) -> Place<'_> {
    Place { table: "people", row, column: "token" }
}

/// A person's refresh token; `row` is the account number.
pub(super) fn refresh_place(row: &str) -> Place<'_> {
    Place { table: "people", row, column: "refresh_token" }
}
