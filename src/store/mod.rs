//! PostgreSQL is the only state and the only coordination, and this room holds the only SQL: a file
//! a record. Every statement opens with a comment that names its function.
//!
//! Transactions are short and none is held open across a call to the outside. Leases are taken with
//! `FOR UPDATE SKIP LOCKED` on the database's clock and fenced by a token: a write that arrives after
//! its lease was taken by another changes no row.
//!
//! Statements that only take or give back a lease turn `synchronous_commit` off for themselves: they need not wait for the
//! disk. If the database crashes and forgets one, the work is taken up again, as after any lease that ran out, and who
//! held it meets the fence. A later commit that matters takes all earlier ones to the disk with it. The claims of deliveries
//! and reports are no such statements: their counts of tries say who kills its worker, and whether to look for what may
//! have been written already.

/// Keys of the admin API.
pub mod api_keys;
/// Tries to start a task.
pub mod attempts;
/// Pairs of tokens of apps whose chat lets them end.
pub mod chat_tokens;
/// What waits until a chat account is linked, and how often an address for answers was used.
pub mod chats;
/// Connecting, migrating, readiness.
pub mod connect;
/// What a rule said to a delivery.
pub mod decisions;
/// Received webhooks.
pub mod deliveries;
/// Whether there is room.
mod disk;
/// The private server for installations without a database.
pub mod embedded;
/// What can go wrong.
pub mod error;
/// Deleting what was kept long enough.
pub mod forget;
/// Statements end in time.
pub(crate) mod in_time;
mod lent;
/// Chat accounts and the people they are bound to.
pub mod links;
mod many;
/// The part of the outbox that goes to receivers of webhooks.
pub mod outgoing;
/// What is paused.
pub mod pauses;
/// People and their sealed tokens.
pub mod people;
mod plans;
/// One refresher for each pair of tokens.
pub mod refreshes;
/// Counts of requests turned away.
pub mod refusals;
/// The outbox.
pub mod reports;
/// Tokens that are to be ended at GitHub.
pub mod revocations;
/// Rule sets that were in force.
pub mod rule_versions;
/// Sign-ins on their way, and the sessions after them.
pub mod sign_ins;
/// How far each person's remote tasks were read.
pub mod sweeps;
/// Tasks.
pub mod tasks;
mod text;
/// One transaction, passed along.
pub mod tx;
/// Labels that were taken off.
pub mod unlabels;
/// One write at a time for each token.
pub mod writers;

pub use connect::{ConnectError, Store, StoreSettings};
pub use error::StoreError;
pub use tx::Tx;

use chrono::{DateTime, Utc};

/// How long a lease lasts, on the database's clock.
#[derive(Debug, Clone, Copy)]
pub struct Lease {
    /// Who holds it; a new value each time it is taken.
    pub token: uuid::Uuid,
    /// How long, in milliseconds.
    pub millis: i64,
}

impl Lease {
    /// A new lease for `lasting`.
    #[must_use]
    pub fn new(ground: &crate::clock::Ground, lasting: std::time::Duration) -> Self {
        Self { token: crate::ids::uuid_v7(ground), millis: i64::try_from(lasting.as_millis()).unwrap_or(i64::MAX) }
    }
}

/// One page of a list ordered by id, newest first.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// Only rows older than this id.
    pub before: Option<uuid::Uuid>,
    /// At most this many rows.
    pub limit: i64,
}

/// No row's own time is further than this from the time in its id, which the same process took a little
/// earlier; in seconds, and generous.
const ID_SLACK_S: i64 = 3600;

/// The smallest id that a row of `since` or later can have: narrows a list by time to a part of its primary key.
pub(crate) fn first_id_since(since: Moment) -> uuid::Uuid {
    crate::ids::uuid_floor(since - chrono::TimeDelta::seconds(ID_SLACK_S))
}

/// A moment, as every table keeps it.
pub type Moment = DateTime<Utc>;
