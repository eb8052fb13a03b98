//! The durable ceiling: how many rows a second PostgreSQL takes into the very same table when nobody has to be
//! answered: prepared rows, 128 a statement and a commit, on two connections. Beside it, how many it takes when each row
//! has its end already, as most of the product's have: these stand in three indices more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sqlx::{Connection as _, PgConnection};
use taskbridge::clock::Ground;
use taskbridge::ids::DeliveryId;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::requests::Requests;

const BATCH: usize = 128;
const CONNECTIONS: usize = 2;
/// Bodies made beforehand: making them would cost the processors that PostgreSQL needs.
const BODIES: usize = 512;

const WAITS: &str = "INSERT INTO deliveries
        (id, source, hook_id, sender_id, event_name, content_type, body, body_hash, received_at, due_at)
     SELECT d.*, d.received_at FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[],
        $6::text[], $7::bytea[], $8::bytea[], $9::timestamptz[])
        AS d (id, source, hook_id, sender_id, event_name, content_type, body, body_hash, received_at)";
const ENDED: &str = "INSERT INTO deliveries
        (id, source, hook_id, sender_id, event_name, content_type, body, body_hash, received_at,
         reason, action, actor_login, repo_name, subject_url, rule_version, due_at, processed_at, state)
     SELECT d.*, d.received_at, d.received_at, 'ignored' FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::text[],
        $5::text[], $6::text[], $7::bytea[], $8::bytea[], $9::timestamptz[], $10::text[], $11::text[], $12::text[],
        $13::text[], $14::text[], $15::text[])
        AS d (id, source, hook_id, sender_id, event_name, content_type, body, body_hash, received_at,
              reason, action, actor_login, repo_name, subject_url, rule_version)";

/// Numbers of rows, never used twice.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// What a row is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Row {
    /// It waits for the rules: what the targets are measured against.
    Waits,
    /// It is ended, with all that the product writes down then.
    Ended,
}

/// What the rows are made of.
pub(crate) struct Rows {
    bodies: Vec<Vec<u8>>,
    ground: Ground,
}

impl Rows {
    pub(crate) fn new(requests: &Requests) -> Self {
        let (mut request, mut tail) = (Vec::new(), String::new());
        let bodies = (0..BODIES).map(|_| {
            requests.next(&mut request, &mut tail);
            let head = request.windows(4).position(|four| four == b"\r\n\r\n").expect("a request has a head");
            request[head + 4..].to_vec()
        });
        Self { bodies: bodies.collect(), ground: Ground::system() }
    }

    async fn insert(&self, connection: &mut PgConnection, row: Row) {
        let first = NEXT.fetch_add(BATCH as u64, Ordering::Relaxed);
        let numbers: Vec<u64> = (first..first + BATCH as u64).collect();
        let now = self.ground.now();
        let ids: Vec<Uuid> = numbers.iter().map(|_| DeliveryId::new(&self.ground).0).collect();
        let spread = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let senders: Vec<String> = numbers.iter().map(|n| format!("{:016x}-{n:019}", spread(*n))).collect();
        let bodies: Vec<&[u8]> =
            numbers.iter().map(|n| self.bodies[usize::try_from(*n).unwrap_or(0) % BODIES].as_slice()).collect();
        // What a hash looks like to an index, without the work of one.
        let hashes: Vec<Vec<u8>> = numbers.iter().map(|n| spread(*n).to_be_bytes().repeat(4)).collect();
        let same = |text: &'static str| vec![text; BATCH];
        let times: Vec<DateTime<Utc>> = vec![now; BATCH];
        let mut query = sqlx::query(match row {
            Row::Waits => WAITS,
            Row::Ended => ENDED,
        })
        .bind(ids)
        .bind(same("github"))
        .bind(same("412345678"))
        .bind(senders)
        .bind(same("issues"))
        .bind(same("application/json"))
        .bind(bodies)
        .bind(hashes)
        .bind(times);
        if row == Row::Ended {
            query = query
                .bind(same("no rule listens to this event with this label"))
                .bind(same("labeled"))
                .bind(same("mona"))
                .bind(same("acme/widgets"))
                .bind(same("https://github.com/acme/widgets/issues/1347"))
                .bind(same("5f9c1d0ab7e34c21"));
        }
        query.execute(connection).await.expect("the rows fit the table");
    }
}

/// Rows a second.
pub(crate) async fn rows_per_s(url: &str, rows: &Arc<Rows>, lasting: Duration, row: Row) -> f64 {
    let mut writers = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let mut connection = PgConnection::connect(url).await.expect("the private server answers");
        // Prepares the statement.
        rows.insert(&mut connection, row).await;
        let rows = Arc::clone(rows);
        writers.spawn(async move {
            let begun = Instant::now();
            let mut written = 0usize;
            while begun.elapsed() < lasting {
                rows.insert(&mut connection, row).await;
                written += BATCH;
            }
            let per_s = written as f64 / begun.elapsed().as_secs_f64();
            connection.close().await.expect("the connection ends");
            per_s
        });
    }
    let mut all = 0.0;
    while let Some(per_s) = writers.join_next().await {
        all += per_s.expect("a writer does not panic");
    }
    all
}
