//! What rules see of one delivery, made once for all of them: names and texts are copied and the raw payload is read
//! at most once, however many rules listen.

use std::sync::OnceLock;

use super::asked::Asked;
use crate::domain::command::Command;
use crate::domain::event::Event;
use crate::domain::rule::Rule;
use crate::domain::view::{Texts, View};
use crate::sources::{Envelope, Source};

/// One delivery as rules see it.
pub(super) struct Sight<'a> {
    pub event: &'a Event,
    pub command: Option<&'a Command>,
    /// What GitHub was asked about rights for it.
    pub asked: Asked,
    raw: Option<Raw<'a>>,
    plain: OnceLock<View>,
    whole: OnceLock<Result<View, String>>,
}

/// Where the raw payload is read from.
pub(super) struct Raw<'a> {
    pub source: &'a Source,
    pub envelope: &'a Envelope,
    pub body: &'a [u8],
}

impl<'a> Sight<'a> {
    pub(super) fn new(event: &'a Event, command: Option<&'a Command>, raw: Option<Raw<'a>>) -> Self {
        Self { event, command, asked: Asked::default(), raw, plain: OnceLock::new(), whole: OnceLock::new() }
    }

    /// What `rule` sees, with every text as it is; the raw payload only if the rule mentions it.
    ///
    /// # Errors
    /// The payload cannot be read, in words: the rule fails.
    pub(super) fn of(&self, rule: &Rule) -> Result<&View, String> {
        if !mentions_payload(rule) {
            return Ok(self.plain.get_or_init(|| self.view(None)));
        }
        let whole = self.whole.get_or_init(|| match &self.raw {
            Some(raw) => {
                let payload =
                    raw.source.payload(raw.envelope, raw.body).map_err(|unreadable| unreadable.to_string())?;
                Ok(self.view(Some(payload)))
            }
            None => Ok(self.view(None)),
        });
        whole.as_ref().map_err(Clone::clone)
    }

    fn view(&self, payload: Option<serde_json::Value>) -> View {
        View::new(self.event, self.command, payload, Texts::plain())
    }
}

fn mentions_payload(rule: &Rule) -> bool {
    let templates = [
        Some(&rule.task.prompt),
        rule.task.base_ref.as_ref(),
        rule.task.head_ref.as_ref(),
        rule.once_per.as_ref().map(|once| &once.key),
    ];
    rule.when.as_ref().is_some_and(|when| when.uses("payload"))
        || templates.into_iter().flatten().any(|template| template.uses("payload"))
}
