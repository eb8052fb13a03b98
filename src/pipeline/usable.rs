//! What somebody may do in a repository: write there, and ask for which rules. Wherever help is asked for, it is the same.

use super::Bridge;
use super::asked::Asked;
use super::guard::{Later, May, may};
use crate::domain::event::Account;
use crate::domain::rule::{Allow, Rule};
use crate::github::RepoPath;

/// Most different `allow`s that are looked up for one answer; what rules beyond them let somebody do is not shown.
const LOOK_UPS: usize = 20;

/// What somebody may do there.
pub(super) struct Usable<'r> {
    /// Whether they may write.
    pub writes: bool,
    /// Why not.
    pub why_not: String,
    /// Whether there is nothing to look it up with, so that all of this says nothing.
    pub unknown: bool,
    /// The rules that they may ask for.
    pub rules: Vec<&'r Rule>,
}

/// Looks up what `who` may do in `path`, each way in once, and each question that they have in common.
///
/// # Errors
/// [`Later`]: GitHub could not be asked. A doubt is no "no".
pub(super) async fn usable<'r>(
    bridge: &Bridge,
    asked: &Asked,
    path: &RepoPath,
    who: &Account,
    rules: &[&'r Rule],
) -> Result<Usable<'r>, Later> {
    let usual = Allow::default();
    let (writes, unknown, why_not) = match may(bridge, asked, &usual, path, who).await {
        May::Yes(_) => (true, false, String::new()),
        May::No { saw, .. } => (false, false, format!("only people who can write get an answer: {saw}")),
        May::NoReader(why) => (false, true, why),
        May::Later(later) => return Err(later),
    };
    let mut found = Usable { writes, why_not, unknown, rules: Vec::new() };
    let mut known: Vec<(&Allow, bool)> = vec![(&usual, writes)];
    for &rule in rules {
        let allowed = match known.iter().find(|(allow, _)| **allow == rule.allow) {
            Some((_, allowed)) => *allowed,
            None if known.len() >= LOOK_UPS => false,
            None => {
                let allowed = match may(bridge, asked, &rule.allow, path, who).await {
                    May::Yes(_) => true,
                    May::No { .. } | May::NoReader(_) => false,
                    May::Later(later) => return Err(later),
                };
                known.push((&rule.allow, allowed));
                allowed
            }
        };
        if allowed {
            found.rules.push(rule);
        }
    }
    Ok(found)
}
