//! Kubernetes' quantities: `100m`, `1.5`, `128Mi`, `1e3` (apimachinery, `resource.Quantity`).

use std::str::FromStr;

/// A quantity in thousandths, rounded up as Kubernetes rounds requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity(u128);

/// The text is no quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a quantity is a number with a suffix such as m, k, M, Ki, Mi or Gi")]
pub struct QuantityError;

/// Suffixes, each in thousandths.
const SUFFIXES: [(&str, u128); 14] = [
    ("Ki", 1_000 << 10),
    ("Mi", 1_000 << 20),
    ("Gi", 1_000 << 30),
    ("Ti", 1_000 << 40),
    ("Pi", 1_000 << 50),
    ("Ei", 1_000 << 60),
    ("m", 1),
    ("k", 1_000_000),
    ("M", 1_000_000_000),
    ("G", 1_000_000_000_000),
    ("T", 1_000_000_000_000_000),
    ("P", 1_000_000_000_000_000_000),
    ("E", 1_000_000_000_000_000_000_000),
    ("", 1_000),
];
/// Digits of a number, beyond which it is none.
const MOST_DIGITS: usize = 18;

impl Quantity {
    /// In thousandths: of a core, these are Kubernetes' `m`.
    pub fn thousandths(self) -> u64 {
        u64::try_from(self.0).unwrap_or(u64::MAX)
    }

    /// In whole units, such as bytes, rounded up.
    pub fn whole(self) -> u64 {
        u64::try_from(self.0.div_ceil(1_000)).unwrap_or(u64::MAX)
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let text = text.strip_prefix('+').unwrap_or(text);
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, suffix) = text.split_at(digits);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.len() + fraction.len() == 0 || whole.len() > MOST_DIGITS || fraction.len() > MOST_DIGITS {
            return Err(QuantityError);
        }
        let scale = scale(suffix)?;
        let parse = |digits: &str| match digits {
            "" => Ok(0),
            digits => digits.parse::<u128>().map_err(|_| QuantityError),
        };
        let (whole, part) = (parse(whole)?, parse(fraction)?);
        let (up, down) = match scale {
            Scale::Times(scale) => (scale, 1),
            Scale::Over(scale) => (1, scale),
        };
        let ten = |n: usize| u32::try_from(n).ok().and_then(|n| 10_u128.checked_pow(n)).ok_or(QuantityError);
        let unit = ten(fraction.len())?;
        let exact = whole.checked_mul(unit).and_then(|n| n.checked_add(part)).and_then(|n| n.checked_mul(up));
        let over = unit.checked_mul(down).ok_or(QuantityError)?;
        Ok(Self(exact.ok_or(QuantityError)?.div_ceil(over)))
    }
}

/// What a number is multiplied with, or divided by, to be thousandths.
enum Scale {
    Times(u128),
    Over(u128),
}

fn scale(suffix: &str) -> Result<Scale, QuantityError> {
    match suffix {
        "u" => return Ok(Scale::Over(1_000)),
        "n" => return Ok(Scale::Over(1_000_000)),
        _ => {}
    }
    if let Some((_, scale)) = SUFFIXES.iter().find(|(name, _)| *name == suffix) {
        return Ok(Scale::Times(*scale));
    }
    let exponent = suffix.strip_prefix(['e', 'E']).ok_or(QuantityError)?;
    let exponent: i32 = exponent.parse().map_err(|_| QuantityError)?;
    let ten = |n: i32| u32::try_from(n).ok().and_then(|n| 10_u128.checked_pow(n)).ok_or(QuantityError);
    if exponent + 3 >= 0 { ten(exponent + 3).map(Scale::Times) } else { ten(-exponent - 3).map(Scale::Over) }
}
