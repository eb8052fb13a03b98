//! Bodies that are forms, as chats send their commands. Which of two values counts would be a matter of taste: no field comes twice.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::unreadable::Unreadable;

/// A form, read in place as far as nothing in it is escaped.
pub(super) struct Form<'a> {
    body: &'a [u8],
    fields: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
}

impl<'a> Form<'a> {
    /// Whether a body of this type is a form.
    pub(super) fn is_one(content_type: &str) -> bool {
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    }

    pub(super) fn parse(body: &'a [u8]) -> Result<Self, Unreadable> {
        let mut fields = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(body) {
            if fields.insert(name, value).is_some() {
                return Err(Unreadable("the form has a field twice".to_owned()));
            }
        }
        Ok(Self { body, fields })
    }

    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(|value| &**value)
    }

    /// The fields as a type.
    pub(super) fn read<T: Deserialize<'a>>(&self) -> Result<T, Unreadable> {
        serde_urlencoded::from_bytes(self.body).map_err(|error| Unreadable(error.to_string()))
    }

    /// The fields as JSON, for rules that look at what is in no event.
    pub(super) fn to_json(&self) -> Value {
        self.fields.iter().map(|(name, value)| (name.to_string(), Value::from(value.to_string()))).collect()
    }
}
