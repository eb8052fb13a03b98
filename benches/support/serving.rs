//! The real binary as a process of its own.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::hook_secret::HOOK_SECRET;

const PATIENCE: Duration = Duration::from_secs(30);

/// Where configurations and private databases lie; removed at the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        // Not under the target folder: as root the private server's account may not be let in there.
        let folder = std::env::temp_dir().join(format!("taskbridge-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the temporary folder can be written");
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running `taskbridge serve`.
pub(crate) struct Serving {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
}

impl Serving {
    /// Starts it with a database, or with a fresh private one, and waits until `/readyz` says so.
    pub(crate) fn start(folder: &Folder, database_url: Option<&str>) -> (Self, Duration) {
        let address = free_address();
        let data = folder.0.join(format!("data-{}", address.port()));
        let config = folder.0.join("taskbridge.yaml");
        let text = format!(
            "data_dir: {}\nserver: {{ listen: \"{address}\" }}\ngithub: {{ api_url: \"http://127.0.0.1:9\" }}\n\
             sources:\n  github: {{ type: github, secrets: \"${{HOOK_SECRET}}\" }}\n\
             rules:\n  - name: fix-labelled-issues\n    on: {{ label: copilot-fix }}\n    prompt: \"Fix #{{{{ issue.number }}}}\"\n",
            data.display()
        );
        std::fs::write(&config, text).expect("the folder can be written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_taskbridge"));
        command.arg("--config").arg(&config).arg("serve").env("HOOK_SECRET", HOOK_SECRET);
        command.env_remove("DATABASE_URL").stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(std::fs::File::create(folder.0.join("log")).expect("the folder can be written"));
        if let Some(url) = database_url {
            command.env("DATABASE_URL", url).env("TASKBRIDGE_SEALING_KEY", "0f".repeat(32));
        }
        let begun = Instant::now();
        let mut serving = Self { child: command.spawn().expect("the binary was built"), address };
        while !is_ready(address) {
            let ended = serving.child.try_wait().expect("it is our child");
            if ended.is_some() || begun.elapsed() > PATIENCE {
                let log = std::fs::read_to_string(folder.0.join("log")).unwrap_or_default();
                panic!("the binary did not become ready: {log}");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let took = begun.elapsed();
        (serving, took)
    }

    fn stop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Resident memory of a process, in MB.
pub(crate) fn resident_mb(process: u32) -> f64 {
    let path = Path::new("/proc").join(process.to_string()).join("status");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(f64::NAN);
    kib / 1024.0
}

/// A port of this machine that nobody listens on yet.
pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free loopback port");
    listener.local_addr().expect("it is bound")
}

fn is_ready(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(1)) else { return false };
    let request = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut answer = String::new();
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    stream.write_all(request.as_bytes()).is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.starts_with("HTTP/1.1 200")
}
