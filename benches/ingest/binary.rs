//! How soon the real binary is ready and how much memory it holds.

use std::time::Duration;

use crate::load::Load;
use crate::serving::{Folder, Serving, resident_mb};

/// Milliseconds from the start of the process to the first 200 from `/readyz`.
pub(crate) fn start_ms(folder: &Folder, database_url: Option<&str>) -> f64 {
    let (_serving, took) = Serving::start(folder, database_url);
    took.as_secs_f64() * 1000.0
}

/// Resident memory in MB after some idle time, and the most of it under load from 64 connections with all
/// workers running.
pub(crate) fn memory(folder: &Folder, database_url: &str, load: &Load) -> (f64, f64) {
    let (serving, _) = Serving::start(folder, Some(database_url));
    std::thread::sleep(Duration::from_secs(1));
    let idle = resident_mb(serving.child.id());
    let load = Load { address: serving.address, connections: 64, lasting: load.lasting * 3, ..load.clone() };
    let loader = std::thread::spawn(move || load.run());
    let mut most = idle;
    while !loader.is_finished() {
        std::thread::sleep(Duration::from_millis(20));
        most = most.max(resident_mb(serving.child.id()));
    }
    let outcome = loader.join().expect("the load does not panic");
    assert_eq!(outcome.refused, 0, "the binary takes what is rightly signed");
    (idle, most)
}
