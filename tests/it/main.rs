//! One integration binary: stories against the sandbox and a real PostgreSQL.
//! (being built)

mod sandbox_control;
mod sandbox_docs;
mod sandbox_faults;
mod sandbox_gate;
mod sandbox_shapes;
mod sandbox_tasks;
mod sandbox_threads;
mod sandbox_world;
