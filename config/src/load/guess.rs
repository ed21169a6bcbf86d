//! What somebody meant who wrote something else.

/// How far a guess may lie from what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nearness {
    /// One letter wrong, missing, too many, or two swapped.
    Slip,
    /// A third of the letters.
    Far,
}

/// The nearest of `names`, if one is near.
pub(super) fn near<'n>(written: &str, names: &[&'n str], nearness: Nearness) -> Option<&'n str> {
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
    let (distance, name) = names.iter().map(|name| (distance(name), *name)).min_by_key(|(d, _)| *d)?;
    (distance <= allowed).then_some(name)
}

/// A question, or the list of `names` where none is near.
pub(super) fn or_list(written: &str, names: &[&str]) -> String {
    let begins =
        |name: &&&str| written.len() >= 3 && (name.starts_with(written) || written.starts_with(**name));
    match near(written, names, Nearness::Far).or_else(|| names.iter().find(begins).copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("one of {}", listed(names)),
    }
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
        assert_eq!(near("host", &names, Nearness::Slip), Some("hosts"));
        assert_eq!(near("Idle-After", &names, Nearness::Slip), Some("idle_after"));
        assert_eq!(near("wrong", &names, Nearness::Far), None);
        assert_eq!(or_list("directory", &names), "did you mean `dir`?");
        assert!(or_list("wrong", &names).contains("`paths`, `dir`"));
    }
}
