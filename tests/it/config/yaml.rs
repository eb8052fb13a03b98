//! Files that are no YAML we take.

use std::path::Path;
use std::time::{Duration, Instant};

use taskbridge::config::{Reader, fingerprint, load};

use super::faults;

/// Case 77.
#[test]
fn a_doubled_key_names_both_places() {
    assert_eq!(
        faults("sweep:\n  overlap: 1m\n  overlap: 2m\nsweep: {}\n"),
        [
            "t.yaml:3:3: sweep: the key `overlap` stands here a second time, the first is on line 2",
            "t.yaml:4:1: the key `sweep` stands here a second time, the first is on line 1",
        ]
    );
}

/// Case 77.
#[test]
fn aliases_cannot_blow_a_file_up() {
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (name, before) in [("b", "a"), ("c", "b"), ("d", "c"), ("e", "d")] {
        bomb.push_str(&format!("{name}: &{name} [*{before}, *{before}, *{before}, *{before}, *{before}]\n"));
    }
    let faults = faults(&bomb);
    assert_eq!(faults.len(), 1);
    assert!(faults[0].starts_with("t.yaml:1:4: a: anchors and aliases"), "{faults:?}");
}

/// Case 77.
#[test]
fn deep_nesting_is_refused_without_recursion() {
    for text in ["[".repeat(100_000), "{a: ".repeat(100_000), "- ".repeat(100_000), "? ".repeat(100_000)] {
        let faults = faults(&text);
        assert_eq!(faults.len(), 1);
        assert!(faults[0].starts_with("t.yaml:1:"), "{}", &faults[0][..80]);
    }
    let deep = (0..70).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect::<String>();
    let faults = faults(&deep);
    assert!(faults[0].starts_with("t.yaml:65:65: ") && faults[0].contains("nested deeper than 64"), "{faults:?}");
}

#[test]
fn what_cannot_be_read_is_told_with_its_place() {
    for (text, expected) in [
        ("a\n", "t.yaml:1:1: wanted a mapping, found a text"),
        ("- a\n", "t.yaml:1:1: wanted a mapping, found a list"),
        ("sweep: {}\n---\nsweep: {}\n", "t.yaml:2:1: a second document starts here"),
        ("sweep: !big {}\n", "t.yaml:1:8: sweep: tags"),
        ("? [a]\n: b\n", "t.yaml:1:3: a key must be a word"),
        ("sweep: 'x\n", "t.yaml:1:8: sweep: not readable as YAML: while scanning a quoted scalar"),
        ("sweep: *x\n", "t.yaml:1:8: sweep: anchors and aliases"),
    ] {
        let faults = faults(text);
        assert!(faults.len() == 1 && faults[0].starts_with(expected), "{text:?}: {faults:?}");
    }
}

#[test]
fn a_variable_in_a_flow_list_is_told_to_be_quoted() {
    let faults = faults("sources:\n  a: { type: github, secrets: ${X} }\n");
    assert!(faults[0].contains("put it in quotes: \"${NAME}\""), "{faults:?}");
    let later = "a: b: c\nsources: { github: { type: github, secrets: \"${X}\" } }\n";
    assert!(!self::faults(later)[0].contains("put it in quotes"), "no hint for a line after the fault");
}

#[test]
fn a_file_over_one_mebibyte_is_refused() {
    let text = format!("# {}\n", "x".repeat(1024 * 1024));
    assert_eq!(faults(&text), ["t.yaml: the file is larger than 1048576 bytes".to_owned()]);
}

#[test]
fn what_is_missing_after_the_end_is_told_at_the_end() {
    for (text, place) in [
        ("a: [", "t.yaml:1:5: "),
        ("sources:\n  github: { type: github, secrets:", "t.yaml:2:35: "),
        ("a: b\nc", "t.yaml:2:2: "),
        ("? ", "t.yaml:1:3: "),
        // A carriage return that stands alone ends a line too.
        ("a: b\rc: [", "t.yaml:2:5: "),
    ] {
        let faults = faults(text);
        assert!(faults.iter().all(|fault| fault.starts_with(place)), "{text:?}: {faults:?}");
    }
}

/// A fuzzer's inputs are short; what takes long only when it is long is tried here, beside a plain file of the same length that
/// shows how fast the machine is at the moment.
#[test]
fn files_made_to_take_long_do_not() {
    let takes = |text: &str| {
        let started = Instant::now();
        let reader = Reader::fixed(&[], &[("t.yaml", text)]);
        let _ = load(Path::new("t.yaml"), &reader);
        let _ = fingerprint(Path::new("t.yaml"), &reader);
        started.elapsed()
    };
    let usual = "rules:\n".to_owned() + &"  - a\n".repeat(200_000 / 6);
    let (mut made, mut plain) = (Duration::ZERO, Duration::ZERO);
    for piece in [
        "a: ", "- ", "[a, ", "[a],", "a: [b]\n", "'", "\"", "|\n", "  \n", "? ", "a\n", "{a: b}, ", "#", "\t", "%",
        "&a ",
    ] {
        let long = piece.repeat(200_000 / piece.len());
        // One plain file stands for the two beside it.
        plain += takes(&usual) * 2;
        for text in [format!("rules: [{long}]"), long] {
            made += takes(&text);
        }
    }
    assert!(made < plain * 10, "{made:?}, and of plain files {plain:?}");
}
