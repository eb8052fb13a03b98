//! The words that people read on GitHub: one living comment a task, the same in every state, edited in place.

/// The words that people read in a chat.
pub mod chat;

use std::fmt::Write as _;
use std::time::Duration;

use super::task::State;
use super::trust::{bare, clean};

/// Longest prompt shown folded away, in characters; a comment may hold 65,536 in all.
const PROMPT_SHOWN: usize = 30_000;

/// What a living comment tells of a task.
#[derive(Debug, Clone)]
pub struct Telling {
    /// The task's id.
    pub task: String,
    /// Where it stands.
    pub state: State,
    /// Why it stands there.
    pub reason: String,
    /// Whether it is held for something that comes without anybody's doing.
    pub goes_on_alone: bool,
    /// GitHub's own word, when it is one this version does not know.
    pub raw_state: Option<String>,
    /// Who asked.
    pub actor: String,
    /// Whose token it runs with.
    pub person: String,
    /// The rule.
    pub rule: String,
    /// How many tasks of the same person are started before it.
    pub ahead: i64,
    /// From the making of the task until it ended, or until now.
    pub elapsed: Duration,
    /// The pull request: number and page.
    pub pull: Option<(i64, String)>,
    /// The agent's branch.
    pub branch: Option<String>,
    /// GitHub's page of the task, where it is also stopped.
    pub session_url: Option<String>,
    /// What was used: kind and billionths.
    pub usage: Vec<(String, i64)>,
    /// The agent's own error.
    pub error: Option<String>,
    /// The page where the person signs in, if that is what is waited for.
    pub connect: Option<String>,
    /// The prompt as it was sent, without the marker.
    pub prompt: String,
}

/// The text of the living comment, without its footer.
#[must_use]
pub fn living_comment(telling: &Telling) -> String {
    let mut text = format!("{}\n\n", headline(telling));
    if let Some(page) = &telling.connect {
        let who = telling.person.replace('`', "");
        let _ = writeln!(
            text,
            "{}, signed in to GitHub as `{who}`, and it goes on by itself.\n",
            link("Connect your account", page)
        );
    }
    let _ = writeln!(text, "| | |\n| --- | --- |");
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(text, "| {name} | {} |", value.replace('|', "\\|"));
    };
    row("Asked by", &format!("@{}", telling.actor));
    if !telling.person.eq_ignore_ascii_case(&telling.actor) {
        row("Runs as", &format!("`{}`", telling.person));
    }
    row("Rule", &format!("`{}`", telling.rule));
    let word = match (&telling.raw_state, telling.state) {
        (Some(raw), State::Unrecognised) => format!("`{}`", raw.replace('`', "")),
        (_, state) => format!("`{state}`"),
    };
    row("State", &word);
    if let Some((number, url)) = &telling.pull {
        row("Pull request", &link(&format!("#{number}"), url));
    } else if let Some(branch) = &telling.branch {
        row("Branch", &format!("`{}`", branch.replace('`', "")));
    }
    if let Some(url) = &telling.session_url {
        row("Session", &link("follow or stop it on GitHub", url));
    }
    row(if telling.state.is_end() { "Took" } else { "Elapsed" }, &elapsed(telling.elapsed));
    for (kind, nano) in &telling.usage {
        row("Used", &usage(kind, *nano));
    }
    if let Some(error) = &telling.error {
        row("Error", &clean(error, 500).replace('\n', " "));
    }
    // Who approves it must see what the agent would.
    let shown = bare(&telling.prompt, PROMPT_SHOWN);
    let fence = "`".repeat(longest_run(&shown, '`').max(2) + 1);
    let _ = write!(text, "\n<details><summary>The prompt</summary>\n\n{fence}text\n{shown}\n{fence}\n\n</details>\n");
    let _ = write!(text, "\n<sub>taskbridge · task {}</sub>\n", telling.task);
    text
}

fn headline(telling: &Telling) -> String {
    let reason = clean(&telling.reason, 1000).replace('\n', " ");
    let because = if reason.is_empty() { ".".to_owned() } else { format!(": {}.", reason.trim_end_matches('.')) };
    match telling.state {
        State::Held if telling.goes_on_alone => format!("⏸️ **This waits**{because}"),
        State::Held => format!("⏸️ **This waits for a person**{because}"),
        State::Pending if telling.ahead > 0 => {
            format!("🕐 **Waiting to be started**, {} in line.", ordinal(telling.ahead + 1))
        }
        State::Pending => "🕐 **Waiting to be started**.".to_owned(),
        State::Starting => "🚀 **Starting**.".to_owned(),
        State::Uncertain if !reason.is_empty() => {
            format!(
                "❔ **It is not known whether GitHub started this**{because} It is being looked for; nothing is sent twice."
            )
        }
        State::Uncertain => {
            "❔ **It is not known whether GitHub started this**. It is being looked for; nothing is sent twice."
                .to_owned()
        }
        State::Queued => "🕐 **Queued at GitHub**.".to_owned(),
        State::InProgress => "🏃 **Copilot is working on it**.".to_owned(),
        State::WaitingForUser => format!("🙋 **Copilot waits for an answer** from @{}.", telling.person),
        State::Idle => "💤 **Copilot has paused**.".to_owned(),
        State::Unrecognised => {
            "🏃 **GitHub reports a state that taskbridge does not know**; it is followed all the same.".to_owned()
        }
        State::Completed => match &telling.pull {
            Some((number, url)) => format!("✅ **Done**: {}.", link(&format!("pull request #{number}"), url)),
            None => "✅ **Done**.".to_owned(),
        },
        State::Failed => "❌ **Copilot failed**.".to_owned(),
        State::TimedOut => "⌛ **Copilot ran out of time**.".to_owned(),
        State::Cancelled => format!("🚫 **Cancelled**{because}"),
        State::StartFailed => format!("❌ **GitHub did not start this**{because}"),
        State::Lost => format!("👻 **Lost from sight**{because}"),
    }
}

fn ordinal(number: i64) -> String {
    match number {
        1 => "first".to_owned(),
        2 => "second".to_owned(),
        3 => "third".to_owned(),
        n => format!("number {n}"),
    }
}

/// Only web addresses become links: what GitHub sent is not ours to vouch for.
fn link(text: &str, url: &str) -> String {
    let plain = url.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'(' | b')' | b'<' | b'>' | b'|' | b'"'));
    if plain && (url.starts_with("https://") || url.starts_with("http://")) {
        format!("[{text}]({url})")
    } else {
        text.to_owned()
    }
}

fn elapsed(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

/// How long ago something was, roughly.
#[must_use]
pub fn ago(duration: Duration) -> String {
    let minutes = duration.as_secs() / 60;
    match (minutes / 1440, minutes / 60, minutes) {
        (0, 0, 0) => "just now".to_owned(),
        (0, 0, minutes) => format!("{minutes} min ago"),
        (0, hours, _) => format!("{hours} h ago"),
        (1, ..) => "a day ago".to_owned(),
        (days, ..) => format!("{days} days ago"),
    }
}

/// `1.25 AI credits`, from billionths.
#[must_use]
pub fn usage(kind: &str, nano: i64) -> String {
    let whole = nano / 1_000_000_000;
    let rest = format!("{:09}", (nano % 1_000_000_000).abs());
    let rest = rest.trim_end_matches('0');
    let number = if rest.is_empty() { whole.to_string() } else { format!("{whole}.{rest}") };
    match kind {
        "ai_credits" => format!("{number} AI credits"),
        "premium_requests" => format!("{number} premium requests"),
        other => format!("{number} {}", other.replace('`', "")),
    }
}

fn longest_run(text: &str, what: char) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == what { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

#[cfg(test)]
mod tests;
