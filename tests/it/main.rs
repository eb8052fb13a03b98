//! One integration binary: stories against the sandbox and a real PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, and the line says where")]

mod api_document;
mod api_doors;
mod api_kit;
mod api_lists;
mod api_steer;
mod architecture;
mod canary;
mod config;
mod crash_kill;
mod docs_commands;
mod docs_pages;
mod docs_set_up;
mod embedded_postgres;
mod github_app;
mod github_calls;
mod github_kit;
mod github_limits;
mod github_pulls;
mod github_redirects;
mod github_setup;
mod github_tasks;
mod github_tls;
mod github_wire;
mod sandbox_control;
mod sandbox_docs;
mod sandbox_faults;
mod sandbox_gate;
mod sandbox_shapes;
mod sandbox_tasks;
mod sandbox_threads;
mod sandbox_world;
mod story_explain;
mod story_label;
mod story_start;
mod story_sweep;
mod story_uncertain;
mod support;
mod test_database;
