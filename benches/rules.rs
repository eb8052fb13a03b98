//! What an event costs between its bytes and its prompt, with 1 to 1,000 rules in force, on one thread and without
//! any database: each part by itself, and all together. See `docs/performance.md`.
//!
//! `cargo bench --bench rules [-- --json] [--seconds N] [--quick]`

#[path = "support/args.rs"]
mod args;
#[path = "support/configuration.rs"]
mod configuration;
#[path = "support/hook_secret.rs"]
mod hook_secret;
#[path = "support/machine.rs"]
mod machine;
#[path = "support/payload.rs"]
mod payload;
#[path = "support/report.rs"]
mod report;

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderValue};
use sha2::Sha256;
use taskbridge::cli::live_of;
use taskbridge::clock::Ground;
use taskbridge::domain::event::Event;
use taskbridge::domain::rule::Untrusted;
use taskbridge::domain::view::{Shown, Texts, View};
use taskbridge::pipeline::Live;
use taskbridge::pipeline::verify::{Verified, verify};
use taskbridge::sources::Reading;

use args::Args;
use configuration::configuration;
use hook_secret::HOOK_SECRET;
use payload::{Payload, UNWANTED, WANTED};
use report::Report;

const COUNTS: [usize; 4] = [1, 10, 100, 1000];
/// How many of the rules listen to the label that is put on; only the last of them holds.
const SAME_LABEL: usize = 3;
/// Samples of one measurement.
const SAMPLES: u32 = 200;

fn main() {
    let Some(args) = Args::read() else { return };
    let mut report = Report::new("rules", &args);
    let sample = Duration::from_secs_f64(args.seconds(0.8, 0.05));
    let wanted = Hook::new(WANTED);
    let other = Hook::new(UNWANTED);
    report.say(&format!("a payload has {} bytes; microseconds an event:", wanted.body.len()));
    report.say("rules  verify   read  candidates  conditions  render  all parts  an event that no rule listens to");
    let mut totals = Vec::new();
    for count in COUNTS {
        let live = live_of(&configuration(&rules(count, SAME_LABEL.min(count))), "github.com");
        let parts = Parts::measure(&live, &wanted, sample);
        let total = micros(sample, || black_box(walk(&live, &wanted)));
        let ignored = micros(sample, || black_box(walk(&live, &other)));
        report.say(&format!(
            "{count:5}  {:6.1}  {:5.1}  {:10.2}  {:10.1}  {:6.1}  {total:9.1}  {ignored:6.1}",
            parts.verify, parts.read, parts.candidates, parts.conditions, parts.render
        ));
        for (name, value) in [
            ("verify_us", parts.verify),
            ("read_us", parts.read),
            ("candidates_us", parts.candidates),
            ("conditions_us", parts.conditions),
            ("render_us", parts.render),
            ("total_us", total),
            ("ignored_us", ignored),
        ] {
            report.put(&format!("{name}_{count}"), value);
        }
        totals.push(total);
    }
    let all_on_one = live_of(&configuration(&rules(100, 100)), "github.com");
    let crowded = micros(sample, || black_box(walk(&all_on_one, &wanted)));
    report.say(&format!("if all of 100 rules listen to the same label and only the last holds: {crowded:.1}"));
    report.put("crowded_us_100", crowded);
    let (ten, thousand) = (totals[1], totals[3]);
    report.target(5, "at most 40 us an event with 10 rules", &format!("{ten:.1} us"), ten <= 40.0);
    let ratio = thousand / ten;
    report.target(5, "1,000 rules at most 4 x the cost of 10", &format!("{ratio:.2} x"), ratio <= 4.0);
    report.put("ratio_1000_to_10", ratio);
    report.finish();
}

/// `same` rules for the wanted label, of which the last holds; the others listen to labels, commands and events
/// of their own.
fn rules(count: usize, same: usize) -> String {
    let mut text = String::from("rules:\n");
    for n in 0..count {
        let (on, login) = match n {
            n if n + 1 == same => (format!("{{ label: {WANTED} }}"), "mona"),
            n if n < same => (format!("{{ label: {WANTED} }}"), "someone-else"),
            n if n % 3 == 0 => (format!("{{ label: team-{n} }}"), "mona"),
            n if n % 3 == 1 => (format!("{{ command: fix-{n} }}"), "mona"),
            _ => ("{ event: issues.opened }".to_owned(), "mona"),
        };
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "  - name: rule-{n}\n    on: {on}\n    when: issue.state == 'open' && repo.private && actor.login == '{login}'\n    \
             prompt: \"Fix issue #{{{{ issue.number }}}} of {{{{ repo.full_name }}}}: {{{{ issue.title }}}}\\n\\n{{{{ issue.body }}}}\"\n"
        );
    }
    text
}

/// One signed webhook.
struct Hook {
    headers: HeaderMap,
    body: Bytes,
}

impl Hook {
    fn new(label: &str) -> Self {
        let at = Ground::system().now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let payload = Payload::new(&at, &[(1001, "mona".to_owned())]);
        let mut body = payload.prefix().to_owned();
        payload.finish(1, label, &mut body);
        let mut mac = Hmac::<Sha256>::new_from_slice(HOOK_SECRET.as_bytes()).expect("any key will do");
        mac.update(body.as_bytes());
        let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-type", "application/json"),
            ("x-github-event", "issues"),
            ("x-github-delivery", "0d0e0f00-0000-11f0-8000-000000000001"),
            ("x-github-hook-id", "412345678"),
            ("x-hub-signature-256", signature.as_str()),
        ] {
            headers.insert(name, HeaderValue::from_str(value).expect("plain text"));
        }
        Self { headers, body: Bytes::from(body) }
    }
}

fn verified(live: &Live, hook: &Hook) -> Verified {
    verify(live, "github", &hook.headers, hook.body.clone(), taskbridge::store::Moment::UNIX_EPOCH)
        .expect("it is signed")
}

fn read(live: &Live, verified: &Verified) -> Event {
    let source = &live.sources["github"].source;
    match source.read("github", verified.envelope(), verified.body()) {
        Ok(Reading::Event(event)) => *event,
        other => panic!("the payload is an event: {other:?}"),
    }
}

fn candidates(live: &Live, event: &Event) -> Vec<usize> {
    let label = event.label.as_ref().map(|label| label.name.as_str());
    live.rules.candidates("github", &event.full_name(), &event.name, label, None)
}

/// What the rules see, made once for all of them.
fn seen(event: &Event) -> View {
    View::new(event, None, None, Texts::plain())
}

/// The first of the candidates whose condition holds.
fn selected(live: &Live, view: &View, candidates: &[usize]) -> Option<usize> {
    candidates.iter().copied().find(|at| {
        let when = live.rules.rules[*at].when.as_ref();
        when.is_none_or(|when| when.evaluate(view).expect("the event has all that is asked for").holds)
    })
}

/// The prompt, with the texts quoted: the dearest case.
fn render(live: &Live, plain: &View, at: usize) -> String {
    let shown = Shown::untrusted(Untrusted::Fence, "mona");
    let texts = Texts { title: shown.clone(), body: shown, ..Texts::plain() };
    let view = plain.with_texts(texts);
    live.rules.rules[at].task.prompt.render(&view).expect("the event has all that is asked for").text
}

/// From bytes to a prompt, or to the knowledge that no rule listens.
fn walk(live: &Live, hook: &Hook) -> Option<String> {
    let verified = verified(live, hook);
    let event = read(live, &verified);
    let candidates = candidates(live, &event);
    if candidates.is_empty() {
        return None;
    }
    let view = seen(&event);
    selected(live, &view, &candidates).map(|at| render(live, &view, at))
}

/// Microseconds of each part.
struct Parts {
    verify: f64,
    read: f64,
    candidates: f64,
    conditions: f64,
    render: f64,
}

impl Parts {
    fn measure(live: &Live, hook: &Hook, sample: Duration) -> Self {
        let verified_hook = verified(live, hook);
        let event = read(live, &verified_hook);
        let some = candidates(live, &event);
        let view = seen(&event);
        let at = selected(live, &view, &some).expect("one of them holds");
        Self {
            verify: micros(sample, || black_box(verified(live, hook))),
            read: micros(sample, || black_box(read(live, &verified_hook))),
            candidates: micros(sample, || black_box(candidates(live, &event))),
            conditions: micros(sample, || black_box(selected(live, &seen(&event), &some))),
            render: micros(sample, || black_box(render(live, &view, at))),
        }
    }
}

/// How long one call takes: of many short samples the tenth part is shorter than this. A neighbour only ever makes a
/// sample longer, and most of all a long one.
fn micros<T>(sample: Duration, call: impl Fn() -> T) -> f64 {
    let mut all: Vec<f64> = (0..SAMPLES)
        .map(|_| {
            let begun = Instant::now();
            let mut calls = 0u32;
            while begun.elapsed() < sample / SAMPLES {
                for _ in 0..8 {
                    call();
                }
                calls += 8;
            }
            begun.elapsed().as_secs_f64() * 1e6 / f64::from(calls)
        })
        .collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 10]
}
