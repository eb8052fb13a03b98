//! Text by strangers reaches a language model here, so this is where it stops being able to pretend:
//! what a reader of the page would not see is removed, the rest is named as quoted material, and the two
//! marks that taskbridge itself relies on (the marker of a prompt, the footer of a comment) cannot be forged.

use serde::{Deserialize, Serialize};

mod bare;
mod clean;
mod fence;
mod footer;
mod hidden;
mod marker;
mod markup;

pub use bare::bare;
pub use clean::{clean, clean_line};
pub use fence::{fence, name, quote};
pub use footer::Footer;
pub use marker::{Marker, MarkerText, find_marker, strip_markers, with_marker};

/// `untrusted`: text by people who could not have started the task themselves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Untrusted {
    /// Quoted in a fence and named as quoted material.
    #[default]
    Fence,
    /// Left out.
    Strip,
    /// The task waits for approval.
    Hold,
}

#[cfg(test)]
mod tests;
