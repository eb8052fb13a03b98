//! What the operator may say: good files load, bad ones are told whole and in place.

mod faults;
mod files;
mod generated;
mod outgoing;
mod restart;
mod rule_set;
mod rules;
mod secrets;
mod senders;
mod slack;
mod yaml;

use std::path::Path;

use taskbridge::config::{Loaded, Reader, load};

/// Long enough not to be warned about.
const HOOK_SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Loads `text` as `t.yaml`, with a webhook secret in the environment.
fn load_text(text: &str) -> Result<Loaded, Vec<String>> {
    let reader = Reader::fixed(&[("GITHUB_WEBHOOK_SECRET", HOOK_SECRET)], &[("t.yaml", text)]);
    load(Path::new("t.yaml"), &reader).map_err(|faults| faults.0.iter().map(ToString::to_string).collect())
}

/// The faults of `text`, one a line.
fn faults(text: &str) -> Vec<String> {
    load_text(text).expect_err("the file is bad")
}

/// The warnings of a good `text`.
fn warnings(text: &str) -> Vec<String> {
    load_text(text).expect("the file is good").warnings.iter().map(ToString::to_string).collect()
}
