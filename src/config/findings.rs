//! What the checks collect: they go on after a fault, so that all are told at once.

use super::fault::Fault;
use super::node::Document;
use super::place::Path;

/// What the checks have found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) faults: Vec<Fault>,
    pub(super) warnings: Vec<Fault>,
}

impl Findings {
    /// Notes a fault at the value that `path` leads to, or as near to it as the file has one.
    pub(super) fn fault(&mut self, document: &Document, path: &Path, message: impl Into<String>) {
        self.faults.push(document.fault(path, message));
    }

    /// The same, with advice.
    pub(super) fn fault_with(&mut self, document: &Document, path: &Path, message: impl Into<String>, hint: &str) {
        self.faults.push(document.fault(path, message).with_hint(hint));
    }

    /// Notes something doubtful that does not keep the service from starting.
    pub(super) fn warn(&mut self, document: &Document, path: &Path, message: impl Into<String>) {
        self.warnings.push(document.fault(path, message));
    }
}
