//! People of a round who have signed in, and start nothing: their tokens end every few seconds and are renewed by whichever
//! replica comes to it, killed and paused as everything is. In the end each token is good, or its pair was lost with a
//! replica that died, and that is said.

use std::process::Stdio;
use std::time::Duration;

use sqlx::PgPool;
use taskbridge::sandbox::{Control, UserSpec};
use taskbridge::secret::Secret;
use taskbridge::vault::{Key, Place, Vault};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::time::{Instant, sleep, timeout};

use crate::check::note;
use crate::stage::{Fatal, Stage};

/// The app that they sign in with, and its secret.
const CLIENT: &str = "Iv23crash";
pub(crate) const CLIENT_SECRET: &str = "canary-client-secret-crash";
/// How tokens begin that come of a sign-in; no log may hold one.
pub(crate) const PREFIXES: [&str; 2] = ["ghu_", "ghr_"];
/// Who: login and number.
const WHO: [(&str, i64); 4] = [("ida0", 1901), ("ida1", 1902), ("ida2", 1903), ("ida3", 1904)];
/// How long a token lasts, in seconds.
const LASTS_S: i64 = 8;
/// How long a sign-in may take, and a pair to be renewed when nothing is disturbed any more.
const PATIENCE: Duration = Duration::from_secs(45);

/// How people sign in, as the configuration has it.
pub(crate) fn configured() -> String {
    format!("sign_in: {{ client_id: {CLIENT}, client_secret: \"${{SIGN_IN_SECRET}}\" }}")
}

/// Lets people sign in at the simulated GitHub.
pub(crate) fn seed(control: &Control, nonce: &str) -> Result<(), Fatal> {
    control.set_sign_in(CLIENT, CLIENT_SECRET, None);
    control.set_token_life(Some(LASTS_S), 86_400);
    control.set_device_life(1, 900);
    for (login, id) in WHO {
        control.add_user(UserSpec::person(id, login, &format!("canary-unused-{login}-{nonce}")))?;
    }
    Ok(())
}

/// Everybody signs in on a terminal, with the service's own command.
pub(crate) async fn sign_in(stage: &Stage) -> Result<(), Fatal> {
    for (login, _) in WHO {
        let mut child = stage.service(&["people", "connect"], "people.log")?.stdout(Stdio::piped()).spawn()?;
        let said = child.stdout.take().ok_or("no output")?;
        let signing_in = async {
            let mut lines = BufReader::new(said).lines();
            while let Some(line) = lines.next_line().await? {
                if let Some((_, code)) = line.split_once(" and type the code ") {
                    stage.control().let_device_in(login, code.trim())?;
                }
            }
            Ok::<_, Fatal>(child.wait().await?)
        };
        let status = timeout(PATIENCE, signing_in).await.map_err(|_| "`people connect` takes too long")??;
        if !status.success() {
            return Err(format!("`people connect` of {login} ended with {status}").into());
        }
    }
    Ok(())
}

/// A vault of all keys that were ever in use.
pub(crate) fn vault(stage: &Stage) -> Result<Vault, Fatal> {
    let keys = stage.keys.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    let keys = keys.iter().rev().map(|key| Key::parse(&Secret::new(key.clone()))).collect::<Result<Vec<_>, _>>()?;
    Ok(Vault::new(keys)?)
}

type Row = (String, Option<String>, Option<Vec<u8>>);

/// Each token is good at GitHub, the only one of its person, or its end is told and a replica had died.
///
/// Case 56.
pub(crate) async fn good(stage: &Stage, pool: &PgPool) -> Result<(), Fatal> {
    let vault = vault(stage)?;
    let (mut bad, mut lost) = (Vec::new(), 0);
    for (login, id) in WHO {
        let began = Instant::now();
        loop {
            let (state, reason, token): Row =
                sqlx::query_as("SELECT token_state, token_reason, token FROM people WHERE id = $1")
                    .bind(id)
                    .fetch_one(pool)
                    .await?;
            let reason = reason.unwrap_or_default();
            if state != "ok" && reason.contains("was lost on the way") {
                lost += 1;
                break;
            }
            let row = id.to_string();
            let place = Place { table: "people", row: &row, column: "token" };
            let token = token.and_then(|sealed| vault.open(&place, &sealed).ok());
            let good = token.is_some_and(|token| stage.control().is_good(login, token.expose()));
            if state == "ok" && good && stage.control().pairs(login) == 1 {
                break;
            }
            if state != "ok" || began.elapsed() > PATIENCE {
                let pairs = stage.control().pairs(login);
                bad.push(format!("{login}: the token is {state} ({reason}), good: {good}, pairs at GitHub: {pairs}"));
                break;
            }
            sleep(Duration::from_millis(200)).await;
        }
    }
    note(stage, "signed_in_and_out_again", &bad);
    stage.tally.add("sign_ins.renewed", stage.control().rotations());
    stage.tally.add("sign_ins.lost", lost);
    let ends = stage.deaths.lock().unwrap_or_else(std::sync::PoisonError::into_inner).len() as u64;
    // One that dies may hold the answers for all of them.
    if lost > (ends + stage.tally.get("pauses.random")) * WHO.len() as u64 {
        note(stage, "pairs_lost_without_a_death", &[format!("{lost} were lost, and {ends} replicas ended")]);
    }
    Ok(())
}
