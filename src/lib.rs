//! taskbridge turns signed webhooks and commands in comments into GitHub Copilot cloud-agent tasks.
//!
//! This page is the map: one sentence a room. Which room may use which is told, from the ground up, in
//! `docs/architecture.md` (and a test holds it).
//!
//! The walk of one webhook: [`http`] takes the request, [`pipeline`] verifies, records, matches,
//! renders, starts, sweeps and reports it, [`workers`] decide how often each of those steps runs.

/// Time and chance, the two things that must come in as arguments everywhere else.
pub mod clock;
/// Named places where a process may be made to die, for the crash program; empty in a release.
pub mod fail_point;
/// Names for records: time-ordered, typed, so that a task's id cannot be passed for a delivery's.
pub mod ids;
/// Text that must not be printed.
pub mod secret;

/// The outside: what is said in chats.
pub mod chat;
/// The roof: the command line, the only place where all is put together.
pub mod cli;
/// What the operator may say, a section a file, every fault with its line and column.
pub mod config;
/// Pure thought, no I/O: events, rules, conditions, prompts, commands, trust, limits, states.
pub mod domain;
/// The outside: what is asked of GitHub and told to it.
pub mod github;
/// Doors: webhooks, admin REST, health.
pub mod http;
/// The other outside: receivers of webhooks about tasks.
pub mod outgoing;
/// The story of a webhook, a step a file.
pub mod pipeline;
/// A simulated GitHub with faults on demand, for the demo, for trial and for tests.
pub mod sandbox;
/// Dialects: how each sender signs and how its payload reads.
pub mod sources;
/// PostgreSQL: the only state, the only coordination and the only SQL.
pub mod store;
/// Sealing and opening of stored tokens.
pub mod vault;
/// How often each step runs: one loop, and a line a worker.
pub mod workers;
