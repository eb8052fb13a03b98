//! The load generator: keep-alive HTTP/1.1 connections, written by hand so that it costs little. It runs on one
//! thread of its own, beside the server's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::requests::Requests;

/// Not counted at the beginning.
const WARM_UP: Duration = Duration::from_millis(300);

/// What is to be sent.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) requests: Arc<Requests>,
    pub(crate) address: SocketAddr,
    pub(crate) connections: usize,
    pub(crate) lasting: Duration,
    /// Requests a second over all connections; `None`: each sends again as soon as it has its answer.
    pub(crate) rate: Option<f64>,
    /// While this is set nothing new is sent.
    pub(crate) hold: Arc<AtomicBool>,
}

/// What came of it.
pub(crate) struct Outcome {
    /// Answers with 2xx a second.
    pub(crate) per_s: f64,
    /// Other answers.
    pub(crate) refused: usize,
    /// Microseconds from sending (or, when it had to wait for its connection, from when it was due), sorted.
    latencies: Vec<u32>,
}

impl Outcome {
    /// The latency below which a share of the answers came, in milliseconds.
    pub(crate) fn ms(&self, share: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let at = (last as f64 * share).round() as usize;
        self.latencies.get(at).map_or(f64::NAN, |micros| f64::from(*micros) / 1000.0)
    }
}

#[derive(Default)]
struct Tally {
    latencies: Vec<u32>,
    refused: usize,
}

impl Load {
    /// Sends for as long as said, on the calling thread.
    pub(crate) fn run(&self) -> Outcome {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(self.send())
    }

    async fn send(&self) -> Outcome {
        let mut clients = JoinSet::new();
        let begun = Instant::now();
        for place in 0..self.connections {
            clients.spawn(self.clone().client(place, begun));
        }
        let mut all = Tally::default();
        while let Some(tally) = clients.join_next().await {
            let tally = tally.expect("a client does not panic");
            all.latencies.extend(tally.latencies);
            all.refused += tally.refused;
        }
        all.latencies.sort_unstable();
        let per_s = all.latencies.len() as f64 / self.lasting.as_secs_f64();
        Outcome { per_s, refused: all.refused, latencies: all.latencies }
    }

    async fn client(self, place: usize, begun: Instant) -> Tally {
        let mut tally = Tally::default();
        let mut stream = TcpStream::connect(self.address).await.expect("the server listens");
        stream.set_nodelay(true).expect("a TCP socket");
        let (mut request, mut tail, mut answer) = (Vec::new(), String::new(), Vec::new());
        let counted_from = begun + WARM_UP;
        let end = counted_from + self.lasting;
        for turn in 0.. {
            let mut sent = Instant::now();
            if let Some(rate) = self.rate {
                let due = begun + Duration::from_secs_f64((turn * self.connections + place) as f64 / rate);
                if due > sent {
                    // The timer is coarse: that it wakes late is not the server's doing.
                    tokio::time::sleep_until(due.into()).await;
                    sent = Instant::now();
                } else {
                    sent = due;
                }
            }
            while self.hold.load(Ordering::Relaxed) && Instant::now() < end {
                tokio::time::sleep(Duration::from_millis(2)).await;
                sent = Instant::now();
            }
            if Instant::now() >= end {
                break;
            }
            self.requests.next(&mut request, &mut tail);
            stream.write_all(&request).await.expect("the server reads");
            let status = read_answer(&mut stream, &mut answer).await;
            let now = Instant::now();
            if now < counted_from || now >= end {
                continue;
            }
            if status / 100 == 2 {
                tally.latencies.push(u32::try_from((now - sent).as_micros()).unwrap_or(u32::MAX));
            } else {
                tally.refused += 1;
            }
        }
        tally
    }
}

/// Reads one answer and tells its status.
async fn read_answer(stream: &mut TcpStream, answer: &mut Vec<u8>) -> u16 {
    answer.clear();
    loop {
        let read = stream.read_buf(answer).await.expect("the server answers");
        assert!(read > 0, "the server closed the connection");
        let Some(head) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let text = std::str::from_utf8(&answer[..head]).expect("a head is text");
        let length = text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
        });
        // Without a length an answer comes in chunks, of which the last is empty.
        let is_whole = length.map_or(answer.ends_with(b"0\r\n\r\n"), |length| answer.len() >= head + 4 + length);
        if is_whole {
            return text.get(9..12).and_then(|status| status.parse().ok()).expect("a status line");
        }
    }
}
