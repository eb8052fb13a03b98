//! One integration binary: stories against the sandbox and a real PostgreSQL.

mod embedded_postgres;
mod support;
mod test_database;
