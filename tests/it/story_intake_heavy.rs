//! Bodies as large as GitHub sends them, alone and many at once: taken or told to come again, and never more of them in
//! memory than the budget says.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Request, StatusCode};
use hyper::body::Frame;
use sqlx::{Connection as _, PgConnection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use crate::support::postgres::TestDatabase;
use crate::support::program::Folder;
use crate::support::world::{HOOK_SECRET, LABEL_RULE, World, signature};

const MIB: usize = 1024 * 1024;
/// What the default configuration allows for one body.
const LIMIT: usize = 25 * MIB;
const PIECE: usize = 64 * 1024;

/// A body that comes in pieces without saying how long it is, and counts what was taken of it.
struct Counted {
    left: usize,
    taken: Arc<AtomicUsize>,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let size = self.left.min(PIECE);
        self.left -= size;
        self.taken.fetch_add(size, Ordering::Relaxed);
        Poll::Ready((size > 0).then(|| Ok(Frame::data(vec![b' '; size].into()))))
    }
}

/// Spaces: not JSON, but signed, and so to be recorded.
fn request(delivery: &str, size: usize, says_length: bool) -> (Request<Body>, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(0));
    // What is refused unread needs no signature that took long to make.
    let signed = if size <= LIMIT { signature(HOOK_SECRET, &vec![b' '; size]) } else { signature(HOOK_SECRET, b"") };
    let mut request = Request::post("/hooks/github")
        .header("x-github-event", "issues")
        .header("x-github-delivery", delivery)
        .header("x-hub-signature-256", signed);
    if says_length {
        request = request.header("content-length", size);
    }
    (request.body(Body::new(Counted { left: size, taken: Arc::clone(&taken) })).unwrap(), taken)
}

/// Case 5.
#[tokio::test]
async fn twenty_four_megabytes_are_taken_within_ten_seconds_and_of_twenty_six_no_more_than_the_limit_is_read() {
    let world = World::new(LABEL_RULE).await;
    for (delivery, says_length) in [("said", true), ("chunked", false)] {
        let (request, taken) = request(delivery, 24 * MIB, says_length);
        let begun = Instant::now();
        assert_eq!(world.send(request).await.status, StatusCode::ACCEPTED, "{delivery}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{delivery}: {:?}", begun.elapsed());
        assert_eq!(taken.load(Ordering::Relaxed), 24 * MIB);
    }
    let mut connection = PgConnection::connect(&world.database.url).await.unwrap();
    let sizes: Vec<i32> =
        sqlx::query_scalar("SELECT length(body) FROM deliveries").fetch_all(&mut connection).await.unwrap();
    assert_eq!(sizes, [i32::try_from(24 * MIB).unwrap(); 2]);

    for (delivery, says_length, most) in [("said-26", true, 0), ("chunked-26", false, LIMIT + PIECE)] {
        let (request, taken) = request(delivery, 26 * MIB, says_length);
        assert_eq!(world.send(request).await.status, StatusCode::PAYLOAD_TOO_LARGE, "{delivery}");
        assert!(taken.load(Ordering::Relaxed) <= most, "{delivery}: {} bytes read", taken.load(Ordering::Relaxed));
    }
    assert_eq!(world.delivery_count().await, 2);
}

/// What waits while another statement is on its way is gathered for the next, but not more than that may carry.
///
/// Case 6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_large_bodies_each_has_a_statement_of_its_own() {
    let world = World::new(LABEL_RULE).await;
    let mut senders = JoinSet::new();
    for nth in 0..5 {
        let (request, _) = request(&format!("large-{nth}"), 9 * MIB, true);
        let router = world.router.clone();
        senders.spawn(async move { router.oneshot(request).await.unwrap().status() });
    }
    assert_eq!(senders.join_all().await, [StatusCode::ACCEPTED; 5]);
    let mut connection = PgConnection::connect(&world.database.url).await.unwrap();
    // Rows of one statement are of one transaction.
    let together: Vec<i64> = sqlx::query_scalar("SELECT count(*) FROM deliveries GROUP BY xmin::text")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    assert_eq!(together, [1; 5]);
}

const SENDERS: usize = 200;
const HEAVY: usize = 24 * MIB;
/// Three and a half times the budget of the default configuration, of which three quarters are for large bodies: eight of them
/// fit. Two statements at a time carry one body each into the database, with two more copies. 486 to 586 MiB were seen in six
/// runs on a machine at rest, and up to 760 on a busy one; docs/performance.md says what they are made of. All bodies together are 4.8 GB.
const MOST_RESIDENT: usize = 256 * MIB * 7 / 2;

/// Sends a body over a connection of its own while listening for an answer. Answers the head of it; nothing when the
/// connection was ended first.
async fn send_heavy(address: String, number: usize, signed: Arc<str>, body: Bytes) -> Option<String> {
    let (mut reader, mut writer) = TcpStream::connect(address).await.ok()?.into_split();
    let head = format!(
        "POST /hooks/github HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-github-event: issues\r\n\
         x-github-delivery: heavy-{number}\r\nx-hub-signature-256: {signed}\r\ncontent-length: {HEAVY}\r\n\r\n"
    );
    let write = async {
        writer.write_all(head.as_bytes()).await?;
        writer.write_all(&body).await
    };
    let mut said = Vec::new();
    let (_, _) = tokio::join!(write, async { reader.read_to_end(&mut said).await });
    let said = String::from_utf8_lossy(&said).into_owned();
    said.starts_with("HTTP/1.1 ").then_some(said)
}

/// The most that a process has held at once, in bytes.
fn peak_of(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// Case 6.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_bodies_of_24_mb_at_once_are_taken_or_told_to_come_again_and_memory_stays_bounded() {
    let (folder, database) = (Folder::new(), TestDatabase::create().await);
    folder.write(
        "taskbridge.yaml",
        &format!(
            "data_dir: data\ngithub: {{ api_url: \"http://127.0.0.1:9\", web_url: \"http://127.0.0.1:9\" }}\n\
             server: {{ body_timeout: 60s }}\n\
             sources:\n  github: {{ type: github, secrets: \"${{HOOK_SECRET}}\" }}\n{LABEL_RULE}"
        ),
    );
    let key = "0d".repeat(32);
    let env = [
        ("HOOK_SECRET", HOOK_SECRET),
        ("DATABASE_URL", database.url.as_str()),
        ("TASKBRIDGE_SEALING_KEY", key.as_str()),
    ];
    let mut serve = folder.start(&["serve", "--listen", "127.0.0.1:0"], &env);
    let line = serve.says("taskbridge serves");
    // What the budget bounds is taking in. What was recorded is read later and by another bound: here nobody comes to it.
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    sqlx::raw_sql(
        "CREATE FUNCTION much_later() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN NEW.due_at := NEW.received_at + interval '1 day'; RETURN NEW; END $$;
         CREATE TRIGGER much_later BEFORE INSERT ON deliveries FOR EACH ROW EXECUTE FUNCTION much_later();",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    let address = line.split(' ').find_map(|word| word.strip_prefix("address=")).unwrap().to_owned();

    let body = Bytes::from(vec![b' '; HEAVY]);
    let signed: Arc<str> = signature(HOOK_SECRET, &body).into();
    let mut senders = JoinSet::new();
    for number in 0..SENDERS {
        senders.spawn(send_heavy(address.clone(), number, Arc::clone(&signed), body.clone()));
    }
    let (mut taken, mut told, mut ended) = (0_i64, 0, 0);
    while let Some(answer) = senders.join_next().await {
        match answer.unwrap().as_deref() {
            Some(said) if said.starts_with("HTTP/1.1 202") => taken += 1,
            Some(said) if said.starts_with("HTTP/1.1 503") && said.contains("retry-after: 2") => told += 1,
            Some(said) => panic!("{said}"),
            // The answer was on its way while the sender was still writing into a closed connection.
            None => ended += 1,
        }
    }
    let peak = peak_of(serve.pid());
    assert!(taken >= 1 && told >= 1, "{taken} taken, {told} told, {ended} ended");
    assert!(peak <= MOST_RESIDENT, "{} MiB at once", peak / MIB);
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM deliveries").fetch_one(&mut connection).await.unwrap();
    assert_eq!(rows, taken, "each that was acknowledged, and no other");
    // Whoever was not taken was told so for the budget, and for nothing else. It is written down every few seconds.
    let refused: i64 = told + ended;
    let begun = Instant::now();
    loop {
        let counted: Vec<(String, i64)> =
            sqlx::query_as("SELECT reason, sum(count)::bigint FROM refusals GROUP BY reason")
                .fetch_all(&mut connection)
                .await
                .unwrap();
        if counted == [("over_budget".to_owned(), refused)] {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{refused} were not taken, counted are {counted:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
