//! Who somebody is on a chat platform. A chat account is named by the platform's own ids, never by a name or an e-mail,
//! which others can take.

/// Most bytes of a platform's name.
const PLATFORM: usize = 32;
/// Most bytes of an id of a platform.
const ID: usize = 128;

/// An account on a chat platform.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity {
    platform: String,
    team: String,
    account: String,
}

/// An id that no chat platform gives: give up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not the id of a chat account")]
pub struct BadIdentity;

impl Identity {
    /// The account `account` in the workspace `team` of `platform` (for example `slack`).
    ///
    /// # Errors
    /// When one of them is empty, too long, or holds blanks or control characters.
    pub fn new(platform: &str, team: &str, account: &str) -> Result<Self, BadIdentity> {
        let good =
            |text: &str, most| !text.is_empty() && text.len() <= most && text.bytes().all(|b| b.is_ascii_graphic());
        if !good(platform, PLATFORM) || !good(team, ID) || !good(account, ID) {
            return Err(BadIdentity);
        }
        Ok(Self { platform: platform.to_owned(), team: team.to_owned(), account: account.to_owned() })
    }

    /// The platform.
    #[must_use]
    pub fn platform(&self) -> &str {
        &self.platform
    }

    /// The workspace.
    #[must_use]
    pub fn team(&self) -> &str {
        &self.team
    }

    /// The account in it.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} account {} of {}", self.platform, self.account, self.team)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_named_by_ids_of_a_bounded_length() {
        assert!(Identity::new("slack", "T012", "U345").is_ok());
        for (platform, team, account) in
            [("", "T", "U"), ("slack", "", "U"), ("slack", "T", ""), ("slack", "T 1", "U"), ("slack", "T", "U\0")]
        {
            assert_eq!(Identity::new(platform, team, account), Err(BadIdentity), "{platform} {team} {account}");
        }
        assert!(Identity::new("slack", "T", &"U".repeat(129)).is_err());
    }
}
