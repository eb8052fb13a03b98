//! One request and one answer as plain values, and the error shapes of GitHub, so that every handler
//! is a function without sockets.

use hyper::body::Bytes;
use hyper::{HeaderMap, Method};
use serde_json::{Value, json};

const DOCS: &str = "https://docs.github.com/rest";

/// One request, read whole.
#[derive(Debug)]
pub(super) struct Call {
    /// The method.
    pub method: Method,
    /// The path as sent.
    pub path: String,
    /// The query as sent, without `?`.
    pub raw_query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, at most [`super::serve::BODY_BYTES`].
    pub body: Bytes,
    /// Whether the other end is this machine.
    pub loopback: bool,
}

impl Call {
    /// The decoded parts of the path.
    pub(super) fn segments(&self) -> Vec<String> {
        self.path.split('/').filter(|part| !part.is_empty()).map(|part| decode(part, false)).collect()
    }

    /// All values of one query parameter, decoded; `name[]` counts as `name`.
    pub(super) fn query_all(&self, name: &str) -> Vec<String> {
        let pairs = self.raw_query.split('&').filter(|pair| !pair.is_empty());
        pairs
            .filter_map(|pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decode(key, true).trim_end_matches("[]") == name).then(|| decode(value, true))
            })
            .collect()
    }

    /// The last value of one query parameter.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        self.query_all(name).pop()
    }

    /// A header as text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as a JSON object.
    pub(super) fn object(&self) -> Result<serde_json::Map<String, Value>, Answer> {
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(map)) => Ok(map),
            Ok(_) => Err(Answer::error(400, "Body should be a JSON object")),
            Err(_) => Err(Answer::error(400, "Problems parsing JSON")),
        }
    }
}

/// One field of a body that is a form or a JSON object.
pub(super) fn form(call: &Call, name: &str) -> Option<String> {
    if let Ok(object) = call.object() {
        return object.get(name).and_then(Value::as_str).map(str::to_owned);
    }
    form_urlencoded::parse(&call.body).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// Percent-decoding; unreadable escapes stay as they are.
pub(super) fn decode(text: &str, plus_is_space: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3);
        match (bytes[at], hex.and_then(|two| hex::decode(two).ok()?.first().copied())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 2;
            }
            (b'+', _) if plus_is_space => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// What is sent back.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// The status code.
    pub status: u16,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Content,
}

/// The body of an answer.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// None (204, 304).
    Empty,
    /// What the API speaks.
    Json(Value),
    /// A page.
    Html(String),
    /// Words for a person or a shell.
    Text(String),
}

/// An answer, or the answer that says why not.
pub(super) type Reply = Result<Answer, Answer>;

impl Answer {
    /// JSON with a status.
    pub(super) fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: Content::Json(body) }
    }

    /// 200 with JSON.
    pub(super) fn ok(body: Value) -> Self {
        Self::json(200, body)
    }

    /// No body.
    pub(super) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Content::Empty }
    }

    /// A page.
    pub(super) fn html(status: u16, text: String) -> Self {
        Self { status, headers: Vec::new(), body: Content::Html(text) }
    }

    /// 200 with words.
    pub(super) fn text(text: String) -> Self {
        Self { status: 200, headers: Vec::new(), body: Content::Text(text) }
    }

    /// GitHub's plain error.
    pub(super) fn error(status: u16, message: &str) -> Self {
        Self::json(status, json!({ "message": message, "documentation_url": DOCS, "status": status.to_string() }))
    }

    /// 404, also for what the caller may not see.
    pub(super) fn not_found() -> Self {
        Self::error(404, "Not Found")
    }

    /// 403 for an installation token where only a person's token will do.
    pub(super) fn users_only() -> Self {
        Self::error(403, "Resource not accessible by integration")
    }

    /// 422 of the task calls: code and message, no field or resource.
    pub(super) fn task_invalid(code: &str, message: &str) -> Self {
        let errors = json!([{ "code": code, "message": message }]);
        Self::json(422, json!({ "message": "Validation Failed", "documentation_url": DOCS, "errors": errors }))
    }

    /// 422 of the older calls.
    pub(super) fn invalid(resource: &str, field: &str, code: &str) -> Self {
        let errors = json!([{ "resource": resource, "field": field, "code": code }]);
        Self::json(
            422,
            json!({ "message": "Validation Failed", "documentation_url": DOCS, "errors": errors, "status": "422" }),
        )
    }

    /// The same with one more header.
    #[must_use]
    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// One page of a list: which, how long, and the `Link` header that leads on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    number: usize,
    size: usize,
}

impl Page {
    /// From `page` and `per_page`, bounded as GitHub does (nonsense counts as absent).
    pub(super) fn of(call: &Call) -> Self {
        let number = |name: &str| call.query(name).and_then(|text| text.parse::<usize>().ok()).filter(|n| *n > 0);
        Self { number: number("page").unwrap_or(1), size: number("per_page").unwrap_or(30).min(100) }
    }

    /// Cuts the page out of `all` and adds the `Link` header; `base` is the API's address.
    pub(super) fn answer<T>(self, call: &Call, base: &str, all: &[T], body: impl FnOnce(&[T]) -> Value) -> Answer {
        let start = (self.number - 1).saturating_mul(self.size).min(all.len());
        let end = start.saturating_add(self.size).min(all.len());
        let last = all.len().div_ceil(self.size).max(1);
        let answer = Answer::ok(body(&all[start..end]));
        let mut links = Vec::new();
        let mut link = |page: usize, rel: &str| {
            let url = page_url(call, base, "page", &page.to_string());
            links.push(format!("<{url}>; rel=\"{rel}\""));
        };
        if self.number > 1 {
            link((self.number - 1).min(last), "prev");
        }
        if self.number < last {
            link(self.number + 1, "next");
            link(last, "last");
        }
        if self.number > 1 {
            link(1, "first");
        }
        if links.is_empty() { answer } else { answer.with("link", links.join(", ")) }
    }
}

/// The address of this call with one query parameter replaced.
pub(super) fn page_url(call: &Call, base: &str, name: &str, value: &str) -> String {
    let kept = call.raw_query.split('&').filter(|pair| {
        let key = pair.split('=').next().unwrap_or_default();
        !key.is_empty() && key != name
    });
    let query: Vec<String> = kept.map(str::to_owned).chain([format!("{name}={value}")]).collect();
    format!("{base}{}?{}", call.path, query.join("&"))
}
