//! What a bench can be told on its command line: the same words for all of them.

/// The words after `--`.
pub(crate) struct Args(Vec<String>);

impl Args {
    /// `None` when it was not `cargo bench` that asked: `cargo test --all-targets` starts benches too, and there
    /// they would only take time.
    pub(crate) fn read() -> Option<Self> {
        let words: Vec<String> = std::env::args().skip(1).collect();
        if words.iter().any(|word| word == "--bench") {
            return Some(Self(words));
        }
        println!("this is a benchmark: run it with `cargo bench`");
        None
    }

    /// Whether `word` was given: `--json` (one JSON object on standard output, words on standard error),
    /// `--quick` (a few seconds in all, numbers that mean little), and what a bench has of its own.
    pub(crate) fn has(&self, word: &str) -> bool {
        self.0.iter().any(|given| given == word)
    }

    /// `--seconds N`: how long each measurement lasts.
    pub(crate) fn seconds(&self, usual: f64, quick: f64) -> f64 {
        let at = self.0.iter().position(|given| given == "--seconds");
        let given = at.and_then(|at| self.0.get(at + 1)?.parse().ok()).filter(|seconds| *seconds > 0.0);
        given.unwrap_or(if self.has("--quick") { quick } else { usual })
    }
}
