//! Other webhook servers, each a process of its own that takes the same signed requests at the same path.

use std::fs::File;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::hook_secret::HOOK_SECRET;
use crate::serving::free_address;

const PATIENCE: Duration = Duration::from_secs(30);

/// What a peer is and how it is started.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Probot,
    Express,
    Octokit,
    /// `webhook`, whose rule holds for none of what is sent.
    WebhookNoMatch,
    /// `webhook`, which starts `/bin/true` for each.
    WebhookTrue,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] =
        [Self::Probot, Self::Express, Self::Octokit, Self::WebhookNoMatch, Self::WebhookTrue];

    /// For people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Probot => "Probot, empty handler",
            Self::Express => "Express + pg, one INSERT",
            Self::Octokit => "@octokit/webhooks middleware",
            Self::WebhookNoMatch => "webhook, no match",
            Self::WebhookTrue => "webhook, /bin/true",
        }
    }

    /// In JSON.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Probot => "probot",
            Self::Express => "express_pg",
            Self::Octokit => "octokit_webhooks",
            Self::WebhookNoMatch => "webhook_no_match",
            Self::WebhookTrue => "webhook_true",
        }
    }

    fn command(self, folder: &Path, address: SocketAddr) -> Option<Command> {
        let script = match self {
            Self::Probot => Some(("probot", "probot.mjs")),
            Self::Express => Some(("pg", "express.mjs")),
            Self::Octokit => Some(("@octokit/webhooks", "octokit.mjs")),
            Self::WebhookNoMatch | Self::WebhookTrue => None,
        };
        if let Some((package, script)) = script {
            let mut command = Command::new("node");
            command.arg(folder.join(script));
            return folder.join("node_modules").join(package).exists().then_some(command);
        }
        let program = folder.join("webhook/usr/bin/webhook");
        let hooks = folder.join(format!("{}.json", self.key()));
        let action = if matches!(self, Self::WebhookTrue) { "labeled" } else { "never" };
        std::fs::write(&hooks, hook(action).to_string()).ok()?;
        let mut command = Command::new(&program);
        command.arg("-hooks").arg(hooks).arg("-ip").arg(address.ip().to_string());
        command.arg("-port").arg(address.port().to_string());
        program.exists().then_some(command)
    }
}

/// A hook that wants a right signature and this action.
fn hook(action: &str) -> serde_json::Value {
    let signed = json!({ "match": { "type": "payload-hmac-sha256", "secret": HOOK_SECRET,
        "parameter": { "source": "header", "name": "X-Hub-Signature-256" } } });
    let wanted = json!({ "match": { "type": "value", "value": action,
        "parameter": { "source": "payload", "name": "action" } } });
    json!([{ "id": "github", "execute-command": "/bin/true", "trigger-rule": { "and": [signed, wanted] } }])
}

/// Where `benches/peers/run` installs them.
pub(crate) fn folder() -> PathBuf {
    let usual = || Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("peers");
    std::env::var_os("PEERS_DIR").map_or_else(usual, PathBuf::from)
}

/// A running peer, ended when dropped.
pub(crate) struct Contender {
    pub(crate) kind: Kind,
    pub(crate) address: SocketAddr,
    child: Child,
}

impl Contender {
    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// Why it cannot take part, for people.
    pub(crate) fn start(kind: Kind, database_url: &str) -> Result<Self, String> {
        let (folder, address) = (folder(), free_address());
        let mut command = kind.command(&folder, address).ok_or("not installed (benches/peers/run does)")?;
        command.env("HOOK_SECRET", HOOK_SECRET).env("PORT", address.port().to_string());
        command.env("DATABASE_URL", database_url).env("NODE_ENV", "production").current_dir(&folder);
        let log = folder.join(format!("{}.log", kind.key()));
        let output = || File::create(&log).map_or_else(|_| Stdio::null(), Stdio::from);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(output());
        let child = command.spawn().map_err(|error| format!("cannot be started: {error}"))?;
        let mut contender = Self { kind, address, child };
        let begun = Instant::now();
        while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
            let ended = contender.child.try_wait().ok().flatten();
            if ended.is_some() || begun.elapsed() > PATIENCE {
                let log = std::fs::read_to_string(&log).unwrap_or_default();
                return Err(format!("does not listen: {}", log.chars().take(500).collect::<String>()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(contender)
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Contender {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
