//! Figures for people and for plots.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value, json};

use crate::Outcome;

/// A distribution, in the unit of what went into it.
#[derive(Clone, Debug)]
pub struct Distribution {
    sorted: Vec<f64>,
}

impl Distribution {
    /// Of these values.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self { sorted: values }
    }

    /// Of all that went into these.
    pub fn merge<'a>(parts: impl Iterator<Item = &'a Self>) -> Self {
        Self::of(parts.flat_map(|part| part.sorted.iter().copied()).collect())
    }

    /// The value that `share` (0 to 1) of all do not exceed (nearest rank); 0 of none.
    pub fn quantile(&self, share: f64) -> f64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank is small and positive"
        )]
        let rank = (share * self.sorted.len() as f64).ceil() as usize;
        self.sorted.get(rank.max(1) - 1).copied().unwrap_or(0.0)
    }

    /// For the plots: the usual quantiles, and the curve at every percent.
    pub fn json(&self) -> Value {
        let round = |value: f64| (value * 1_000.0).round() / 1_000.0;
        let curve: Vec<f64> =
            (0..=100).map(|percent| round(self.quantile(f64::from(percent) / 100.0))).collect();
        json!({
            "count": self.sorted.len(),
            "p50": round(self.quantile(0.5)),
            "p95": round(self.quantile(0.95)),
            "p99": round(self.quantile(0.99)),
            "max": round(self.quantile(1.0)),
            "curve": curve,
        })
    }

    /// `p50 p95 p99 max`.
    pub fn row(&self) -> String {
        let quantiles = [0.5, 0.95, 0.99, 1.0].map(|share| format!("{:>8.2}", self.quantile(share)));
        quantiles.join(" ")
    }
}

/// Writes a scenario's figures to `loadtests/results/NAME.json`, with the commit they were taken at.
///
/// # Errors
/// Where it cannot be written.
pub fn save(name: &str, figures: Map<String, Value>) -> Outcome<()> {
    let mut all =
        json!({ "scenario": name, "commit": commit(), "cores": std::thread::available_parallelism()?.get() });
    if let Value::Object(all) = &mut all {
        all.extend(figures);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("results").join(format!("{name}.json"));
    Ok(fs::write(path, format!("{all:#}\n"))?)
}

/// Shows a line to whoever watches.
pub fn say(line: &str) {
    // Nobody watches: the figures are in the file.
    let _closed = writeln!(io::stdout(), "{line}");
}

/// The last commit that changed what is measured; `+` where there are changes in them that are not committed.
fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output =
            Command::new("git").args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().ok()?;
        String::from_utf8(output.stdout).ok().map(|text| text.trim().to_owned())
    };
    let head = git(&["log", "-1", "--format=%h", "--abbrev=12", "--", ":/", ":!/loadtests", ":!/docs"]);
    let head = head.unwrap_or_default();
    let changed = git(&["status", "--porcelain", "--", ":/", ":!/loadtests", ":!/docs"]);
    let clean = changed.is_some_and(|changed| changed.is_empty());
    if clean { head } else { head + "+" }
}

#[cfg(test)]
mod tests {
    use super::Distribution;

    #[test]
    fn quantiles_are_of_the_nearest_rank() {
        let all = Distribution::of((1..=200).rev().map(f64::from).collect());
        assert!((all.quantile(0.5) - 100.0).abs() < f64::EPSILON);
        assert!((all.quantile(0.99) - 198.0).abs() < f64::EPSILON);
        assert!((all.quantile(1.0) - 200.0).abs() < f64::EPSILON);
        assert!(Distribution::of(Vec::new()).quantile(0.5).abs() < f64::EPSILON);
    }
}
