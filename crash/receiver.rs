//! A receiver of outgoing webhooks: it writes down what it is told, refuses and forgets to answer now and then, and at the
//! end must have been told of every change of every task, in order.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;
use sqlx::PgPool;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::chance::Dice;
use crate::check::note;
use crate::stage::{Fatal, Stage};

/// What it was told, and how it errs.
struct Inner {
    key: Vec<u8>,
    dice: Mutex<Option<Dice>>,
    heard: Mutex<Heard>,
}

#[derive(Default)]
struct Heard {
    /// By task and number of the change: the ids of the webhooks that told of it, in the order of their first coming.
    changes: BTreeMap<Uuid, Vec<(i64, String)>>,
    again: u64,
    wrong: Vec<String>,
}

/// The running receiver.
pub(crate) struct Receiver {
    inner: Arc<Inner>,
    key: String,
    port: u16,
    _running: JoinSet<()>,
}

impl Receiver {
    /// One that errs, if it is to.
    pub(crate) async fn start(seed: u64, errs: bool) -> Result<Self, Fatal> {
        let mut dice = Dice::of(seed, "receiver");
        let key = hex::decode(dice.hex::<32>())?;
        let text = format!("whsec_{}", STANDARD.encode(&key));
        let inner = Arc::new(Inner { key, dice: Mutex::new(errs.then_some(dice)), heard: Mutex::default() });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let router = Router::new().fallback(hear).with_state(Arc::clone(&inner));
        let mut running = JoinSet::new();
        running.spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { inner, key: text, port, _running: running })
    }

    /// What it verifies with.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// The receiver, as the configuration has it.
    pub(crate) fn configured(&self) -> String {
        format!(
            "{{ name: board, url: \"http://127.0.0.1:{}/hook\", allow_private: true, secrets: \"${{RECEIVER_KEY}}\", timeout: 1500ms }}",
            self.port
        )
    }
}

async fn hear(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let deed = inner.dice.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map_or(99, |dice| dice.below(100));
    if deed < 5 {
        return StatusCode::BAD_GATEWAY;
    }
    inner.take_in(&headers, &body);
    match deed {
        // Taken, and not said so.
        5..9 => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::NO_CONTENT,
    }
}

impl Inner {
    fn take_in(&self, headers: &HeaderMap, body: &[u8]) {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let id = header("webhook-id");
        let told: Value = serde_json::from_slice(body).unwrap_or_default();
        let task = told["data"]["task"].as_str().and_then(|task| task.parse::<Uuid>().ok());
        let number = told["data"]["sequence"].as_i64();
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_signed(id, header("webhook-timestamp"), header("webhook-signature"), body) {
            heard.wrong.push(format!("webhook {id} is not signed"));
        }
        let (Some(task), Some(number)) = (task, number) else {
            heard.wrong.push(format!("webhook {id} tells of no task"));
            return;
        };
        let changes = heard.changes.entry(task).or_default();
        match changes.iter().find(|(known, _)| *known == number) {
            None => changes.push((number, id.to_owned())),
            Some((_, first)) if first == id => heard.again += 1,
            Some((_, first)) => {
                let text = format!("change {number} of task {task} came as {first} and as {id}");
                heard.wrong.push(text);
            }
        }
    }

    fn is_signed(&self, id: &str, stamp: &str, signature: &str, body: &[u8]) -> bool {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else { return false };
        mac.update(format!("{id}.{stamp}.").as_bytes());
        mac.update(body);
        signature == format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// It was told of every change of every task, of each in order, and of nothing else.
pub(crate) async fn heard(stage: &Stage, pool: &PgPool) -> Result<(), Fatal> {
    let rows: Vec<(Uuid, i64)> =
        sqlx::query_as("SELECT task_id, count(*) FROM timeline WHERE kind IN ('made', 'state') GROUP BY 1")
            .fetch_all(pool)
            .await?;
    let heard = stage.receiver.inner.heard.lock().unwrap_or_else(PoisonError::into_inner);
    let mut wrong = heard.wrong.clone();
    let (mut untold, mut unordered) = (Vec::new(), Vec::new());
    let mut changes = 0;
    for (task, count) in &rows {
        changes += u64::try_from(*count).unwrap_or(0);
        let told: Vec<i64> = heard.changes.get(task).into_iter().flatten().map(|(number, _)| *number).collect();
        let mut sorted = told.clone();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(1..=*count) {
            untold.push(format!("task {task} has {count} changes, told were {sorted:?}"));
        } else if sorted != told {
            unordered.push(format!("task {task}: {told:?}"));
        }
    }
    let known: std::collections::BTreeSet<Uuid> = rows.iter().map(|(task, _)| *task).collect();
    wrong.extend(
        heard.changes.keys().filter(|task| !known.contains(task)).map(|task| format!("there is no task {task}")),
    );
    note(stage, "receiver_told_wrongly", &wrong);
    note(stage, "receiver_not_told", &untold);
    note(stage, "receiver_told_out_of_order", &unordered);
    stage.tally.add("receiver.changes", changes);
    stage.tally.add("receiver.told_again", heard.again);
    Ok(())
}
