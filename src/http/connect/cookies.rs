//! What a browser keeps: the sign-in that it began, and for a short time who signed in. Neither can be read by a page or
//! is sent along by another site's form.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use chrono::TimeDelta;

/// Most bytes of a value that is looked at; ours have 43.
const LONGEST: usize = 100;

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// The sign-in on its way.
    SignIn,
    /// Who signed in.
    Session,
}

/// Where people reach the page.
#[derive(Debug, Clone)]
pub(super) struct Site {
    url: String,
    origin: String,
    secure: bool,
}

impl Site {
    /// From the address of the page.
    pub(super) fn of(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let authority = rest.split('/').next()?;
        let host = match authority.strip_prefix('[') {
            Some(v6) => v6.split(']').next()?,
            None => authority.split(':').next()?,
        };
        let loopback = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        let secure = scheme != "http" || !loopback;
        Some(Self { url: url.to_owned(), origin: format!("{scheme}://{authority}"), secure })
    }

    /// The page's address, without a slash at its end.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// What a browser names as the origin of our forms.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// With the prefix that browsers let nobody set but this very host, over TLS.
    fn name(&self, kept: Kept) -> &'static str {
        match (kept, self.secure) {
            (Kept::SignIn, true) => "__Host-taskbridge-sign-in",
            (Kept::SignIn, false) => "taskbridge-sign-in",
            (Kept::Session, true) => "__Host-taskbridge-session",
            (Kept::Session, false) => "taskbridge-session",
        }
    }

    /// What the browser brought. Two of one name are none: one of them was put there by somebody else.
    pub(super) fn read(&self, headers: &HeaderMap, kept: Kept) -> Option<String> {
        let name = self.name(kept);
        let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut own = all
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| value);
        let value = own.next().filter(|value| !value.is_empty() && value.len() <= LONGEST)?;
        own.next().is_none().then(|| value.to_owned())
    }

    /// Has the browser keep something.
    pub(super) fn set(&self, response: &mut Response, kept: Kept, value: &str, lasting: TimeDelta) {
        self.put(response, kept, value, lasting.num_seconds());
    }

    /// Has the browser drop something.
    pub(super) fn clear(&self, response: &mut Response, kept: Kept) {
        self.put(response, kept, "", 0);
    }

    fn put(&self, response: &mut Response, kept: Kept, value: &str, seconds: i64) {
        let secure = if self.secure { "; Secure" } else { "" };
        let text = format!("{}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}", self.name(kept));
        if let Ok(mut value) = HeaderValue::from_str(&text) {
            value.set_sensitive(true);
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_open_only_on_this_machine() {
        for (url, secure, origin) in [
            ("https://bridge.example.com/connect", true, "https://bridge.example.com"),
            ("http://127.0.0.1:8080/connect", false, "http://127.0.0.1:8080"),
            ("http://[::1]:8080/connect", false, "http://[::1]:8080"),
            ("http://localhost/connect", false, "http://localhost"),
            ("http://bridge.example.com/connect", true, "http://bridge.example.com"),
            ("http://localhost.example.com/connect", true, "http://localhost.example.com"),
        ] {
            let site = Site::of(url).expect("an address");
            assert_eq!((site.secure, site.origin()), (secure, origin), "{url}");
        }
    }

    /// A neighbour of the same domain can set a cookie here, but none with this prefix.
    #[test]
    fn behind_tls_a_cookie_is_this_host_s_alone() {
        let site = Site::of("https://bridge.example.com/connect").expect("an address");
        for (kept, name) in [(Kept::SignIn, "__Host-taskbridge-sign-in"), (Kept::Session, "__Host-taskbridge-session")]
        {
            let mut response = Response::default();
            site.set(&mut response, kept, "value", TimeDelta::minutes(10));
            let set = response.headers()[header::SET_COOKIE].to_str().expect("a text").to_owned();
            assert_eq!(set, format!("{name}=value; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure"));
            let mut headers = HeaderMap::new();
            headers.append(
                header::COOKIE,
                HeaderValue::from_static("taskbridge-session=planted; taskbridge-sign-in=planted"),
            );
            assert_eq!(site.read(&headers, kept), None);
            headers.append(header::COOKIE, HeaderValue::from_str(&format!("{name}=own")).expect("a text"));
            assert_eq!(site.read(&headers, kept).as_deref(), Some("own"));
        }
    }

    #[test]
    fn a_cookie_that_is_there_twice_is_none() {
        let site = Site::of("http://127.0.0.1/connect").expect("an address");
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=b; taskbridge-session=one"));
        assert_eq!(site.read(&headers, Kept::Session).as_deref(), Some("one"));
        headers.append(header::COOKIE, HeaderValue::from_static("taskbridge-session=two"));
        assert_eq!(site.read(&headers, Kept::Session), None);
        assert_eq!(site.read(&headers, Kept::SignIn), None);
    }
}
