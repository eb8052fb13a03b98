//! What all bodies in flight may hold together. Room is taken for bytes that have arrived, never for bytes that are
//! announced: an announcement costs a stranger nothing. Small bodies have a part of their own, so that a few large ones
//! cannot keep out the many small ones.

use tokio::sync::{Semaphore, SemaphorePermit};

/// What counts as a small body, in bytes. Nearly all webhooks are far smaller.
const SMALL: usize = 1024 * 1024;
/// The unit of the budget, in bytes.
const UNIT: usize = 1024;

/// The room for bodies in flight.
#[derive(Debug)]
pub struct Budget {
    small: Semaphore,
    common: Semaphore,
}

impl Budget {
    /// Room for `bytes`, a quarter of it for small bodies alone. At least one body of `longest` fits into the rest.
    #[must_use]
    pub fn new(bytes: usize, longest: usize) -> Self {
        let common = (bytes - bytes / 4).max(longest);
        let small = bytes.saturating_sub(common).max(SMALL.min(longest));
        let room = |bytes: usize| Semaphore::new(bytes.div_ceil(UNIT).min(Semaphore::MAX_PERMITS));
        Self { small: room(small), common: room(common) }
    }

    /// The room of a body of which nothing has arrived. `announced` only says how large it will be.
    #[must_use]
    pub fn body(&self, announced: usize) -> Held<'_> {
        Held { budget: self, is_small: announced <= SMALL, small: None, common: None }
    }
}

/// The room that one body holds, until it is dropped.
#[derive(Debug)]
pub struct Held<'a> {
    budget: &'a Budget,
    is_small: bool,
    small: Option<SemaphorePermit<'a>>,
    common: Option<SemaphorePermit<'a>>,
}

impl<'a> Held<'a> {
    /// Takes room for `bytes` in all. Answers whether there was any.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let wanted = bytes.div_ceil(UNIT);
        self.is_small &= bytes <= SMALL;
        let has = permits(self.common.as_ref()) + if self.is_small { permits(self.small.as_ref()) } else { 0 };
        let missing = wanted.saturating_sub(has);
        let grown = self.is_small && take(&self.budget.small, &mut self.small, missing)
            || take(&self.budget.common, &mut self.common, missing);
        if grown && !self.is_small {
            // It grew out of the part for small ones.
            self.small = None;
        }
        grown
    }
}

fn permits(held: Option<&SemaphorePermit<'_>>) -> usize {
    held.map_or(0, SemaphorePermit::num_permits)
}

fn take<'a>(from: &'a Semaphore, into: &mut Option<SemaphorePermit<'a>>, count: usize) -> bool {
    if count == 0 {
        return true;
    }
    let Some(more) = u32::try_from(count).ok().and_then(|count| from.try_acquire_many(count).ok()) else {
        return false;
    };
    match into {
        Some(held) => held.merge(more),
        None => *into = Some(more),
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    #[test]
    fn what_is_announced_takes_no_room() {
        let budget = Budget::new(8 * MIB, 4 * MIB);
        let idle: Vec<Held<'_>> = (0..1000).map(|_| budget.body(4 * MIB)).collect();
        assert!(budget.body(4 * MIB).grow(4 * MIB), "{} idle ones", idle.len());
    }

    #[test]
    fn large_bodies_leave_room_for_small_ones_and_not_the_other_way_round() {
        let budget = Budget::new(8 * MIB, 4 * MIB);
        let (mut first, mut second) = (budget.body(0), budget.body(3 * MIB));
        assert!(first.grow(MIB / 2) && first.grow(4 * MIB), "its length was not said");
        assert!(second.grow(2 * MIB));
        assert!(!second.grow(3 * MIB), "six of eight are for all");
        let mut small: Vec<Held<'_>> = (0..4).map(|_| budget.body(0)).collect();
        assert!(small.iter_mut().all(|body| body.grow(MIB / 2)), "the first gave its small room back");
        assert!(!budget.body(0).grow(1), "all is taken");
        drop(first);
        assert!(budget.body(0).grow(MIB), "small ones may use the rest too");
        assert!(second.grow(3 * MIB));
    }
}
