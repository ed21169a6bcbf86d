//! What somebody meant who wrote something else.

/// How far a guess may lie from what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nearness {
    /// One letter wrong, missing, too many, or two swapped.
    Slip,
    /// A third of the letters.
    Far,
}

/// The nearest of `names`, as a question; `None` if none is near. Two that are as near are both named.
pub(super) fn near(written: &str, names: &[&str], nearness: Nearness) -> Option<String> {
    const LONGEST: usize = 64;
    if written.len() > LONGEST {
        return None;
    }
    let allowed = match nearness {
        Nearness::Slip => 1,
        Nearness::Far => (written.chars().count() / 3).max(1),
    };
    let plain = written.to_ascii_lowercase().replace('-', "_");
    let distance = |name: &str| strsim::osa_distance(&plain, name).min(strsim::osa_distance(written, name));
    let distances: Vec<_> = names.iter().map(|name| (distance(name), *name)).collect();
    let least = distances.iter().map(|(distance, _)| *distance).min().filter(|least| *least <= allowed)?;
    let nearest: Vec<_> = distances.into_iter().filter(|(d, _)| *d == least).map(|(_, name)| name).collect();
    Some(question(&nearest))
}

/// A question, or the list of `names` where none is near.
pub(super) fn or_list(written: &str, names: &[&str]) -> String {
    let begins =
        |name: &&&str| written.len() >= 3 && (name.starts_with(written) || written.starts_with(**name));
    let longer = || names.iter().find(begins).map(|name| question(&[name]));
    near(written, names, Nearness::Far).or_else(longer).unwrap_or_else(|| format!("one of {}", listed(names)))
}

fn question(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    format!("did you mean {}?", quoted.join(" or "))
}

/// The names as one reads them.
pub(super) fn listed(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_guessed_and_a_stranger_is_not() {
        let names = ["hosts", "paths", "dir", "idle_after"];
        assert_eq!(near("host", &names, Nearness::Slip), Some("did you mean `hosts`?".to_owned()));
        assert_eq!(near("Idle-After", &names, Nearness::Slip), Some("did you mean `idle_after`?".to_owned()));
        let both = near("htcp", &["http", "tcp"], Nearness::Slip);
        assert_eq!(both, Some("did you mean `http` or `tcp`?".to_owned()));
        assert_eq!(near("wrong", &names, Nearness::Far), None);
        assert_eq!(or_list("directory", &names), "did you mean `dir`?");
        assert!(or_list("wrong", &names).contains("`paths`, `dir`"));
    }
}
