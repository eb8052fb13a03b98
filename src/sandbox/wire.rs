//! An answer on its way out: its bytes, how many of them are sent, and how a connection ends without any.

use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame};
use hyper::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

use super::call::{Answer, Content};

/// The connection ends here without an answer.
#[derive(Debug, thiserror::Error)]
#[error("dropped on purpose")]
pub(super) struct Dropped;

/// The bytes of an answer, and how many of them are sent.
#[derive(Debug)]
pub(super) struct Wire {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    /// Send only half, though the header announces all.
    pub truncate: bool,
}

impl Wire {
    /// The bytes of an answer, without the headers of the API.
    pub(super) fn of(answer: Answer) -> Self {
        let mut headers: Vec<(String, String)> =
            answer.headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let (kind, body) = match answer.body {
            Content::Empty => (None, Bytes::new()),
            Content::Json(value) => (Some("application/json; charset=utf-8"), value.to_string().into()),
            Content::Text(text) => (Some("text/plain; charset=utf-8"), text.into()),
            Content::Html(text) => (Some("text/html; charset=utf-8"), text.into()),
        };
        if let Some(kind) = kind {
            headers.push(("content-type".to_owned(), kind.to_owned()));
        }
        Self { status: answer.status, headers, body, truncate: false }
    }

    /// As hyper sends it.
    pub(super) fn into_response(self) -> Response<Sent> {
        let sent = if self.truncate { self.body.slice(..self.body.len() / 2) } else { self.body.clone() };
        let left = Some(sent).filter(|sent| !sent.is_empty());
        let mut response = Response::new(Sent { left, cut: self.truncate, flushed: false });
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        for (name, value) in &self.headers {
            // A value that no header can carry is left out: faults may hold any text.
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::from_str(value)) {
                headers.append(name, value);
            }
        }
        if !matches!(self.status, 101 | 204 | 304) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(self.body.len()));
        }
        response
    }
}

/// A body that may end before its announced length.
#[derive(Debug)]
pub(super) struct Sent {
    left: Option<Bytes>,
    cut: bool,
    flushed: bool,
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Dropped;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match self.left.take() {
            Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            // An error at once would throw away what was written but not yet flushed.
            None if self.cut && !self.flushed => {
                self.flushed = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            None if self.cut => Poll::Ready(Some(Err(Dropped))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_none() && !self.cut
    }
}
