//! What the service said while it was killed: no secret, no panic, no alarm.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};

use regex::Regex;
use sqlx::PgPool;
use taskbridge::sandbox::slack::SIGNING_SECRET;

use crate::app_tokens::CANARIES;
use crate::check::note;
use crate::signed_in::{CLIENT_SECRET, PREFIXES};
use crate::stage::{Fatal, Stage};
use crate::tasks::Found;

/// Words of a line that nobody should ever read.
const ALARMS: [&str; 3] = ["panicked", "DUPLICATE", "does not open"];

/// Reads every log of the service at its most talkative.
///
/// Case 62.
pub(crate) fn look(stage: &Stage, found: &Found) -> Result<(), Fatal> {
    let mut secrets = secrets(stage);
    secrets.extend(found.tasks.iter().map(|task| task.marker.clone()));
    let secrets = any_of(&secrets)?;
    let (mut leaks, mut alarms) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(&stage.folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|ending| ending != "log") {
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for line in BufReader::new(fs::File::open(&path)?).split(b'\n') {
            let line = String::from_utf8_lossy(&line?).into_owned();
            stage.tally.add("log_lines", 1);
            if let Some(secret) = leaked(&line, &secrets) {
                leaks.push(format!("{name} holds a secret that begins with {:?}", secret.get(..12).unwrap_or("")));
            }
            if ALARMS.iter().any(|word| line.contains(word)) {
                alarms.push(format!("{name}: {}", line.chars().take(300).collect::<String>()));
            }
        }
    }
    note(stage, "secrets_in_logs", &leaks);
    note(stage, "alarms_in_logs", &alarms);
    Ok(())
}

/// Reads every row of every table as text: tokens, keys and the hook's secret are nowhere in the clear.
///
/// Case 62.
pub(crate) async fn look_at_rows(stage: &Stage, pool: &PgPool) -> Result<(), Fatal> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'",
    )
    .fetch_all(pool)
    .await?;
    let mut secrets = secrets(stage);
    // Bytes are shown in hex.
    secrets.extend(secrets.iter().map(hex::encode).collect::<Vec<_>>());
    let secrets = any_of(&secrets)?;
    let mut leaks = Vec::new();
    for table in tables {
        let rows = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT t::text FROM \"{table}\" t")));
        let rows: Vec<String> = rows.fetch_all(pool).await?;
        let leaky = rows.iter().filter(|row| leaked(row, &secrets).is_some());
        leaks.extend(leaky.map(|_| format!("a row of {table}")));
    }
    note(stage, "secrets_in_tables", &leaks);
    Ok(())
}

fn secrets(stage: &Stage) -> BTreeSet<String> {
    let keys = stage.keys.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    let tokens = stage.people.iter().map(|someone| someone.token.clone());
    keys.into_iter()
        .chain(tokens)
        .chain([stage.hook_secret.clone(), stage.receiver.key().to_owned()])
        .chain([SIGNING_SECRET, CLIENT_SECRET].into_iter().chain(PREFIXES).chain(CANARIES).map(str::to_owned))
        .collect()
}

/// Looks for all at once: there are hundreds, and tens of thousands of lines.
fn any_of(secrets: &BTreeSet<String>) -> Result<Regex, regex::Error> {
    Regex::new(&secrets.iter().map(|secret| regex::escape(secret)).collect::<Vec<_>>().join("|"))
}

fn leaked<'a>(text: &'a str, secrets: &Regex) -> Option<&'a str> {
    secrets.find(text).map(|found| found.as_str())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{any_of, leaked};

    #[test]
    fn a_secret_is_seen_wherever_it_stands() {
        let secrets = any_of(&BTreeSet::from(["canary.1".to_owned(), "canary-2".to_owned()])).unwrap();
        assert_eq!(leaked("GET /?token=canary-2&x", &secrets), Some("canary-2"));
        assert_eq!(leaked("GET /?token=canary-1&x", &secrets), None);
    }
}
