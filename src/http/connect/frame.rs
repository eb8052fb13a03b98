//! The pieces that the pages of this folder are made of; every text in them is escaped.

use super::cookies::Site;
use crate::domain::html::escape;
pub(super) use crate::http::page::Shown;
use crate::secret::Secret;
use crate::store::Moment;

/// A page of this site, if there is one.
pub(super) fn page(site: Option<&Site>, title: &str, body: &str) -> Shown {
    crate::http::page::page(site.map(Site::url), title, body)
}

/// When something was, for people and for programs.
pub(super) fn time(at: Moment) -> String {
    format!("<time datetime=\"{}\">{}</time>", at.format("%Y-%m-%dT%H:%M:%SZ"), clock(at))
}

/// A time in a sentence.
pub(super) fn clock(at: Moment) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// A form that is one button; `class` is how it looks, in the style's words.
pub(super) fn button(site: &Site, path: &str, label: &str, class: &str, form: &Secret) -> String {
    format!(
        "<form method=\"post\" action=\"{}{}\">{}<button class=\"{class}\">{}</button></form>",
        escape(site.url()),
        escape(path),
        hidden(form),
        escape(label)
    )
}

/// What only our page of this session holds.
pub(super) fn hidden(form: &Secret) -> String {
    format!("<input type=\"hidden\" name=\"form\" value=\"{}\">", escape(form.expose()))
}

/// The way to GitHub, which asks there which account it is to be.
pub(super) fn sign_in(site: &Site, path: &str, label: &str) -> String {
    format!(
        "<form method=\"post\" action=\"{}{}\"><button class=\"go\">{}</button></form>",
        escape(site.url()),
        escape(path),
        escape(label)
    )
}

/// A link back to what the page is about.
pub(super) fn back(site: &Site, label: &str) -> String {
    format!("<p><a href=\"{}\">{}</a></p>", escape(site.url()), escape(label))
}
