//! Pages of a list. A cursor is where the last page ended together with a check over that place, the list and
//! its filters: one that was changed, or comes from another list, is refused instead of leaving a gap unseen.
//! The check is not a signature: who may read the list may ask for any place in it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::query::{Asked, FromQuery, bad};
use crate::http::problem::Problem;
use crate::store;

/// Bytes of the place and of the check.
const PLACE: usize = 16;
/// Rows in a page when the caller does not say.
const LIMIT_DEFAULT: i64 = 50;
/// Rows in a page at most.
const LIMIT_MAX: i64 = 200;

/// What narrows a list.
pub trait Filters: FromQuery {
    /// The list's name: a cursor of another list is refused.
    const LIST: &'static str;
}

/// A list as it is asked for: what narrows it, and which page of it.
#[derive(Debug)]
pub struct Listing<F> {
    /// What narrows it.
    pub filters: F,
    /// Which page.
    pub paging: Paging,
}

impl<F: Filters> IntoParams for Listing<F> {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        [F::into_params(&place), WhichPage::into_params(&place)].concat()
    }
}

impl<F: Filters> FromQuery for Listing<F> {
    fn read(asked: &Asked) -> Result<Self, Problem> {
        Ok(Self { filters: F::read(asked)?, paging: Paging::of(F::LIST, asked)? })
    }
}

/// The parameters that every list has, as they are described; [`Paging`] is what they say.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the fields are the description")]
struct WhichPage {
    /// Rows in a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
    /// `next_cursor` of the page before, with the same filters.
    #[param(min_length = 1, pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
}

/// Which page is asked for.
#[derive(Debug)]
pub struct Paging {
    /// Where the last page ended.
    pub after: Option<u128>,
    limit: i64,
    filters: [u8; 32],
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Give it as `cursor`, with the same filters, for the next page. Absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

impl Paging {
    /// `filters` stands for the list and everything that narrows it.
    ///
    /// # Errors
    /// A 400 that names `cursor`.
    pub fn new(filters: &str, limit: i64, cursor: Option<&str>) -> Result<Self, Problem> {
        let mut paging = Self { after: None, limit, filters: Sha256::digest(filters).into() };
        if let Some(cursor) = cursor {
            let place = paging.place(cursor).ok_or_else(|| {
                bad("cursor", "it is not one that this list gave for these filters; begin again without it")
            })?;
            paging.after = Some(place);
        }
        Ok(paging)
    }

    fn of(list: &str, asked: &Asked) -> Result<Self, Problem> {
        let limit = match asked.text("limit")? {
            None => LIMIT_DEFAULT,
            Some(text) => text
                .parse()
                .ok()
                .filter(|limit| (1..=LIMIT_MAX).contains(limit))
                .ok_or_else(|| bad("limit", &format!("it must be a number from 1 to {LIMIT_MAX}")))?,
        };
        let mut filters = list.to_owned();
        for (name, value) in asked.without(&["limit", "cursor"]) {
            // No text holds a NUL, so that it parts them safely.
            filters.extend(["\0", name, "\0", value]);
        }
        Self::new(&filters, limit, asked.text("cursor")?)
    }

    /// The rows to fetch of a list by id, newest first.
    #[must_use]
    pub fn newest_first(&self) -> store::Page {
        store::Page { before: self.after.map(Uuid::from_u128), limit: self.fetch() }
    }

    /// How many rows to fetch: one more than are shown, to know whether there are more.
    #[must_use]
    pub fn fetch(&self) -> i64 {
        self.limit + 1
    }

    /// The page of what was fetched; `place` says where in the list a row stands.
    #[must_use]
    pub fn page<R, T>(&self, mut rows: Vec<R>, place: impl Fn(&R) -> u128, show: impl FnMut(R) -> T) -> Page<T> {
        let limit = usize::try_from(self.limit).unwrap_or(0);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows.last().filter(|_| more).map(|row| self.cursor(place(row)));
        Page { items: rows.into_iter().map(show).collect(), next_cursor }
    }

    fn cursor(&self, place: u128) -> String {
        URL_SAFE_NO_PAD.encode([place.to_be_bytes(), self.check(place)].concat())
    }

    fn place(&self, cursor: &str) -> Option<u128> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (place, check) = bytes.split_first_chunk::<PLACE>()?;
        let place = u128::from_be_bytes(*place);
        (self.check(place) == check).then_some(place)
    }

    fn check(&self, place: u128) -> [u8; PLACE] {
        let hash = Sha256::new().chain_update(self.filters).chain_update(place.to_be_bytes()).finalize();
        std::array::from_fn(|at| hash[at])
    }
}
