//! What the guards of a rule say of one delivery.

use crate::pipeline::decide::Plan;
use crate::pipeline::guard::Later;

/// What the guards of a rule say.
pub(super) enum Gate {
    /// They allow it, as far as nothing has to be counted.
    Open(Box<Plan>),
    /// They refuse it.
    Refused {
        /// Why, and what to do.
        cause: String,
        /// What was seen.
        saw: String,
        /// Whether the one who asked may be told.
        tell: bool,
    },
    /// The rule itself failed for this event.
    Failed(String),
    /// GitHub could not be asked.
    Later {
        later: Later,
        /// Whether the actor is known to be allowed.
        known: bool,
    },
}

pub(super) fn refused(cause: impl Into<String>, saw: impl Into<String>, tell: bool) -> Gate {
    Gate::Refused { cause: cause.into(), saw: saw.into(), tell }
}
