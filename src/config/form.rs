//! Settings that are text of a certain form. Each form is a type that only its reader can make, and
//! the same reader serves the check (which has the place of the text) and serde.

use crate::domain::rule::{NamedPerson, RunAs};

/// Says what is wrong with a text, if anything is.
type Judge = fn(&str) -> Result<(), String>;

/// The forms by the name that the schema's `format` gives them, for the check of a file.
pub(super) fn reader(format: &str) -> Option<Judge> {
    use super::{duration::Duration, secret_text};
    Some(match format {
        "duration" => |text| Duration::read(text).map(drop),
        "secret" => |text| secret_text::read_reference(text).map(drop),
        "repo" => |text| RepoName::read(text).map(drop),
        "team" => |text| TeamName::read(text).map(drop),
        "login" => |text| Login::read(text).map(drop),
        "name" => |text| Name::read(text).map(drop),
        "command" => |text| CommandName::read(text).map(drop),
        "label" => |text| LabelName::read(text).map(drop),
        "event" => |text| EventName::read(text).map(drop),
        "alert" => |text| AlertState::read(text).map(drop),
        "header" => |text| HeaderText::read(text).map(drop),
        "pointer" => |text| PointerText::read(text).map(drop),
        "slash" => |text| SlashName::read(text).map(drop),
        "run-as" => |text| RunAsText::read(text).map(drop),
        "web-url" => |text| WebUrl::read(text).map(drop),
        "receiver-url" => |text| ReceiverUrl::read(text).map(drop),
        "listen" => |text| Listen::read(text).map(drop),
        _ => return None,
    })
}

macro_rules! form {
    ($(#[$doc:meta])* $name:ident($inner:ty), $format:literal, $pattern:literal, $read:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name($inner);

        impl $name {
            /// Reads the text.
            ///
            /// # Errors
            /// One sentence that says what is wanted.
            pub fn read(text: &str) -> Result<Self, String> {
                let read: fn(&str) -> Result<$inner, String> = $read;
                read(text).map(Self)
            }
        }

        impl std::ops::Deref for $name {
            type Target = $inner;
            fn deref(&self) -> &$inner {
                &self.0
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                Self::read(&text).map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "format": $format, "pattern": $pattern })
            }
        }
    };
}

form!(
    /// A repository as `owner/name`.
    RepoName(String), "repo", "^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$",
    |text| match text.split_once('/') {
        Some((owner, name)) if is_login(owner) && is_repo_name(name) => Ok(text.to_owned()),
        _ => Err("a repository is written `owner/name`".to_owned()),
    }
);
form!(
    /// A team as `org/team-slug`.
    TeamName(String), "team", "^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$",
    |text| match text.split_once('/') {
        Some((org, slug)) if is_login(org) && is_repo_name(slug) => Ok(text.to_owned()),
        _ => Err("a team is written `org/team-slug`".to_owned()),
    }
);
form!(
    /// A GitHub login, without `@`, alone or with the account's number: `login#12345`.
    Login(NamedPerson), "login", "^[A-Za-z0-9][A-Za-z0-9_-]*(#[1-9][0-9]{0,17})?$",
    |text| {
        let (login, number) = text.split_once('#').map_or((text, None), |(login, number)| (login, Some(number)));
        if !is_login(login) {
            return Err("a person is named by the GitHub login, without `@`, or as `login#12345`".to_owned());
        }
        let id = number.map(|digits| match digits.parse::<i64>() {
            Ok(id) if digits.len() <= 18 && digits.starts_with(|c: char| matches!(c, '1'..='9')) => Ok(id),
            _ => Err("after `#` stands the account's number, as `https://api.github.com/users/LOGIN` tells it".to_owned()),
        });
        Ok(NamedPerson { login: login.to_owned(), id: id.transpose()? })
    }
);
form!(
    /// A name that the operator gives to a rule.
    Name(String), "name", "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
    |text| {
        let rest = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if text.len() <= 64 && text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(rest) {
            Ok(text.to_owned())
        } else {
            Err("a name is 1 to 64 letters, digits, `.`, `_` or `-`, and starts with a letter or digit".to_owned())
        }
    }
);
form!(
    /// One word that people write after the command prefix, or `*` for free text.
    CommandName(String), "command", "^(\\*|[a-z0-9][a-z0-9_-]{0,31})$",
    |text| {
        let rest = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
        let word = text.len() <= 32 && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        if text == "*" || (word && text.chars().all(rest)) {
            Ok(text.to_owned())
        } else {
            Err("a command is one word in lower case (up to 32 letters, digits, `_` or `-`), or `*`, and the prefix \
                 is not part of it"
                .to_owned())
        }
    }
);
form!(
    /// The name of a label.
    LabelName(String), "label", "^\\S(.{0,98}\\S)?$",
    |text| {
        let length = text.chars().count();
        if (1..=100).contains(&length) && text.trim() == text && !text.chars().any(char::is_control) {
            Ok(text.to_owned())
        } else {
            Err("a label is 1 to 100 characters without blanks at its ends".to_owned())
        }
    }
);
form!(
    /// An event by the sender's own name: `issues.opened`, or `push` for every action of it.
    EventName(String), "event", "^\\S(.{0,98}\\S)?$",
    |text| {
        let length = text.chars().count();
        if (1..=100).contains(&length) && text.trim() == text && !text.chars().any(char::is_control) {
            Ok(text.to_owned())
        } else {
            Err("an event is the sender's name for it, 1 to 100 characters without blanks at its ends".to_owned())
        }
    }
);
form!(
    /// The state of an alert: `firing`, `acknowledged`, `resolved`, a state of GitHub's own alerts, or `*` for any.
    AlertState(String), "alert", "^(\\*|[a-z_]{1,32})$",
    |text| if text == "*" || ((1..=32).contains(&text.len()) && text.chars().all(|c| c.is_ascii_lowercase() || c == '_')) {
        Ok(text.to_owned())
    } else {
        Err("the state of an alert is one word in lower case, such as `firing`, or `*`".to_owned())
    }
);
form!(
    /// The name of an HTTP header.
    HeaderText(String), "header", "^[A-Za-z0-9_-]{1,64}$",
    |text| if (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) {
        Ok(text.to_owned())
    } else {
        Err("the name of a header is 1 to 64 letters, digits and hyphens".to_owned())
    }
);
form!(
    /// A place in a JSON document (RFC 6901): `/data/title`.
    PointerText(String), "pointer", "^(/[^/]*){1,16}$",
    |text| if text.starts_with('/') && text.len() <= 200 && text.matches('/').count() <= 16 {
        Ok(text.to_owned())
    } else {
        Err("a place in the body is a JSON pointer: `/data/title`".to_owned())
    }
);
form!(
    /// A command of a chat, with its stroke: `/copilot`.
    SlashName(String), "slash", "^/[a-z0-9_-]{1,31}$",
    |text| {
        let word = text.strip_prefix('/').filter(|word| (1..=31).contains(&word.len()));
        match word {
            Some(word) if word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-')) => {
                Ok(text.to_owned())
            }
            _ => Err("a chat command is `/` and a word in lower case: `/copilot`".to_owned()),
        }
    }
);
form!(
    /// Whose token a task runs with: `actor`, or `person:` and a login, alone or with the account's number.
    RunAsText(RunAs), "run-as", "^(actor|person:[A-Za-z0-9][A-Za-z0-9_-]*(#[1-9][0-9]{0,17})?)$",
    |text| match text.strip_prefix("person:").map(Login::read) {
        None if text == "actor" => Ok(RunAs::Actor),
        Some(Ok(person)) => Ok(RunAs::Person(person.0)),
        _ => Err("wanted `actor`, `person:<login>` or `person:<login>#<number>`".to_owned()),
    }
);
form!(
    /// An `http` or `https` address without user, query and fragment; kept without a slash at its end.
    WebUrl(String), "web-url", "^https?://[^?#@]+$",
    |text| web_url(text).map(|url| url.as_str().trim_end_matches('/').to_owned())
);
form!(
    /// The same, kept as it is.
    ReceiverUrl(reqwest::Url), "receiver-url", "^https?://[^?#@]+$", web_url
);
form!(
    /// An address and port to listen on.
    Listen(std::net::SocketAddr), "listen", "^(\\[[0-9a-fA-F:]+\\]|[0-9.]+):[0-9]{1,5}$",
    |text| text.parse().map_err(|_| "wanted an address and a port: `127.0.0.1:8080` or `[::1]:8080`".to_owned())
);

fn web_url(text: &str) -> Result<reqwest::Url, String> {
    let url = reqwest::Url::parse(text).map_err(|error| format!("not an address: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err("an address starts with `https://` (or `http://`) and a host".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("an address here must not carry a user or password".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("an address here must not have `?` or `#`".to_owned());
    }
    Ok(url)
}

impl WebUrl {
    /// Whether what is sent there could be read on the way: plain `http`, and not to this machine.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let Ok(url) = reqwest::Url::parse(self) else { return true };
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let loopback = host == "localhost"
            || host.ends_with(".localhost")
            || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        url.scheme() == "http" && !loopback
    }
}

/// Whether an event is written as GitHub names it, for rules that listen to GitHub only.
pub(super) fn as_github_names(event: &str) -> Result<(), String> {
    let word =
        |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    let (name, action) = event.split_once('.').unwrap_or((event, "any"));
    if word(name) && word(action) {
        return Ok(());
    }
    Err("an event is written `name.action`, or `name` for every action: `issues.opened`, `push`".to_owned())
}

/// Letters, digits and inner hyphens, up to 39 (GitHub's rule for accounts); `_` is for managed users.
fn is_login(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// What GitHub allows in the name of a repository.
fn is_repo_name(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && !matches!(text, "." | "..")
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}
