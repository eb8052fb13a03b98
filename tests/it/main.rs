//! One integration binary: stories against the sandbox and a real PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, and the line says where")]

mod embedded_postgres;
mod support;
mod test_database;
