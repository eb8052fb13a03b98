//! The story of a webhook, a step a file, in the order in which it is told:
//! `verify`, `record`, `match_rules` (with `guard`, `render_prompt` and `decide`), `start_task`,
//! `settle_uncertain`, `sweep_tasks` (with `observe`), `report`, `forget`.
//!
//! Doors and workers call these functions; the functions never call a door.

/// Keys of the admin API.
pub mod api_keys;
/// What GitHub was asked about rights for one delivery.
pub mod asked;
/// The parts that every step needs, and the configuration in force.
pub mod bridge;
/// What is said to us in a chat.
pub mod chat;
/// One transaction from selected rules to tasks.
pub mod decide;
/// A decision told in words.
pub mod explain;
mod find_repo;
/// Deleting what was kept long enough.
pub mod forget;
/// Who may, and what is our own doing.
pub mod guard;
/// What a message led to, for chats that are answered at once or never.
pub mod heard;
/// The deliveries that this process holds.
pub mod in_hand;
mod installed;
/// From a chat account to a person.
pub mod links;
/// From a recorded delivery to decisions and tasks.
pub mod match_rules;
/// Taking in what GitHub says about a task.
pub mod observe;
/// Telling receivers of webhooks.
pub mod outgoing;
mod over_limit;
mod own_words;
/// People: adding, removing, whose token.
pub mod people;
mod places;
mod read_again;
/// From a verified request to a committed row.
pub mod record;
mod record_start;
/// Renewing pairs of tokens.
pub mod refresh;
/// From a rule and an event to the exact prompt.
pub mod render_prompt;
/// Telling people.
pub mod report;
/// Sealing anew what is stored.
pub mod reseal;
/// Ending at GitHub what is no longer wanted here.
pub mod revoke;
mod send_report;
/// Settling tasks whose start has an unknown outcome.
pub mod settle_uncertain;
mod sight;
/// People sign in for themselves.
pub mod sign_in;
/// Sockets through which chats send, and how they stand.
pub mod sockets;
/// What a delivery and the rules alone tell.
pub mod sort;
/// From a pending task to a remote one, exactly once.
pub mod start_task;
/// What operators and people may do to a task or delivery.
pub mod steer;
/// Following remote tasks, a person a round.
pub mod sweep_tasks;
mod tally;
/// Telling people in chats.
pub mod tell_chat;
mod token_ended;
/// The one place where a task changes its state.
pub mod transition;
mod usable;
/// From a request to a proof that its sender signed it.
pub mod verify;
mod whisper;
mod why_not;

pub use bridge::{Bridge, Live, Settings};

use crate::domain::task::IllegalStep;
use crate::store::StoreError;

/// Why a step could not do its work now. Each says who acts next.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The database: retry if it is passing, else a person must look.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Stale news: give up, another worker has moved on.
    #[error(transparent)]
    Illegal(#[from] IllegalStep),
}

/// Runs `step` for each of `items`, at most `limit` at once. A panic in one is logged and does not touch the
/// others; the first error is answered after all have ended.
pub(crate) async fn each_at_once<T, F>(items: Vec<T>, limit: usize, step: impl Fn(T) -> F) -> Result<(), StepError>
where
    F: Future<Output = Result<(), StepError>> + Send + 'static,
{
    let mut running = tokio::task::JoinSet::new();
    let mut first = Ok(());
    let mut take = |outcome: Result<Result<(), StepError>, tokio::task::JoinError>| match outcome {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::error!(%error, "a step could not be finished; it is taken up again when its lease has run out");
            if first.is_ok() {
                first = Err(error);
            }
        }
        Err(panic) => tracing::error!(%panic, "a step panicked; what it worked on is taken up again"),
    };
    for item in items {
        while running.len() >= limit.max(1) {
            if let Some(outcome) = running.join_next().await {
                take(outcome);
            }
        }
        running.spawn(step(item));
    }
    while let Some(outcome) = running.join_next().await {
        take(outcome);
    }
    first
}
