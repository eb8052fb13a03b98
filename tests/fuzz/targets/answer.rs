//! GitHub's answers about tasks, over a real connection. An input is the status (three digits), a line end, and the body.
//!
//! Promises: a start counts as done only with 201 and an id, and as surely not done only with a status that says so:
//! everything else is "nobody knows", which is never followed by a second start. A list counts every entry. No error shows
//! the token or a body that is not GitHub's own message, and each is one bounded line.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use serde_json::Value;
use taskbridge::clock::{Ground, ManualClock, SystemChance};
use taskbridge::github::{
    CallError, Github, MAX_PAUSE, NewTask, Next, RepoPath, Session, Settings, TaskQuery, Token, TokenOwner,
};
use taskbridge::ids::PersonId;
use taskbridge::secret::Secret;
use tokio::runtime::Runtime;

use super::Target;

pub(crate) const ANSWER: Target = Target {
    name: "answer",
    check,
    words: &[
        "200\n",
        "201\n",
        "202\n",
        "204\n",
        "304\n",
        "301\n",
        "307\n",
        "400\n",
        "401\n",
        "403\n",
        "404\n",
        "408\n",
        "410\n",
        "422\n",
        "429\n",
        "500\n",
        "502\n",
        "599\n",
        "\"id\":\"a\",",
        "\"id\":1,",
        "\"id\":\"\",",
        "\"id\":null,",
        "{\"tasks\":[",
        "\"message\":\"m\"",
        "\"errors\":[",
        "\"state\":\"queued\",",
        "\"sessions\":[",
        "\"artifacts\":[{\"type\":\"pull\",\"data\":{\"id\":1}}]",
        "\"updated_at\":\"2026-01-01T00:00:00Z\"",
        "{}",
        "[]",
        "null",
        "1e400",
        "\\ud800",
        "\\u0000",
        "[[[[",
        "secondary rate limit",
        "ghu_this-must-never-be-printed",
        "}",
        "]",
        ",",
        "\u{feff}",
        "<html>",
    ],
    slowest_ms: 3_000,
};

const TOKEN: &str = "ghu_this-must-never-be-printed";

/// A server that answers what it was told to, one thread of it, and a client.
struct Wire {
    github: Github,
    session: Session,
    clock: Arc<ManualClock>,
    answer: Arc<Mutex<Vec<u8>>>,
    runtime: Runtime,
}

static WIRE: LazyLock<Mutex<Wire>> = LazyLock::new(|| Mutex::new(Wire::new()));

impl Wire {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answer = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&answer);
        std::thread::spawn(move || serve(&listener, &told));
        let settings = Settings {
            api_url: url.clone(),
            web_url: url,
            timeout: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(5),
            ..Settings::default()
        };
        let clock = ManualClock::at("2026-11-23T12:00:00Z".parse().unwrap());
        let github = Github::new(settings, Ground { clock: clock.clone(), chance: Arc::new(SystemChance) }).unwrap();
        let token = Token { secret: Secret::new(TOKEN), owner: TokenOwner::Person(PersonId(1)) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { session: github.with_token(token), github, clock, answer, runtime }
    }

    /// What a call gives, long after any pause that an earlier answer asked for, and after a good answer: else a row of
    /// server errors would count as an outage.
    fn call<T>(&self, call: impl Future<Output = T>) -> T {
        self.clock.advance(MAX_PAUSE * 2);
        let good = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec();
        let answer = std::mem::replace(&mut *self.answer.lock().unwrap(), good);
        assert!(self.runtime.block_on(self.github.answers()));
        *self.answer.lock().unwrap() = answer;
        self.runtime.block_on(call)
    }
}

/// One connection after the other, each kept while it lasts.
fn serve(listener: &TcpListener, told: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 16 * 1024];
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let _ = stream.set_nodelay(true);
        let mut got = Vec::new();
        while let Ok(read @ 1..) = stream.read(&mut buffer) {
            got.extend_from_slice(&buffer[..read]);
            // The requests are short: a GET has no body, and the one of a start ends in a brace.
            let whole = got.ends_with(b"\r\n\r\n") && !got.starts_with(b"POST") || got.ends_with(b"}");
            if whole {
                got.clear();
                if stream.write_all(&told.lock().unwrap()).is_err() {
                    break;
                }
            }
        }
    }
}

fn check(data: &[u8]) {
    let at = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let status: u16 = std::str::from_utf8(&data[..at]).ok().and_then(|text| text.parse().ok()).unwrap_or(200);
    if !(200..=599).contains(&status) {
        return;
    }
    let body = data.get(at + 1..).unwrap_or_default();
    let bare = matches!(status, 204 | 304);
    let body = if bare { &[][..] } else { body };
    let length = if bare { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    let mut answer = format!("HTTP/1.1 {status} So\r\ncontent-type: application/json\r\n{length}\r\n").into_bytes();
    answer.extend_from_slice(body);
    let wire = WIRE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    *wire.answer.lock().unwrap() = answer;
    let repo = RepoPath::new("octo", "hello").unwrap();
    let new = NewTask {
        prompt: "p".to_owned(),
        model: None,
        custom_agent: None,
        create_pull_request: true,
        base_ref: None,
        head_ref: None,
    };
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let id = json.as_ref().and_then(|json| match json.get("id")? {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    });
    started(status, id.as_ref(), &wire.call(wire.session.start_task(&repo, &new)).map(|task| task.id));
    let list = wire.call(wire.session.list_my_tasks(TaskQuery::default()));
    let items = json.as_ref().and_then(|json| json.get("tasks")?.as_array());
    match (&list, items) {
        (Ok(page), Some(items)) if status == 200 => assert_eq!(page.tasks.len() + page.unreadable, items.len()),
        (Ok(_), _) => panic!("no list, and yet: {list:?}"),
        (Err(error), items) => {
            assert!(status != 200 || items.is_none(), "{error:?}");
            shown(error);
        }
    }
    let one = wire.call(wire.session.task("x"));
    assert_eq!(one.as_ref().ok().map(|task| &task.id), id.as_ref().filter(|_| status == 200), "{one:?}");
}

fn started(status: u16, id: Option<&String>, start: &Result<String, CallError>) {
    match start {
        Ok(made) => assert_eq!((status, Some(made)), (201, id)),
        Err(error) => {
            assert!(status != 201 || id.is_none(), "{error:?}");
            shown(error);
            let surely_not = matches!(status, 301 | 302 | 307 | 308) || (400..500).contains(&status) && status != 408;
            assert_eq!(error.next() != Next::Look, surely_not, "{status}: {error:?}");
        }
    }
}

fn shown(error: &CallError) {
    for text in [error.to_string(), error.for_person()] {
        assert!(!text.contains(TOKEN), "{text:?}");
        assert!(text.chars().count() < 8_000 && !text.contains(char::is_control), "{text:?}");
    }
}
