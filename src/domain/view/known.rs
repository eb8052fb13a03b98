//! Every path that a view can have, so that a rule that writes another is told before any event comes.

use super::super::nearest::nearest;
use super::super::trust::clean_line;

/// What events can have, a path a line. Below `payload` stands whatever the sender sends.
const PATHS: &[&str] = &[
    "event.source",
    "event.name",
    "event.action",
    "event.full_name",
    "event.host",
    "actor.id",
    "actor.login",
    "actor.kind",
    "repo.id",
    "repo.owner",
    "repo.name",
    "repo.full_name",
    "repo.default_branch",
    "repo.private",
    "repo.fork",
    "subject.kind",
    "subject.id",
    "subject.number",
    "subject.title",
    "subject.body",
    "subject.url",
    "subject.author.id",
    "subject.author.login",
    "subject.author.kind",
    "subject.author_association",
    "subject.labels",
    "subject.state",
    "subject.branches.head_ref",
    "subject.branches.base_ref",
    "subject.branches.head_repo_id",
    "label.id",
    "label.name",
    "comment.id",
    "comment.body",
    "comment.url",
    "comment.author_association",
    "command.name",
    "command.text",
    "command.model",
    "command.base",
    "command.agent",
    "chat.platform",
    "chat.team",
    "chat.account",
    "chat.channel",
    "chat.thread",
];

/// What is wrong with a dotted path whose first part is a name of the view; nothing, if an event can have it.
#[must_use]
pub fn unknown_path(path: &str) -> Option<String> {
    let (top, rest) = path.split_once('.')?;
    if top == "payload" {
        return None;
    }
    // An issue and a pull request are the subject of an event by another name.
    let inner = if matches!(top, "issue" | "pull_request") { "subject" } else { top };
    let mut known = inner.to_owned();
    let mut written = top.to_owned();
    for part in rest.split('.') {
        let below: Vec<&str> = below(&known).collect();
        let name = clean_line(part, 60);
        if below.is_empty() {
            return Some(format!("`{written}` has no parts, and so no `{name}`"));
        }
        if !below.contains(&part) {
            return Some(match nearest(part, below.iter().copied()) {
                Some(near) => format!("`{written}` has no `{name}`; did you mean `{written}.{near}`?"),
                None => format!("`{written}` has no `{name}`; it has {}", below.join(", ")),
            });
        }
        known = format!("{known}.{part}");
        written = format!("{written}.{part}");
    }
    None
}

/// The names directly below a path, in their order.
fn below(path: &str) -> impl Iterator<Item = &'static str> {
    let mut before = "";
    let names = PATHS.iter().filter_map(move |known| known.strip_prefix(path)?.strip_prefix('.')?.split('.').next());
    names.filter(move |name| std::mem::replace(&mut before, name) != *name).collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::super::super::chat::{Chat, ChatSaid, Place};
    use super::super::super::command::Command;
    use super::super::super::event::{Comment, SubjectKind};
    use super::super::super::identity::Identity;
    use super::super::{View, tests::event};
    use super::*;
    use crate::domain::view::{NAMES, Texts};

    fn paths(value: &serde_json::Value, at: &str, into: &mut Vec<String>) {
        match value.as_object() {
            Some(fields) => fields.iter().for_each(|(key, value)| paths(value, &format!("{at}.{key}"), into)),
            None => into.push(at.to_owned()),
        }
    }

    /// The list is what an event is read into, no more and no less.
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
        let mut known: Vec<_> = PATHS.iter().map(|path| (*path).to_owned()).collect();
        seen.sort();
        known.sort();
        assert_eq!(seen, known);
    }

    #[test]
    fn a_slip_is_told_with_the_nearest_name_and_other_things_with_all_there_is() {
        let told = |path: &str| unknown_path(path).unwrap_or_default();
        assert_eq!(told("issue.titel"), "`issue` has no `titel`; did you mean `issue.title`?");
        assert_eq!(told("issue.author.name"), "`issue.author` has no `name`; it has id, login, kind");
        assert_eq!(
            told("pull_request.branches.head"),
            "`pull_request.branches` has no `head`; it has head_ref, base_ref, head_repo_id"
        );
        assert_eq!(told("issue.title.first"), "`issue.title` has no parts, and so no `first`");
        for good in ["issue", "issue.title", "subject.author.login", "payload.any.thing", "chat.thread"] {
            assert_eq!(told(good), "", "{good}");
        }
    }
}
