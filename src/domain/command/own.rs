//! The commands of taskbridge itself: the words that no rule can declare.

/// One of them, with what was written after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// Which.
    pub word: OwnWord,
    /// What it is about, if that was said: a task, a link, a code.
    pub argument: Option<String>,
}

/// Which of our own commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnWord {
    /// What runs for me.
    Status,
    /// My newest tasks.
    List,
    /// Why something happened, or did not.
    Why,
    /// Once more.
    Retry,
    /// Not any more, if it has not started.
    Cancel,
    /// It may go on.
    Approve,
    /// Link this chat account to a GitHub account.
    Link,
    /// Forget that link.
    Unlink,
}

impl OwnWord {
    /// All of them, in the order of the help.
    pub const ALL: [Self; 8] =
        [Self::Status, Self::List, Self::Why, Self::Retry, Self::Cancel, Self::Approve, Self::Link, Self::Unlink];

    /// Those that mean something in a comment, where the account that writes is the one on GitHub.
    pub const IN_THREADS: [Self; 6] = [Self::Status, Self::List, Self::Why, Self::Retry, Self::Cancel, Self::Approve];

    /// The word that is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::List => "list",
            Self::Why => "why",
            Self::Retry => "retry",
            Self::Cancel => "cancel",
            Self::Approve => "approve",
            Self::Link => "link",
            Self::Unlink => "unlink",
        }
    }

    /// Whether it moves a task, or lets one begin.
    #[must_use]
    pub fn moves_a_task(self) -> bool {
        matches!(self, Self::Retry | Self::Cancel | Self::Approve)
    }

    /// The command of this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|own| own.as_str().eq_ignore_ascii_case(word))
    }

    /// What help says of it in a chat: how it is written, and what it does.
    pub(super) fn in_chat(self) -> (&'static str, &'static str) {
        match self {
            Self::Status => ("status", "what runs for you now"),
            Self::List => ("list", "your newest tasks"),
            Self::Why => ("why LINK or TASK", "why an issue or a task stands where it does"),
            Self::Retry => ("retry [TASK]", "try the task of this thread, your newest or the one named once more"),
            Self::Cancel => ("cancel [TASK]", "call off a task that has not started"),
            Self::Approve => ("approve [TASK]", "let a task go on that waits for approval"),
            Self::Link => ("link", "link this account to your GitHub account"),
            Self::Unlink => ("unlink", "forget that link"),
        }
    }

    /// The same in the comments of an issue or pull request.
    pub(super) fn in_thread(self) -> (&'static str, &'static str) {
        match self {
            Self::Status => ("status", "what runs for you now in this repository"),
            Self::List => ("list", "your newest tasks in this repository"),
            Self::Why => ("why [LINK or TASK]", "why this issue, another one or a task stands where it does"),
            Self::Retry => ("retry [TASK]", "try the newest task of this issue, or another one of yours, once more"),
            Self::Cancel => ("cancel [TASK]", "call off a task that has not started"),
            Self::Approve => ("approve [TASK]", "what waits here for approval may go on"),
            Self::Link | Self::Unlink => self.in_chat(),
        }
    }
}
