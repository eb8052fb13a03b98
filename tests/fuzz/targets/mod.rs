//! The targets: what is tried, with which words, and how long one input may take.

mod answer;
mod command;
mod condition;
mod cursor;
mod doors;
mod payload;
mod prompt;
mod rules;
mod sealed;
mod sender;
mod signature;
mod slack;
mod template;

pub(crate) use answer::ANSWER;
pub(crate) use command::COMMAND;
pub(crate) use condition::CONDITION;
pub(crate) use cursor::CURSOR;
pub(crate) use doors::DOORS;
pub(crate) use payload::PAYLOAD;
pub(crate) use prompt::PROMPT;
pub(crate) use rules::RULES;
pub(crate) use sealed::SEALED;
pub(crate) use sender::SENDER;
pub(crate) use signature::SIGNATURE;
pub(crate) use slack::SLACK;
pub(crate) use template::TEMPLATE;

/// Something that takes bytes from strangers.
pub(crate) struct Target {
    /// The name of its folder in the corpus.
    pub(crate) name: &'static str,
    /// Panics when a promise does not hold.
    pub(crate) check: fn(&[u8]),
    /// Pieces that noise would not find: put into inputs when they are changed.
    pub(crate) words: &'static [&'static str],
    /// Longest time for one input, in milliseconds, without optimisation and on a busy machine.
    pub(crate) slowest_ms: u64,
}

#[cfg(guided)]
pub(crate) const ALL: [&Target; 13] = [
    &SIGNATURE, &PAYLOAD, &COMMAND, &RULES, &CURSOR, &PROMPT, &TEMPLATE, &CONDITION, &ANSWER, &SEALED, &SENDER, &SLACK,
    &DOORS,
];
