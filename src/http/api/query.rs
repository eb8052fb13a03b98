//! Query parameters, read strictly: what is documented is what exists, and anything else is said by name. A
//! misspelt filter that is ignored shows everything, which looks like an answer.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::IntoDeserializer as _;
use serde::de::value::Error as ValueError;
use utoipa::IntoParams;
use utoipa::openapi::path::ParameterIn;

use crate::http::problem::Problem;

/// Longest value of a parameter, in characters.
const LONGEST: usize = 255;

/// The query parameters of a request, as `T`.
#[derive(Debug)]
pub struct Query<T>(pub T);

/// Parameters that can be read. Their names come from the description in the OpenAPI document, so that the two
/// cannot differ.
pub trait FromQuery: IntoParams + Sized {
    /// Reads them.
    ///
    /// # Errors
    /// A 400 that names the parameter.
    fn read(asked: &Asked) -> Result<Self, Problem>;
}

/// No parameters at all.
#[derive(Debug, IntoParams)]
pub struct Nothing {}

impl FromQuery for Nothing {
    fn read(_: &Asked) -> Result<Self, Problem> {
        Ok(Self {})
    }
}

impl<S: Send + Sync, T: FromQuery> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let names: Vec<String> =
            T::into_params(|| Some(ParameterIn::Query)).into_iter().map(|parameter| parameter.name).collect();
        T::read(&Asked::new(parts.uri.query().unwrap_or_default(), &names)?).map(Self)
    }
}

/// The parameters as they stand in the request: known names, each once, no unusable text.
#[derive(Debug)]
pub struct Asked(Vec<(String, String)>);

impl Asked {
    fn new(query: &str, names: &[String]) -> Result<Self, Problem> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if !names.contains(&name.clone().into_owned()) {
                return Err(unknown(&name, names));
            }
            if pairs.iter().any(|(seen, _)| *seen == name) {
                return Err(bad(&name, "it may be given once only"));
            }
            check_text(&value, LONGEST).map_err(|why| bad(&name, why))?;
            pairs.push((name.into_owned(), value.into_owned()));
        }
        pairs.sort_unstable();
        Ok(Self(pairs))
    }

    /// All but these, in the order of their names.
    pub fn without(&self, names: &[&str]) -> impl Iterator<Item = (&str, &str)> {
        let others = self.0.iter().filter(|(name, _)| !names.contains(&name.as_str()));
        others.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A parameter's text, which is not empty.
    ///
    /// # Errors
    /// A 400 that names it.
    pub fn text(&self, name: &str) -> Result<Option<&str>, Problem> {
        match self.0.iter().find(|(known, _)| known == name) {
            None => Ok(None),
            Some((_, value)) if value.is_empty() => Err(bad(name, "it is empty; leave it out instead")),
            Some((_, value)) => Ok(Some(value)),
        }
    }

    /// One of a few words.
    ///
    /// # Errors
    /// A 400 that names the parameter and the words.
    pub fn word<'de, T: Deserialize<'de>>(&'de self, name: &str) -> Result<Option<T>, Problem> {
        let read = |text: &'de str| T::deserialize(text.into_deserializer()).map_err(|e: ValueError| shown(&e));
        self.text(name)?.map(read).transpose().map_err(|why| bad(name, &why))
    }

    /// A moment.
    ///
    /// # Errors
    /// A 400 that names the parameter.
    pub fn moment(&self, name: &str) -> Result<Option<DateTime<Utc>>, Problem> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let moment = DateTime::parse_from_rfc3339(text).map_err(|_| {
            bad(name, "it must be a moment like `2026-03-01T12:00:00Z` (RFC 3339; write `+` in an offset as `%2B`)")
        })?;
        Ok(Some(moment.to_utc()))
    }

    /// `owner/name` of a repository.
    ///
    /// # Errors
    /// A 400 that names the parameter.
    pub fn repo(&self, name: &str) -> Result<Option<String>, Problem> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        if is_repo(text) { Ok(Some(text.to_owned())) } else { Err(bad(name, NOT_A_REPO)) }
    }

    /// A whole number of at least 1.
    ///
    /// # Errors
    /// A 400 that names the parameter.
    pub fn number(&self, name: &str) -> Result<Option<i64>, Problem> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        match text.parse::<i64>() {
            Ok(number) if number >= 1 => Ok(Some(number)),
            _ => Err(bad(name, "it must be a whole number of at least 1")),
        }
    }
}

/// What a repository's name must look like.
pub const NOT_A_REPO: &str = "it must be a repository as `owner/name`";

/// Whether a text can be `owner/name`.
#[must_use]
pub fn is_repo(text: &str) -> bool {
    text.split_once('/').is_some_and(|(owner, name)| !owner.is_empty() && !name.is_empty() && !name.contains('/'))
}

/// Whether PostgreSQL can take a text, and it is not too long.
///
/// # Errors
/// Why not.
pub fn check_text(text: &str, longest: usize) -> Result<(), &'static str> {
    if text.contains('\0') {
        return Err("it holds a NUL character, which no stored text has");
    }
    if text.chars().count() > longest { Err("it is too long") } else { Ok(()) }
}

/// A 400 that names a parameter.
#[must_use]
pub fn bad(name: &str, why: &str) -> Problem {
    let detail = format!("The parameter `{name}` cannot be used: {why}.");
    let problem = Problem::new(StatusCode::BAD_REQUEST, "bad-parameter", "Parameter unusable", detail);
    Problem { parameter: Some(name.into()), ..problem }
}

fn unknown(name: &str, names: &[String]) -> Problem {
    let name: String = name.chars().filter(|c| !c.is_control()).take(100).collect();
    let known: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    let those =
        if known.is_empty() { "There are none here".to_owned() } else { format!("There are {}", known.join(", ")) };
    let detail = format!("There is no parameter `{name}`. {those}.");
    let problem = Problem::new(StatusCode::BAD_REQUEST, "unknown-parameter", "Unknown parameter", detail);
    Problem { parameter: Some(name.into()), ..problem }
}

/// What serde says about the caller's own text, cut to a line.
#[must_use]
pub fn shown(error: &impl std::fmt::Display) -> String {
    error.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).take(500).collect()
}
