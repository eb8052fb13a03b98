//! The crash program: it runs the real service, several replicas of it on one database and one simulated GitHub, sends
//! it signed webhooks, and meanwhile kills and pauses whatever can be killed and paused. In the end it lets everything
//! come to rest and compares what was promised with what is there. docs/crash-program.md tells how to use it.
//!
//! The service is this same binary: called with a command of taskbridge as its first argument (`taskbridge-crash serve`)
//! it is taskbridge, through the same [`taskbridge::cli`] as the released program, so that one binary is linked and
//! the fail points are in it.

mod app_tokens;
mod chance;
mod chat;
mod check;
mod database;
mod due;
mod ending;
mod faults;
mod load;
mod logs;
mod options;
mod places;
mod receiver;
mod replica;
mod rest;
mod rotation;
mod round;
mod signed_in;
mod stage;
mod tally;
mod tasks;
mod told;
mod watcher;
mod webhook;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;

use options::Options;
use places::Places;
use tally::Tally;
use told::Told;

/// The commands of taskbridge that the program calls itself with.
const SERVICE: [&str; 3] = ["serve", "people", "keys"];

fn main() -> ExitCode {
    if std::env::args().nth(1).is_some_and(|first| SERVICE.contains(&first.as_str())) {
        return taskbridge::cli::run();
    }
    let options = Options::parse();
    // The sender is an HTTP client like any other; one that is there already does as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("the runtime could not be started: {error}");
            return ExitCode::from(2);
        }
    };
    runtime.block_on(run(&options))
}

/// All rounds, each with the next seed; ends with the first that fails.
async fn run(options: &Options) -> ExitCode {
    let mut told = match Told::listen() {
        Ok(told) => told,
        Err(error) => {
            eprintln!("signals cannot be received: {error}");
            return ExitCode::from(2);
        }
    };
    let first = options.first_seed();
    let sum = Tally::default();
    let (places, mut good) = (Arc::new(Places::default()), true);
    for nth in 0..options.rounds.max(1) {
        let seed = first.wrapping_add(nth);
        eprintln!("seed {seed}: {} s, {} replicas, {}", options.seconds, options.replicas, options.disturbances());
        let outcome = match round::run(options, seed, &places, &mut told).await {
            Ok(Some(outcome)) => outcome,
            Ok(None) => {
                eprintln!("seed {seed}: told to end by a signal; what the round had started is stopped");
                return ExitCode::from(2);
            }
            Err(error) => {
                eprintln!("seed {seed}: the round could not be run: {error}");
                return ExitCode::from(2);
            }
        };
        outcome.tell(options.control);
        good = outcome.is_good(options.control);
        sum.take_in(&outcome.tally);
        places.take_in(&outcome.visits);
        if !good {
            break;
        }
    }
    if good && options.must_leave_out_nothing() {
        for what in places.left_out(options).into_iter().chain(faults::never_met(options, &sum)) {
            eprintln!("{what}; what never happened shows nothing");
            good = false;
        }
        if let Some(too_many) = tasks::too_many_unexplained(&sum) {
            eprintln!("{too_many}");
            good = false;
        }
    }
    if options.json {
        println!("{}", sum.json(first, good, &places));
    } else {
        places.tell();
        println!("totals first_seed={first} {}", sum.line());
        println!("verdict: {}", if good { "it holds" } else { "IT DOES NOT HOLD" });
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
