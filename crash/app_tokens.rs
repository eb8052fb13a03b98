//! The tokens of the round's Slack app: they end every few seconds, and are renewed by whichever replica comes to it, killed
//! and paused as everything is. Who operates the app stands here too: where the row says that a pair was lost on the way, the
//! app is installed again and the replicas are given its new refresh token.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::PgPool;
use taskbridge::sandbox::slack::rotation::CLIENT_ID;
use taskbridge::sandbox::slack::{SlackControl, rotation};
use taskbridge::vault::Place;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::check::note;
use crate::signed_in;
use crate::stage::{Fatal, Stage};

/// The app's secret, and how its tokens begin; no log and no row may hold one.
pub(crate) const CANARIES: [&str; 3] = [rotation::CLIENT_SECRET, "xoxe.xoxb-", "xoxe-1-"];
/// How long a token lasts while the round is disturbed, in seconds.
const LASTS_S: i64 = 8;
/// And how long at rest, as at Slack: what is told there is not to wait for a renewal.
const LASTS_LONG_S: i64 = 43_200;
/// How long until the pair is good when nothing is disturbed any more: the lease of one that died renewing it runs out, the
/// loss is noticed, the app is installed again.
const PATIENCE: Duration = Duration::from_secs(120);
/// What a pair must last to count as renewed since.
const FRESH_S: f64 = 600.0;

/// The app as its operator has it.
#[derive(Debug)]
pub(crate) struct App {
    /// The newest refresh token that Slack showed.
    refresh_token: Mutex<String>,
    /// The pair that was found lost last; another has another version.
    cured: Mutex<Option<Uuid>>,
}

impl App {
    /// Installs it. Whether a token goes on working when its pair is renewed, Slack does not say: it does in every other round.
    pub(crate) fn install(slack: &SlackControl, seed: u64) -> Self {
        slack.set_token_life(LASTS_S);
        slack.keep_old_tokens(seed.is_multiple_of(2));
        Self { refresh_token: Mutex::new(slack.install_rotating()), cured: Mutex::default() }
    }

    /// What the environment of a replica holds.
    pub(crate) fn refresh_token(&self) -> String {
        self.refresh_token.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The part of the source's configuration.
pub(crate) fn configured() -> String {
    format!(
        "rotation: {{ client_id: \"{CLIENT_ID}\", client_secret: \"${{SLACK_CLIENT_SECRET}}\", \
         refresh_token: \"${{SLACK_REFRESH_TOKEN}}\" }}"
    )
}

/// Looks after the app until told to stop.
pub(crate) async fn operate(stage: &Stage, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        if let Ok(pool) = stage.database.pool().await {
            // The database comes and goes: it is asked again.
            let _ = cure(stage, &pool).await;
            pool.close().await;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(Duration::from_millis(500)) => {}
        }
    }
}

/// Installs the app again if its pair is said to be lost: once, then the replicas must begin anew.
async fn cure(stage: &Stage, pool: &PgPool) -> Result<(), sqlx::Error> {
    const ENDED: &str = "SELECT version, coalesce(ended_reason, '') FROM chat_tokens WHERE ended_at IS NOT NULL";
    let Some((version, reason)) = sqlx::query_as::<_, (Uuid, String)>(ENDED).fetch_optional(pool).await? else {
        return Ok(());
    };
    if stage.app.cured.lock().unwrap_or_else(PoisonError::into_inner).replace(version) == Some(version) {
        return Ok(());
    }
    if !reason.contains("was lost on the way") {
        note(stage, "app_token_ended", &[reason]);
    }
    stage.tally.add("app_tokens.lost", 1);
    *stage.app.refresh_token.lock().unwrap_or_else(PoisonError::into_inner) = stage.sandbox.slack().install_rotating();
    stage.generation.send_modify(|generation| *generation += 1);
    Ok(())
}

/// Nothing is disturbed any more: waits until the pair is good and lasts. Before that nothing that is to be told in the chat may
/// be hurried, as it would be given up within seconds.
pub(crate) async fn settle(stage: &Stage, pool: &PgPool) -> Result<(), Fatal> {
    let began = Instant::now();
    stage.sandbox.slack().set_token_life(LASTS_LONG_S);
    while let Err(why) = is_good(stage, pool).await? {
        cure(stage, pool).await?;
        if began.elapsed() > PATIENCE {
            note(stage, "app_token_not_renewed", &[why]);
            break;
        }
        sleep(Duration::from_millis(500)).await;
    }
    stage.tally.add("seconds.to_good_app_token", began.elapsed().as_secs());
    Ok(())
}

/// In the end the pair is the one that Slack takes, and no more were lost than replicas died. Each loss was told in the row,
/// or it would not have been cured.
///
/// Slack's pairs go the way of those of people who have signed in.
pub(crate) async fn good(stage: &Stage, pool: &PgPool) -> Result<(), Fatal> {
    if let Err(why) = is_good(stage, pool).await? {
        note(stage, "app_token_bad", &[why]);
    }
    stage.tally.add("app_tokens.renewed", stage.sandbox.slack().rotations());
    let lost = stage.tally.get("app_tokens.lost");
    let ends = stage.deaths.lock().unwrap_or_else(PoisonError::into_inner).len() as u64;
    if lost > ends + stage.tally.get("pauses.random") {
        note(stage, "app_tokens_lost_without_a_death", &[format!("{lost} were lost, and {ends} replicas ended")]);
    }
    Ok(())
}

type Row = (Option<Vec<u8>>, Vec<u8>, String, bool);

/// Whether the stored pair opens, is taken by Slack, both halves of it, and lasts; if not, how it stands.
async fn is_good(stage: &Stage, pool: &PgPool) -> Result<Result<(), String>, Fatal> {
    const PAIR: &str = "SELECT token, refresh_token, coalesce(ended_reason, ''),
        ended_at IS NULL AND sent_at IS NULL
            AND coalesce(token_expires_at > clock_timestamp() + $1 * interval '1 second', false)
        FROM chat_tokens WHERE source = 'slack'";
    let row: Option<Row> = sqlx::query_as(PAIR).bind(FRESH_S).fetch_optional(pool).await?;
    let Some((token, refresh_token, reason, lasts)) = row else { return Ok(Err("there is none".to_owned())) };
    let vault = signed_in::vault(stage)?;
    let open = |column, sealed: &[u8]| vault.open(&Place { table: "chat_tokens", row: "slack", column }, sealed).ok();
    let slack = stage.sandbox.slack();
    let token = token.and_then(|sealed| open("token", &sealed)).is_some_and(|token| slack.takes(token.expose()));
    let refresh = open("refresh_token", &refresh_token).is_some_and(|refresh| slack.renews(refresh.expose()));
    let stands = || format!("token taken: {token}, refresh token taken: {refresh}, lasts: {lasts} {reason}");
    Ok(if token && refresh && lasts { Ok(()) } else { Err(stands()) })
}
