//! What the match step of this process holds. A delivery that was taken up and not ended, because the database was
//! away, its turn did not come or the process stops, is given back uncounted. Only a panic, the end of the process
//! or a fault leave the try counted, so that a poisonous delivery is parked and a healthy one is not.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::ids::DeliveryId;
use crate::store::{Lease, Store, StoreError};

/// The deliveries that this process has taken up.
#[derive(Debug, Default)]
pub struct InHand {
    entries: Mutex<HashMap<DeliveryId, Entry>>,
    /// Leases of claims whose answer was lost: what they took up, if anything, is not known here.
    unheard: Mutex<Vec<Lease>>,
}

#[derive(Debug)]
struct Entry {
    lease: Lease,
    /// It came back from a crash.
    suspect: bool,
    /// Nobody works on it any more.
    left: bool,
}

/// One delivery in hand. Dropped without [`Held::end`], it is left to be given back, unless a panic drops it.
#[derive(Debug)]
pub(super) struct Held {
    all: Arc<InHand>,
    pub id: DeliveryId,
    pub lease: Lease,
    /// It came back from a crash.
    pub suspect: bool,
}

impl InHand {
    /// Whether one is in hand that came back from a crash: a second one beside it would be counted with it.
    pub(super) fn holds_suspect(&self) -> bool {
        self.entries().values().any(|entry| entry.suspect)
    }

    pub(super) fn hold(self: &Arc<Self>, id: DeliveryId, lease: Lease, suspect: bool) -> Held {
        self.entries().insert(id, Entry { lease, suspect, left: false });
        Held { all: Arc::clone(self), id, lease, suspect }
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<DeliveryId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unheard(&self) -> MutexGuard<'_, Vec<Lease>> {
        self.unheard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A claim under this lease failed, but may have been committed: whatever it took up is to be given back uncounted.
    pub(super) fn lost_sight(&self, lease: Lease) {
        self.unheard().push(lease);
    }

    /// Gives back what nobody works on any more; or everything when the process stops: what still runs then finds
    /// its lease gone and changes nothing.
    ///
    /// # Errors
    /// [`StoreError`]: it is kept in mind for the next time.
    pub(super) async fn give_back(&self, store: &Store, everything: bool) -> Result<(), StoreError> {
        let unheard = self.unheard().clone();
        for lease in unheard {
            store.give_back_lease(lease).await?;
            self.unheard().retain(|other| other.token != lease.token);
        }
        let mut leases: BTreeMap<Uuid, (Lease, Vec<DeliveryId>)> = BTreeMap::new();
        for (id, entry) in self.entries().iter().filter(|(_, entry)| entry.left || everything) {
            leases.entry(entry.lease.token).or_insert_with(|| (entry.lease, Vec::new())).1.push(*id);
        }
        for (lease, ids) in leases.into_values() {
            store.give_back_deliveries(&ids, lease, None).await?;
            self.entries().retain(|id, entry| entry.lease.token != lease.token || !ids.contains(id));
        }
        Ok(())
    }
}

impl Held {
    /// Nothing is left to do with it: it is ended or postponed, or its try is to stay counted.
    pub(super) fn end(self) {
        self.forget();
    }

    fn forget(&self) {
        let mut entries = self.all.entries();
        if entries.get(&self.id).is_some_and(|entry| entry.lease.token == self.lease.token) {
            entries.remove(&self.id);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return self.forget();
        }
        if let Some(entry) = self.all.entries().get_mut(&self.id)
            && entry.lease.token == self.lease.token
        {
            entry.left = true;
        }
    }
}
