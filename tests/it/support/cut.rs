//! A proxy in front of the database (a Unix socket) or of the simulated GitHub (a port) that does to a line what
//! networks do: refuse, swallow, delay, lose an answer or a part of it. It can be switched while connections are open,
//! and it can wait for a certain request and do it to that one alone.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// What is done to a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// Everything passes.
    Open,
    /// Connections end and none is accepted. Of one request: its connection ends before the request is passed on.
    Refusing,
    /// Connections are kept and accepted, and no byte arrives any more. They are dead for good.
    Swallowing,
    /// Requests are passed on, and no answer comes back. Such connections are dead for good.
    Mute,
    /// Each piece of an answer comes so much later.
    Slow(Duration),
    /// The request is passed on and done, and the connection ends after so many bytes of the answer.
    CutAnswer(usize),
}

/// A proxy. It ends with its last clone.
#[derive(Clone)]
pub(crate) struct Cut(Arc<Parts>);

struct Parts {
    folder: PathBuf,
    shared: Arc<Shared>,
    running: Mutex<JoinSet<()>>,
}

struct Shared {
    line: watch::Sender<Line>,
    /// What is done to the next request with these bytes.
    armed: Mutex<Option<(Vec<u8>, Line)>>,
    met: AtomicUsize,
    accepted: AtomicUsize,
}

impl Cut {
    pub(crate) fn new() -> Self {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("taskbridge-cut-{}-{number}", std::process::id()));
        let shared = Shared {
            line: watch::channel(Line::Open).0,
            armed: Mutex::default(),
            met: AtomicUsize::new(0),
            accepted: AtomicUsize::new(0),
        };
        Self(Arc::new(Parts { folder, shared: Arc::new(shared), running: Mutex::default() }))
    }

    /// Listens in front of the database `url`, and gives its address there.
    pub(crate) fn url(&self, url: &str) -> String {
        let of_server: PgConnectOptions = url.parse().unwrap();
        let (host, port) = (of_server.get_host(), of_server.get_port());
        let name = format!(".s.PGSQL.{port}");
        let target =
            match of_server.get_socket().map(PathBuf::as_path).or(host.starts_with('/').then(|| Path::new(host))) {
                Some(folder) => Place::Socket(folder.join(&name)),
                None => Place::Port((host, port).to_socket_addrs().unwrap().next().unwrap()),
            };
        std::fs::create_dir_all(&self.0.folder).unwrap();
        self.serve(Place::Socket(self.0.folder.join(&name)), target);
        let mut here = reqwest::Url::parse(url).unwrap();
        let kept: Vec<(String, String)> = here
            .query_pairs()
            .filter(|(key, _)| key != "host")
            .map(|(key, value)| (key.into(), value.into()))
            .collect();
        here.query_pairs_mut().clear().extend_pairs(kept).append_pair("host", self.0.folder.to_str().unwrap());
        here.into()
    }

    /// Listens in front of the server `url` (`http://` and an address), and gives its address there.
    pub(crate) fn http(&self, url: &str) -> String {
        let target = Place::Port(url.strip_prefix("http://").unwrap().parse().unwrap());
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        self.serve(Place::Port(free), target);
        format!("http://{free}")
    }

    fn serve(&self, at: Place, target: Place) {
        let listener = at.listen();
        self.0.running.lock().unwrap().spawn(serve(listener, at, target, Arc::clone(&self.0.shared)));
    }

    /// Does this to all connections, open ones and later ones.
    pub(crate) fn set(&self, line: Line) {
        self.0.shared.line.send_replace(line);
    }

    /// Does this once, to the connection on which a request with `bytes` comes next; the others go on as they did.
    pub(crate) fn once(&self, bytes: &str, line: Line) {
        *self.0.shared.armed.lock().unwrap() = Some((bytes.as_bytes().to_vec(), line));
    }

    /// How many requests were met that it waited for.
    pub(crate) fn met(&self) -> usize {
        self.0.shared.met.load(Ordering::SeqCst)
    }

    /// How many connections were accepted.
    pub(crate) fn accepted(&self) -> usize {
        self.0.shared.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

#[derive(Clone)]
enum Place {
    Socket(PathBuf),
    Port(SocketAddr),
}

enum Listener {
    Socket(UnixListener),
    Port(TcpListener),
}

impl Place {
    fn listen(&self) -> Listener {
        match self {
            Self::Socket(path) => {
                let _ = std::fs::remove_file(path);
                Listener::Socket(UnixListener::bind(path).unwrap())
            }
            Self::Port(address) => {
                let listener = std::net::TcpListener::bind(address).unwrap();
                listener.set_nonblocking(true).unwrap();
                Listener::Port(TcpListener::from_std(listener).unwrap())
            }
        }
    }

    async fn connect(&self) -> io::Result<Box<dyn Wire>> {
        Ok(match self {
            Self::Socket(path) => Box::new(UnixStream::connect(path).await?),
            Self::Port(address) => Box::new(TcpStream::connect(address).await?),
        })
    }
}

impl Listener {
    async fn accept(&self) -> Box<dyn Wire> {
        match self {
            Self::Socket(listener) => Box::new(listener.accept().await.unwrap().0),
            Self::Port(listener) => Box::new(listener.accept().await.unwrap().0),
        }
    }
}

async fn serve(listener: Listener, at: Place, target: Place, shared: Arc<Shared>) {
    let (mut listener, mut line) = (Some(listener), shared.line.subscribe());
    let mut connections = JoinSet::new();
    loop {
        if *line.borrow_and_update() == Line::Refusing {
            listener = None;
            if let Place::Socket(path) = &at {
                let _ = std::fs::remove_file(path);
            }
            connections.shutdown().await;
            let _ = line.changed().await;
            continue;
        }
        let listener = listener.get_or_insert_with(|| at.listen());
        tokio::select! {
            biased;
            _ = line.changed() => {}
            client = listener.accept() => {
                shared.accepted.fetch_add(1, Ordering::SeqCst);
                let (target, shared) = (target.clone(), Arc::clone(&shared));
                connections.spawn(async move {
                    let _ = pass(client, target, &shared).await;
                });
            }
        }
    }
}

/// One connection, until it ends or is cut.
async fn pass(mut client: Box<dyn Wire>, target: Place, shared: &Shared) -> io::Result<()> {
    let mut server = target.connect().await?;
    let mut line = shared.line.subscribe();
    let mut now = *line.borrow_and_update();
    let (mut up, mut down, mut sent) = (vec![0; 65536], vec![0; 65536], Vec::new());
    let mut passed = 0;
    loop {
        if now == Line::Swallowing {
            // Also when the line opens again, as when the network has forgotten a connection.
            return std::future::pending().await;
        }
        tokio::select! {
            biased;
            _ = line.changed() => (now, passed) = (*line.borrow_and_update(), 0),
            read = client.read(&mut up) => {
                let piece = &up[..some(read)?];
                if let Some(armed) = meets(shared, &mut sent, piece) {
                    (now, passed) = (armed, 0);
                }
                match now {
                    Line::Refusing => return Ok(()),
                    Line::Swallowing => {}
                    _ => server.write_all(piece).await?,
                }
            }
            read = server.read(&mut down), if now != Line::Mute => {
                let piece = &down[..some(read)?];
                match now {
                    Line::CutAnswer(most) => {
                        let piece = &piece[..piece.len().min(most - passed)];
                        client.write_all(piece).await?;
                        passed += piece.len();
                        if passed == most {
                            return Ok(());
                        }
                    }
                    Line::Slow(by) => {
                        tokio::time::sleep(by).await;
                        client.write_all(piece).await?;
                    }
                    _ => client.write_all(piece).await?,
                }
            }
        }
    }
}

/// The end of a stream ends the connection.
fn some(read: io::Result<usize>) -> io::Result<usize> {
    read.and_then(|read| if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(read) })
}

/// What is to be done to this connection from now on, if what it sends is what was waited for.
fn meets(shared: &Shared, sent: &mut Vec<u8>, piece: &[u8]) -> Option<Line> {
    let mut armed = shared.armed.lock().unwrap();
    let Some((bytes, line)) = armed.as_ref() else {
        sent.clear();
        return None;
    };
    // The bytes may come in two pieces.
    sent.extend_from_slice(piece);
    let found = sent.windows(bytes.len()).any(|window| window == bytes);
    sent.drain(..sent.len().saturating_sub(bytes.len() - 1));
    let line = found.then_some(*line)?;
    *armed = None;
    shared.met.fetch_add(1, Ordering::SeqCst);
    Some(line)
}
