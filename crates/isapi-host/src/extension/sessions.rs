//! The table of live sessions, and the handles (`ConnID`) by which modules name them.
//!
//! A handle is shard, slot and generation in one number, so that a stale or invented one is found out instead of
//! followed. There is one table for the process, because a callback gets nothing but the handle. Sessions are
//! entered by the I/O task that creates them and removed by whatever thread ends them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use slotmap::{Key, KeyData, SlotMap, new_key_type};

use super::session::Session;
use crate::lock::LockAnyway;

const SHARD_BITS: u32 = 4;
const SHARDS: usize = 1 << SHARD_BITS;
/// slotmap keys have the generation in the upper half and the slot in the lower.
const SLOT_BITS: u32 = 32;

// A handle has to pass through a pointer.
const _: () = assert!(size_of::<usize>() == size_of::<u64>(), "the host needs pointers of 64 bits");

new_key_type! {
    struct Slot;
}

/// The name of a session towards modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SessionId(u64);

impl SessionId {
    /// The number that passes for a pointer in `ConnID`.
    pub(crate) fn to_address(self) -> usize {
        usize::try_from(self.0).expect("asserted above: usize has 64 bits")
    }

    /// The name that an address given by a module stands for; it need not belong to any session.
    pub(crate) fn from_address(address: usize) -> Self {
        SessionId(address as u64)
    }

    /// Generation, then slot, then shard: the shard takes the lowest bits and the slot's highest are never used.
    fn new(shard: usize, slot: Slot) -> Self {
        let key = slot.data().as_ffi();
        let (generation, index) = (key >> SLOT_BITS, key & u64::from(u32::MAX));
        SessionId((generation << SLOT_BITS) | (index << SHARD_BITS) | shard as u64)
    }

    /// Shard and slot; `None` for a number that [`SessionId::new`] never makes, as slotmap takes two numbers for each
    /// generation.
    fn split(self) -> Option<(usize, Slot)> {
        let (generation, low) = (self.0 >> SLOT_BITS, self.0 & u64::from(u32::MAX));
        let shard = usize::try_from(low).unwrap_or_default() & (SHARDS - 1);
        let slot = Slot::from(KeyData::from_ffi((generation << SLOT_BITS) | (low >> SHARD_BITS)));
        (SessionId::new(shard, slot) == self).then_some((shard, slot))
    }
}

/// All sessions of the process.
pub(crate) struct Sessions {
    /// A slot is empty from when its id is given out until its session has been built.
    shards: [Mutex<SlotMap<Slot, Option<Arc<Session>>>>; SHARDS],
    next_shard: AtomicUsize,
}

/// The one table.
pub(crate) static SESSIONS: LazyLock<Sessions> = LazyLock::new(|| Sessions {
    shards: std::array::from_fn(|_| Mutex::new(SlotMap::with_key())),
    next_shard: AtomicUsize::new(0),
});

impl Sessions {
    /// Enters the session that `create` makes for the id it is given.
    pub(crate) fn enter(&self, create: impl FnOnce(SessionId) -> Session) -> Arc<Session> {
        let shard = self.next_shard.fetch_add(1, Ordering::Relaxed) % SHARDS;
        let slot = self.shards[shard].lock_anyway().insert(None);
        // Built outside the lock: a session copies its strings and the first bytes of its body.
        let session = Arc::new(create(SessionId::new(shard, slot)));
        self.shards[shard].lock_anyway()[slot] = Some(Arc::clone(&session));
        session
    }

    /// The live session of that name.
    pub(crate) fn find(&self, id: SessionId) -> Option<Arc<Session>> {
        let (shard, slot) = id.split()?;
        self.shards[shard].lock_anyway().get(slot).and_then(Option::clone)
    }

    /// Removes a session; its name is stale from now on.
    pub(crate) fn remove(&self, id: SessionId) {
        let Some((shard, slot)) = id.split() else { return };
        // Dropped behind the lock: the last owner may run a good deal of code.
        let removed = self.shards[shard].lock_anyway().remove(slot);
        drop(removed);
    }

    /// Those live sessions that `wanted` says yes to.
    pub(crate) fn select(&self, wanted: impl Fn(&Session) -> bool) -> Vec<Arc<Session>> {
        let all =
            self.shards.iter().flat_map(|shard| shard.lock_anyway().values().flatten().cloned().collect::<Vec<_>>());
        all.filter(|session| wanted(session)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_keep_shard_slot_and_generation_apart() {
        let mut map: SlotMap<Slot, ()> = SlotMap::with_key();
        let first = map.insert(());
        map.remove(first);
        let second = map.insert(());
        let (old, new) = (SessionId::new(7, first), SessionId::new(7, second));
        assert_ne!(old, new);
        assert_eq!(new.split(), Some((7, second)));
        assert_eq!(SessionId::from_address(old.to_address()).split(), Some((7, first)));
    }

    #[test]
    fn an_id_that_was_never_given_out_is_no_second_name_of_a_session() {
        let mut map: SlotMap<Slot, ()> = SlotMap::with_key();
        let id = SessionId::new(7, map.insert(()));
        assert_eq!(SessionId::from_address(id.to_address() ^ 1 << SLOT_BITS).split(), None);
    }

    #[test]
    fn invented_ids_name_no_session() {
        for address in [0, 1, 0x10, 0xdead_beef, usize::MAX] {
            assert!(SESSIONS.find(SessionId::from_address(address)).is_none());
        }
    }
}
