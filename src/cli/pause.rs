//! `taskbridge pause` and `resume`: the switch that stops starting. Webhooks are still taken in and matched.

use std::path::Path;

use clap::Args;

use super::CliError;
use super::open::{Needs, beside};
use crate::config::Loaded;
use crate::domain::trust::clean_line;
use crate::github::RepoPath;
use crate::store::pauses::{Pause, PauseScope};

/// Stop starting tasks, for everything or a part.
///
/// Webhooks are still recorded and tasks still made; they wait until `taskbridge resume`. What runs already goes on.
#[derive(Debug, Args)]
pub(super) struct PauseCommand {
    #[command(flatten)]
    what: What,
    /// Why, for those who find it paused.
    #[arg(long, required_unless_present = "list")]
    reason: Option<String>,
    /// List what is paused.
    #[arg(long, conflicts_with_all = ["reason", "source", "rule", "repo"])]
    list: bool,
}

/// Go on starting tasks: with the same options as the pause to lift.
#[derive(Debug, Args)]
pub(super) struct ResumeCommand {
    #[command(flatten)]
    what: What,
}

/// Which part; without any of these: everything.
#[derive(Debug, Args)]
#[group(multiple = false)]
struct What {
    /// Only tasks from this source.
    #[arg(long)]
    source: Option<String>,
    /// Only tasks of this rule.
    #[arg(long)]
    rule: Option<String>,
    /// Only tasks in this repository.
    #[arg(long, value_name = "OWNER/NAME")]
    repo: Option<RepoPath>,
}

impl What {
    fn scope(&self) -> (PauseScope, String) {
        match (&self.source, &self.rule, &self.repo) {
            (Some(source), ..) => (PauseScope::Source, source.clone()),
            (_, Some(rule), _) => (PauseScope::Rule, rule.clone()),
            (.., Some(repo)) => (PauseScope::Repo, repo.to_string().to_lowercase()),
            _ => (PauseScope::All, String::new()),
        }
    }

    /// A pause of something that does not exist would stop nothing, unnoticed.
    fn check(&self, loaded: &Loaded) -> Result<(), CliError> {
        if let Some(rule) = self.rule.as_ref().filter(|rule| loaded.rules.by_name(rule).is_none()) {
            return Err(CliError::Said(super::said::no_such_rule(&loaded.rules, rule)));
        }
        if let Some(source) = self.source.as_ref().filter(|source| !loaded.config.sources.contains_key(*source)) {
            let known: Vec<String> = loaded.config.sources.keys().map(|name| format!("`{name}`")).collect();
            return Err(CliError::Said(format!("there is no source `{source}`; configured: {}", known.join(", "))));
        }
        Ok(())
    }
}

fn words(scope: PauseScope, name: &str) -> String {
    match scope {
        PauseScope::All => "everything".to_owned(),
        PauseScope::Source => format!("the source `{name}`"),
        PauseScope::Rule => format!("the rule `{name}`"),
        PauseScope::Repo => format!("the repository {name}"),
    }
}

impl PauseCommand {
    pub(super) async fn run(self, config: &Path) -> Result<(), CliError> {
        beside(config, Needs::AnyDatabase, async |loaded, bridge| {
            let Some(reason) = self.reason else {
                let pauses = bridge.store.pauses().await?;
                if pauses.is_empty() {
                    println!("Nothing is paused.");
                }
                for pause in pauses {
                    println!(
                        "{} since {}, by {}: {}",
                        words(pause.scope, &pause.name),
                        pause.paused_at.format("%Y-%m-%d %H:%M UTC"),
                        clean_line(&pause.paused_by, 100),
                        clean_line(&pause.reason, 500)
                    );
                }
                return Ok(());
            };
            self.what.check(loaded)?;
            let (scope, name) = self.what.scope();
            let user =
                std::env::var("USER").ok().filter(|user| !user.is_empty()).unwrap_or_else(|| "somebody".to_owned());
            let told = words(scope, &name);
            let paused_by = format!("{user} at the command line");
            bridge.store.pause(&Pause { scope, name, reason, paused_by, paused_at: bridge.ground.now() }).await?;
            println!(
                "Paused {told}: tasks are made and wait, webhooks are still taken in. `taskbridge resume` lifts it."
            );
            Ok(())
        })
        .await
    }
}

impl ResumeCommand {
    pub(super) async fn run(self, config: &Path) -> Result<(), CliError> {
        beside(config, Needs::AnyDatabase, async |_, bridge| {
            let (scope, name) = self.what.scope();
            let told = words(scope, &name);
            if !bridge.store.resume(scope, &name).await? {
                return Err(CliError::Said(format!("{told} is not paused; `taskbridge pause --list` shows what is")));
            }
            println!("Resumed {told}: waiting tasks start now.");
            let left = bridge.store.pauses().await?.len();
            if left > 0 {
                println!("{left} other pause{} still in force.", if left == 1 { " is" } else { "s are" });
            }
            Ok(())
        })
        .await
    }
}
