//! The sign-in, set up and disturbed.

use serde_json::{Value, json};

use super::{Control, ControlError, unknown};
use crate::sandbox::authorize;
use crate::sandbox::world::{Holder, TokenKind};

impl Control {
    /// Lets people sign in with the App: its client id and secret, and where it sends them back (anywhere if absent).
    pub fn set_sign_in(&self, client_id: &str, client_secret: &str, callback: Option<&str>) {
        let mut world = self.0.world();
        client_id.clone_into(&mut world.app.client_id);
        world.oauth.client_secret = Some(client_secret.to_owned());
        world.oauth.callbacks = callback.map(str::to_owned).into_iter().collect();
    }

    /// Where the App's webhooks go and what they are signed with, if it has any.
    #[must_use]
    pub fn app_hook(&self) -> Option<(String, String)> {
        self.0.world().app.hook.as_ref().map(|hook| (hook.url.clone(), hook.secret.clone()))
    }

    /// How many seconds tokens and refresh tokens last from now on; without the first, tokens do not end.
    pub fn set_token_life(&self, token_s: Option<i64>, refresh_s: i64) {
        let mut world = self.0.world();
        (world.oauth.token_lasts_s, world.oauth.refresh_lasts_s) = (token_s, refresh_s);
    }

    /// What a browser does at the authorize page: `login` lets the app in, or nobody does. Answers where it goes next.
    ///
    /// # Errors
    /// When the page would refuse: another client, another callback, no such account.
    pub fn approve(&self, authorize_url: &str, login: Option<&str>) -> Result<String, ControlError> {
        let (page, query) = authorize_url.split_once('?').unwrap_or((authorize_url, ""));
        if !page.ends_with("/login/oauth/authorize") {
            return Err(ControlError::Invalid(format!("{page} is not the authorize page")));
        }
        authorize::approve(&mut self.0.world(), query, login).map_err(ControlError::Invalid)
    }

    /// What a person does at the device page.
    ///
    /// # Errors
    /// When no device waits with this code, or there is no such account.
    pub fn let_device_in(&self, login: &str, user_code: &str) -> Result<(), ControlError> {
        let found = authorize::let_in(&mut self.0.world(), login, user_code);
        found.then_some(()).ok_or_else(|| unknown("device with the code", user_code))
    }

    /// From now on a device may ask every `interval_s` seconds, and its code lasts `lasts_s` seconds.
    pub fn set_device_life(&self, interval_s: i64, lasts_s: i64) {
        self.0.world().oauth.device_life_s = (interval_s, lasts_s);
    }

    /// Those devices that wait may ask only every `interval_s` seconds, which they hear when they ask too soon.
    pub fn slow_devices_down(&self, interval_s: i64) {
        for device in self.0.world().oauth.devices.values_mut() {
            device.interval_s = interval_s;
        }
    }

    /// A person cancels at the device page, for all devices that wait.
    pub fn keep_devices_out(&self) {
        for device in self.0.world().oauth.devices.values_mut() {
            device.answer = Some(None);
        }
    }

    /// The codes of all devices that wait have ended.
    pub fn end_devices(&self) {
        let mut world = self.0.world();
        let now = world.ground.now();
        for device in world.oauth.devices.values_mut() {
            device.expires_at = now;
        }
    }

    /// The person takes back what they allowed: all their pairs end. Answers the payload of the webhook that tells of it.
    ///
    /// # Errors
    /// When there is no such person.
    pub fn revoke_authorization(&self, login: &str) -> Result<Value, ControlError> {
        let mut world = self.0.world();
        let user = world.user_of(login)?.clone();
        world.end_pairs(user.id);
        Ok(json!({ "action": "revoked", "sender": world.user_json(&user) }))
    }

    /// Whether a token is a good one of this person.
    #[must_use]
    pub fn is_good(&self, login: &str, token: &str) -> bool {
        let world = self.0.world();
        let Some(id) = world.user_named(login).map(|user| user.id) else { return false };
        let now = world.ground.now();
        world.grants.get(token).is_some_and(|grant| {
            matches!(grant.holder, Holder::User(own, _) if own == id) && grant.expires_at.is_none_or(|end| end > now)
        })
    }

    /// How many pairs of a person are good for something.
    #[must_use]
    pub fn pairs(&self, login: &str) -> usize {
        let world = self.0.world();
        let Some(id) = world.user_named(login).map(|user| user.id) else { return 0 };
        world.grants.values().filter(|grant| grant.holder == Holder::User(id, TokenKind::AppUser)).count()
    }

    /// How many pairs were made by a refresh.
    #[must_use]
    pub fn rotations(&self) -> u64 {
        self.0.world().oauth.rotations
    }
}
