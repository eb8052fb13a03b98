//! Whatever stands in a file, the loader answers.

use std::path::Path;

use proptest::prelude::*;
use taskbridge::config::{Reader, fingerprint, load};

fn try_load(text: &str) {
    let reader = Reader::fixed(&[("X", "0123456789abcdef")], &[("t.yaml", text)]);
    if let Err(faults) = load(Path::new("t.yaml"), &reader) {
        assert!(!faults.0.is_empty());
        let lines = text.lines().count();
        for fault in &faults.0 {
            assert!(fault.line <= lines + 1, "{fault}: {text:?}");
            assert!(!fault.to_string().contains('\n'), "{fault:?}");
        }
    }
    let _ = fingerprint(Path::new("t.yaml"), &reader);
}

/// Pieces that make files which come further than noise does.
const PIECES: [&str; 42] = [
    "\"\\n\": ",
    "\u{7f}",
    "rules:",
    "\n",
    "\n  ",
    "\n    ",
    "- ",
    "name: ",
    "a",
    "on: ",
    "label: ",
    "{",
    "}",
    "[",
    "]",
    ", ",
    "prompt: ",
    "|",
    "|2",
    ">-",
    "'",
    "\"",
    "${X}",
    "*",
    "&a ",
    "!t ",
    "task:",
    "when: ",
    "sources:",
    "github: ",
    "type: github",
    "secrets: ",
    "1",
    "10m",
    "true",
    "~",
    "{{ a",
    "}}",
    "# ",
    "\t",
    "é\u{1f600}",
    ": ",
];

proptest! {
    #[test]
    fn any_text_is_answered(text in any::<String>()) {
        try_load(&text);
    }

    #[test]
    fn any_heap_of_pieces_is_answered(pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..60)) {
        try_load(&pieces.concat());
    }

    #[test]
    fn a_good_file_with_one_piece_put_in_is_answered(at in 0_usize..400, piece in prop::sample::select(PIECES.to_vec())) {
        let good = include_str!("../../../examples/taskbridge.yaml").get(700..).unwrap_or_default().to_owned();
        let at = (0..=at.min(good.len())).rev().find(|&at| good.is_char_boundary(at)).unwrap_or(0);
        try_load(&format!("{}{piece}{}", &good[..at], &good[at..]));
    }
}

#[test]
fn files_made_to_take_long_do_not() {
    let started = std::time::Instant::now();
    for piece in [
        "a: ", "- ", "[a, ", "[a],", "a: [b]\n", "'", "\"", "|\n", "  \n", "? ", "a\n", "{a: b}, ", "#", "\t", "%",
        "&a ",
    ] {
        try_load(&piece.repeat(200_000 / piece.len()));
        try_load(&format!("rules: [{}]", piece.repeat(200_000 / piece.len())));
    }
    assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
}
