//! Every path that a view can have and what stands there, so that a rule that writes another is told before any event
//! comes. What is not known is never called a mistake.

use super::super::nearest::nearest;
use super::super::trust::clean_line;
use super::github_names;

/// The names at the top of a view. Any other name in a template or condition is a mistake in the rule.
pub const NAMES: [&str; 11] =
    ["event", "actor", "repo", "subject", "issue", "pull_request", "label", "comment", "command", "chat", "payload"];

/// What is known of a value before any event comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Shape {
    /// Nothing: whatever is done with it may be right.
    Unknown,
    /// Whatever a sender may send.
    Sent,
    /// What stands at a path of the view that has others below it.
    Thing(&'static str),
    Text,
    Number,
    Truth,
    List(Box<Shape>),
}

use Leaf::{Number, Text, Texts, Truth};

/// What stands at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaf {
    Text,
    Number,
    Truth,
    Texts,
}

/// What events can have, a path a line. Below `payload` stands whatever the sender sends.
const PATHS: &[(&str, Leaf)] = &[
    ("event.source", Text),
    ("event.name", Text),
    ("event.action", Text),
    ("event.full_name", Text),
    ("event.host", Text),
    ("actor.id", Number),
    ("actor.login", Text),
    ("actor.kind", Text),
    ("repo.id", Number),
    ("repo.owner", Text),
    ("repo.name", Text),
    ("repo.full_name", Text),
    ("repo.default_branch", Text),
    ("repo.private", Truth),
    ("repo.fork", Truth),
    ("subject.kind", Text),
    ("subject.id", Number),
    ("subject.number", Number),
    ("subject.title", Text),
    ("subject.body", Text),
    ("subject.url", Text),
    ("subject.author.id", Number),
    ("subject.author.login", Text),
    ("subject.author.kind", Text),
    ("subject.author_association", Text),
    ("subject.labels", Texts),
    ("subject.state", Text),
    ("subject.branches.head_ref", Text),
    ("subject.branches.base_ref", Text),
    ("subject.branches.head_repo_id", Number),
    ("label.id", Number),
    ("label.name", Text),
    ("comment.id", Number),
    ("comment.body", Text),
    ("comment.url", Text),
    ("comment.author_association", Text),
    ("command.name", Text),
    ("command.text", Text),
    ("command.model", Text),
    ("command.base", Text),
    ("command.agent", Text),
    ("chat.platform", Text),
    ("chat.team", Text),
    ("chat.account", Text),
    ("chat.channel", Text),
    ("chat.thread", Text),
];

impl From<Leaf> for Shape {
    fn from(leaf: Leaf) -> Self {
        match leaf {
            Text => Self::Text,
            Number => Self::Number,
            Truth => Self::Truth,
            Texts => Self::List(Box::new(Self::Text)),
        }
    }
}

impl Shape {
    /// What stands under a name at the top of the view; nothing, if it is no such name.
    pub(in super::super) fn of_name(name: &str) -> Option<Self> {
        Some(match *NAMES.iter().find(|known| **known == name)? {
            "payload" => Self::Sent,
            // An issue and a pull request are the subject of an event by another name.
            "issue" | "pull_request" => Self::Thing("subject"),
            top => Self::Thing(top),
        })
    }

    /// A list of these.
    pub(in super::super) fn listed(self) -> Self {
        Self::List(Box::new(self))
    }

    /// What one entry is, when it is gone through.
    pub(in super::super) fn entry(&self) -> Self {
        match self {
            Self::List(entry) => (**entry).clone(),
            Self::Sent => Self::Sent,
            // Of a thing it is the names of its parts.
            Self::Thing(_) => Self::Text,
            _ => Self::Unknown,
        }
    }

    /// What it is when it may be this or that.
    pub(in super::super) fn or(self, other: Self) -> Self {
        if self == other { self } else { Self::Unknown }
    }

    /// What it is, in words; nothing, if that is not known.
    pub(in super::super) fn in_words(&self) -> Option<&'static str> {
        match self {
            Self::Unknown | Self::Sent => None,
            Self::Thing(_) => Some("a thing with parts"),
            Self::Text => Some("a text"),
            Self::Number => Some("a number"),
            Self::Truth => Some("true or false"),
            Self::List(entry) if **entry == Self::Text => Some("a list of texts"),
            Self::List(_) => Some("a list"),
        }
    }

    /// The part `name` of a value that the rule writes as `written`.
    ///
    /// # Errors
    /// What is wrong, in a sentence, when no event can have such a part.
    pub(in super::super) fn part(&self, written: &str, name: &str) -> Result<Self, String> {
        let at = match self {
            Self::Unknown => return Ok(Self::Unknown),
            Self::Sent => return Ok(Self::Sent),
            Self::Thing(at) => *at,
            _ => return Err(no_parts(self, written, name)),
        };
        for (path, leaf) in PATHS {
            let Some(below) = path.strip_prefix(at).and_then(|rest| rest.strip_prefix('.')) else { continue };
            match below.split_once('.') {
                None if below == name => return Ok((*leaf).into()),
                Some((part, rest)) if part == name => return Ok(Self::Thing(&path[..path.len() - rest.len() - 1])),
                _ => {}
            }
        }
        let said = format!("`{written}` has no `{}`", clean_line(name, 60));
        if let Some(hint) = github_names::part(at, written, name) {
            return Err(format!("{said}: {hint}"));
        }
        let below = below(at);
        Err(match nearest(name, below.iter().copied()) {
            Some(near) => format!("{said}; did you mean `{written}.{near}`?"),
            None => format!("{said}; it has {}", below.join(", ")),
        })
    }
}

/// What is wrong with a part of what has none. People write the parts that GitHub's own things have.
fn no_parts(shape: &Shape, written: &str, name: &str) -> String {
    let what = shape.in_words().unwrap_or("nothing");
    let said = format!("`{written}` is {what} and has no `{}`", clean_line(name, 60));
    match (shape, name) {
        (Shape::Text, "name" | "login" | "title" | "text" | "value") => format!("{said}: write `{written}` alone"),
        (Shape::List(entry), "name" | "names" | "first" | "last") if **entry == Shape::Text => {
            format!("{said}: each of its entries is a text of its own")
        }
        _ => said,
    }
}

/// The sentence for a name that no event has, with what was meant.
pub(in super::super) fn unknown_name(name: &str) -> String {
    let said = format!("there is no `{}` in an event", clean_line(name, 60));
    if let Some(hint) = github_names::top(name) {
        return format!("{said}: {hint}");
    }
    match nearest(name, NAMES.into_iter()) {
        Some(known) => format!("{said}; did you mean `{known}`?"),
        None => format!("{said}; there is {}", NAMES.join(", ")),
    }
}

/// The names directly below a path, in their order.
fn below(path: &str) -> Vec<&'static str> {
    let names = PATHS.iter().filter_map(|(known, _)| known.strip_prefix(path)?.strip_prefix('.')?.split('.').next());
    let mut names: Vec<_> = names.collect();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::super::super::chat::{Chat, ChatSaid, Place};
    use super::super::super::command::Command;
    use super::super::super::event::{Comment, SubjectKind};
    use super::super::super::identity::Identity;
    use super::super::{View, tests::event};
    use super::*;
    use crate::domain::view::Texts;

    fn paths(value: &serde_json::Value, at: &str, into: &mut Vec<(String, serde_json::Value)>) {
        match value.as_object() {
            Some(fields) => fields.iter().for_each(|(key, value)| paths(value, &format!("{at}.{key}"), into)),
            None => into.push((at.to_owned(), value.clone())),
        }
    }

    fn is(value: &serde_json::Value, leaf: Leaf) -> bool {
        match leaf {
            Text => value.is_string(),
            Number => value.is_i64(),
            Truth => value.is_boolean(),
            Texts => value.as_array().is_some_and(|items| items.iter().all(serde_json::Value::is_string)),
        }
    }

    /// The list is what an event is read into, no more and no less, and each value is what the list says.
    #[test]
    fn the_paths_are_those_of_an_event_that_has_everything() {
        let mut event = event(SubjectKind::PullRequest);
        event.comment = Some(Comment {
            id: 3,
            body: String::new(),
            url: String::new(),
            author: None,
            author_association: String::new(),
            via_app: None,
            on_diff: false,
        });
        event.chat = Some(Box::new(Chat {
            identity: Identity::new("slack", "T1", "U1").unwrap(),
            place: Place {
                source: "slack".to_owned(),
                channel: "C1".to_owned(),
                within: None,
                thread: Some("1.2".to_owned()),
                thread_stands: false,
                account: "U1".to_owned(),
            },
            server: None,
            said: ChatSaid::Command { name: "/copilot".to_owned(), text: String::new() },
            replies: false,
            answer_to: None,
            opens: None,
        }));
        let view = View::new(&event, Some(&Command::default()), None, Texts::plain());
        let mut seen = Vec::new();
        for name in NAMES.into_iter().filter(|name| !matches!(*name, "issue" | "pull_request" | "payload")) {
            paths(view.raw(name).unwrap(), name, &mut seen);
        }
        let mut known: Vec<_> = PATHS.iter().map(|(path, _)| *path).collect();
        let mut names: Vec<_> = seen.iter().map(|(path, _)| path.as_str()).collect();
        names.sort_unstable();
        known.sort_unstable();
        assert_eq!(names, known);
        for (path, value) in &seen {
            let (_, leaf) = PATHS.iter().find(|(known, _)| known == path).unwrap();
            assert!(value.is_null() || is(value, *leaf), "{path} is {value}, not {leaf:?}");
        }
    }

    #[test]
    fn a_slip_is_told_with_the_nearest_name_and_other_things_with_all_there_is() {
        for (path, told) in [
            ("issue.titel", "`issue` has no `titel`; did you mean `issue.title`?"),
            ("issue.author.nam", "`issue.author` has no `nam`; it has id, login, kind"),
            ("issue.user.login", "`issue` has no `user`: write `issue.author`"),
            ("pull_request.head.ref", "`pull_request` has no `head`: write `pull_request.branches.head_ref`"),
            ("pull_request.branches.x", "`pull_request.branches` has no `x`; it has head_ref, base_ref, head_repo_id"),
            (
                "pull_request.draft",
                "`pull_request` has no `draft`: what GitHub sends besides is in `payload`, here \
              `payload.pull_request.draft`",
            ),
            ("issue.title.first", "`issue.title` is a text and has no `first`"),
            ("repo.owner.login", "`repo.owner` is a text and has no `login`: write `repo.owner` alone"),
            (
                "issue.labels.name",
                "`issue.labels` is a list of texts and has no `name`: each of its entries is a text of its own",
            ),
            ("issue", ""),
            ("issue.title", ""),
            ("subject.author.login", ""),
            ("payload.any.thing", ""),
            ("chat.thread", ""),
        ] {
            let (mut written, mut parts) = (String::new(), path.split('.'));
            let mut found = Ok(Shape::of_name(parts.next().unwrap()).unwrap());
            written.push_str(path.split('.').next().unwrap());
            for part in parts {
                found = found.and_then(|shape| shape.part(&written, part));
                written = format!("{written}.{part}");
            }
            assert_eq!(found.err().unwrap_or_default(), told, "{path}");
        }
        assert!(Shape::Thing("subject").part("issue", "author.login").is_err(), "one name is no path");
        assert_eq!(unknown_name("isue"), "there is no `isue` in an event; did you mean `issue`?");
        assert_eq!(unknown_name("sender"), "there is no `sender` in an event: write `actor`");
        assert!(unknown_name("frob").starts_with("there is no `frob` in an event; there is event, actor"));
    }
}
