//! Which failures an operation may answer, for the description: all of them are problem documents.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

/// What every operation may answer.
#[derive(Debug)]
pub struct Usual;

/// What an operation on one thing may answer besides.
#[derive(Debug)]
pub struct NotFound;

/// What an operation that changes a thing may answer besides.
#[derive(Debug)]
pub struct Conflict;

/// What an operation with a body may answer besides.
#[derive(Debug)]
pub struct BadBody;

type Responses = BTreeMap<String, RefOr<Response>>;

impl IntoResponses for Usual {
    fn responses() -> Responses {
        problems(&[
            ("400", "Something in the request cannot be used; `parameter` says which parameter it is."),
            ("401", "A key is needed, or this one is not known."),
            ("403", "The key's scope is too narrow."),
            ("500", "Something went wrong inside; the log says what."),
            ("503", "The database does not answer, or too much is asked for at once. Try again after `Retry-After`."),
        ])
    }
}

impl IntoResponses for NotFound {
    fn responses() -> Responses {
        problems(&[("404", "There is none with this id (any more).")])
    }
}

impl IntoResponses for Conflict {
    fn responses() -> Responses {
        problems(&[(
            "409",
            "Its state does not allow it; `detail` says what can be done instead, `link` where, `tasks` what is in the way.",
        )])
    }
}

impl IntoResponses for BadBody {
    fn responses() -> Responses {
        problems(&[
            ("408", "The body did not arrive in time."),
            ("413", "The body is too large."),
            ("415", "The body is not sent as JSON."),
        ])
    }
}

fn problems(faults: &[(&str, &str)]) -> Responses {
    let problem = |text: &str| {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        RefOr::T(ResponseBuilder::new().description(text).content("application/problem+json", content).build())
    };
    faults.iter().map(|(status, text)| ((*status).to_owned(), problem(text))).collect()
}
