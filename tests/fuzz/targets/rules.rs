//! Rule files. An input is the whole file; `${HOOK}` in it is a secret of the environment.
//!
//! Promises: every fault and warning has a place inside the file, is one line, and shows no secret; a line put in front
//! moves every place by one and changes nothing else; the same file gives the same version.

use std::collections::BTreeMap;
use std::path::Path;

use taskbridge::config::{Fault, FileText, Loaded, Reader, fingerprint, load};

use super::Target;

pub(crate) const RULES: Target = Target {
    name: "rules",
    check,
    words: &[
        "rules:\n",
        "  - name: a\n",
        "    on: { label: copilot-fix }\n",
        "    prompt: \"{{ issue.title }}\"\n",
        "sources:\n",
        "  github: { type: github, secrets: \"${HOOK}\" }\n",
        "${HOOK}",
        "{ file: x }",
        "    when: ",
        "actor.login == 'a'",
        "    allow: ",
        "    once_per: ",
        "    limits: ",
        "    task:\n",
        "      repo: a/b\n",
        "    run_as: ",
        "    report: ",
        "&a ",
        "*a",
        "!t ",
        "? ",
        "- ",
        "|\n",
        ">-\n",
        "\"",
        "'",
        "{",
        "}",
        "[",
        "]",
        "\t",
        "# ",
        "10m",
        "1e9",
        "~",
        "\r\n",
        "\r",
        "\u{feff}",
        "---\n",
        "...\n",
        "%YAML 1.2\n",
        "{{ ",
        "}}",
        "{% for x in y %}",
        "server:\n",
        "  listen: ",
        "retention:\n",
        "github:\n",
        "rules_from: ",
        "\u{85}",
        "\u{2028}",
        "\u{7f}",
        "é\u{1f600}",
        "\"\\n\": ",
        "|2",
        ": ",
        ", ",
    ],
    slowest_ms: 3_000,
};

/// What must not be shown.
const CANARY: &str = "cAnArY-0123456789abcdef";
const NAME: &str = "dir/t.yaml";

fn check(data: &[u8]) {
    let first = read(data);
    let found = match &first {
        Ok(loaded) => &loaded.warnings,
        Err(faults) => {
            assert!(!faults.is_empty(), "refused for no reason");
            faults
        }
    };
    let lines = Lines::of(data);
    for fault in found {
        assert!(lines.holds(fault), "{fault:?} is not in the file");
        let shown = fault.to_string();
        assert!(!shown.contains('\n') && !shown.contains('\r'), "{shown:?}");
        assert!(!shown.contains(CANARY), "{shown:?}");
    }
    let reader = reader(data);
    assert_eq!(fingerprint(Path::new(NAME), &reader), fingerprint(Path::new(NAME), &reader));
    let moved = [b"# a line in front\n", data].concat();
    // A byte order mark belongs at the very beginning.
    if data.starts_with(b"\xef\xbb\xbf") || data.len() > 1_000_000 {
        return;
    }
    match (first, read(&moved)) {
        (Ok(first), Ok(second)) => {
            assert_eq!(first.rules.version, second.rules.version);
            assert_eq!(first.warnings.len(), second.warnings.len());
        }
        (Err(first), Err(second)) => {
            let first: Vec<Fault> = first.into_iter().map(one_lower).map(without_number).collect();
            let second: Vec<Fault> = second.into_iter().map(at_the_beginning).map(without_number).collect();
            assert_eq!(first, second);
        }
        (first, second) => panic!("a comment decides: {first:?} {second:?}"),
    }
}

fn one_lower(mut fault: Fault) -> Fault {
    fault.line += usize::from(fault.line > 0);
    fault
}

/// In a file without any value, what is missing is told at its very beginning.
fn at_the_beginning(mut fault: Fault) -> Fault {
    if (fault.line, fault.column) == (1, 1) {
        fault.line = 2;
    }
    fault
}

/// What stands twice tells the line of the first one, which has moved too.
fn without_number(mut fault: Fault) -> Fault {
    fault.message.retain(|c| !c.is_ascii_digit());
    fault
}

fn read(data: &[u8]) -> Result<Box<Loaded>, Vec<Fault>> {
    load(Path::new(NAME), &reader(data)).map(Box::new).map_err(|faults| faults.0)
}

fn reader(data: &[u8]) -> Reader {
    let env = BTreeMap::from([("HOOK".to_owned(), CANARY.to_owned())]);
    Reader::of(env, BTreeMap::from([(NAME.into(), FileText { bytes: data.to_vec(), mode: Some(0o600) })]))
}

/// How long each line is, in characters.
struct Lines(Vec<usize>);

impl Lines {
    fn of(data: &[u8]) -> Self {
        let text = String::from_utf8_lossy(data);
        // As editors count: a line ends at a line feed, a carriage return, or both together.
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        Self(text.split('\n').map(|line| line.chars().count()).collect())
    }

    fn holds(&self, fault: &Fault) -> bool {
        match (fault.line, fault.column) {
            (0, 0) => true,
            (line, column) => {
                line >= 1 && column >= 1 && self.0.get(line - 1).is_some_and(|length| column <= length + 1)
            }
        }
    }
}
