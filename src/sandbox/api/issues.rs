//! One issue (a pull request is one too).

use super::Cx;
use crate::sandbox::call::{Answer, Reply};
use crate::sandbox::world::Repo;

/// `GET /repos/{owner}/{repo}/issues/{issue_number}`
pub(super) fn one(cx: &Cx<'_>, repo: &Repo, number: &str) -> Reply {
    let thread = cx.thread(repo, number)?;
    Ok(Answer::ok(cx.world.issue_json(&thread)))
}
