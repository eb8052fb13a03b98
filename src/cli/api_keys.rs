//! `taskbridge api-keys`: who may use the admin API.

use std::path::Path;

use clap::{Args, Subcommand, ValueEnum};

use super::CliError;
use super::open::{Needs, beside};
use crate::domain::trust::clean_line;
use crate::ids::ApiKeyId;
use crate::pipeline::{Bridge, api_keys};
use crate::store::api_keys::Scope;

/// Make, list and revoke keys of the admin API.
///
/// A key is sent as `Authorization: Bearer KEY`. Only its hash is kept.
#[derive(Debug, Args)]
pub(super) struct ApiKeys {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a key and print it, once: it cannot be shown again.
    Create {
        /// What it is for, to recognise it in the list.
        name: String,
        /// What it may do.
        #[arg(long, value_enum)]
        scope: ScopeArg,
    },
    /// List all keys, without the keys themselves.
    List,
    /// Revoke a key at once.
    Revoke {
        /// Its id, as `list` shows it.
        id: ApiKeyId,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ScopeArg {
    /// See.
    Read,
    /// See, and cancel, retry, approve, replay, pause.
    Operate,
    /// Everything.
    Admin,
}

impl ApiKeys {
    pub(super) async fn run(self, config: &Path) -> Result<(), CliError> {
        let needs = match self.command {
            Command::Create { .. } => Needs::AnyDatabase,
            Command::List | Command::Revoke { .. } => Needs::ADatabaseWithContent,
        };
        beside(config, needs, async |_, bridge| match self.command {
            Command::Create { name, scope } => create(bridge, &name, scope).await,
            Command::List => list(bridge).await,
            Command::Revoke { id } => revoke(bridge, id).await,
        })
        .await
    }
}

async fn create(bridge: &Bridge, name: &str, scope: ScopeArg) -> Result<(), CliError> {
    let scope = match scope {
        ScopeArg::Read => Scope::Read,
        ScopeArg::Operate => Scope::Operate,
        ScopeArg::Admin => Scope::Admin,
    };
    let (id, key) = api_keys::create(&bridge.store, &bridge.ground, name, scope).await.map_err(CliError::said)?;
    println!("{}", key.expose());
    eprintln!(
        "Made the key `{}` ({}), id {id}. Keep it now: it is not shown again.",
        clean_line(name, 100),
        word(scope)
    );
    Ok(())
}

async fn list(bridge: &Bridge) -> Result<(), CliError> {
    let keys = bridge.store.api_keys().await?;
    if keys.is_empty() {
        println!("There is no key. Make one with `taskbridge api-keys create NAME --scope read`.");
    }
    for key in keys {
        let used = key
            .last_used_at
            .map_or_else(|| "never used".to_owned(), |at| format!("last used {}", at.format("%Y-%m-%d %H:%M UTC")));
        let ended = key.revoked_at.map(|at| format!(", revoked {}", at.format("%Y-%m-%d %H:%M UTC")));
        println!(
            "{}  {} ({}), made {}, {used}{}",
            key.id,
            clean_line(&key.name, 100),
            word(key.scope),
            key.created_at.format("%Y-%m-%d"),
            ended.unwrap_or_default()
        );
    }
    Ok(())
}

async fn revoke(bridge: &Bridge, id: ApiKeyId) -> Result<(), CliError> {
    if !bridge.store.revoke_api_key(id, bridge.ground.now()).await? {
        return Err(CliError::Said(format!(
            "there is no live key {id}; `taskbridge api-keys list` shows what there is"
        )));
    }
    println!("The key {id} is revoked: the next request with it is refused.");
    Ok(())
}

fn word(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => "read",
        Scope::Operate => "operate",
        Scope::Admin => "admin",
    }
}
