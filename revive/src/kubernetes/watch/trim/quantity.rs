//! Quantities (apimachinery, `resource.Quantity`): `500m`, `1.5Gi`, `2e3`.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

const THOUSAND: f64 = 1_000.0;
const KIBI: f64 = 1_024.0;

/// The quantity in thousandths, rounded up; what is none counts as nothing, as the API server lets none pass.
pub(super) fn thousandths(of: &Quantity) -> u64 {
    whole(parse(&of.0).unwrap_or_default() * THOUSAND)
}

/// The quantity in wholes, rounded up.
pub(super) fn wholes(of: &Quantity) -> u64 {
    whole(parse(&of.0).unwrap_or_default())
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what is too large or negative saturates"
)]
fn whole(of: f64) -> u64 {
    // What floating point adds in the twelfth digit must not become another byte.
    (of - of.abs() * 1e-12).ceil() as u64
}

fn parse(text: &str) -> Option<f64> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match text.get(digits.len()..)? {
        "n" => THOUSAND.powi(-3),
        "u" => THOUSAND.powi(-2),
        "m" => THOUSAND.powi(-1),
        "k" => THOUSAND,
        "M" => THOUSAND.powi(2),
        "G" => THOUSAND.powi(3),
        "T" => THOUSAND.powi(4),
        "P" => THOUSAND.powi(5),
        "E" => THOUSAND.powi(6),
        "Ki" => KIBI,
        "Mi" => KIBI.powi(2),
        "Gi" => KIBI.powi(3),
        "Ti" => KIBI.powi(4),
        "Pi" => KIBI.powi(5),
        "Ei" => KIBI.powi(6),
        _ => return None,
    };
    Some(digits.parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_kubernetes_writes_them() {
        let quantity = |text: &str| Quantity(text.to_owned());
        for (text, thousandth) in
            [("1", 1_000), ("500m", 500), ("1.5", 1_500), ("100u", 1), ("2e3", 2_000_000)]
        {
            assert_eq!(thousandths(&quantity(text)), thousandth, "{text}");
        }
        for (text, bytes) in
            [("64Mi", 64 << 20), ("1.5Gi", 3 << 29), ("1M", 1_000_000), ("12", 12), ("x", 0), ("-1", 0)]
        {
            assert_eq!(wholes(&quantity(text)), bytes, "{text}");
        }
    }
}
