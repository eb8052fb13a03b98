//! The bridge as a GitHub App: its own statement, which installation covers a repository, and that installation's
//! token, kept in memory until shortly before it ends and refreshed by one caller while the others wait.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::StatusCode;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::answer::ONE;
use super::error::{CallError, SetupError};
use super::jwt::Signer;
use super::limits::TokenOwner;
use super::paths::RepoPath;
use super::session::{Core, Session, Token};
use super::settings::AppSettings;
use crate::secret::Secret;

/// A token is renewed this long before it ends (it lives one hour), so that no call starts with a dying one.
const RENEW_BEFORE: TimeDelta = TimeDelta::minutes(5);
/// How long it is remembered which installation covers a repository.
const REMEMBER: TimeDelta = TimeDelta::minutes(10);

/// The configured GitHub App.
pub struct App {
    id: i64,
    signer: Signer,
    core: Arc<Core>,
    tokens: Mutex<HashMap<i64, Arc<Slot>>>,
    covers: Mutex<HashMap<RepoPath, (i64, DateTime<Utc>)>>,
    card: Mutex<Option<Card>>,
}

/// Whether the App works in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cover {
    /// By the installation of this number.
    By(i64),
    /// The installation there is suspended.
    Suspended,
    /// It is not installed there, or not on that repository, or the repository is gone.
    Not,
}

/// What the App says of itself.
#[derive(Debug, Clone, Deserialize)]
pub struct Card {
    /// The client id with which people sign in with it.
    #[serde(default)]
    pub client_id: String,
    /// Its page, where it is installed from.
    pub html_url: Option<String>,
}

/// One installation's token. `tries` counts finished refreshes, so that those who waited for one can tell that it
/// failed and share its error, instead of each knocking on a closed door in turn.
#[derive(Default)]
struct Slot {
    tries: AtomicU64,
    held: tokio::sync::Mutex<Held>,
}

#[derive(Default)]
struct Held {
    token: Option<(Secret, DateTime<Utc>)>,
    failed: Option<CallError>,
}

#[derive(Deserialize)]
struct Installation {
    id: i64,
    suspended_at: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct FreshToken {
    token: String,
    expires_at: DateTime<Utc>,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("id", &self.id).finish_non_exhaustive()
    }
}

impl App {
    pub(super) fn new(settings: AppSettings, core: Arc<Core>) -> Result<Self, SetupError> {
        Ok(Self {
            id: settings.id,
            signer: Signer::new(&settings)?,
            core,
            tokens: Mutex::default(),
            covers: Mutex::default(),
            card: Mutex::default(),
        })
    }

    /// The App's number; things done through it carry this in `performed_via_github_app`.
    #[must_use]
    pub fn id(&self) -> i64 {
        self.id
    }

    /// A session as the App itself (deliveries, installations), good for nine minutes.
    #[must_use]
    pub fn as_itself(&self) -> Session {
        let secret = self.signer.sign(self.core.ground.now());
        Session::new(self.core.clone(), Token { secret, owner: TokenOwner::App(self.id) })
    }

    /// What the App says of itself, asked once.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn card(&self) -> Result<Card, CallError> {
        let known = self.card.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(card) = known {
            return Ok(card);
        }
        let answer = self.as_itself().get(self.core.url(&["app"])?, ONE).await?;
        let card: Card = answer.json(StatusCode::OK)?;
        *self.card.lock().unwrap_or_else(PoisonError::into_inner) = Some(card.clone());
        Ok(card)
    }

    /// The number of the installation that works in `repo`, remembered for ten minutes. Not found: the App is not
    /// installed there, or suspended.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn installation_of(&self, repo: &RepoPath) -> Result<i64, CallError> {
        match self.covers(repo).await? {
            Cover::By(id) => Ok(id),
            Cover::Suspended => Err(CallError::NotFound { message: "the installation is suspended".to_owned() }),
            Cover::Not => Err(CallError::NotFound { message: String::new() }),
        }
    }

    /// Whether the App works in `repo`; that it does is remembered for ten minutes.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn covers(&self, repo: &RepoPath) -> Result<Cover, CallError> {
        let now = self.core.ground.now();
        let known = self.covers.lock().unwrap_or_else(PoisonError::into_inner).get(repo).copied();
        match known.filter(|(_, until)| now < *until) {
            Some((id, _)) => Ok(Cover::By(id)),
            None => self.covers_now(repo).await,
        }
    }

    /// The same, asked anew.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn covers_now(&self, repo: &RepoPath) -> Result<Cover, CallError> {
        let now = self.core.ground.now();
        let found = self.ask_cover_of(repo).await?;
        let mut covers = self.covers.lock().unwrap_or_else(PoisonError::into_inner);
        covers.retain(|other, (_, until)| now < *until && other != repo);
        if let Cover::By(id) = found {
            covers.insert(repo.clone(), (id, now + REMEMBER));
        }
        Ok(found)
    }

    async fn ask_cover_of(&self, repo: &RepoPath) -> Result<Cover, CallError> {
        let url = self.core.url(&["repos", repo.owner(), repo.name(), "installation"])?;
        let answer = match self.as_itself().get(url, ONE).await {
            Ok(answer) => answer,
            Err(CallError::NotFound { .. }) => return Ok(Cover::Not),
            Err(error) => return Err(error),
        };
        let Installation { id, suspended_at } = answer.json(StatusCode::OK)?;
        Ok(if suspended_at.is_some() { Cover::Suspended } else { Cover::By(id) })
    }

    /// A session as an installation, with a token that holds for at least five more minutes.
    ///
    /// # Errors
    /// See [`CallError`]; those who waited for the same refresh get the same error.
    pub async fn as_installation(&self, installation: i64) -> Result<Session, CallError> {
        let secret = self.installation_token(installation).await?;
        let token = Token { secret, owner: TokenOwner::Installation(installation) };
        Ok(Session::new(self.core.clone(), token))
    }

    /// Drops a token that GitHub no longer accepts and what the installation covered, so that both are asked anew.
    pub async fn forget_installation(&self, installation: i64) {
        self.covers.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, (id, _)| *id != installation);
        self.slot(installation).held.lock().await.token = None;
    }

    /// Drops all that is known of installations, so that it is asked anew: one of them came or went, or was suspended.
    pub fn forget_installations(&self) {
        self.covers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    async fn installation_token(&self, installation: i64) -> Result<Secret, CallError> {
        let slot = self.slot(installation);
        let before = slot.tries.load(Ordering::Acquire);
        let mut held = slot.held.lock().await;
        if let Some((secret, expires)) = &held.token
            && self.core.ground.now() < *expires - RENEW_BEFORE
        {
            return Ok(secret.clone());
        }
        if slot.tries.load(Ordering::Acquire) != before
            && let Some(error) = &held.failed
        {
            return Err(error.clone());
        }
        let result = self.fresh_token(installation).await;
        slot.tries.fetch_add(1, Ordering::Release);
        match result {
            Ok(FreshToken { token, expires_at }) => {
                let secret = Secret::new(token);
                *held = Held { token: Some((secret.clone(), expires_at)), failed: None };
                Ok(secret)
            }
            Err(error) => {
                *held = Held { token: None, failed: Some(error.clone()) };
                Err(error)
            }
        }
    }

    async fn fresh_token(&self, installation: i64) -> Result<FreshToken, CallError> {
        let url = self.core.url(&["app", "installations", &installation.to_string(), "access_tokens"])?;
        // Sending it twice only makes a second token, so an unknown outcome here may simply be tried again.
        let answer = self.as_itself().write(reqwest::Method::POST, url, &serde_json::json!({})).await?;
        answer.json(StatusCode::CREATED)
    }

    fn slot(&self, installation: i64) -> Arc<Slot> {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.entry(installation).or_default().clone()
    }
}
