//! The queue of one tenant: an ordered set that also knows how many come before an entry.

use std::time::Instant;

use config::model::AppId;

/// Entries in a chunk before it is split in two. A rank adds up one length for each chunk before the entry: with
/// 10,000 entries about 60, so that asking for every estimate after a mass wake stays cheap. `BTreeSet` cannot
/// tell a rank without walking.
const CHUNK: usize = 256;

/// A place in the queue; the smaller one is granted earlier.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Those for whom nobody waits come after all others.
    pub(super) wanted: Wanted,
    /// When it would be its turn, see [`super::head_start`].
    pub(super) due: Instant,
    /// Grows with each enqueue: it decides between equal `due`, first in first out.
    pub(super) serial: u64,
    /// Who waits here.
    pub(super) app: AppId,
}

/// Whether anybody waits for an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wanted {
    /// Somebody does.
    Yes,
    /// Whoever did has left.
    NoMore,
}

/// Places in order, in chunks that are never empty.
#[derive(Debug, Default)]
pub(super) struct Ranked {
    chunks: Vec<Vec<Place>>,
}

impl Ranked {
    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.chunks.iter().map(Vec::len).sum()
    }

    /// How many places come before this one.
    pub(super) fn rank(&self, place: &Place) -> usize {
        let chunk = self.chunk_of(place);
        let before: usize = self.chunks.iter().take(chunk).map(Vec::len).sum();
        before + self.chunks.get(chunk).map_or(0, |c| c.partition_point(|p| p < place))
    }

    pub(super) fn insert(&mut self, place: Place) {
        // One behind the last chunk belongs into the last.
        let at = self.chunk_of(&place).min(self.chunks.len().saturating_sub(1));
        let Some(chunk) = self.chunks.get_mut(at) else {
            self.chunks.push(vec![place]);
            return;
        };
        let index = chunk.partition_point(|p| *p < place);
        chunk.insert(index, place);
        if chunk.len() > CHUNK {
            let upper = chunk.split_off(CHUNK / 2);
            self.chunks.insert(at + 1, upper);
        }
    }

    pub(super) fn remove(&mut self, place: &Place) {
        let at = self.chunk_of(place);
        let Some(chunk) = self.chunks.get_mut(at) else { return };
        if let Ok(index) = chunk.binary_search(place) {
            chunk.remove(index);
        }
        if chunk.is_empty() {
            self.chunks.remove(at);
        }
    }

    pub(super) fn pop_first(&mut self) -> Option<Place> {
        let first = self.chunks.first()?.first()?.clone();
        self.remove(&first);
        Some(first)
    }

    /// The chunk that holds the place if any does: the first whose last entry is not before it.
    fn chunk_of(&self, place: &Place) -> usize {
        self.chunks.partition_point(|c| c.last().is_some_and(|last| last < place))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::collections::BTreeSet;
    use std::time::Duration;

    use config::model::AppName;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn agrees_with_a_btree_set(steps in prop::collection::vec((0_u8..8, 0_u64..600), 0..2_000)) {
            let start = Instant::now();
            let app = AppId::from_name(&AppName::parse("a").unwrap());
            let wanted = Wanted::Yes;
            let place = |n| Place { wanted, due: start + Duration::from_secs(n % 97), serial: n, app: app.clone() };
            let (mut ranked, mut model) = (Ranked::default(), BTreeSet::new());
            for (kind, n) in steps {
                match kind {
                    0..5 => if model.insert(place(n)) { ranked.insert(place(n)) },
                    5..7 => { model.remove(&place(n)); ranked.remove(&place(n)) },
                    _ => prop_assert_eq!(ranked.pop_first(), model.pop_first()),
                }
                prop_assert_eq!(ranked.rank(&place(n)), model.range(..place(n)).count());
                prop_assert_eq!(ranked.len(), model.len());
                prop_assert_eq!(ranked.is_empty(), model.is_empty());
            }
        }
    }
}
