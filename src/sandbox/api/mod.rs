//! What the calls answer: one table from method and path to a function, and who may pass.

mod app;
mod comments;
mod deliveries;
mod issues;
mod labels;
mod oauth;
mod people;
mod pulls;
mod reactions;
mod repos;
mod tasks;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::call::{Answer, Call, Reply};
use super::new_app;
use super::world::{Caller, Installation, Repo, Role, Thread, TokenKind, User, World};

/// First parts of paths that belong to the API; all others are pages.
pub(super) const ROOTS: [&str; 11] = [
    "applications",
    "agents",
    "repos",
    "repositories",
    "user",
    "users",
    "orgs",
    "app",
    "app-manifests",
    "rate_limit",
    "meta",
];

/// One call on its way through the table.
pub(super) struct Cx<'a> {
    world: &'a mut World,
    call: &'a Call,
    caller: Caller,
    /// Lists are so many seconds old, and lack the newest so many tasks.
    stale: Option<(i64, usize)>,
}

/// Answers an admitted call.
pub(super) fn dispatch(world: &mut World, call: &Call, caller: Caller, stale: Option<(i64, usize)>) -> Answer {
    let segments = call.segments();
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    let mut cx = Cx { world, call, caller, stale };
    route(&mut cx, &parts).unwrap_or_else(|refused| refused)
}

fn route(cx: &mut Cx<'_>, parts: &[&str]) -> Reply {
    let method = cx.call.method.as_str();
    match (method, parts) {
        ("POST", ["agents", "repos", owner, repo, "tasks"]) => tasks::create(cx, owner, repo),
        ("GET", ["agents", "repos", owner, repo, "tasks"]) => tasks::list_of_repo(cx, owner, repo),
        ("GET", ["agents", "repos", owner, repo, "tasks", id]) => tasks::one_of_repo(cx, owner, repo, id),
        ("GET", ["agents", "tasks"]) => tasks::list_of_user(cx),
        ("GET", ["agents", "tasks", id]) => tasks::one_of_user(cx, id),
        ("GET", ["user"]) => people::user(cx),
        ("GET", ["user", "installations"]) => app::installations_of_user(cx),
        ("GET", ["user", "installations", id, "repositories"]) => app::repositories_of_user(cx, id),
        ("GET", ["users", login]) => people::by_name(cx, login),
        ("GET", ["orgs", org, "members", login]) => people::org_member(cx, org, login),
        ("GET", ["orgs", org, "teams", team, "memberships", login]) => people::team_member(cx, org, team, login),
        ("GET", ["rate_limit"]) => Ok(people::rate_limit(cx)),
        ("GET", ["meta"]) => Ok(people::meta(cx)),
        ("POST", ["login", "oauth", "access_token"]) => oauth::access_token(cx),
        ("POST", ["login", "device", "code"]) => oauth::device_code(cx),
        ("DELETE", ["applications", client, what @ ("token" | "grant")]) => oauth::end(cx, client, what),
        ("GET", ["app"]) => app::app(cx),
        ("POST", ["app-manifests", code, "conversions"]) => new_app::convert(cx.world, code),
        ("POST", ["app", "installations", id, "access_tokens"]) => app::access_token(cx, id),
        (_, ["app", "hook", "deliveries", rest @ ..]) => deliveries::of_app(cx, method, rest),
        (_, ["orgs", org, "hooks", hook, "deliveries", rest @ ..]) => deliveries::of_org(cx, method, org, hook, rest),
        ("GET", ["repos", owner, repo, "installation"]) => app::installation_of(cx, owner, repo),
        (_, ["repos", owner, name, rest @ ..]) => {
            let repo = cx.repo(owner, name, "/repositories", rest)?;
            in_repo(cx, &repo, method, rest)
        }
        (_, ["repositories", id, rest @ ..]) => {
            let repo = id.parse().ok().and_then(|id: i64| cx.world.repos.get(&id).cloned());
            let repo = repo.filter(|repo| cx.role(repo) > Role::None).ok_or_else(Answer::not_found)?;
            in_repo(cx, &repo, method, rest)
        }
        _ => Err(Answer::not_found()),
    }
}

fn in_repo(cx: &mut Cx<'_>, repo: &Repo, method: &str, rest: &[&str]) -> Reply {
    match (method, rest) {
        ("GET", []) => Ok(repos::one(cx, repo)),
        ("GET", ["collaborators", login, "permission"]) => repos::permission(cx, repo, login),
        ("GET", ["issues", number]) => issues::one(cx, repo, number),
        ("GET", ["issues", "comments", id]) => comments::one(cx, repo, id),
        ("PATCH", ["issues", "comments", id]) => comments::edit(cx, repo, id),
        ("DELETE", ["issues", "comments", id]) => comments::delete(cx, repo, id),
        ("GET", ["issues", number, "comments"]) => comments::list(cx, repo, number),
        ("POST", ["issues", number, "comments"]) => comments::create(cx, repo, number),
        ("GET", ["issues", number, "labels"]) => labels::list(cx, repo, number),
        ("POST", ["issues", number, "labels"]) => labels::add(cx, repo, number),
        ("DELETE", ["issues", number, "labels", name]) => labels::remove(cx, repo, number, name),
        (_, ["issues" | "pulls", "comments", id, "reactions", rest @ ..]) => {
            let subject = reactions::comment(cx, repo, id, parts_kind(&cx.call.path))?;
            reactions::any(cx, repo, method, subject, rest)
        }
        (_, ["issues", number, "reactions", rest @ ..]) => {
            let subject = reactions::thread(cx, repo, number)?;
            reactions::any(cx, repo, method, subject, rest)
        }
        ("GET", ["pulls"]) => pulls::list(cx, repo),
        ("GET", ["pulls", number]) => pulls::one(cx, repo, number),
        ("GET", ["pulls", number, "comments"]) => pulls::review_comments(cx, repo, number),
        ("POST", ["pulls", number, "comments", id, "replies"]) => pulls::reply(cx, repo, number, id),
        (_, ["hooks", hook, "deliveries", rest @ ..]) => deliveries::of_repo(cx, method, repo, hook, rest),
        _ => Err(Answer::not_found()),
    }
}

/// Whether a comment path speaks of review comments.
fn parts_kind(path: &str) -> bool {
    path.contains("/pulls/comments/")
}

impl Cx<'_> {
    /// What the caller may do in a repository.
    fn role(&self, repo: &Repo) -> Role {
        let open = if repo.private { Role::None } else { Role::Read };
        match self.caller {
            Caller::User(_, TokenKind::AppUser) if !self.app_is_at(repo) => open,
            Caller::User(id, _) => self.world.role(repo, id),
            Caller::Installation(id) => {
                let reaches = self.world.installations.get(&id).is_some_and(|own| own.reaches(repo));
                if reaches { Role::Write } else { open }
            }
            Caller::Nobody => open,
            Caller::Unknown | Caller::Jwt => Role::None,
        }
    }

    /// Whether the App works in a repository; tokens of its sign-in reach no other.
    fn app_is_at(&self, repo: &Repo) -> bool {
        self.world.installations.values().any(|own| own.reaches(repo))
    }

    /// A repository the caller can see, by name; a former name redirects below `moved`.
    fn repo(&self, owner: &str, name: &str, moved: &str, rest: &[&str]) -> Result<Repo, Answer> {
        if self.caller == Caller::Jwt {
            return Err(Answer::error(401, "Bad credentials"));
        }
        let full = format!("{owner}/{name}");
        let found = self.world.repo_named(&full).or_else(|| self.world.repo_once_named(&full));
        let repo = found.filter(|repo| self.role(repo) > Role::None).ok_or_else(Answer::not_found)?;
        let current = self.world.full_name(repo);
        if current.eq_ignore_ascii_case(&full) {
            return Ok(repo.clone());
        }
        let place = if moved == "/repositories" { repo.id.to_string() } else { current };
        let mut url = format!("{}{moved}/{place}", self.world.base);
        // The rest of the path as it was sent: decoding and encoding again could change it.
        let sent: Vec<&str> = self.call.path.split('/').filter(|part| !part.is_empty()).collect();
        for part in &sent[sent.len().saturating_sub(rest.len())..] {
            url = format!("{url}/{part}");
        }
        if !self.call.raw_query.is_empty() {
            url = format!("{url}?{}", self.call.raw_query);
        }
        let (status, message) = if self.call.method == hyper::Method::GET {
            (301, "Moved Permanently")
        } else {
            (307, "Temporary Redirect")
        };
        let mut answer = Answer::error(status, message).with("location", url.clone());
        if let super::call::Content::Json(Value::Object(map)) = &mut answer.body {
            map.insert("url".to_owned(), url.into());
        }
        Err(answer)
    }

    /// The person who calls, where only a person may.
    fn person(&self) -> Result<User, Answer> {
        match self.caller {
            Caller::User(id, _) => {
                self.world.users.get(&id).cloned().ok_or_else(|| Answer::error(401, "Bad credentials"))
            }
            Caller::Installation(_) => Err(Answer::users_only()),
            Caller::Jwt => Err(Answer::error(401, "Bad credentials")),
            Caller::Nobody | Caller::Unknown => Err(Answer::error(401, "Requires authentication")),
        }
    }

    /// The account that what the caller writes is signed with, and whether the App is named on it.
    fn writer(&mut self) -> Result<(i64, bool), Answer> {
        match self.caller {
            Caller::User(id, kind) => Ok((id, kind == TokenKind::AppUser)),
            Caller::Installation(_) => Ok((self.world.bot(), true)),
            _ => Err(Answer::error(401, "Requires authentication")),
        }
    }

    /// Refuses callers below `least` in a repository.
    fn need(&self, repo: &Repo, least: Role) -> Result<(), Answer> {
        match self.caller {
            Caller::Nobody => Err(Answer::error(401, "Requires authentication")),
            _ if self.role(repo) >= least => Ok(()),
            Caller::Installation(_) => Err(Answer::users_only()),
            _ => Err(Answer::error(403, "Must have admin rights to Repository.")),
        }
    }

    /// The issue or pull request with this number.
    fn thread(&self, repo: &Repo, number: &str) -> Result<Thread, Answer> {
        let number: i64 = number.parse().map_err(|_| Answer::not_found())?;
        self.world.threads.get(&(repo.id, number)).cloned().ok_or_else(Answer::not_found)
    }

    /// The moment that lists show.
    fn list_time(&self) -> DateTime<Utc> {
        let lag = self.stale.map_or(0, |(seconds, _)| seconds.clamp(0, 1_000_000_000));
        self.world.ground.now() - TimeDelta::seconds(lag)
    }

    /// The installation with this id, if the App has it.
    fn installation(&self, id: &str) -> Option<&Installation> {
        self.world.installations.get(&id.parse().ok()?)
    }
}

impl World {
    /// The account of the App, made when first needed.
    fn bot(&mut self) -> i64 {
        let login = format!("{}[bot]", self.app.slug);
        if let Some(user) = self.user_named(&login) {
            return user.id;
        }
        let (id, created_at) = (self.next_id(), self.ground.now());
        self.users.insert(id, User { id, login, kind: "Bot".to_owned(), seat: false, created_at });
        id
    }
}

/// The text field `name` of a body.
fn text<'v>(body: &'v serde_json::Map<String, Value>, name: &str) -> Option<&'v str> {
    body.get(name).and_then(Value::as_str)
}

/// 422 for a missing field, in the general shape.
fn missing(resource: &str, field: &str) -> Answer {
    Answer::invalid(resource, field, "missing_field")
}
