//! Bytes as hexadecimal digits, two for each.

/// In lower case.
pub fn encode(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| digits(*byte)).collect()
}

/// The two digits of a byte, in lower case.
pub fn digits(byte: u8) -> impl Iterator<Item = char> {
    [byte >> 4, byte & 0xf].into_iter().filter_map(|digit| char::from_digit(digit.into(), 16))
}

/// In either case; `None` where anything else is there, or half a byte.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let all: Vec<u8> = (0..=u8::MAX).collect();
        assert_eq!(decode(&encode(&all)), Some(all));
        assert_eq!(decode("C0ffee"), Some(vec![0xc0, 0xff, 0xee]));
        for not in ["0", "0g", "+1", " 1", "0x", "é"] {
            assert_eq!(decode(not), None, "{not}");
        }
    }
}
