//! The counts of keys that have found no place of their own: a count-min sketch, in which each key shares every one of
//! its cells with others, but hardly ever all of them with the same.
//!
//! It is what a flood of keys meets when as many are in use as may be kept. The others that were thought of: to forget
//! keys that are in use (then whoever sends enough keys is rid of every limit), to let new keys share buckets at the
//! limit's own rate (then newcomers are locked out as long as the flood lasts), to refuse or admit all new keys. Here a
//! key never has more than it may (an estimate is never below what the key has used); a newcomer in a flood may find a
//! token missing, and all of them only if all its cells are shared with keys that have used them up; and whoever had a
//! place before keeps it, exact. With as many keys in flood as in place, one newcomer in six meets such a sharing.

use super::gcra::Now;

/// In how many cells a key is counted; it is estimated by the least of them.
const ROWS: usize = 4;

/// See the module.
#[derive(Debug)]
pub(super) struct Sketch {
    width: usize,
    /// When a bucket is full again, for each cell; rounded up to nanoseconds.
    full_at: Box<[Now]>,
    /// How many are open, for each cell; none before the first.
    open: Vec<u32>,
    /// When the last bucket is full again.
    last: Now,
    total_open: usize,
}

impl Sketch {
    /// Of this many cells in a row: as many as keys have a place of their own.
    pub(super) fn new(width: usize) -> Self {
        let full_at = vec![Now::default(); width * ROWS].into();
        Self { width, full_at, open: Vec::new(), last: Now::default(), total_open: 0 }
    }

    /// Whether nothing in it matters any more.
    pub(super) fn is_idle(&self, now: Now) -> bool {
        self.total_open == 0 && self.last <= now
    }

    /// When this key's bucket is full again, or earlier.
    pub(super) fn full_at(&self, key: u64) -> Now {
        self.cells(key).map(|cell| self.full_at[cell]).into_iter().min().unwrap_or_default()
    }

    /// Its bucket is full again then, and no earlier.
    pub(super) fn set_full_at(&mut self, key: u64, full_at: Now) {
        self.last = self.last.max(full_at);
        for cell in self.cells(key) {
            // Only what is less: a cell that says more says it of another key.
            self.full_at[cell] = self.full_at[cell].max(full_at);
        }
    }

    /// How many are open of this key, or fewer.
    pub(super) fn open(&self, key: u64) -> u32 {
        let cells = self.cells(key);
        cells.map(|cell| self.open.get(cell).copied().unwrap_or(0)).into_iter().min().unwrap_or(0)
    }

    /// One more is open.
    pub(super) fn enter(&mut self, key: u64) {
        self.open.resize(self.width * ROWS, 0);
        self.total_open += 1;
        self.cells(key).into_iter().for_each(|cell| self.open[cell] += 1);
    }

    /// One of those that have entered has left.
    pub(super) fn leave(&mut self, key: u64) {
        self.total_open -= 1;
        self.cells(key).into_iter().for_each(|cell| self.open[cell] -= 1);
    }

    /// All buckets, for a change of rate.
    pub(super) fn convert(&mut self, mut convert: impl FnMut(Now) -> Now) {
        self.full_at.iter_mut().for_each(|cell| *cell = convert(*cell));
        self.last = self.full_at.iter().max().copied().unwrap_or_default();
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.full_at) + size_of_val(&*self.open)
    }

    /// A key's cell in each row.
    fn cells(&self, key: u64) -> [usize; ROWS] {
        // Mixed, because the keys of one shard have some bits in common; each row then takes the bits of another place.
        let mixed = (key ^ key >> 32).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        std::array::from_fn(|row| {
            #[expect(clippy::cast_possible_truncation, reason = "32 bits are wanted")]
            let bits = mixed.rotate_left(16 * row as u32) >> 32;
            let column = ((bits * self.width as u64) >> 32) as usize;
            row * self.width + column
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key, as hashes are.
    fn key(number: u64) -> u64 {
        let mixed = (number ^ number >> 31).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB)
    }

    #[test]
    fn an_estimate_is_never_too_low_and_seldom_too_high() {
        let mut sketch = Sketch::new(1_000);
        for number in 0..1_000 {
            sketch.set_full_at(key(number), Now(number + 1));
            sketch.enter(key(number));
        }
        for number in 0..1_000 {
            assert!(sketch.full_at(key(number)) >= Now(number + 1));
            assert!(sketch.open(key(number)) >= 1);
        }
        let harmed = (10_000..20_000).filter(|number| sketch.full_at(key(*number)) > Now(0)).count();
        assert!((1_000..2_200).contains(&harmed), "(1 - 1/e)^4 of 10,000 is 1,597, not {harmed}");
    }

    #[test]
    fn what_has_left_and_what_is_over_leaves_nothing() {
        let mut sketch = Sketch::new(10);
        (0..100).for_each(|number| sketch.enter(key(number)));
        assert!(!sketch.is_idle(Now(5)));
        (0..100).for_each(|number| sketch.leave(key(number)));
        assert_eq!(sketch.open(key(3)), 0);
        sketch.set_full_at(key(1), Now(7));
        assert!(!sketch.is_idle(Now(6)) && sketch.is_idle(Now(7)));
    }
}
