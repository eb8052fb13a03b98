//! What one chat account alone is told, put into the outbox. Only the words are kept: a private link is made when it is
//! told, so that none lies in a table.

use serde::{Deserialize, Serialize};

use crate::clock::Ground;
use crate::domain::chat::Place;
use crate::domain::identity::Identity;
use crate::ids::{DeliveryId, ReportId};
use crate::store::reports::{NewReport, ReportKind};

/// What is said instead of the way to sign in, where there is none.
pub(super) const NOBODY_CAN: &str = "Nobody can sign in here by themselves: ask whoever runs taskbridge to set that up \
                                     (`github.sign_in` and `server.public_url`).";

/// What is whispered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Whisper {
    /// The words.
    pub text: String,
    /// The account that a private link is for, if one goes with the words: platform, workspace and account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_for: Option<(String, String, String)>,
    /// Whether the way to the page where one signs in goes with the words: for an account that is linked already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sign_in: bool,
}

impl Whisper {
    pub(super) fn words(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// The words with a private link for this account.
    pub(super) fn with_link(text: impl Into<String>, who: &Identity) -> Self {
        let link_for = [who.platform(), who.team(), who.account()].map(str::to_owned);
        Self { text: text.into(), link_for: Some(link_for.into()), sign_in: false }
    }

    /// The words with the way to the page where one signs in.
    pub(super) fn with_sign_in(text: impl Into<String>) -> Self {
        Self { text: text.into(), link_for: None, sign_in: true }
    }

    /// The words, and where one signs in if that goes with them: at the page, if there is one.
    pub(super) fn with_page(&self, page: Option<&str>) -> String {
        let text = &self.text;
        match page {
            _ if !self.sign_in => text.clone(),
            Some(page) => format!("{text} [Sign in with GitHub]({page})."),
            None => format!("{text} {NOBODY_CAN}"),
        }
    }

    /// Whose link goes with it.
    pub(super) fn linked(&self) -> Option<Identity> {
        let (platform, team, account) = self.link_for.as_ref()?;
        Identity::new(platform, team, account).ok()
    }
}

/// A whisper about a delivery; `nth` tells several of one delivery apart.
pub(super) fn whisper(ground: &Ground, delivery: DeliveryId, place: &Place, nth: &str, what: &Whisper) -> NewReport {
    NewReport {
        id: ReportId::new(ground),
        task_id: None,
        delivery_id: Some(delivery),
        kind: ReportKind::Whisper,
        dedupe: format!("whisper:{delivery}:{nth}"),
        repo_id: 0,
        repo_owner: String::new(),
        repo_name: String::new(),
        subject_number: 0,
        comment_id: None,
        comment_on_diff: false,
        person_id: None,
        content: serde_json::to_string(what).unwrap_or_default(),
        chat: Some(place.clone()),
    }
}
