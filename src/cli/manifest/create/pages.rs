//! The pages that the browser sees on its way; every text in them is escaped.

use axum::http::StatusCode;
use serde_json::Value;

use super::told;
use crate::domain::html::escape;
use crate::github::{CallError, MadeApp};
use crate::http::page::{Shown, page};

/// A page and how it is told.
type Told = (StatusCode, Shown);

/// What will be asked of GitHub, and the button that asks.
pub(super) fn begin(action: &str, org: Option<&str>, manifest: &Value) -> Told {
    let owner = org.map_or("the account that you are signed in with at GitHub".to_owned(), |org| {
        format!("the organization <strong>{}</strong>", escape(org))
    });
    let body = format!(
        "<p>GitHub shows what the App may do, lets you change its name (no other App may have it), and makes it. It will belong to \
         {owner}, and be private: it can be installed there alone. Its secrets come back to this machine alone. Be signed in at GitHub before you go on.</p>\
         <form method=\"post\" action=\"{}\"><input type=\"hidden\" name=\"manifest\" value=\"{}\">\
         <button class=\"go\">Make the App at GitHub</button></form>\
         <h2>What GitHub is told</h2><pre><code>{}</code></pre>",
        escape(action),
        escape(&manifest.to_string()),
        escape(&format!("{manifest:#}")),
    );
    (StatusCode::OK, page(None, "Make the GitHub App", &body))
}

/// It is there.
pub(super) fn made(made: &MadeApp, left: &[(String, String)]) -> Told {
    let steps: String = left
        .iter()
        .map(|(what, where_)| {
            format!("<li>{} <a href=\"{}\">{}</a></li>", escape(what), escape(where_), escape(where_))
        })
        .collect();
    let name = escape(&told::name(made));
    let name = match &made.page {
        Some(page) => format!("<a href=\"{}\"><strong>{name}</strong></a>", escape(page)),
        None => format!("<strong>{name}</strong>"),
    };
    let body = format!(
        "<p>{name} is there. {} Its secrets are in files now, and the terminal shows what goes into the \
         configuration.</p><h2>What is left to do by hand</h2><ol>{steps}</ol><p class=\"soft\">This page can be closed.</p>",
        escape(&told::belongs(made)),
    );
    (StatusCode::OK, page(None, "The App is made", &body))
}

/// The App is there, and the run has ended without it.
pub(super) fn ended(title: &str, text: &str) -> Told {
    let body: String = text.lines().map(|line| format!("<p>{}</p>", escape(line))).collect();
    (StatusCode::BAD_GATEWAY, page(None, title, &body))
}

/// The code is no good.
pub(super) fn refused(error: &CallError, asked: &str, apps: &str, again: &str) -> Told {
    let body = format!(
        "<p>GitHub does not take the code: it was used before, or is older than an hour. Or <code>{}</code>, which was asked, is not \
         the API of where the App was made.</p><p class=\"soft\">{}</p><p>If an App was \
         made, delete it in <a href=\"{apps}\">the settings at GitHub</a>. Then <a href=\"{}\">begin again</a>.</p>",
        escape(asked),
        escape(&error.for_person()),
        escape(again),
        apps = escape(apps),
    );
    (StatusCode::BAD_GATEWAY, page(None, "No App was made here", &body))
}

/// It can go on when something is put right; the address holds all that is needed.
pub(super) fn not_yet(why: &str) -> Told {
    let body = format!(
        "<p>{}</p><p>Nothing is used up yet. Put that right, and <strong>load this page again</strong>, within an hour.</p>",
        escape(why)
    );
    (StatusCode::SERVICE_UNAVAILABLE, page(None, "Not yet", &body))
}

/// GitHub has sent nothing to go on with.
pub(super) fn no_code(again: &str) -> Told {
    let body = format!(
        "<p>GitHub sent the browser back without a code, so nothing was done. <a href=\"{}\">Begin again</a>.</p>",
        escape(again)
    );
    (StatusCode::BAD_REQUEST, page(None, "No App was made here", &body))
}

/// Not from this run. Nothing leads on from here: whoever may go on has the address in the terminal.
pub(super) fn stranger(apps: &str) -> Told {
    let body = format!(
        "<p>Nothing was done: this was not begun on the page of this run, or was finished already. If GitHub has made an App just now and \
         sent the browser here, delete it in <a href=\"{0}\">the settings at GitHub</a>: its secrets are not here. The address of the \
         page stands in the terminal.</p>",
        escape(apps)
    );
    (StatusCode::BAD_REQUEST, page(None, "Not from here", &body))
}

/// Under another name.
pub(super) fn elsewhere(host: &str) -> Told {
    let body = format!(
        "<p>Nothing was done: this page answers under <code>http://{}</code> alone. Open the address as the terminal shows it; from \
         another machine forward the port under the same number.</p>",
        escape(host)
    );
    (StatusCode::FORBIDDEN, page(None, "Not under this address", &body))
}

/// Nothing has this address.
pub(super) fn nothing() -> Told {
    let body = "<p>There is nothing here. The address of the page stands in the terminal.</p>";
    (StatusCode::NOT_FOUND, page(None, "Not found", body))
}

/// The run has ended.
pub(super) fn over() -> Told {
    let body = "<p>The command has ended; the terminal says how.</p>";
    (StatusCode::GONE, page(None, "It is over", body))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_of_the_manifest_is_read_as_html() {
        let manifest = json!({ "name": "</pre><script>alert('1')</script>\"' onfocus=x", "url": "https://a.example.com/?a=1&b=2" });
        let (_, axum::response::Html(text)) =
            begin("https://github.com/settings/apps/new?state=a&b=\"><b>", Some("<i>"), &manifest);
        for raw in ["<script", "</pre><", "<b>", "<i>", "a&b", "onfocus=x\"", "'"] {
            let style = text.find("</style>").expect("a style");
            let body = &text[style..];
            assert!(!body.contains(raw) || raw == "</pre><" && body.matches(raw).count() == 1, "{raw} in {body}");
        }
        let field =
            text.split("name=\"manifest\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a field");
        let plain = field.replace("&quot;", "\"").replace("&#39;", "'").replace("&lt;", "<").replace("&gt;", ">");
        assert_eq!(plain.replace("&amp;", "&"), manifest.to_string(), "and GitHub reads it as it was");
    }
}
