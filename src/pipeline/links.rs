//! From a chat account to a person. The account asks for a link, its owner signs in to GitHub behind it, the page at the
//! end shows a short code, and only when the same account types that code back are the two bound. So a link that is
//! forwarded binds nobody: whoever opens it gets a code that is good for the account that asked, and has no way to type it
//! there.

use chrono::TimeDelta;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use super::{Bridge, Live};
use crate::clock::Ground;
use crate::domain::chat::Address;
use crate::domain::identity::Identity;
use crate::ids::PersonId;
use crate::secret::Secret;
use crate::store::StoreError;
use crate::store::links::{CodeCheck, Hash};
use crate::vault::Subkey;

/// How long a link is good.
pub const LINK_LASTS: TimeDelta = TimeDelta::minutes(15);
/// How long a code is good.
pub const CODE_LASTS: TimeDelta = TimeDelta::minutes(10);
/// Most codes of other accounts that one that is typed is held against.
const BESIDE: i64 = 200;
/// How many codes may be tried for one sign-in.
pub const CODE_TRIES: i32 = 5;
const CODE_KEY: &str = "chat link code";
/// Letters and digits that are not taken for each other (Crockford's base 32).
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CODE_LENGTH: usize = 8;

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
pub enum NoLink {
    /// An operator must configure the sign-in first.
    #[error("people cannot sign in here yet: an operator sets `github.sign_in` and `server.public_url`")]
    NotConfigured,
    /// The database: retry.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a chat account was not bound. The words are for the one who typed.
#[derive(Debug, thiserror::Error)]
pub enum NotConfirmed {
    /// Ask for a new link.
    #[error("there is no code that waits for this chat account, or it is too old; ask for a new link")]
    NoCode,
    /// Type it again.
    #[error("this is not the code that the page shows; {left} more tries")]
    Wrong {
        /// How many tries are left.
        left: i32,
    },
    /// Ask for a new link.
    #[error("too many wrong codes; ask for a new link")]
    TooMany,
    /// The database: retry.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A chat account that is bound now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmed {
    /// Whose it is.
    pub person: PersonId,
    /// Their login.
    pub login: String,
    /// Whether something waited for this.
    pub goes_on: bool,
}

/// What an account types in its chat to say `words` to us, whole: behind the command that leads to us there. Where one
/// mentions us, that comes before.
#[must_use]
pub fn typed(live: &Live, identity: &Identity, words: &str) -> String {
    let platforms =
        live.sources.iter().filter_map(|(name, source)| Some((name, source, &source.chat.as_ref()?.platform)));
    let own = platforms
        .filter(|(name, ..)| identity.voucher().is_none_or(|own| own == *name))
        .find(|(.., platform)| platform.name() == identity.platform());
    match own {
        Some((_, source, platform)) if platform.address() == Address::Command => {
            format!("{} {words}", source.grammar.prefix)
        }
        _ => words.to_owned(),
    }
}

/// Makes a one-time link for a chat account: the address of a page where its owner signs in to GitHub. It is good for a
/// quarter of an hour and for one browser, and takes the place of the account's earlier link; a code that waits for the
/// account stays good until somebody signs in through this one. The address is a secret of that account: show it to nobody
/// else.
///
/// # Errors
/// [`NoLink`].
pub async fn make_link(bridge: &Bridge, identity: &Identity) -> Result<String, NoLink> {
    let Some(public) = bridge.settings.connect_url.as_deref() else { return Err(NoLink::NotConfigured) };
    let token = random_text(&bridge.ground);
    let now = bridge.ground.now();
    bridge.store.put_link(identity, &hash(token.expose()), now, now + LINK_LASTS).await?;
    Ok(format!("{public}/{}", token.expose()))
}

/// Lets a chat account wait for its owner where nothing can be shown to it alone: a link that all see would be followed by
/// others too, and a code that one of them then writes for all to see is good for the account that asked. So there is no
/// link. Whoever has signed in enters the account by its own name, on a page that nobody can be sent to, and gets a code
/// that only this account can type. Answers the page and that name, of which neither is a secret.
///
/// # Errors
/// [`NoLink`].
pub async fn await_account(bridge: &Bridge, identity: &Identity) -> Result<(String, String), NoLink> {
    let Some(public) = bridge.settings.connect_url.as_deref() else { return Err(NoLink::NotConfigured) };
    let now = bridge.ground.now();
    bridge.store.put_link(identity, &hash_of_name(identity), now, now + LINK_LASTS).await?;
    Ok((public.to_owned(), name_of(identity)))
}

/// The code for a chat account that waits for its owner, for the person who signed in and entered its name. None: no such
/// account waits, or no longer.
///
/// # Errors
/// [`StoreError`]: nothing is changed.
pub async fn code_for_name(
    bridge: &Bridge,
    name: &str,
    person: PersonId,
) -> Result<Option<(Identity, Secret)>, StoreError> {
    let parts: Vec<&str> = name.split_whitespace().collect();
    let [platform, team, account] = parts[..] else { return Ok(None) };
    let Ok(identity) = Identity::new(platform, team, account) else { return Ok(None) };
    let Some(waiting) = bridge.store.take_link(&hash_of_name(&identity), bridge.ground.now()).await? else {
        return Ok(None);
    };
    Ok(make_code(bridge, &waiting, person).await?.map(|code| (waiting, code)))
}

/// As it is entered.
fn name_of(identity: &Identity) -> String {
    format!("{} {} {}", identity.platform(), identity.team(), identity.account())
}

/// What is kept in the place of a link. It begins as no text does, so that no link leads to it.
fn hash_of_name(identity: &Identity) -> Hash {
    Sha256::new().chain_update([0xff]).chain_update(name_of(identity)).finalize().into()
}

/// Binds a chat account to the person who signed in through its link, if `code` is the one that the page showed them.
/// What the account has typed may have blanks, dashes and small letters.
///
/// # Errors
/// [`NotConfirmed`]; after the last wrong try the code is dead.
pub async fn confirm_link(bridge: &Bridge, identity: &Identity, code: &str) -> Result<Confirmed, NotConfirmed> {
    let Some(code) = read_code(code) else {
        // Not even of the form of a code; it costs a try all the same, so that trying is never free.
        return wrong(bridge.store.check_code(identity, &[], CODE_TRIES, bridge.ground.now()).await?);
    };
    let codes: Vec<Vec<u8>> =
        bridge.vault.subkeys(CODE_KEY).iter().map(|key| code_hash(key, identity, &code).to_vec()).collect();
    // Before: what waits goes on at once.
    let wishes = bridge.store.chat_wishes_of(identity).await?;
    match bridge.store.check_code(identity, &codes, CODE_TRIES, bridge.ground.now()).await? {
        CodeCheck::Bound(person) => {
            let login = bridge.store.person(person).await?.map(|person| person.login).unwrap_or_default();
            let goes_on = wishes > 0 || !bridge.store.tasks_held_for_token(person).await?.is_empty();
            tracing::info!(platform = identity.platform(), %person, "a chat account was bound to a person");
            Ok(Confirmed { person, login, goes_on })
        }
        other => {
            end_if_anothers(bridge, identity, &code).await?;
            wrong(other)
        }
    }
}

/// Only whoever signed in knows a code before it is typed. When the wrong account types it, that one was led to sign in for
/// another, and all may have read it by now: it is good for nobody any more.
async fn end_if_anothers(bridge: &Bridge, typed_by: &Identity, code: &str) -> Result<(), StoreError> {
    let keys = bridge.vault.subkeys(CODE_KEY);
    let waiting = bridge.store.codes_beside(typed_by, BESIDE, bridge.ground.now()).await?;
    for (identity, hash) in waiting {
        if keys.iter().any(|key| code_hash(key, &identity, code).as_slice() == hash) {
            tracing::warn!(
                platform = identity.platform(),
                "a code was typed by another account than it is for: it is ended"
            );
            bridge.store.end_code(&identity, &hash).await?;
        }
    }
    Ok(())
}

fn wrong(check: CodeCheck) -> Result<Confirmed, NotConfirmed> {
    match check {
        CodeCheck::Wrong(left) if left > 0 => Err(NotConfirmed::Wrong { left }),
        CodeCheck::Wrong(_) => Err(NotConfirmed::TooMany),
        CodeCheck::None | CodeCheck::Bound(_) => Err(NotConfirmed::NoCode),
    }
}

/// Takes a chat account off the person it is bound to, with whatever it has begun. The person's token stays. Answers
/// whether it was bound.
///
/// # Errors
/// [`StoreError`]: nothing is changed.
pub async fn unlink(bridge: &Bridge, identity: &Identity) -> Result<bool, StoreError> {
    bridge.store.remove_identity(identity).await
}

/// The person that a chat account is bound to.
///
/// # Errors
/// [`StoreError`]: retry.
pub async fn person_of(bridge: &Bridge, identity: &Identity) -> Result<Option<PersonId>, StoreError> {
    bridge.store.identity(identity).await
}

/// Whose link this is, if it is still good. Looking takes nothing: chats look at links that are posted there.
///
/// # Errors
/// [`StoreError`]: retry.
pub async fn look_at_link(bridge: &Bridge, token: &str) -> Result<Option<Identity>, StoreError> {
    bridge.store.link(&hash(token), bridge.ground.now()).await
}

/// Makes the code that binds `identity` to `person` when it is typed back. None: the account has asked for a newer link.
///
/// # Errors
/// [`StoreError`]: nothing is changed.
pub(super) async fn make_code(
    bridge: &Bridge,
    identity: &Identity,
    person: PersonId,
) -> Result<Option<Secret>, StoreError> {
    let letters: [u8; CODE_LENGTH] = bridge.ground.bytes();
    let code: String = letters.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).collect();
    let hash = code_hash(&bridge.vault.subkey(CODE_KEY), identity, &code);
    let end = bridge.ground.now() + CODE_LASTS;
    let there = bridge.store.put_code(identity, person, &hash, end).await?;
    let (one, two) = code.split_at(CODE_LENGTH / 2);
    Ok(there.then(|| Secret::new(format!("{one}-{two}"))))
}

/// What was typed, as the code is kept.
fn read_code(typed: &str) -> Option<String> {
    let letters = typed.chars().filter(|c| !matches!(c, ' ' | '-' | '`')).map(|c| match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    });
    let code: String = letters.take(CODE_LENGTH + 1).collect();
    (code.len() == CODE_LENGTH && code.bytes().all(|byte| ALPHABET.contains(&byte))).then_some(code)
}

/// Keyed, because a code is short enough to be guessed from a plain hash; and of this account alone.
fn code_hash(key: &Subkey, identity: &Identity, code: &str) -> Hash {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose()).expect("HMAC takes keys of every length");
    for part in [identity.platform(), identity.team(), identity.account(), code] {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    mac.finalize().into_bytes().into()
}

/// What is kept of a random text that a browser holds.
pub(super) fn hash(text: &str) -> Hash {
    Sha256::digest(text.as_bytes()).into()
}

/// 256 random bits, to stand in addresses and cookies.
#[must_use]
pub fn random_text(ground: &Ground) -> Secret {
    use base64::Engine as _;
    Secret::new(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(ground.bytes::<32>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_reads_as_people_type_it() {
        assert_eq!(read_code("ab2d-0o1l").as_deref(), Some("AB2D0011"));
        assert_eq!(read_code(" `AB2D 0011` ").as_deref(), Some("AB2D0011"));
        for bad in ["", "AB2D-001", "AB2D-00111", "AB2D-00U1", "AB2D-001é"] {
            assert_eq!(read_code(bad), None, "{bad}");
        }
    }
}
