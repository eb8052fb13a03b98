//! People sign in for themselves. A sign-in is bound to the browser that began it, comes back once, and ends with GitHub
//! saying whose token it is: the account's number, which nobody else can have.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use super::links::{hash, look_at_link, make_code, random_text};
use super::people::{self, release_held};
use super::refresh::SealedPair;
use super::revoke::{AtGithub, put_in_place};
use super::token_ended::still_taken;
use super::{Bridge, StepError};
use crate::domain::identity::Identity;
use crate::github::{CallError, DeviceAnswer, DeviceCode, OAuth, OAuthError, Pair, Token, TokenOwner};
use crate::ids::PersonId;
use crate::secret::Secret;
use crate::store::people::Person;
use crate::store::sign_ins::NewSignIn;
use crate::store::{Moment, StoreError};
use crate::vault::{OpenError, Place};

/// How long a sign-in may be on its way; GitHub's codes last as long.
pub const SIGN_IN_LASTS: TimeDelta = TimeDelta::minutes(10);
/// How long the page remembers who signed in.
pub const SESSION_LASTS: TimeDelta = TimeDelta::minutes(30);
/// The longest text that a browser may bring, in bytes.
const LONGEST: usize = 512;
const FORM_KEY: &str = "connect form";

/// Why somebody is not signed in.
#[derive(Debug, thiserror::Error)]
pub enum NotSignedIn {
    /// An operator must configure it.
    #[error("nobody can sign in here yet: an operator sets `github.sign_in` and `server.public_url`")]
    NotConfigured,
    /// Ask for a new link in the chat.
    #[error("this link was used already, or is too old; ask for a new one in the chat")]
    LinkGone,
    /// Begin again, in one browser.
    #[error("this sign-in was not begun in this browser, took longer than ten minutes, or was finished already")]
    Stranger,
    /// GitHub gave no token.
    #[error("GitHub gave no token: {0}")]
    OAuth(#[from] OAuthError),
    /// GitHub did not say whose the token is.
    #[error("GitHub did not say who you are: {0}")]
    Call(#[from] CallError),
    /// Begin again.
    #[error(
        "what you gave before you left was just being ended at GitHub, and this sign-in with it; sign in once more"
    )]
    EndedMeanwhile,
    /// The database: retry.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An operator must look at the sealing keys.
    #[error("what was kept of the sign-in does not open: {0}")]
    Sealed(#[from] OpenError),
}

/// A sign-in on its way.
#[derive(Debug)]
pub struct Begun {
    /// GitHub's page.
    pub url: String,
    /// What the browser keeps until it comes back.
    pub browser: Secret,
}

/// Somebody who is signed in.
#[derive(Debug)]
pub struct SignedIn {
    /// Their account number.
    pub id: PersonId,
    /// Their login.
    pub login: String,
    /// How many tasks that waited go on.
    pub released: usize,
}

/// A browser in which somebody is signed in.
#[derive(Debug)]
pub struct Finished {
    /// Who.
    pub who: SignedIn,
    /// The session's secret.
    pub session: Secret,
    /// The chat account whose link it began with, and the code that it types back; no code when a newer link was asked for.
    pub code: Option<(Identity, Option<Secret>)>,
}

/// The app that people sign in with, and the page where they do.
fn app(bridge: &Bridge) -> Result<(&OAuth, String), NotSignedIn> {
    match (bridge.github.oauth(), &bridge.settings.connect_url) {
        (Some(oauth), Some(connect)) => Ok((oauth, format!("{connect}/callback"))),
        _ => Err(NotSignedIn::NotConfigured),
    }
}

/// Begins a sign-in; with the secret part of a chat account's link, which is used up by that.
///
/// # Errors
/// [`NotSignedIn`].
pub async fn begin(bridge: &Bridge, link: Option<&str>) -> Result<Begun, NotSignedIn> {
    let (oauth, callback) = app(bridge)?;
    let now = bridge.ground.now();
    let of = match link {
        None => None,
        Some(link) => Some(bridge.store.take_link(&hash(link), now).await?.ok_or(NotSignedIn::LinkGone)?),
    };
    let [state, browser, verifier] = [(); 3].map(|()| random_text(&bridge.ground));
    let state_hash = hash(state.expose());
    let row = hex::encode(state_hash);
    let sealed = bridge.vault.seal(&verifier_place(&row), verifier.expose().as_bytes(), &bridge.ground);
    let new = NewSignIn {
        state: state_hash,
        browser: hash(browser.expose()),
        verifier: &sealed.0,
        of: of.as_ref(),
        made_at: now,
        expires_at: now + SIGN_IN_LASTS,
    };
    bridge.store.begin_sign_in(&new).await?;
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose().as_bytes()));
    Ok(Begun { url: oauth.authorize_url(&callback, state.expose(), &challenge), browser })
}

/// Finishes a sign-in that came back to the browser that began it.
///
/// # Errors
/// [`NotSignedIn`]; nothing is stored then.
pub async fn finish(bridge: &Bridge, browser: &str, state: &str, code: &str) -> Result<Finished, NotSignedIn> {
    let (oauth, callback) = app(bridge)?;
    if [browser, state, code].iter().any(|text| text.is_empty() || text.len() > LONGEST) {
        return Err(NotSignedIn::Stranger);
    }
    let state = hash(state);
    let taken = bridge.store.take_sign_in(&state, &hash(browser), bridge.ground.now()).await?;
    let taken = taken.ok_or(NotSignedIn::Stranger)?;
    let verifier = bridge.vault.open(&verifier_place(&hex::encode(state)), &taken.verifier)?;
    let pair = oauth.exchange(code, &callback, &verifier).await?;
    let who = keep(bridge, &pair).await?;
    let (session, now) = (random_text(&bridge.ground), bridge.ground.now());
    bridge.store.open_session(&hash(session.expose()), who.id, now, now + SESSION_LASTS).await?;
    let code = match taken.of {
        None => None,
        Some(of) => {
            let code = make_code(bridge, &of, who.id).await?;
            Some((of, code))
        }
    };
    Ok(Finished { who, session, code })
}

/// Forgets a sign-in that the person cancelled at GitHub.
///
/// # Errors
/// [`StoreError`]: it ends by itself.
pub async fn cancel(bridge: &Bridge, browser: &str, state: &str) -> Result<(), StoreError> {
    bridge.store.take_sign_in(&hash(state), &hash(browser), bridge.ground.now()).await.map(drop)
}

/// Begins the sign-in of a terminal.
///
/// # Errors
/// [`NotSignedIn`].
pub async fn begin_device(bridge: &Bridge) -> Result<DeviceCode, NotSignedIn> {
    let oauth = bridge.github.oauth().ok_or(NotSignedIn::NotConfigured)?;
    Ok(oauth.device().await?)
}

/// Asks whether a terminal was let in, and keeps its pair if it was.
///
/// # Errors
/// [`NotSignedIn`]; nothing is stored then.
pub async fn ask_device(bridge: &Bridge, device: &Secret) -> Result<Result<SignedIn, DeviceAnswer>, NotSignedIn> {
    let oauth = bridge.github.oauth().ok_or(NotSignedIn::NotConfigured)?;
    match oauth.device_answer(device).await? {
        DeviceAnswer::Given(pair) => Ok(Ok(keep(bridge, &pair).await?)),
        other => Ok(Err(other)),
    }
}

/// Asks GitHub whose the pair is, stores it sealed and lets go on what waited for it.
async fn keep(bridge: &Bridge, pair: &Pair) -> Result<SignedIn, NotSignedIn> {
    let session = bridge.github.with_token(Token { secret: pair.token.clone(), owner: TokenOwner::Unbound });
    let me = session.me().await?;
    let (id, now) = (PersonId(me.id), bridge.ground.now());
    let sealed = SealedPair::of(bridge, id, pair, now);
    let new = sealed.with_scopes(&pair.scopes);
    let is_new = put_in_place(bridge, id, &me.login, &new, true).await?;
    // What they gave in a time before may have been ended since GitHub was asked, and this with it.
    if is_new && let Ok(false) = still_taken(bridge, id, new.token, &pair.token).await {
        return Err(NotSignedIn::EndedMeanwhile);
    }
    tracing::info!(person = %id, "somebody signed in");
    let released = match release_held(bridge, id).await {
        Ok(released) => released,
        Err(StepError::Store(error)) => return Err(error.into()),
        // They are found again by the worker that looks after held tasks.
        Err(StepError::Illegal(_)) => 0,
    };
    Ok(SignedIn { id, login: me.login, released })
}

/// What a person sees of themselves.
#[derive(Debug)]
pub struct Account {
    /// The person as stored.
    pub person: Person,
    /// The chat accounts bound to them, and since when.
    pub identities: Vec<(Identity, Moment)>,
    /// The rules that they have agreed to let run with their token.
    pub consents: Vec<String>,
    /// What their forms carry, so that no other page can send them.
    pub form: Secret,
}

/// Whose session it is, if it lasts.
///
/// # Errors
/// [`StoreError`]: retry.
pub async fn account(bridge: &Bridge, session: &str) -> Result<Option<Account>, StoreError> {
    let Some(id) = bridge.store.session(&hash(session), bridge.ground.now()).await? else { return Ok(None) };
    let Some(person) = bridge.store.person(id).await? else { return Ok(None) };
    let identities = bridge.store.identities_of(id).await?;
    let consents = bridge.store.consents(id).await?;
    let form = mac(&bridge.vault.subkey(FORM_KEY), session).finalize().into_bytes();
    Ok(Some(Account { person, identities, consents, form: Secret::new(hex::encode(form)) }))
}

/// Whether a form was made for this session.
#[must_use]
pub fn is_own_form(bridge: &Bridge, session: &str, form: &str) -> bool {
    let Ok(form) = hex::decode(form.get(..64).filter(|_| form.len() == 64).unwrap_or("x")) else { return false };
    bridge.vault.subkeys(FORM_KEY).iter().any(|key| mac(key, session).verify_slice(&form).is_ok())
}

/// Forgets the person of a session, with tokens, consents and chat accounts, and ends the token at GitHub. None: there is
/// no such session.
///
/// # Errors
/// [`StoreError`]: nothing is changed.
pub async fn disconnect(bridge: &Bridge, session: &str) -> Result<Option<AtGithub>, StoreError> {
    let Some(id) = bridge.store.session(&hash(session), bridge.ground.now()).await? else { return Ok(None) };
    let at_github = people::remove(bridge, id, "the person has disconnected").await?;
    if at_github.is_some() {
        tracing::info!(person = %id, "somebody disconnected");
    }
    Ok(at_github)
}

/// Ends a session.
///
/// # Errors
/// [`StoreError`]: it ends by itself.
pub async fn leave(bridge: &Bridge, session: &str) -> Result<(), StoreError> {
    bridge.store.end_session(&hash(session)).await
}

/// The chat account of a link, if it is still good; looking takes nothing.
///
/// # Errors
/// [`StoreError`]: retry.
pub async fn of_link(bridge: &Bridge, link: &str) -> Result<Option<Identity>, StoreError> {
    if link.len() > LONGEST {
        return Ok(None);
    }
    look_at_link(bridge, link).await
}

fn verifier_place(row: &str) -> Place<'_> {
    Place { table: "sign_ins", row, column: "verifier" }
}

fn mac(key: &crate::vault::Subkey, session: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose()).expect("HMAC takes keys of every length");
    mac.update(session.as_bytes());
    mac
}
