//! One integration binary: stories against the sandbox and a real PostgreSQL.

mod config;
