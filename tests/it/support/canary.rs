//! Canaries: the secrets that the stories plant, and every log line of the test binary, to be held against each other.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Mutex, OnceLock, PoisonError};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Whole lines that are kept to be looked through; older ones were looked through already.
static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static SECRETS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
/// Bytes of the shortest text that is taken for a secret.
const SHORTEST: usize = 10;
static SEEN: Mutex<usize> = Mutex::new(0);
static LISTENING: OnceLock<()> = OnceLock::new();

/// Where all log lines of the process go.
#[derive(Clone, Copy)]
struct Ear;

impl Write for Ear {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LINES.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Ear {
    type Writer = Self;
    fn make_writer(&self) -> Self {
        *self
    }
}

/// Hears every line of the whole process from now on, and knows these secrets.
pub(crate) fn listen(secrets: &[&str]) {
    know(secrets);
    LISTENING.get_or_init(|| {
        let lines = tracing_subscriber::fmt().with_env_filter(EnvFilter::new("info,taskbridge=trace"));
        lines.with_ansi(false).with_writer(Ear).init();
    });
}

/// Knows these secrets; a text too short to be told from other words is none.
pub(crate) fn know(secrets: &[&str]) {
    let secrets = secrets.iter().filter(|secret| secret.len() >= SHORTEST).map(|secret| (*secret).to_owned());
    SECRETS.lock().unwrap_or_else(PoisonError::into_inner).extend(secrets);
}

/// The first of the secrets known so far in what a process printed, with that line.
pub(crate) fn leak_in(text: &str) -> Option<String> {
    first_leak(text, &SECRETS.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The first of the secrets known so far in a log line not looked through yet, with that line.
pub(crate) fn leak() -> Option<String> {
    let heard = std::mem::take(&mut *LINES.lock().unwrap_or_else(PoisonError::into_inner));
    *SEEN.lock().unwrap_or_else(PoisonError::into_inner) += heard.len();
    let secrets = SECRETS.lock().unwrap_or_else(PoisonError::into_inner);
    first_leak(&String::from_utf8_lossy(&heard), &secrets)
}

/// How many bytes of lines were looked through.
pub(crate) fn heard() -> usize {
    *SEEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The first line that holds one of the secrets.
pub(crate) fn first_leak(text: &str, secrets: &BTreeSet<String>) -> Option<String> {
    let hit = |line: &&str| secrets.iter().any(|secret| line.contains(secret.as_str()));
    text.lines().find(hit).map(|line| format!("a secret in the log: {line}"))
}
