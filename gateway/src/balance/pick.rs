//! The choice itself: pure, with chance from outside.

/// How an endpoint stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// Its part against the others'; 0 is not chosen.
    pub(super) weight: u64,
    /// Requests that are at it.
    pub(super) open: u32,
}

impl Standing {
    /// Whether it has less to do than the other, for its weight. Of two that have nothing to do neither has: then the
    /// one stays that was proposed first, as often as its weight says.
    fn is_freer_than(self, other: Self) -> bool {
        let load = |of: Self, by: Self| u128::from(of.open) * u128::from(by.weight);
        load(self, other) < load(other, self)
    }
}

/// Of `count` endpoints two are proposed by chance, each as often as its weight says; the freer one is chosen. `random`
/// gives a number below another. `None` if no weight is left.
pub(super) fn pick(
    count: usize,
    standing: impl Fn(usize) -> Standing,
    mut random: impl FnMut(u64) -> u64,
) -> Option<usize> {
    let total = (0..count).map(|index| standing(index).weight).sum();
    let first = propose(count, total, None, &standing, &mut random)?;
    let rest = total - standing(first).weight;
    let Some(second) = propose(count, rest, Some(first), &standing, &mut random) else { return Some(first) };
    Some(if standing(second).is_freer_than(standing(first)) { second } else { first })
}

fn propose(
    count: usize,
    total: u64,
    but: Option<usize>,
    standing: impl Fn(usize) -> Standing,
    random: &mut impl FnMut(u64) -> u64,
) -> Option<usize> {
    if total == 0 {
        return None;
    }
    let mut left = random(total);
    for index in (0..count).filter(|index| Some(*index) != but) {
        let weight = standing(index).weight;
        if left < weight {
            return Some(index);
        }
        left -= weight;
    }
    // Weights grow while an endpoint comes back, and may be out in the next moment: the sum was of a moment ago.
    (0..count).find(|index| Some(*index) != but && standing(*index).weight > 0)
}
