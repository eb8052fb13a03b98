//! Misbehaviour on demand: each fault names the calls it meets and how many of them, so that a test
//! can say "the next POST of a task is created and never answered".

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One arranged misbehaviour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The method it meets; any if absent.
    #[serde(default)]
    pub method: Option<String>,
    /// The beginning of the path it meets; empty meets all. A `*` stands for one part of the path,
    /// a `$` at the end for the end of it (the list, not its items).
    #[serde(default)]
    pub path: String,
    /// The login whose calls it meets; any if absent.
    #[serde(default)]
    pub user: Option<String>,
    /// How many calls it still meets; for ever if absent.
    #[serde(default)]
    pub times: Option<u32>,
    /// What happens.
    pub kind: FaultKind,
}

/// What happens to a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultKind {
    /// The call waits before it is handled.
    Delay {
        /// Real milliseconds.
        ms: u64,
    },
    /// The call is handled, and the answer waits.
    DelayAfter {
        /// Real milliseconds.
        ms: u64,
    },
    /// Answered with this status; nothing is done.
    StatusBefore {
        /// 500 and the like.
        status: u16,
    },
    /// Done, then answered with this status and an error body (a 5xx after the task was created).
    StatusAfter {
        /// 502 and the like.
        status: u16,
    },
    /// The connection closes, nothing is done.
    DropBefore,
    /// Done, then the connection closes without an answer.
    DropAfter,
    /// The connection closes without an answer, and the call is done all the same, this much later by the sandbox's
    /// clock (at the first call after that).
    Late {
        /// Milliseconds.
        ms: i64,
    },
    /// Done, then half the announced body is sent and the connection closes.
    Truncate,
    /// Done, answered with the right status and a page of HTML.
    Html,
    /// Done, answered without the `id`.
    NoId,
    /// Done, the right body under another status (200 instead of 201).
    OtherStatus {
        /// The status to send.
        status: u16,
    },
    /// Done, answered with so many bytes of white space after the JSON.
    Huge {
        /// How many.
        bytes: usize,
    },
    /// Secondary rate limit; nothing is done.
    SecondaryLimit {
        /// 403 or 429.
        status: u16,
        /// The `Retry-After` header, any text; absent sends none.
        #[serde(default)]
        retry_after: Option<String>,
    },
    /// Primary rate limit: 403, nothing remains; nothing is done.
    PrimaryLimit {
        /// Seconds until the reset.
        reset_in_s: i64,
    },
    /// 401 Bad credentials; nothing is done.
    Unauthorized,
    /// 403 without signs of a rate limit; nothing is done.
    Forbidden {
        /// The message.
        message: String,
    },
    /// A redirect; nothing is done.
    Redirect {
        /// 301, 302, 307 or 308.
        status: u16,
        /// The `Location`; by default the same path under `/moved`.
        #[serde(default)]
        location: Option<String>,
    },
    /// Lists show the world as it was.
    Stale {
        /// So many seconds ago.
        #[serde(default)]
        seconds: i64,
        /// And without the newest so many tasks.
        #[serde(default)]
        tasks: usize,
    },
}

impl Fault {
    /// A fault that meets every call; narrow it with the others.
    #[must_use]
    pub fn new(kind: FaultKind) -> Self {
        Self { method: None, path: String::new(), user: None, times: None, kind }
    }

    /// Only calls with this method and a path that begins so.
    #[must_use]
    pub fn on(mut self, method: &str, path: &str) -> Self {
        self.method = Some(method.to_owned());
        path.clone_into(&mut self.path);
        self
    }

    /// Only calls with a token of this person.
    #[must_use]
    pub fn user(mut self, login: &str) -> Self {
        self.user = Some(login.to_owned());
        self
    }

    /// Only the next `count` calls.
    #[must_use]
    pub fn times(mut self, count: u32) -> Self {
        self.times = Some(count);
        self
    }

    fn meets(&self, method: &str, path: &str, user: Option<&str>) -> bool {
        self.times != Some(0)
            && self.method.as_deref().is_none_or(|own| own.eq_ignore_ascii_case(method))
            && self.user.as_deref().is_none_or(|own| user.is_some_and(|user| user.eq_ignore_ascii_case(own)))
            && path_begins(path, &self.path)
    }
}

fn path_begins(path: &str, pattern: &str) -> bool {
    let (pattern, whole) = pattern.strip_suffix('$').map_or((pattern, false), |pattern| (pattern, true));
    let mut parts = path.split('/');
    let pattern: Vec<&str> = pattern.split('/').collect();
    let last = pattern.len() - 1;
    let begins = pattern.iter().enumerate().all(|(at, wanted)| {
        parts
            .next()
            .is_some_and(|part| *wanted == "*" || part == *wanted || (at == last && !whole && part.starts_with(wanted)))
    });
    begins && (!whole || parts.next().is_none())
}

/// The faults in force, with a name each.
#[derive(Debug, Default)]
pub(super) struct Faults {
    last: u64,
    list: Vec<(u64, Fault)>,
    /// How many calls each has met, also when it is gone.
    met: BTreeMap<u64, u64>,
}

impl Faults {
    /// Arranges one and names it.
    pub(super) fn add(&mut self, fault: Fault) -> u64 {
        self.last += 1;
        self.list.push((self.last, fault));
        self.last
    }

    /// Takes one away, or all.
    pub(super) fn remove(&mut self, id: Option<u64>) -> bool {
        let before = self.list.len();
        self.list.retain(|(own, _)| id.is_some_and(|id| id != *own));
        self.list.len() < before
    }

    /// Those still in force.
    pub(super) fn list(&self) -> &[(u64, Fault)] {
        &self.list
    }

    /// How many calls this one has met.
    pub(super) fn met(&self, id: u64) -> u64 {
        self.met.get(&id).copied().unwrap_or(0)
    }

    /// What happens to this call; counts it.
    pub(super) fn meet(&mut self, method: &str, path: &str, user: Option<&str>) -> Vec<FaultKind> {
        let mut met = Vec::new();
        for (id, fault) in &mut self.list {
            if fault.meets(method, path, user) {
                met.push(fault.kind.clone());
                *self.met.entry(*id).or_default() += 1;
                fault.times = fault.times.map(|left| left - 1);
            }
        }
        self.list.retain(|(_, fault)| fault.times != Some(0));
        met
    }
}

#[cfg(test)]
mod tests {
    use super::path_begins;

    #[test]
    fn a_star_stands_for_one_part_and_the_last_part_may_be_cut() {
        assert!(path_begins("/agents/repos/a/b/tasks", "/agents/repos/*/*/tasks"));
        assert!(path_begins("/agents/repos/a/b/tasks", ""));
        assert!(path_begins("/agents/tasks/1", "/agents/ta"));
        assert!(!path_begins("/agents/tasks", "/agents/repos/*/*/tasks"));
        assert!(!path_begins("/user", "/user/installations"));
        assert!(path_begins("/agents/tasks", "/agents/tasks$"));
        assert!(!path_begins("/agents/tasks/1", "/agents/tasks$"));
        assert!(!path_begins("/agents/tasks2", "/agents/tasks$"));
    }
}
