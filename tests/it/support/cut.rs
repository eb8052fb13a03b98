//! A small proxy between the service and its database that can refuse, swallow and let through again, to show
//! what a sender sees while the database is away.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// What the proxy does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// Lets everything through.
    Open,
    /// Ends all connections and accepts none.
    Cut,
    /// Keeps connections and accepts more, and no byte arrives any more: those connections are dead for good.
    Swallowing,
}

/// A proxy; it ends when dropped.
pub(crate) struct Cut {
    folder: PathBuf,
    line: watch::Sender<Line>,
    running: Mutex<JoinSet<()>>,
}

impl Cut {
    pub(crate) fn new() -> Self {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("taskbridge-cut-{}-{number}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        Self { folder, line: watch::channel(Line::Open).0, running: Mutex::default() }
    }

    /// Listens in front of the database `url`, and gives its address there.
    pub(crate) fn url(&self, url: &str) -> String {
        let (before, host) = url.split_once("host=").expect("the test server listens on a socket");
        let (host, after) = host.split_once('&').unwrap_or((host, ""));
        let port = before.rsplit_once('@').unwrap().1.split_once(':').unwrap().1.split('/').next().unwrap();
        let name = format!(".s.PGSQL.{port}");
        let (socket, target) = (self.folder.join(&name), PathBuf::from(host).join(&name));
        let listener = UnixListener::bind(&socket).unwrap();
        self.running.lock().unwrap().spawn(serve(Some(listener), socket, target, self.line.subscribe()));
        format!("{before}host={}&{after}", self.folder.display())
    }

    /// The switch, to be kept when the proxy is given away.
    pub(crate) fn switch(&self) -> watch::Sender<Line> {
        self.line.clone()
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

async fn serve(mut listener: Option<UnixListener>, socket: PathBuf, target: PathBuf, mut line: watch::Receiver<Line>) {
    let mut connections = JoinSet::new();
    loop {
        if *line.borrow_and_update() == Line::Cut {
            listener = None;
            let _ = std::fs::remove_file(&socket);
            connections.abort_all();
            let _ = line.changed().await;
            continue;
        }
        let listener = listener.get_or_insert_with(|| UnixListener::bind(&socket).unwrap());
        tokio::select! {
            accepted = listener.accept() => {
                connections.spawn(pass(accepted.unwrap().0, target.clone(), line.clone()));
            }
            _ = line.changed() => {}
        }
    }
}

/// One connection, until it ends or is swallowed.
async fn pass(mut client: UnixStream, target: PathBuf, mut line: watch::Receiver<Line>) {
    let Ok(mut server) = UnixStream::connect(target).await else { return };
    let swallowed = async {
        let _ = line.wait_for(|line| *line == Line::Swallowing).await;
    };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => return,
        () = swallowed => {}
    }
    // Dead from here on, also when the line opens again, as when the network has forgotten a connection.
    std::future::pending::<()>().await;
}
