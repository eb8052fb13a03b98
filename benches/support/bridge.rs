//! The product's parts, put together as its roof does.

use std::time::Duration;

use taskbridge::cli::{live_of, settings_of};
use taskbridge::clock::Ground;
use taskbridge::github::{Github, Settings as GithubSettings};
use taskbridge::pipeline::{Bridge, Settings};
use taskbridge::secret::Secret;
use taskbridge::store::{Store, StoreSettings};
use taskbridge::vault::{Key, Vault};

use crate::configuration::configuration;

/// A bridge with an empty database, a GitHub at `github_url` and these rules.
pub(crate) async fn bridge(
    database_url: &str,
    github_url: &str,
    ground: Ground,
    rules: &str,
    adjust: impl FnOnce(&mut Settings),
) -> Bridge {
    let loaded = configuration(rules);
    let store = StoreSettings {
        url: Secret::new(database_url),
        intake_connections: loaded.config.database.intake_connections,
        work_connections: loaded.config.database.worker_connections,
        connect_wait: Duration::from_secs(10),
    };
    let store = Store::connect(&store, |_| {}).await.expect("the private server answers");
    store.migrate().await.expect("the tables can be made");
    let github =
        GithubSettings { api_url: github_url.to_owned(), web_url: github_url.to_owned(), ..GithubSettings::default() };
    let github = Github::new(github, ground.clone()).expect("the settings are right");
    let mut settings = settings_of(&loaded.config);
    adjust(&mut settings);
    let key = Key::parse(&Secret::new("0f".repeat(32))).expect("a key");
    let vault = Vault::new(vec![key]).expect("one key is enough");
    let live = live_of(&loaded, github.host());
    Bridge::new(store, github, vault, ground, settings, live)
}
