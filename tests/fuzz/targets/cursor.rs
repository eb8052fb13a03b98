//! Queries of the admin API with their cursors. An input is a query; `{cursor}` in it stands for a right one.
//!
//! Promises: a query is either refused with a 400 that says why in one bounded line, or means what a plain reading of it
//! means; a cursor that is accepted is, character by character, the one that this list gives for that place, and another
//! list or other filters refuse it.

use axum::extract::FromRequestParts as _;
use axum::http::Request;
use chrono::{DateTime, Utc};
use taskbridge::http::api::paging::{Filters, Listing, Paging};
use taskbridge::http::api::query::{Asked, FromQuery, Query};
use taskbridge::http::problem::Problem;
use utoipa::IntoParams;

use super::Target;

pub(crate) const CURSOR: Target = Target {
    name: "cursor",
    check,
    words: &[
        "cursor=",
        "{cursor}",
        "&",
        "=",
        "text=",
        "moment=2026-03-01T12:00:00Z",
        "moment=",
        "repo=a/b",
        "number=1",
        "limit=200",
        "limit=201",
        "limit=1000000000",
        "%00",
        "%2B",
        "%",
        "+",
        "AAAA",
        "==",
        "_",
        "-",
        "text=a&text=b",
        "9223372036854775808",
    ],
    slowest_ms: 1_000,
};

const LIST: &str = "things";
const PLACE: u128 = 0x0190_0000_0000_7000_8000_0000_0000_0001;

/// A list with every kind of filter that there is.
#[derive(Debug, IntoParams)]
struct Things {
    text: Option<String>,
    moment: Option<DateTime<Utc>>,
    repo: Option<String>,
    number: Option<i64>,
}

impl Filters for Things {
    const LIST: &'static str = LIST;
}

impl FromQuery for Things {
    fn read(asked: &Asked) -> Result<Self, Problem> {
        Ok(Self {
            text: asked.text("text")?.map(str::to_owned),
            moment: asked.moment("moment")?,
            repo: asked.repo("repo")?,
            number: asked.number("number")?,
        })
    }
}

fn check(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    cursors(&text);
    let filters = filters(&text);
    let query = text.replace("{cursor}", &given(&filters));
    let Ok(request) = Request::builder().uri(format!("/things?{query}")).body(()) else { return };
    let pairs: Vec<(String, String)> =
        form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()).into_owned().collect();
    let (mut parts, ()) = request.into_parts();
    let read = ready(Query::<Listing<Things>>::from_request_parts(&mut parts, &()));
    let value = |name: &str| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    match read {
        Err(problem) => {
            assert_eq!(problem.status, 400);
            assert!(problem.detail.chars().count() < 2_000, "{problem:?}");
            assert!(!problem.detail.contains(char::is_control), "{problem:?}");
        }
        Ok(Query(Listing { filters: things, paging })) => {
            let mut names: Vec<&String> = pairs.iter().map(|(name, _)| name).collect();
            names.sort();
            assert!(names.windows(2).all(|two| two[0] != two[1]), "twice: {names:?}");
            assert_eq!(things.text.as_deref(), value("text"));
            assert_eq!(things.repo.as_deref(), value("repo"));
            assert_eq!(things.number, value("number").map(|number| number.parse().unwrap()));
            assert_eq!(things.moment.is_some(), value("moment").is_some());
            assert!(pairs.iter().all(|(_, value)| !value.contains('\0') && value.chars().count() <= 255));
            assert_eq!(paging.fetch(), value("limit").map_or(51, |limit| limit.parse::<i64>().unwrap() + 1));
            assert!((2..=201).contains(&paging.fetch()));
            assert_eq!(paging.after.is_some(), value("cursor").is_some());
        }
    }
}

/// The text as a cursor of a list, and a right cursor changed by the text.
fn cursors(text: &str) {
    if let Ok(paging) = Paging::new(LIST, 1, Some(text)) {
        let place = paging.after.unwrap();
        assert_eq!(cursor_at(LIST, place), text, "another writing of the same cursor");
        assert!(Paging::new("others", 1, Some(text)).is_err(), "it is of another list");
    }
    let mut changed = given(LIST);
    let right = changed.clone();
    assert_eq!(Paging::new(LIST, 1, Some(&right)).unwrap().after, Some(PLACE));
    for (at, c) in text.chars().enumerate().filter(|(_, c)| c.is_ascii_alphanumeric()).take(3) {
        let at = (at * 7) % changed.len();
        changed.replace_range(at..=at, c.encode_utf8(&mut [0; 4]));
    }
    assert_eq!(Paging::new(LIST, 1, Some(&changed)).is_ok(), changed == right, "{changed}");
}

/// What the list and its filters come to, as [`Listing`] puts them together.
fn filters(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    pairs.sort_unstable();
    let others = pairs.into_iter().filter(|(name, _)| name != "limit" && name != "cursor");
    others.fold(LIST.to_owned(), |all, (name, value)| format!("{all}\0{name}\0{value}"))
}

fn given(filters: &str) -> String {
    cursor_at(filters, PLACE)
}

fn cursor_at(filters: &str, place: u128) -> String {
    let page = Paging::new(filters, 1, None).unwrap().page(vec![place, 0], |place| *place, |_| ());
    page.next_cursor.unwrap()
}

/// What a future that waits for nothing gives.
fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("reading a query waits for nothing"),
    }
}
