//! What is authenticated: sealed tokens and the footer of our comments. An input is a kind and then, by kind: bytes to open,
//! changes to a sealed token, a key, or a comment.
//!
//! Promises: what was not sealed does not open; a sealed token opens unchanged, in its place, and otherwise never; a text is
//! a key in exactly the forms that are documented; only a footer made with the key names a report.

use std::sync::LazyLock;

use taskbridge::clock::Ground;
use taskbridge::domain::trust::Footer;
use taskbridge::ids::ReportId;
use taskbridge::secret::Secret;
use taskbridge::vault::{Key, Place, Vault};

use super::Target;

pub(crate) const SEALED: Target = Target {
    name: "sealed",
    check,
    words: &[
        "o",
        "c",
        "k",
        "f",
        "<!-- taskbridge-report ",
        " -->",
        "{footer}",
        "{report}",
        "{tag}",
        "0f0f0f0f",
        "AAAA",
        "=",
        "-",
        "_",
        "\n",
        "0190",
        "\u{1}",
    ],
    slowest_ms: 1_000,
};

const TOKEN: &[u8] = b"ghu_0123456789";
const PLACE: Place<'static> = Place { table: "people", row: "7", column: "token" };
static VAULT: LazyLock<Vault> = LazyLock::new(|| {
    Vault::new([1_u8, 2].map(|byte| Key::parse(&Secret::new(hex::encode([byte; 32]))).unwrap()).to_vec()).unwrap()
});
static SEALED_TOKEN: LazyLock<Vec<u8>> = LazyLock::new(|| VAULT.seal(&PLACE, TOKEN, &Ground::system()).0);

fn check(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    match kind % 4 {
        // 'o', 'c', 'k', 'f' in the corpus.
        3 if *kind == b'k' => key(rest),
        3 => open(rest),
        2 => footer(&String::from_utf8_lossy(rest)),
        _ => changes(rest),
    }
}

fn open(bytes: &[u8]) {
    // A guide sees what is compared, and comes upon the token itself.
    assert_eq!(VAULT.open(&PLACE, bytes).is_ok(), bytes == *SEALED_TOKEN);
    // With a right beginning too: version, key and nonce.
    let forged = [&SEALED_TOKEN[..33], bytes].concat();
    assert_eq!(VAULT.open(&PLACE, &forged).is_ok(), forged == *SEALED_TOKEN);
    assert!(VAULT.verify_proof(bytes).is_err());
    // An unknown version or a cut one asks for a new seal, and never opens.
    let _ = VAULT.needs_reseal(bytes);
}

/// Pairs of a place and a value to change it by; then one byte that changes the place it belongs to.
fn changes(bytes: &[u8]) {
    let mut sealed = SEALED_TOKEN.clone();
    let mut pairs = bytes.chunks_exact(2);
    for pair in pairs.by_ref() {
        let at = usize::from(pair[0]) % sealed.len();
        sealed[at] ^= pair[1];
    }
    let place = match pairs.remainder() {
        [1] => Place { row: "8", ..PLACE },
        [2] => Place { column: "refresh_token", ..PLACE },
        [3] => Place { table: "people7", row: "", ..PLACE },
        [4] => {
            sealed.pop();
            PLACE
        }
        _ => PLACE,
    };
    let opened = VAULT.open(&place, &sealed);
    assert_eq!(opened.is_ok(), place == PLACE && sealed == *SEALED_TOKEN);
    if let Ok(token) = opened {
        assert_eq!(token.expose().as_bytes(), TOKEN);
    }
}

fn key(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let parsed = Key::parse(&Secret::new(text.clone()));
    let trimmed = text.trim();
    let hex = trimmed.len() == 64 && trimmed.bytes().all(|b| b.is_ascii_hexdigit());
    match parsed {
        Ok(key) => {
            let base64 = |b: u8| b.is_ascii_alphanumeric() || b"+/-_=".contains(&b);
            assert!(hex || (43..=44).contains(&trimmed.len()) && trimmed.bytes().all(base64), "{trimmed:?}");
            assert_eq!(Key::parse(&Secret::new(trimmed)).unwrap().id(), key.id());
            assert!(!format!("{key:?}").contains(trimmed));
        }
        Err(error) => {
            assert!(!hex, "{trimmed:?}");
            assert!(trimmed.len() < 8 || !error.to_string().contains(trimmed));
        }
    }
}

fn footer(text: &str) {
    let key = [7; 32];
    let report: ReportId = "01900000-0000-7000-8000-000000000001".parse().unwrap();
    let right = Footer::sign(&key, report);
    let tag = right.rsplit(' ').nth(1).unwrap();
    let text = text.replace("{footer}", &right).replace("{report}", &report.to_string()).replace("{tag}", tag);
    let named = Footer::verify(&key, &text);
    assert!(named.is_none_or(|named| named == report), "a report that was never signed");
    if named.is_some() {
        // In any case of its letters the id and the tag are there.
        let text = text.to_ascii_lowercase();
        assert!(text.contains(&report.to_string()) && text.contains(tag), "{text:?}");
    }
    assert_eq!(Footer::verify(&[8; 32], &text), None, "another key");
}
