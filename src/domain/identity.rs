//! Who somebody is on a chat platform. A chat account is named by the platform's own ids, never by a name or an e-mail,
//! which others can take; and by the source that says so, whose word is worth no more than its secret.

/// Most bytes of a platform's name.
const PLATFORM: usize = 32;
/// Most bytes of an id of a platform.
const ID: usize = 128;

/// Between a workspace and the source that names it: no platform's id and no source's name holds it.
const BY: char = '@';

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
        // The team may carry its source already, as it is stored.
        let good =
            |text: &str, most| !text.is_empty() && text.len() <= most && text.bytes().all(|b| b.is_ascii_graphic());
        if !good(platform, PLATFORM) || !good(team, ID) || !good(account, ID) {
            return Err(BadIdentity);
        }
        Ok(Self { platform: platform.to_owned(), team: team.to_owned(), account: account.to_owned() })
    }

    /// The same account as `source` names it: whoever holds the secret of one source can name any account there is, and must
    /// not speak for those whom another has bound to people. Not for a platform that signs everything itself.
    ///
    /// # Errors
    /// When the name of the source is too long.
    pub fn vouched_by(self, source: &str) -> Result<Self, BadIdentity> {
        Self::new(&self.platform, &format!("{}{BY}{source}", self.workspace()), &self.account)
    }

    /// The platform.
    #[must_use]
    pub fn platform(&self) -> &str {
        &self.platform
    }

    /// The workspace, with the source whose word it is.
    #[must_use]
    pub fn team(&self) -> &str {
        &self.team
    }

    /// The workspace alone, as the platform names it.
    #[must_use]
    pub fn workspace(&self) -> &str {
        self.team.split(BY).next().unwrap_or_default()
    }

    /// The source whose word it is, if it is one's.
    #[must_use]
    pub fn voucher(&self) -> Option<&str> {
        self.team.split_once(BY).map(|(_, source)| source)
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
