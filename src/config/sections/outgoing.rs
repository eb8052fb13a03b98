//! `outgoing`: who is told of every change of a task's state.

use std::collections::HashSet;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::duration::Duration;
use super::super::findings::Findings;
use super::super::form::{Name, ReceiverUrl};
use super::super::node::Document;
use super::super::place::Path;
use super::super::secret_text::SecretText;
use super::super::suggest;
use super::OneOrMany;
use crate::domain::public_address::is_public;
use crate::domain::signing_key::SigningKey;
use crate::domain::task::State;

/// How many receivers there may be: each has a worker of its own.
const RECEIVERS: usize = 16;
/// How many secrets one may have: each makes the header longer, and receivers read a bounded one.
const SECRETS: usize = 8;
/// The longest that a receiver may take.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(30);

/// A receiver of webhooks about tasks.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OutgoingConfig {
    /// Its name, in the log and in the admin API. What waits for a receiver waits under its name.
    pub name: Name,
    /// Where the webhooks go. Redirects are not followed, and no proxy is used.
    pub url: ReceiverUrl,
    /// The keys they are signed with, `whsec_` and 24 to 64 bytes in base64; with several, while one is being replaced, each
    /// webhook has a signature of each.
    pub secrets: OneOrMany<SecretText>,
    /// Only changes to these states. Without it: all.
    #[serde(default, skip_serializing_if = "OneOrMany::is_empty")]
    pub states: OneOrMany<State>,
    /// Only tasks of these rules. Without it: all.
    #[serde(default, skip_serializing_if = "OneOrMany::is_empty")]
    pub rules: OneOrMany<Name>,
    /// Whether it may be at an address that is not one of the whole internet: this machine, a private network, the metadata of
    /// a cloud.
    #[serde(default)]
    pub allow_private: bool,
    /// How long it may take to answer, up to `30s`; shorter than `tasks.lease`.
    #[serde(default = "ten_seconds")]
    pub timeout: Duration,
}

fn ten_seconds() -> Duration {
    Duration::secs(10)
}

/// What no schema can say about the receivers, alone and together.
pub(super) fn check(receivers: &[OutgoingConfig], lease: Duration, document: &Document, found: &mut Findings) {
    let all = Path::of(&["outgoing"]);
    if receivers.len() > RECEIVERS {
        found.fault(document, &all, format!("more than {RECEIVERS} receivers"));
    }
    let mut names = HashSet::new();
    for (nth, receiver) in receivers.iter().enumerate() {
        let path = all.index(nth);
        if !names.insert(receiver.name.to_lowercase()) {
            let message = format!("there is a receiver `{}` already", *receiver.name);
            found.fault(document, &path.key("name"), message);
        }
        receiver.check(lease, document, &path, found);
    }
}

/// A rule that does not exist would never be told of.
pub(in super::super) fn check_chosen_rules(
    receivers: &[OutgoingConfig],
    rules: &[&str],
    document: &Document,
    found: &mut Findings,
) {
    for (nth, receiver) in receivers.iter().enumerate() {
        let path = Path::of(&["outgoing"]).index(nth).key("rules");
        for (nth, name) in receiver.rules.iter().enumerate().filter(|(_, name)| !rules.contains(&name.as_str())) {
            let mut fault = document.fault(&path.index(nth), format!("there is no rule `{}`", suggest::short(name)));
            fault.hint = suggest::nearest(name, rules.iter().copied()).map(|near| format!("did you mean `{near}`?"));
            found.faults.push(fault);
        }
    }
}

impl OutgoingConfig {
    fn check(&self, lease: Duration, document: &Document, path: &Path, found: &mut Findings) {
        let secrets = path.key("secrets");
        if self.secrets.is_empty() || self.secrets.len() > SECRETS {
            found.fault(document, &secrets, format!("wanted 1 to {SECRETS} secrets"));
        }
        // One that is not filled is that of a command that needs none, or has its own fault.
        for (nth, secret) in self.secrets.iter().enumerate().filter(|(_, secret)| !secret.value().expose().is_empty()) {
            let is_shared = secret.value().expose().starts_with("whsec_");
            match SigningKey::parse(secret.value()) {
                Ok(SigningKey::Shared(_)) => {}
                Ok(SigningKey::Public(_)) => {
                    let message = "a public key signs nothing: wanted one that begins with `whsec_`";
                    found.fault(document, &secrets.index(nth), message);
                }
                Err(fault) if is_shared => found.fault(document, &secrets.index(nth), fault.to_string()),
                Err(_) => {
                    let message = "a key to sign with begins with `whsec_`, and goes on with 24 to 64 bytes in base64";
                    found.fault(document, &secrets.index(nth), message);
                }
            }
        }
        let timeout = self.timeout.std();
        if timeout.is_zero() || timeout > LONGEST {
            found.fault(document, &path.key("timeout"), "must be longer than zero and at most `30s`");
        } else if timeout >= lease.std() {
            let message =
                format!("must be shorter than `tasks.lease` ({lease}), or a second worker sends it meanwhile");
            found.fault(document, &path.key("timeout"), message);
        }
        self.warn(document, &path.key("url"), found);
    }

    fn warn(&self, document: &Document, path: &Path, found: &mut Findings) {
        let host = self.url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let literal: Option<IpAddr> = host.parse().ok();
        let here = host == "localhost" || host.ends_with(".localhost") || literal.is_some_and(|ip| ip.is_loopback());
        if self.url.scheme() == "http" && !here {
            found.warn(document, path, "plain http: what is told of tasks can be read and held back on the way");
        }
        let private = here || literal.is_some_and(|ip| !is_public(ip));
        if private && !self.allow_private {
            let message =
                "not an address of the whole internet: nothing will be sent there without `allow_private: true`";
            found.warn(document, path, message);
        }
    }
}
