//! One integration binary: stories against the sandbox and a real PostgreSQL.
//! (being built)

mod sandbox_tasks;
mod sandbox_world;
