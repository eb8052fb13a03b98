//! An HMAC over the body, alone or with a time stamp, an id or other text around it. Most senders differ only in the
//! header, in what stands around the body and in how the signature is written.

use std::borrow::Cow;

use ::hmac::{Hmac as Code, KeyInit, Mac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use http::HeaderMap;
use sha2::{Sha256, Sha512};

use super::super::pluck::pluck;
use super::super::request::{LISTED, Refusal, json_bytes, needed, only};
use super::stamp::{Window, whole_number};
use crate::domain::signing_key::SharedKey;

/// One sender's way, with its keys.
#[derive(Debug)]
pub struct Hmac {
    /// The keys; any one is enough.
    pub keys: Vec<SharedKey>,
    /// The header that holds the signature, in lower case.
    pub header: Cow<'static, str>,
    /// The hash.
    pub hash: Hash,
    /// How a signature is written.
    pub encoding: Encoding,
    /// How the header is laid out.
    pub form: Form,
    /// What is signed, in order.
    pub signed: Vec<Part>,
    /// Where the time stamp is, and how far away it may be.
    pub stamp: Stamp,
    /// Whether the body may be a form, of which the text in `payload` is signed (Gitea).
    pub payload_of_form: bool,
}

/// The hash of an HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Hex in lower case.
    Hex,
    /// Standard base64 with padding.
    Base64,
}

/// How the header is laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// One signature behind this prefix, which may be empty.
    One(Cow<'static, str>),
    /// Signatures behind `v1=`, with commas between them; any one is enough (PagerDuty).
    List,
    /// The same with the time stamp before them as `t=` (Stripe).
    Stamped,
}

/// A piece of what is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// This text.
    Text(Cow<'static, str>),
    /// The text of this header.
    Header(Cow<'static, str>),
    /// The time stamp as the sender wrote it.
    Stamp,
    /// The raw body.
    Body,
}

/// Where a time stamp is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stamp {
    /// There is none.
    None,
    /// In this header, in seconds.
    Header(Cow<'static, str>, Window),
    /// In the signature's own header, in seconds.
    Beside(Window),
    /// In the signed body, at this JSON pointer, in milliseconds; the window is in milliseconds too.
    InBody(&'static str, Window),
    /// In the signed body, written out (RFC 3339), at the first of these JSON pointers that is there; the window is in
    /// seconds.
    Written(&'static [&'static str], Window),
}

/// What the headers say.
pub(super) struct Announced<'a> {
    signatures: Vec<Vec<u8>>,
    stamp: Option<&'a str>,
}

impl Hmac {
    /// HMAC-SHA256 in hex over the raw body, behind `prefix` in `header`.
    #[must_use]
    pub fn over_body(keys: Vec<SharedKey>, header: &'static str, prefix: &'static str) -> Self {
        Self {
            keys,
            header: header.into(),
            hash: Hash::Sha256,
            encoding: Encoding::Hex,
            form: Form::One(prefix.into()),
            signed: vec![Part::Body],
            stamp: Stamp::None,
            payload_of_form: false,
        }
    }

    pub(super) fn announced<'a>(&self, headers: &'a HeaderMap) -> Result<Announced<'a>, Refusal> {
        let text = needed(headers, &self.header)?;
        let stamp = match &self.stamp {
            Stamp::Header(name, _) => Some(needed(headers, name)?),
            _ => None,
        };
        match &self.form {
            Form::One(prefix) => {
                let signature = text.strip_prefix(prefix.as_ref()).and_then(|text| self.decode(text));
                Ok(Announced { signatures: vec![signature.ok_or(Refusal::SignatureMalformed)?], stamp })
            }
            Form::List | Form::Stamped => self.listed(text, stamp),
        }
    }

    /// `v1=..,v1=..`, for Stripe with one `t=`. What has another name is of another version and is passed over.
    fn listed<'a>(&self, text: &'a str, mut stamp: Option<&'a str>) -> Result<Announced<'a>, Refusal> {
        let items: Vec<&str> = text.splitn(LISTED + 1, ',').collect();
        let mut signatures = Vec::new();
        for item in &items {
            match item.split_once('=') {
                Some(("v1", text)) => signatures.push(self.decode(text).ok_or(Refusal::SignatureMalformed)?),
                Some(("t", text)) if self.form == Form::Stamped => {
                    if stamp.replace(text).is_some() {
                        return Err(Refusal::SignatureDoubled);
                    }
                }
                Some(_) => {}
                None => return Err(Refusal::SignatureMalformed),
            }
        }
        let complete = items.len() <= LISTED && !signatures.is_empty() && (self.form == Form::List || stamp.is_some());
        if complete { Ok(Announced { signatures, stamp }) } else { Err(Refusal::SignatureMalformed) }
    }

    fn decode(&self, text: &str) -> Option<Vec<u8>> {
        let length = match self.hash {
            Hash::Sha256 => 32,
            Hash::Sha512 => 64,
        };
        let bytes = match self.encoding {
            Encoding::Hex if text.bytes().any(|byte| byte.is_ascii_uppercase()) => return None,
            Encoding::Hex => hex::decode(text).ok()?,
            Encoding::Base64 => STANDARD.decode(text).ok()?,
        };
        (bytes.len() == length).then_some(bytes)
    }

    pub(super) fn verify(&self, headers: &HeaderMap, body: &[u8], now: DateTime<Utc>) -> Result<(), Refusal> {
        let announced = self.announced(headers)?;
        if let (Stamp::Header(_, window) | Stamp::Beside(window), Some(stamp)) = (&self.stamp, announced.stamp) {
            window.holds(stamp, now)?;
        }
        let body = self.body(headers, body)?;
        let mut signed: Vec<&[u8]> = Vec::new();
        for part in &self.signed {
            signed.push(match part {
                Part::Text(text) => text.as_bytes(),
                Part::Header(name) => needed(headers, name)?.as_bytes(),
                Part::Stamp => announced.stamp.ok_or(Refusal::SignatureMissing)?.as_bytes(),
                Part::Body => &body,
            });
        }
        let fits = match self.hash {
            Hash::Sha256 => fits::<Code<Sha256>>(&self.keys, &signed, &announced.signatures),
            Hash::Sha512 => fits::<Code<Sha512>>(&self.keys, &signed, &announced.signatures),
        };
        if !fits {
            return Err(Refusal::SignatureWrong);
        }
        match &self.stamp {
            Stamp::InBody(pointer, window) => {
                let stamp = text_in(&body, &[pointer]).and_then(|stamp| whole_number(&stamp));
                window.holds_moment(stamp.ok_or(Refusal::StampUnusable)?, now.timestamp_millis())
            }
            Stamp::Written(pointers, window) => {
                let stamp = text_in(&body, pointers).and_then(|stamp| DateTime::parse_from_rfc3339(&stamp).ok());
                window.holds_moment(stamp.ok_or(Refusal::StampUnusable)?.timestamp(), now.timestamp())
            }
            _ => Ok(()),
        }
    }

    /// The bytes that are signed as the body.
    fn body<'a>(&self, headers: &HeaderMap, body: &'a [u8]) -> Result<Cow<'a, [u8]>, Refusal> {
        if !self.payload_of_form {
            return Ok(Cow::Borrowed(body));
        }
        let kind = only(headers, "content-type").ok().flatten().unwrap_or_default();
        json_bytes(kind, body).map_err(|_| Refusal::SignatureWrong)
    }
}

/// The time stamp in a body whose signature is right.
fn text_in(body: &[u8], pointers: &[&str]) -> Option<String> {
    let json = std::str::from_utf8(body).ok()?;
    pointers.iter().find_map(|pointer| pluck(json, pointer))
}

/// Whether any key makes any of the signatures. All are tried.
pub(super) fn fits<M: Mac + KeyInit + Clone>(keys: &[SharedKey], signed: &[&[u8]], signatures: &[Vec<u8>]) -> bool {
    let mut fits = false;
    for key in keys {
        let key = key.expose();
        let Ok(mut code) = <M as KeyInit>::new_from_slice(key) else { continue };
        for part in signed {
            code.update(part);
        }
        for signature in signatures {
            fits |= code.clone().verify_slice(signature).is_ok() & !key.is_empty();
        }
    }
    fits
}
