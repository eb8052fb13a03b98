//! Pure thought: no I/O, no clock, no randomness of its own. What comes in decides what goes out.

/// How long to wait before the next try.
pub mod backoff;
/// What somebody says in a chat.
pub mod chat;
/// Whether the other side answers at all.
pub mod circuit;
/// The command line that people write in comments.
pub mod command;
/// `when` of a rule: a CEL condition, bounded when loaded.
pub mod condition;
/// The common reading of a delivery.
pub mod event;
/// How many writes an hour are made with one token.
pub mod hourly;
/// Text in pages.
pub mod html;
/// Who somebody is on a chat platform.
pub mod identity;
/// What makes two deliveries one wish.
pub mod intent;
/// The known word nearest to one that was written.
pub(crate) mod nearest;
/// What receivers of outgoing webhooks hear.
pub mod outgoing;
/// `prompt` and other templates of a rule: strict, with fuel and size limits.
pub mod prompt;
/// Which addresses belong to the whole internet.
pub mod public_address;
/// What tells what became of a renewal whose answer was lost.
pub mod renewal;
/// A rule: when an event matches, what it becomes, as whom, within what limits.
pub mod rule;
/// All rules together, with an index.
pub mod rule_set;
/// Keys that webhooks are signed with.
pub mod signing_key;
/// Room for what calls itself often.
mod stack;
/// The states of a task and the steps between them.
pub mod task;
/// The words that people read on GitHub.
pub mod telling;
/// What to do with text by people who could not have started the task.
pub mod trust;
/// What templates and conditions may look at: one JSON value made from an event.
pub mod view;
