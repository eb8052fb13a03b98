//! Runs a target: first over its corpus, then over changed inputs for a while. What fails is written down, so that it
//! can be made smaller and put into the corpus.
//!
//! The changing of inputs is our own because it is a page: `proptest` makes values of a shape and keeps seeds, where a
//! corpus of bytes is wanted that LLVM's fuzzer reads too, and frameworks around that bring crates and a command to install
//! into every `cargo test`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use taskbridge::clock::Ground;

use crate::targets::Target;

/// Longest input that changing makes, in bytes.
const LONGEST: usize = 16 * 1024;

/// Tries the corpus and then changed inputs. `TASKBRIDGE_FUZZ_SECONDS` says for how long, `TASKBRIDGE_FUZZ_SEED`
/// repeats a run.
///
/// # Panics
/// With the file that holds the input, when the target does not hold.
pub(crate) fn run(target: &'static Target) {
    // On a thread of the product's own, whose stack must be enough for whatever nests.
    let runtime = taskbridge::cli::runtime().unwrap();
    if let Err(error) = runtime.block_on(runtime.spawn_blocking(|| run_here(target))) {
        std::panic::resume_unwind(error.into_panic());
    }
}

fn run_here(target: &Target) {
    let corpus = corpus(target.name);
    assert!(!corpus.is_empty(), "{} has no corpus", target.name);
    std::fs::create_dir_all(found(target.name)).unwrap();
    for (path, input) in &corpus {
        if let Err(why) = attempt(target, input) {
            panic!("{}: {why}", path.display());
        }
    }
    let seed = number("TASKBRIDGE_FUZZ_SEED").unwrap_or_else(|| u64::from_le_bytes(Ground::system().bytes()));
    let seconds = number("TASKBRIDGE_FUZZ_SECONDS").unwrap_or(1);
    println!("{}: {} inputs of the corpus hold, seed {seed}", target.name, corpus.len());
    let mut pool: Vec<Vec<u8>> = corpus.into_iter().map(|(_, input)| input).collect();
    let (mut dice, mut tried) = (Dice(seed), 0_u64);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(seconds) {
        let input = changed(&pool, target.words, &mut dice);
        tried += 1;
        if let Err(why) = attempt(target, &input) {
            let path = keep(target.name, &input);
            panic!("{}, seed {seed}, try {tried}: {why}\nthe input is in {}", target.name, path.display());
        }
        // Some changed inputs are changed further, so that a run does not stay beside the corpus.
        if dice.below(64) == 0 {
            let place = dice.below(256);
            if pool.len() < 512 { pool.push(input) } else { pool[place + 256] = input }
        }
    }
    println!("{}: {tried} changed inputs hold too", target.name);
}

/// One input on behalf of a guide; `TASKBRIDGE_FUZZ_TARGET` names the target.
#[cfg(guided)]
pub(crate) fn guided(input: &[u8]) {
    static CHOSEN: std::sync::LazyLock<&Target> = std::sync::LazyLock::new(|| {
        let name = std::env::var("TASKBRIDGE_FUZZ_TARGET").expect("TASKBRIDGE_FUZZ_TARGET names a target");
        crate::targets::ALL.into_iter().find(|target| target.name == name).expect("there is a target of this name")
    });
    (CHOSEN.check)(input);
}

/// One try: why it failed, if it did. Slow counts as failed when it is slow three times.
fn attempt(target: &Target, input: &[u8]) -> Result<(), String> {
    // An input that takes the whole process down is found there.
    std::fs::write(found(target.name).join("last"), input).unwrap();
    let mut fastest = Duration::MAX;
    for _ in 0..3 {
        let begun = Instant::now();
        catch_unwind(AssertUnwindSafe(|| (target.check)(input))).map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
        })?;
        fastest = fastest.min(begun.elapsed());
        if fastest < Duration::from_millis(target.slowest_ms) {
            return Ok(());
        }
    }
    Err(format!("it takes {fastest:?}, longer than {} ms", target.slowest_ms))
}

fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read(&path).unwrap())).collect()
}

fn keep(name: &str, input: &[u8]) -> PathBuf {
    let path = found(name).join(&hex::encode(Sha256::digest(input))[..16]);
    std::fs::write(&path, input).unwrap();
    path
}

/// Where inputs are written down.
fn found(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz").join(name)
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} must be a whole number")))
}

/// Repeatable chance (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 when there is none.
    fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { usize::try_from(self.roll() % end as u64).unwrap() }
    }
}

/// An input of the pool after one to six changes.
fn changed(pool: &[Vec<u8>], words: &[&str], dice: &mut Dice) -> Vec<u8> {
    let mut input = pool[dice.below(pool.len())].clone();
    for _ in 0..=dice.below(6) {
        change(&mut input, pool, words, dice);
    }
    input.truncate(LONGEST);
    input
}

fn change(input: &mut Vec<u8>, pool: &[Vec<u8>], words: &[&str], dice: &mut Dice) {
    let at = dice.below(input.len() + 1);
    let to = at + dice.below((input.len() - at).min(64) + 1);
    match dice.below(9) {
        0 => drop(input.drain(at..to)),
        1 if at < input.len() => input[at] ^= 1 << dice.below(8),
        2 => input.insert(at, u8::try_from(dice.below(256)).unwrap()),
        3 => {
            let piece = input[at..to].to_vec();
            let times = 1 << dice.below(7);
            input.splice(at..at, piece.repeat(times));
        }
        4 => {
            let other = &pool[dice.below(pool.len())];
            let from = dice.below(other.len() + 1);
            let end = from + dice.below(other.len() - from + 1);
            input.splice(at..at, other[from..end].iter().copied());
        }
        5 => {
            let characters = [
                '\u{0}',
                '\u{7f}',
                '\u{85}',
                '\u{200b}',
                '\u{202e}',
                '\u{2028}',
                '\u{e0041}',
                '\u{feff}',
                'é',
                '\u{1f600}',
            ];
            let character = characters[dice.below(characters.len())];
            input.splice(at..at, character.to_string().bytes());
        }
        6 => input.truncate(at),
        _ if !words.is_empty() => {
            let word = words[dice.below(words.len())].as_bytes();
            // Put in, or put in the place of something.
            let end = if dice.below(2) == 0 { at } else { to };
            input.splice(at..end, word.iter().copied());
        }
        _ => {}
    }
}
