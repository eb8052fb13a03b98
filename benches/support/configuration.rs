//! A configuration as an operator writes it, so that a bench runs what the product would.

use taskbridge::config::{Loaded, Reader, load};

use crate::hook_secret::HOOK_SECRET;

/// One GitHub source and these rules.
pub(crate) fn configuration(rules: &str) -> Loaded {
    let text = format!("sources:\n  github: {{ type: github, secrets: \"${{HOOK_SECRET}}\" }}\n{rules}");
    let reader = Reader::fixed(&[("HOOK_SECRET", HOOK_SECRET)], &[("/etc/taskbridge.yaml", &text)]);
    load(std::path::Path::new("/etc/taskbridge.yaml"), &reader).unwrap_or_else(|faults| panic!("{faults}"))
}
