//! How much of the machine was ours. A neighbour who compiles bends every number, and ratios too, so each
//! report says how much processor time was not its own. Read from Linux's `/proc`; elsewhere it is unknown (0).

use std::collections::HashMap;
use std::fs;

/// Processor time since a moment.
pub(crate) struct Watch {
    busy: u64,
    all: u64,
    own: u64,
}

/// Shares of all processors' time.
pub(crate) struct Share {
    pub(crate) processors: usize,
    /// This process and everything it started (PostgreSQL, the real binary).
    pub(crate) own: f64,
    /// Everybody else, and what the hypervisor took away.
    pub(crate) foreign: f64,
}

impl Watch {
    pub(crate) fn start() -> Self {
        let (busy, all) = machine();
        Self { busy, all, own: own() }
    }

    pub(crate) fn share(&self) -> Share {
        let (busy, all) = machine();
        let all = all.saturating_sub(self.all).max(1) as f64;
        let busy = busy.saturating_sub(self.busy) as f64 / all;
        let own = own().saturating_sub(self.own) as f64 / all;
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Share { processors, own, foreign: (busy - own).max(0.0) }
    }
}

/// Busy and all ticks of all processors.
fn machine() -> (u64, u64) {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let ticks: Vec<u64> =
        text.lines().next().unwrap_or_default().split_whitespace().skip(1).filter_map(|n| n.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal; guest time is in user already.
    let all: u64 = ticks.iter().take(8).sum();
    let idle: u64 = ticks.iter().skip(3).take(2).sum();
    (all - idle, all)
}

/// Ticks of this process and its descendants, those that have ended and were waited for included.
fn own() -> u64 {
    let mut parents = HashMap::new();
    let mut ticks = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let text = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // The name in parentheses may hold spaces.
        let Some((_, rest)) = text.rsplit_once(')') else { continue };
        let fields: Vec<u64> = rest.split_whitespace().skip(1).map(|field| field.parse().unwrap_or(0)).collect();
        // After the name and the state: ppid is the 1st, utime stime cutime cstime the 11th to 14th.
        let Some(parent) = fields.first().and_then(|parent| u32::try_from(*parent).ok()) else { continue };
        parents.insert(pid, parent);
        ticks.insert(pid, fields.iter().skip(10).take(4).sum::<u64>());
    }
    let me = std::process::id();
    let is_ours = |pid: u32| {
        let mut at = pid;
        while at != me {
            match parents.get(&at) {
                Some(parent) if *parent != 0 => at = *parent,
                _ => return false,
            }
        }
        true
    };
    ticks.iter().filter(|(pid, _)| is_ours(**pid)).map(|(_, ticks)| ticks).sum()
}
