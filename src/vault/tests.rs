//! What must hold of sealing, shown from outside and against tampering.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use base64::Engine as _;
use proptest::prelude::*;

use super::*;

const PLACE: Place<'static> = Place { table: "person", row: "7", column: "access_token" };
const TOKEN: &[u8] = b"ghu_0123456789";

fn key(byte: u8) -> Key {
    Key::parse(&Secret::new(hex::encode([byte; 32]))).unwrap()
}

fn vault(keys: &[u8]) -> Vault {
    Vault::new(keys.iter().map(|byte| key(*byte)).collect()).unwrap()
}

fn seal(vault: &Vault) -> Vec<u8> {
    vault.seal(&PLACE, TOKEN, &Ground::system()).0
}

#[test]
fn opens_what_it_sealed() {
    let vault = vault(&[1]);
    let sealed = seal(&vault);
    assert_eq!(vault.open(&PLACE, &sealed).unwrap().expose().as_bytes(), TOKEN);
    assert_ne!(sealed, seal(&vault), "a new nonce each time");
    assert!(!sealed.windows(8).any(|window| TOKEN.starts_with(window)));
}

/// Case 59.
#[test]
fn every_flipped_bit_and_every_cut_is_noticed() {
    let vault = vault(&[1]);
    let sealed = seal(&vault);
    for at in 0..sealed.len() * 8 {
        let mut other = sealed.clone();
        other[at / 8] ^= 1 << (at % 8);
        assert!(vault.open(&PLACE, &other).is_err(), "bit {at}");
    }
    for len in 0..sealed.len() {
        assert_eq!(vault.open(&PLACE, &sealed[..len]), Err(OpenError::Damaged), "cut to {len}");
    }
    let longer = [sealed.as_slice(), b"x"].concat();
    assert_eq!(vault.open(&PLACE, &longer), Err(OpenError::Damaged));
}

/// Case 59.
#[test]
fn a_value_opens_only_where_it_was_sealed() {
    let vault = vault(&[1]);
    let sealed = seal(&vault);
    for place in [
        Place { row: "8", ..PLACE },
        Place { column: "refresh_token", ..PLACE },
        Place { table: "api_key", ..PLACE },
        Place { table: "person7", row: "", ..PLACE },
    ] {
        assert_eq!(vault.open(&place, &sealed), Err(OpenError::Damaged), "{place:?}");
    }
}

#[test]
fn a_rotation_reads_both_and_reseals_with_the_new() {
    let (old, both, new) = (vault(&[1]), vault(&[2, 1]), vault(&[2]));
    let sealed = seal(&old);
    assert!(both.needs_reseal(&sealed));
    let text = both.open(&PLACE, &sealed).unwrap();
    let resealed = both.seal(&PLACE, text.expose().as_bytes(), &Ground::system()).0;
    assert!(!both.needs_reseal(&resealed));
    assert_eq!(new.open(&PLACE, &resealed), Ok(text));
    assert_eq!(new.open(&PLACE, &sealed), Err(OpenError::UnknownKey { id: old.key_id() }));
}

/// Case 59.
#[test]
fn an_unknown_key_is_named_by_its_id() {
    let refused = vault(&[2]).open(&PLACE, &seal(&vault(&[1]))).unwrap_err();
    assert!(refused.to_string().contains(&key(1).id().to_string()), "{refused}");
}

#[test]
fn what_is_not_text_opens_as_bytes_only() {
    let vault = vault(&[1]);
    let sealed = vault.seal(&PLACE, &[0xff, 0xfe], &Ground::system()).0;
    assert_eq!(vault.open(&PLACE, &sealed), Err(OpenError::Damaged));
    assert_eq!(*vault.open_bytes(&PLACE, &sealed).unwrap(), [0xff, 0xfe]);
}

#[test]
fn subkeys_differ_by_purpose_and_outlive_a_rotation() {
    let (old, both) = (vault(&[1]), vault(&[2, 1]));
    let signed_with = old.subkey("comment footer");
    let verifying = both.subkeys("comment footer");
    assert_eq!(verifying.len(), 2);
    assert_eq!(verifying[0].expose(), both.subkey("comment footer").expose(), "the first signs");
    assert_eq!(verifying[1].expose(), signed_with.expose());
    assert_ne!(old.subkey("another").expose(), signed_with.expose());
    assert_ne!(signed_with.expose(), &[1; 32]);
}

#[test]
fn a_wrong_key_is_noticed_by_the_proof() {
    let proof = vault(&[1]).proof(&Ground::system());
    assert_eq!(vault(&[1]).verify_proof(&proof), Ok(()));
    assert_eq!(vault(&[2, 1]).verify_proof(&proof), Ok(()), "in the middle of a rotation");
    let refused = vault(&[2]).verify_proof(&proof).unwrap_err();
    assert_eq!(refused, WrongKey::Other { sealed_with: key(1).id(), first: key(2).id() });
    assert!(refused.to_string().contains("give the old key back"), "{refused}");
    assert_eq!(vault(&[1]).verify_proof(&proof[1..]), Err(WrongKey::Damaged));
    assert_eq!(vault(&[1]).verify_proof(&seal(&vault(&[1]))), Err(WrongKey::Damaged), "no other value passes for it");
}

#[test]
fn keys_are_read_from_hex_and_both_kinds_of_base64() {
    // Bytes whose base64 has the two characters in which the alphabets differ.
    let bytes = [0xfb; 32];
    let id = Key::parse(&Secret::new(hex::encode(bytes))).unwrap().id();
    let padded = base64::engine::general_purpose::STANDARD.encode(bytes);
    let url_safe = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    assert!(padded.contains('+') && url_safe.contains('-'));
    for text in [hex::encode_upper(bytes), format!(" {padded}\n"), padded.replace('=', ""), url_safe] {
        assert_eq!(Key::parse(&Secret::new(text)).unwrap().id(), id);
    }
    for text in ["", "short", &"g".repeat(64), &"a".repeat(63), &"A".repeat(42), &"*".repeat(44)] {
        assert_eq!(Key::parse(&Secret::new(text)).unwrap_err(), KeyError::NotAKey, "{text:?}");
    }
}

#[test]
fn a_vault_needs_keys_and_each_once() {
    assert_eq!(Vault::new(Vec::new()).unwrap_err(), KeyError::None);
    assert_eq!(Vault::new(vec![key(1), key(2), key(1)]).unwrap_err(), KeyError::Twice(key(1).id()));
}

#[test]
fn debug_prints_no_key() {
    let vault = vault(&[0xab, 0xcd]);
    let said = format!("{vault:?} {:?} {:?} {:?}", key(0xab), vault.subkey("p"), vault.subkeys("p"));
    for (byte, number) in [(0xab, 171), (0xcd, 205)] {
        assert!(!said.contains(&hex::encode([byte; 4])), "{said}");
        assert!(!said.contains(&format!("{number}, {number}")), "{said}");
    }
    let subkey = vault.subkey("p");
    assert!(!said.contains(&hex::encode(&subkey.expose()[..4])), "{said}");
    assert!(!said.contains(&format!("{}, {}", subkey.expose()[0], subkey.expose()[1])), "{said}");
}

/// A file in the temporary folder, removed at the end.
struct TempFile(PathBuf);

impl TempFile {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("taskbridge-vault-{}-{name}", std::process::id()));
        let _ = fs::remove_file(&path);
        Self(path)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn a_key_file_is_made_once_and_for_its_owner_only() {
    let file = TempFile::new("made");
    let made = Vault::generate_key_file(&file.0, &Ground::system()).unwrap();
    let (read, warning) = Vault::load_key_file(&file.0).unwrap();
    assert_eq!((read.id(), warning), (made.id(), None));
    let again = Vault::generate_key_file(&file.0, &Ground::system()).unwrap_err();
    assert!(matches!(again, KeyFileError::Exists(_)), "{again:?}");
    assert_eq!(Vault::load_key_file(&file.0).unwrap().0.id(), made.id(), "the old key is untouched");

    fs::set_permissions(&file.0, fs::Permissions::from_mode(0o640)).unwrap();
    let warning = Vault::load_key_file(&file.0).unwrap().1.unwrap();
    assert!(warning.to_string().contains("(mode 0640)"), "{warning}");
}

#[test]
fn a_key_file_without_a_key_is_refused_without_quoting_it() {
    let file = TempFile::new("bad");
    fs::write(&file.0, "hunter2").unwrap();
    let refused = Vault::load_key_file(&file.0).unwrap_err();
    assert!(matches!(refused, KeyFileError::Content { .. }), "{refused:?}");
    assert!(!format!("{refused} {refused:?}").contains("hunter2"));
}

proptest! {
    #[test]
    fn any_text_at_any_place_comes_back(text in ".*", table in ".*", row in ".*", column in ".*") {
        let vault = vault(&[3]);
        let place = Place { table: &table, row: &row, column: &column };
        let sealed = vault.seal(&place, text.as_bytes(), &Ground::system()).0;
        let opened = vault.open(&place, &sealed).unwrap();
        prop_assert_eq!(opened.expose(), text);
    }

    /// Case 59.
    #[test]
    fn two_places_never_open_each_others_values(one in any::<[String; 3]>(), two in any::<[String; 3]>()) {
        prop_assume!(one != two);
        let vault = vault(&[3]);
        let place = |parts: &[String; 3]| (parts[0].clone(), parts[1].clone(), parts[2].clone());
        let ((t1, r1, c1), (t2, r2, c2)) = (place(&one), place(&two));
        let sealed = vault.seal(&Place { table: &t1, row: &r1, column: &c1 }, TOKEN, &Ground::system()).0;
        prop_assert_eq!(vault.open(&Place { table: &t2, row: &r2, column: &c2 }, &sealed), Err(OpenError::Damaged));
    }

    /// Case 59.
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let vault = vault(&[3]);
        prop_assert!(vault.open(&PLACE, &bytes).is_err());
        let headed = [&[VERSION][..], &vault.key_id().0, &bytes].concat();
        prop_assert_eq!(vault.open(&PLACE, &headed), Err(OpenError::Damaged));
        prop_assert!(vault.verify_proof(&bytes).is_err());
    }
}
