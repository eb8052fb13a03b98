//! An explanation as text for a terminal. Names in it were chosen by strangers: nothing of them may move the
//! cursor or colour the screen.

use std::fmt::Write as _;

use super::{Answer, Explanation, RuleTold};
use crate::domain::trust::{clean, clean_line};

/// Longest line of a foreign text, in characters.
const LINE: usize = 500;
/// Longest prompt shown, in characters.
const PROMPT: usize = 70_000;

impl Explanation {
    /// The explanation in words, several lines.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let _ = match self.delivery {
            Some(id) => writeln!(text, "Delivery {id}"),
            None => writeln!(text, "A dry run: nothing is recorded, started or asked of GitHub."),
        };
        let by = self.actor.as_ref().map(|actor| format!(" by @{}", line(actor))).unwrap_or_default();
        let at = self.repo.as_ref().map(|repo| format!(" in {}", line(repo))).unwrap_or_default();
        let when = self.received_at.map(|at| format!(", received {}", at.format("%Y-%m-%d %H:%M:%S UTC")));
        let when = when.unwrap_or_default();
        let _ = writeln!(text, "  {} from `{}`{by}{at}{when}", line(&self.event), line(&self.source));
        if let Some(label) = &self.label {
            let _ = writeln!(text, "  the label put on: `{}`", line(label));
        }
        match self.command.as_deref() {
            None => {}
            Some("") => text.push_str("  a command of free text\n"),
            Some(word) => {
                let _ = writeln!(text, "  the command: `{}`", line(word));
            }
        }
        if let Some(url) = &self.subject_url {
            let _ = writeln!(text, "  about {}", line(url));
        }
        let _ = writeln!(text, "\n{}.", capital(line(&self.outcome).trim_end_matches('.')));
        if !self.rules.is_empty() {
            let version = self.rule_version.as_ref().map(|version| format!(" (version {})", line(version)));
            let _ = writeln!(text, "\nThe rules in order{}:", version.unwrap_or_default());
        }
        for (nth, rule) in self.rules.iter().enumerate() {
            tell(&mut text, nth + 1, rule);
        }
        for note in &self.notes {
            let _ = writeln!(text, "\nNote: {}.", line(note));
        }
        text
    }
}

fn tell(text: &mut String, nth: usize, rule: &RuleTold) {
    let word = match rule.answer {
        Answer::Matched => "matched",
        Answer::NotMatched => "did not match",
        Answer::Refused => "refused",
        Answer::Failed => "failed",
        Answer::NotListening => "does not listen to this",
        Answer::NotReached => "not reached",
        Answer::Selected => "would be selected",
    };
    let _ = writeln!(text, "\n  {nth}. {}: {word}", line(&rule.rule));
    if !rule.why.is_empty() {
        let _ = writeln!(text, "     {}", line(&rule.why));
    }
    if !rule.saw.is_empty() && rule.saw != rule.why {
        let _ = writeln!(text, "     saw: {}", line(&rule.saw));
    }
    if let Some(task) = &rule.task {
        let state = task.state.map_or_else(|| "no longer kept".to_owned(), |state| state.to_string());
        let person = if task.person.is_empty() { String::new() } else { format!(", as @{}", line(&task.person)) };
        let _ = writeln!(text, "     task {}: {state}{person}", task.id);
        if task.state.is_some() && !task.reason.is_empty() {
            let _ = writeln!(text, "     {}", line(&task.reason));
        }
        if let Some(url) = &task.url {
            let _ = writeln!(text, "     {}", line(url));
        }
    }
    if let Some(prompt) = &rule.prompt {
        text.push_str("     the prompt:\n");
        for shown in clean(prompt, PROMPT).lines() {
            let _ = writeln!(text, "     | {shown}");
        }
    }
}

fn line(text: &str) -> String {
    clean_line(text, LINE)
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
