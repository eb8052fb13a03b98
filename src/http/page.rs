//! What all pages for people have in common: how they look, and what a browser may do with them. One style, no scripts, nothing
//! loaded; it follows the browser's light or dark.

use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Html;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::domain::html::escape;

/// What is painted with the colours of both halves below; the names stand for the same things in both.
const STYLE: &str = concat!(
    ":root{color-scheme:light dark;--back:#f6f8fa;--card:#ffffff;--text:#1f2328;--soft:#59636e;--line:#d1d9e0;\
     --link:#0b57b8;--act:#1a7037;--on-act:#ffffff;--end:#b3261e;--note:#fff4d6}",
    "@media(prefers-color-scheme:dark){:root{--back:#0d1117;--card:#161b22;--text:#e6edf3;--soft:#9aa4af;--line:#3d444d;\
     --link:#79b8ff;--act:#238040;--on-act:#ffffff;--end:#ff8a80;--note:#3a2f10}}",
    "*{box-sizing:border-box}",
    "body{font:1rem/1.55 system-ui,sans-serif;margin:0;background:var(--back);color:var(--text);overflow-wrap:anywhere}",
    "header,main,footer{max-width:42rem;margin:0 auto;padding:1rem 1.5rem}",
    "header{padding-top:1.5rem;font-weight:600}header a{color:inherit;text-decoration:none}",
    "main{background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:1.5rem}",
    "footer{color:var(--soft);font-size:.875rem}",
    "h1{font-size:1.6rem;line-height:1.25;margin:0 0 1rem}",
    "h2{font-size:1.15rem;line-height:1.3;margin:2rem 0 .5rem;padding-top:1.25rem;border-top:1px solid var(--line)}",
    "p{margin:.75rem 0}a{color:var(--link)}small,dt,.soft{color:var(--soft)}small{font-size:.875rem}",
    "form{margin:1rem 0}label{display:block;font-weight:600;margin-bottom:.25rem}",
    "button,input{font:inherit;border-radius:.5rem;padding:.6rem 1.1rem;border:1px solid var(--soft);\
     background:var(--card);color:var(--text)}",
    "input{display:block;width:100%;margin-bottom:.75rem}",
    "button{cursor:pointer;font-weight:600;margin:0 .5rem .5rem 0}button:hover{border-color:var(--text)}",
    "button.go{background:var(--act);border-color:var(--act);color:var(--on-act)}",
    "button.go:hover{border-color:var(--text)}",
    "button.end{border-color:var(--end);color:var(--end)}",
    ":focus-visible{outline:3px solid var(--link);outline-offset:2px}",
    ".note{background:var(--note);border-radius:.5rem;padding:.75rem 1rem}",
    "pre{white-space:pre-wrap}",
    "code{font-family:ui-monospace,monospace;font-size:.95em}",
    ".code{font-size:1.5rem;text-align:center;border:2px dashed var(--line);border-radius:.5rem;padding:1rem}",
    ".code code{user-select:all}",
    "dl{margin:.75rem 0;display:grid;grid-template-columns:minmax(8rem,auto) 1fr;gap:.35rem 1.25rem}dd{margin:0}",
    "ul{list-style:none;margin:0;padding:0}li{padding:.6rem 0;border-top:1px solid var(--line)}li:first-child{border:0}",
    "time{white-space:nowrap}.state{border:1px solid var(--soft);border-radius:1rem;padding:.05rem .6rem;font-size:.875rem;white-space:nowrap}",
    "@media(max-width:34rem){header,main,footer{padding-left:1.25rem;padding-right:1.25rem}\
     main{border-radius:0;border-width:1px 0}dl{display:block}dd{margin:0 0 .6rem}\
     button{display:block;width:100%}}",
);

static STYLE_HASH: LazyLock<String> = LazyLock::new(|| STANDARD.encode(Sha256::digest(STYLE.as_bytes())));

/// A page.
pub type Shown = Html<String>;

/// What pages may do: nothing but be styled, and send forms here. Browsers ask for the redirect to GitHub too.
#[must_use]
pub fn policy(web_url: &str) -> HeaderValue {
    let github: String = web_url.split('/').take(3).collect::<Vec<_>>().join("/");
    let text = format!(
        "default-src 'none'; style-src 'sha256-{}'; form-action 'self' {github}; frame-ancestors 'none'; base-uri 'none'",
        *STYLE_HASH
    );
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

/// Pages are for the one who asked, run nothing, load nothing and stand in no frame.
pub fn guard(headers: &mut HeaderMap, policy: HeaderValue) {
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    // To other sites nothing is told; to our own the browser must say where a form comes from.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
}

/// A page with one heading; `body` is HTML. Without an address of a first page there is none to lead back to.
pub fn page(home: Option<&str>, title: &str, body: &str) -> Shown {
    let name = match home {
        Some(home) => format!("<a href=\"{}\">taskbridge</a>", escape(home)),
        None => "taskbridge".to_owned(),
    };
    Html(format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"robots\" content=\"noindex\"><title>{title} · taskbridge</title>\
         <style>{STYLE}</style></head><body><header>{name}</header><main><h1>{title}</h1>{body}</main>\
         <footer>Copilot tasks, each as the person who asks.</footer></body></html>",
        title = escape(title)
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// The colours of one half, by name.
    fn colours(half: &str) -> BTreeMap<&str, [f64; 3]> {
        let half = half.split('}').next().expect("a block");
        let named = half.split("--").skip(1).filter_map(|pair| pair.split_once(":#"));
        let read = |hex: &str, at: usize| f64::from(u8::from_str_radix(&hex[at..at + 2], 16).expect("hex"));
        named.map(|(name, hex)| (name, [read(hex, 0), read(hex, 2), read(hex, 4)])).collect()
    }

    fn luminance(colour: [f64; 3]) -> f64 {
        let [red, green, blue] = colour.map(|part| part / 255.0).map(|part| match part <= 0.040_45 {
            true => part / 12.92,
            false => ((part + 0.055) / 1.055).powf(2.4),
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    #[test]
    fn everything_can_be_read_by_day_and_by_night() {
        let (light, dark) = STYLE.split_once("@media(prefers-color-scheme:dark)").expect("both halves");
        for (half, colours) in [("light", colours(light)), ("dark", colours(dark))] {
            for (front, back) in [
                ("text", "back"),
                ("text", "card"),
                ("text", "note"),
                ("soft", "back"),
                ("soft", "card"),
                ("link", "card"),
                ("on-act", "act"),
                ("end", "card"),
            ] {
                let (one, two) = (luminance(colours[front]), luminance(colours[back]));
                let contrast = (one.max(two) + 0.05) / (one.min(two) + 0.05);
                assert!(contrast >= 4.5, "{front} on {back} in the {half}: {contrast:.2}");
            }
        }
    }

    #[test]
    fn every_colour_has_both_halves() {
        let (light, dark) = STYLE.split_once("@media(prefers-color-scheme:dark)").expect("both halves");
        assert_eq!(colours(light).keys().collect::<Vec<_>>(), colours(dark).keys().collect::<Vec<_>>());
        for used in STYLE.split("var(--").skip(1).filter_map(|rest| rest.split(')').next()) {
            assert!(colours(light).contains_key(used), "{used} is no colour");
        }
    }
}
