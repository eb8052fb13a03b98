//! GitHub as the whole process has it: configured once, shared by all, the door to sessions and to the App.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use chrono::{DateTime, Utc};

use super::app::App;
use super::error::SetupError;
use super::oauth::OAuth;
use super::presence::Write;
use super::session::{Core, Session, Token};
use super::settings::Settings;
use crate::clock::Ground;
use crate::domain::circuit::Outage;

/// GitHub, as configured. A clone is the same client.
#[derive(Debug, Clone)]
pub struct Github(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    core: Arc<Core>,
    app: Option<App>,
    oauth: Option<OAuth>,
}

impl Github {
    /// Builds the client and installs ring as the process's TLS provider, if none is there.
    ///
    /// # Errors
    /// When the configuration must be put right, or the machine has no trusted certificates.
    pub fn new(settings: Settings, ground: Ground) -> Result<Self, SetupError> {
        let core = Arc::new(Core::new(&settings, ground)?);
        let app = settings.app.map(|app| App::new(app, core.clone())).transpose()?;
        let oauth = settings.sign_in.map(|sign_in| OAuth::new(sign_in, core.clone())).transpose()?;
        Ok(Self(Arc::new(Inner { core, app, oauth })))
    }

    /// The host whose accounts and repositories these are, for example `github.com`.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.0.core.host
    }

    /// Base of the pages, without a slash at the end.
    #[must_use]
    pub fn web_url(&self) -> &str {
        &self.0.core.web
    }

    /// What all calls share.
    pub(super) fn core(&self) -> &Core {
        &self.0.core
    }

    /// The same client, holding `token`.
    #[must_use]
    pub fn with_token(&self, token: Token) -> Session {
        Session::new(self.0.core.clone(), token)
    }

    /// The GitHub App, if one is configured.
    #[must_use]
    pub fn app(&self) -> Option<&App> {
        self.0.app.as_ref()
    }

    /// The app that people sign in with, if one is configured.
    #[must_use]
    pub fn oauth(&self) -> Option<&OAuth> {
        self.0.oauth.as_ref()
    }

    /// Whether anything may be sent now. While GitHub does not answer at all, this is where it is asked now and then;
    /// whoever takes up work asks here first, so that what waits is left as it is.
    pub async fn answers(&self) -> bool {
        self.0.core.pass().await.is_ok()
    }

    /// How many of `wanted` such writes may be taken up now: fewer while GitHub answers and yet fails at them.
    #[must_use]
    pub fn room(&self, write: Write, wanted: i64) -> i64 {
        self.0.core.presence.room(write, wanted, self.0.core.ground.now())
    }

    /// Since when such writes are held back although GitHub answers, if they are.
    #[must_use]
    pub fn held(&self, write: Write) -> Option<Outage> {
        self.0.core.presence.held(write)
    }

    /// The outage that goes on, if one does.
    #[must_use]
    pub fn outage(&self) -> Option<Outage> {
        self.0.core.presence.outage()
    }

    /// When the last outage since the start of this process ended.
    #[must_use]
    pub fn back_since(&self) -> Option<DateTime<Utc>> {
        self.0.core.presence.back_since()
    }

    /// Requests sent since the start, redirects counted.
    #[must_use]
    pub fn requests_sent(&self) -> u64 {
        self.0.core.sent.load(Ordering::Relaxed)
    }
}
