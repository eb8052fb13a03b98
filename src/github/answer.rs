//! From what came over the wire to an answer or a [`CallError`]: bodies are read with a cap, and nothing that was
//! not understood counts as success.

use bytes::BytesMut;
use chrono::{DateTime, Utc};
use reqwest::header::{DATE, ETAG, HeaderMap, LINK};
use reqwest::{Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

use super::error::{CallError, clean};

/// Most bytes of an answer that tells of one thing.
pub(super) const ONE: usize = 1024 * 1024;
/// Most bytes of an answer that lists things (and of a task with its sessions, each of which repeats its prompt).
pub(super) const MANY: usize = 8 * 1024 * 1024;
/// Most bytes of a refusal that are looked at.
const REFUSAL: usize = 64 * 1024;
/// Most entries of GitHub's list of what is wrong.
const MAX_DETAILS: usize = 10;

/// An answer with a 2xx status (or 304 to a conditional question), read whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    body: BytesMut,
}

impl Answer {
    /// Takes a good answer; fails as unknown when the body is cut, too long or stays away.
    pub(super) async fn read(response: Response, cap: usize) -> Result<Self, CallError> {
        let (status, headers) = (response.status(), response.headers().clone());
        match body(response, cap).await {
            Ok(body) => Ok(Self { status, headers, body }),
            Err(why) => Err(CallError::unknown(status.as_u16(), why)),
        }
    }

    /// The body as JSON, if the status is the one that means success.
    pub(super) fn json<T: DeserializeOwned>(&self, success: StatusCode) -> Result<T, CallError> {
        self.expect(&[success])?;
        self.parse()
    }

    /// The body as JSON.
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, CallError> {
        let mut json = serde_json::Deserializer::from_slice(&self.body);
        serde_path_to_error::deserialize(&mut json)
            .map_err(|error| (shown_path(error.path()), error.into_inner()))
            .and_then(|value| json.end().map(|()| value).map_err(|error| (".".to_owned(), error)))
            .map_err(|(path, error)| {
                // The parser's own text may quote the body; a body may hold a token.
                let kind = match error.classify() {
                    serde_json::error::Category::Data => "has an unexpected shape",
                    serde_json::error::Category::Eof => "ends too early",
                    serde_json::error::Category::Io | serde_json::error::Category::Syntax => "is not JSON",
                };
                let why = format!("the answer {kind} (at {path}, line {})", error.line());
                CallError::unknown(self.status.as_u16(), why)
            })
    }

    /// Fails as unknown when the status is a success, but not one that this call knows.
    pub(super) fn expect(&self, known: &[StatusCode]) -> Result<(), CallError> {
        if known.contains(&self.status) {
            return Ok(());
        }
        let known: Vec<_> = known.iter().map(StatusCode::as_str).collect();
        Err(CallError::unknown(self.status.as_u16(), format!("expected status {}", known.join(" or "))))
    }

    /// When GitHub says that it answered, on its own clock and in whole seconds (RFC 9110, section 6.6.1).
    pub(super) fn said_at(&self) -> Option<DateTime<Utc>> {
        let text = self.headers.get(DATE)?.to_str().ok()?;
        DateTime::parse_from_rfc2822(text.trim()).ok().map(|at| at.to_utc())
    }

    /// The `ETag`, with its quotes.
    pub(super) fn etag(&self) -> Option<String> {
        Some(self.headers.get(ETAG)?.to_str().ok()?.to_owned())
    }

    /// The address of the next page, if `Link` names one.
    pub(super) fn next_page(&self) -> Option<String> {
        self.headers.get_all(LINK).iter().filter_map(|link| link.to_str().ok()).find_map(next_link)
    }
}

/// The way to a place in an answer as far as it is made of names like those of the API: other keys are whatever the
/// body holds, which may be a token.
fn shown_path(path: &serde_path_to_error::Path) -> String {
    let names = path.iter().map_while(|segment| match segment {
        Segment::Map { key } => {
            let known = key.len() <= 40 && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            known.then(|| key.clone())
        }
        Segment::Seq { index } => Some(index.to_string()),
        _ => None,
    });
    let names: Vec<String> = names.take(10).collect();
    if names.is_empty() { ".".to_owned() } else { names.join(".") }
}

/// Reads at most `cap` bytes.
async fn body(mut response: Response, cap: usize) -> Result<BytesMut, String> {
    let too_long = || format!("the answer is longer than {cap} bytes");
    if response.content_length().is_some_and(|length| length > cap as u64) {
        return Err(too_long());
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(network_reason)? {
        if body.len() + chunk.len() > cap {
            return Err(too_long());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// GitHub's own words in a refusal; empty when there are none (HTML of a proxy, a cut body).
pub(super) struct Refusal {
    pub(super) message: String,
    pub(super) details: Vec<String>,
}

impl Refusal {
    /// Reads what it can: the status has already decided, so nothing here fails.
    pub(super) async fn read(response: Response, secret: &str) -> Self {
        let bytes = body(response, REFUSAL).await.unwrap_or_default();
        let json: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let message = json.get("message").and_then(Value::as_str).unwrap_or_default();
        let details = super::lenient::list(&json, "errors").iter().take(MAX_DETAILS);
        Self { message: clean(message, secret), details: details.map(|one| clean(&detail(one), secret)).collect() }
    }

    /// The error that a refusing status means, rate limits aside.
    pub(super) fn into_error(self, status: StatusCode) -> CallError {
        let Self { message, details } = self;
        match status {
            StatusCode::UNAUTHORIZED => CallError::Unauthorized { message },
            StatusCode::FORBIDDEN => CallError::Forbidden { message },
            StatusCode::NOT_FOUND => CallError::NotFound { message },
            StatusCode::GONE => CallError::Gone { message },
            StatusCode::UNPROCESSABLE_ENTITY => CallError::Invalid { message, details },
            // 408 is said by whatever stands between, which may have passed the request on.
            status if status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT => {
                CallError::Refused { status: status.as_u16(), message }
            }
            status if message.is_empty() => CallError::unknown(status.as_u16(), "no usable answer"),
            status => CallError::unknown(status.as_u16(), message),
        }
    }
}

/// One entry of `errors`: a text, or an object with `message`, else with `resource`, `field` and `code`.
fn detail(error: &Value) -> String {
    if let Some(text) = error.as_str() {
        return text.to_owned();
    }
    let field = |key| error.get(key).and_then(Value::as_str);
    match field("message") {
        Some(message) => message.to_owned(),
        None => ["resource", "field", "code"].into_iter().filter_map(field).collect::<Vec<_>>().join(" "),
    }
}

/// What the network said, without the address, from the outermost to the innermost cause.
pub(super) fn network_reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut reason = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        let text = cause.to_string();
        if !reason.contains(&text) {
            reason.push_str(": ");
            reason.push_str(&text);
        }
        source = cause.source();
    }
    clean(&reason, "")
}

/// The address in `<...>` whose parameters hold `rel="next"` (RFC 8288; addresses may hold commas).
fn next_link(link: &str) -> Option<String> {
    let mut rest = link;
    while let Some((_, after)) = rest.split_once('<') {
        let (address, after) = after.split_once('>')?;
        let parameters = after.split_once('<').map_or(after, |(mine, _)| mine);
        let is_next = parameters.split([';', ',']).any(|parameter| {
            parameter.trim().split_once('=').is_some_and(|(key, value)| {
                let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
                key.trim().eq_ignore_ascii_case("rel") && relations.any(|rel| rel.eq_ignore_ascii_case("next"))
            })
        });
        if is_next {
            return Some(address.to_owned());
        }
        rest = after;
    }
    None
}

/// The path of a redirect that stays on `base`'s server, for people and logs; nothing of any other.
pub(super) fn shown_location(base: &Url, target: Option<&Url>) -> Option<String> {
    target.filter(|target| super::paths::same_server(base, target)).map(|target| clean(target.path(), ""))
}
