//! The second act: somebody without a token asks for work in a chat, is asked back in private, signs in, and the wish goes on.

use super::super::CliError;
use super::screen::Screen;
use super::stage::{OTTO, Stage};
use super::walk::{LOOK, follow, in_time, plain};
use super::webhook::ask;
use crate::ids::TaskId;
use crate::sandbox::{SlackMessage, SlackRequest};
use crate::store::Page;
use crate::store::tasks::list::TaskFilter;

const ACCOUNT: &str = "U0OTTO";
const CHANNEL: &str = "C0001";
const WISH: &str = "write a test for the discount";

/// Tells the act; ends when the task has ended and the chat says so.
pub(super) async fn tell(stage: &Stage, screen: &Screen) -> Result<(), CliError> {
    in_time(screen, "asked", say(stage, WISH)).await?;
    screen.step("asked", &format!("otto, who gave no token, types `/copilot {WISH}`"));
    let asked = in_time(screen, "asked back", whisper(stage, 0)).await?;
    screen.step("asked back", "his wish is kept; he alone sees:");
    let (text, link) = without_link(&asked.text);
    screen.quote(&text, 4);

    let code = in_time(screen, "signed in", sign_in(stage, &link)).await?;
    screen.step("signed in", "behind the link, as otto on GitHub; the page shows him a code for the chat");
    in_time(screen, "linked", say(stage, &format!("link {code}"))).await?;
    let linked = in_time(screen, "linked", whisper(stage, 1)).await?;
    screen.step("linked", "he types the code back, so a link passed on binds nobody; he alone sees:");
    screen.quote(&plain(&linked.text), 3);

    let id = in_time(screen, "goes on", task(stage)).await?;
    screen.step("goes on", "the wish that was kept has become a task by itself");
    follow(stage, screen, id, "otto").await?;
    let told = in_time(screen, "told", living(stage, id)).await?;
    screen.step("told", "one living message in the channel, with buttons; it now reads:");
    screen.quote(&plain(&without_link(&told.text).0).replace('*', "").replace("\n[", " ["), 6);
    Ok(())
}

async fn say(stage: &Stage, text: &str) -> Result<(), CliError> {
    let SlackRequest { headers, body } = stage.sandbox.slack().slash(ACCOUNT, CHANNEL, "/copilot", text);
    let head: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let answer = ask(stage.running.address, "POST /hooks/slack", &head, &body).await?;
    match answer.status {
        200 => Ok(()),
        status => Err(CliError::Said(format!("what was said in the chat was answered {status}"))),
    }
}

/// What otto alone was told, from the `nth` on.
async fn whisper(stage: &Stage, nth: usize) -> Result<SlackMessage, CliError> {
    loop {
        if let Some(told) = stage.sandbox.slack().whispers(ACCOUNT).into_iter().nth(nth) {
            return Ok(told);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// A text without the address that it links to, and that address. Slack writes `<address|words>`.
fn without_link(text: &str) -> (String, String) {
    let parts = text.split_once('<').and_then(|(before, rest)| Some((before, rest.split_once('>')?)));
    let Some((before, (link, after))) = parts else { return (text.to_owned(), String::new()) };
    let (address, words) = link.split_once('|').unwrap_or((link, link));
    (format!("{before}{words}{after}"), address.to_owned())
}

/// Opens the link, lets the app in, and comes back. Answers the code that the page shows.
async fn sign_in(stage: &Stage, link: &str) -> Result<String, CliError> {
    let to = stage.running.address;
    let site = format!("http://{to}");
    let path = |url: &str| url.strip_prefix(&site).map(str::to_owned).ok_or_else(|| missing("a page of the service"));
    let own = format!("origin: {site}\r\nsec-fetch-site: same-origin\r\n");
    let sent = ask(to, &format!("POST {}", path(link)?), &own, "").await?;
    let github = sent.header("location").next().ok_or_else(|| missing("the way to GitHub"))?;
    let cookies: Vec<&str> = sent.header("set-cookie").filter_map(|cookie| cookie.split(';').next()).collect();
    let back = stage.sandbox.control().approve(github, Some("otto")).map_err(CliError::said)?;
    let cookies = format!("cookie: {}\r\n", cookies.join("; "));
    let page = ask(to, &format!("GET {}", path(&back)?), &cookies, "").await?;
    let code = page.text.split_once("<code>/copilot link ").and_then(|(_, rest)| rest.split('<').next());
    code.map(str::to_owned).ok_or_else(|| missing("the code"))
}

fn missing(what: &str) -> CliError {
    CliError::Said(format!("{what} is missing"))
}

async fn task(stage: &Stage) -> Result<TaskId, CliError> {
    let filter = TaskFilter { person: Some("otto".to_owned()), ..TaskFilter::default() };
    let begun = stage.opened.bridge.store.person(OTTO).await?.map(|person| person.added_at);
    loop {
        let tasks = stage.opened.bridge.store.tasks(&filter, Page { before: None, limit: 1 }).await?;
        // Those of earlier demos are older than this sign-in.
        if let Some(task) = tasks.first().filter(|task| Some(task.created_at) >= begun) {
            return Ok(task.id);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The message of this task that all see, once it tells of the end.
async fn living(stage: &Stage, id: TaskId) -> Result<SlackMessage, CliError> {
    loop {
        // An earlier demo may have left something to say.
        let own = format!("task {id}");
        let all = stage.sandbox.slack().messages().into_iter().filter(|message| message.only.is_none());
        if let Some(told) = all.into_iter().find(|told| told.text.contains("*Done*") && told.text.contains(&own)) {
            return Ok(told);
        }
        tokio::time::sleep(LOOK).await;
    }
}
