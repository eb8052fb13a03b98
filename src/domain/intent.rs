//! What makes two deliveries one wish. The same event may come through a repository's hook and an App's
//! hook, with other bodies and other headers; it must start one task.

use sha2::{Digest, Sha256};

use super::event::Event;

/// The keys that stand for one wish; a task claims all of them, and any one that is taken means that the
/// wish already has a task.
///
/// The first is made of signed fields only. The second merges deliveries that share the sender's id: that
/// header is not signed, so it can only ever join wishes, never part them.
#[must_use]
pub fn keys(rule: &str, event: &Event, sender_id: &str) -> [[u8; 32]; 2] {
    let repo = event.repo.as_ref().map(|repo| repo.id.to_string()).unwrap_or_default();
    let signed = hash(&["event", rule, &event.host, &repo, &event.name, &event.action, &event.identity]);
    let shared = hash(&["delivery", rule, &event.host, &event.source, sender_id]);
    [signed, shared]
}

/// Each part with its length in front, so that no two lists of parts read the same.
fn hash(parts: &[&str]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(identity: &str) -> Event {
        Event {
            source: "github".into(),
            host: "github.com".into(),
            name: "issues".into(),
            action: "labeled".into(),
            actor: None,
            repo: None,
            subject: None,
            label: None,
            comment: None,
            at: None,
            installed_in: None,
            chat: None,
            identity: identity.into(),
        }
    }

    #[test]
    fn the_same_happening_is_one_wish_whatever_the_header_says() {
        let [one, one_header] = keys("fix", &event("1 2 2026"), "guid-a");
        let [two, two_header] = keys("fix", &event("1 2 2026"), "guid-b");
        assert_eq!(one, two);
        assert_ne!(one_header, two_header);
    }

    #[test]
    fn another_rule_or_another_happening_is_another_wish() {
        let [one, _] = keys("fix", &event("1"), "guid");
        assert_ne!(one, keys("review", &event("1"), "guid")[0]);
        assert_ne!(one, keys("fix", &event("2"), "guid")[0]);
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
    }
}
