//! The real binary as a process: started in an empty folder of its own with a bare environment, watched line by
//! line, ended by signal, and never left behind.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::canary;

/// Commands whose purpose is to print a key or a token.
const TELLERS: [&[&str]; 3] = [&["api-keys", "create"], &["keys", "generate"], &["sandbox"]];

static COUNTER: AtomicU32 = AtomicU32::new(0);
/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(25);

/// A folder for one test, removed at the end. It lies where the account of a private PostgreSQL may go.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let nth = COUNTER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("taskbridge-cli-{}-{nth}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).unwrap();
    }

    /// The program in this folder, with nothing in its environment but the way to other programs.
    pub(crate) fn command(&self, args: &[&str], env: &[(&str, &str)]) -> Command {
        let secret = |name: &str| ["SECRET", "KEY"].iter().any(|end| name.ends_with(end));
        canary::know(&env.iter().filter(|(name, _)| secret(name)).map(|(_, value)| *value).collect::<Vec<_>>());
        let mut command = Command::new(env!("CARGO_BIN_EXE_taskbridge"));
        command.args(args).current_dir(&self.0).env_clear().envs(env.iter().copied());
        for name in ["PATH", "HOME", "PG_BINDIR", "TMPDIR"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a short command to its end.
    pub(crate) fn run(&self, args: &[&str], env: &[(&str, &str)]) -> Ended {
        self.run_with(args, env, "")
    }

    /// The same with a text on its standard input.
    pub(crate) fn run_with(&self, args: &[&str], env: &[(&str, &str)], stdin: &str) -> Ended {
        canary::know(&[stdin.trim()]);
        let mut command = self.command(args, env);
        command.stdin(Stdio::piped());
        let mut program = Program::spawn(command, is_teller(args));
        let mut input = program.child.stdin.take().unwrap();
        input.write_all(stdin.as_bytes()).unwrap();
        drop(input);
        let status = program.ended(PATIENCE);
        Ended { code: status.code(), text: program.text() }
    }

    pub(crate) fn start(&self, args: &[&str], env: &[(&str, &str)]) -> Program {
        Program::spawn(self.command(args, env), is_teller(args))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn is_teller(args: &[&str]) -> bool {
    TELLERS.iter().any(|teller| args.starts_with(teller))
}

/// A command that has ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    /// Standard output and error, in the order of arrival.
    pub(crate) text: String,
}

impl Ended {
    #[track_caller]
    pub(crate) fn is(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.text);
        for part in parts {
            assert!(self.text.contains(part), "{part:?} is missing in:\n{}", self.text);
        }
    }
}

/// A running program. Dropped, it is killed.
pub(crate) struct Program {
    child: Child,
    text: Arc<Mutex<String>>,
    readers: Vec<std::thread::JoinHandle<()>>,
    /// Whether it may print a secret.
    teller: bool,
}

impl Program {
    fn spawn(mut command: Command, teller: bool) -> Self {
        let mut child = command.spawn().unwrap();
        let text = Arc::new(Mutex::new(String::new()));
        let readers = vec![read(child.stdout.take().unwrap(), &text), read(child.stderr.take().unwrap(), &text)];
        Self { child, text, readers, teller }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far.
    pub(crate) fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    /// Waits until it has said `part`; answers the line with it.
    #[track_caller]
    pub(crate) fn says(&mut self, part: &str) -> String {
        let begun = Instant::now();
        loop {
            if let Some(line) = self.text().lines().find(|line| line.contains(part)) {
                return line.to_owned();
            }
            let gone = self.child.try_wait().unwrap();
            assert!(begun.elapsed() < PATIENCE && gone.is_none(), "never said {part:?} ({gone:?}):\n{}", self.text());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.pid().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn ended(&mut self, limit: Duration) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                for reader in self.readers.drain(..) {
                    reader.join().unwrap();
                }
                return status;
            }
            assert!(begun.elapsed() < limit, "it did not end within {limit:?}:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Program {
    /// With a signal first, so that it ends what it has started when a test fails.
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            self.signal("TERM");
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_secs(5) && self.child.try_wait().is_ok_and(|status| status.is_none())
            {
                std::thread::sleep(Duration::from_millis(20));
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if !self.teller && !std::thread::panicking() {
            assert_eq!(canary::leak_in(&self.text()), None, "printed by a process");
        }
    }
}

fn read(stream: impl Read + Send + 'static, text: &Arc<Mutex<String>>) -> std::thread::JoinHandle<()> {
    let text = Arc::clone(text);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut text = text.lock().unwrap();
            text.push_str(&line);
            text.push('\n');
        }
    })
}

/// Processes of this machine whose command line names something in `folder`.
pub(crate) fn processes_with(folder: &Path) -> Vec<String> {
    let part = format!("{}/", folder.display());
    let listed = Command::new("ps").args(["-eo", "pid,stat,args"]).output().unwrap();
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    text.lines().filter(|line| line.contains(&part)).map(str::to_owned).collect()
}
