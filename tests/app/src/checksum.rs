//! Whether bytes arrived whole and in order. Also part of the black-box tests, which compare.

/// FNV-1a with 64 bits: not for enemies, but a lost, doubled or moved byte changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checksum {
    hash: u64,
    length: u64,
}

impl Checksum {
    /// Of no bytes.
    pub(crate) const EMPTY: Self = Self { hash: 0xcbf2_9ce4_8422_2325, length: 0 };

    /// Takes in the next bytes.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        let mut hash = self.hash;
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
        self.hash = hash;
        self.length += bytes.len() as u64;
    }

    /// How many bytes were taken in.
    pub(crate) fn length(self) -> u64 {
        self.length
    }

    /// Sixteen hexadecimal digits.
    pub(crate) fn hex(self) -> String {
        format!("{:016x}", self.hash)
    }
}

#[cfg(test)]
mod tests {
    use super::Checksum;

    #[test]
    fn is_fnv_1a_and_does_not_depend_on_how_bytes_are_cut() {
        let mut whole = Checksum::EMPTY;
        whole.add(b"foobar");
        let mut cut = Checksum::EMPTY;
        cut.add(b"foo");
        cut.add(b"bar");
        assert_eq!(whole, cut);
        // From the test vectors of draft-eastlake-fnv.
        assert_eq!(whole.hex(), "85944171f73967e8");
        assert_eq!(whole.length(), 6);
    }
}
