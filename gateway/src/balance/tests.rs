#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;

use proptest::prelude::*;

use super::retry::{self, Again, Budget, Count, Outcome};
use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn endpoint(port: u16, weight: u32) -> Endpoint {
    Endpoint { address: SocketAddr::from(([127, 0, 0, 1], port)), weight }
}

fn endpoints(weights: &[u32]) -> Arc<Endpoints> {
    let endpoints: Vec<_> = (1..).zip(weights).map(|(port, weight)| endpoint(port, *weight)).collect();
    Endpoints::of(&endpoints, Before::Nothing).unwrap()
}

fn settings() -> settings::Gateway {
    settings::Gateway::default()
}

/// How many of `requests`, one after the other, each endpoint gets.
fn spread(endpoints: &Arc<Endpoints>, requests: usize) -> Vec<usize> {
    let mut counts = vec![0; endpoints.members.len()];
    for _ in 0..requests {
        let share = endpoints.choose(&Tried::default(), 10 * SECOND).unwrap();
        counts[usize::from(share.address().port()) - 1] += 1;
    }
    counts
}

/// Requests that this one fails, as one after the other.
fn fail(endpoints: &Arc<Endpoints>, port: u16, times: usize) -> Vec<bool> {
    let member = endpoints.members[usize::from(port) - 1].clone();
    let share = Share { endpoints: endpoints.clone(), member };
    share.member.begin();
    (0..times).map(|_| share.failed(&settings())).collect()
}

#[tokio::test(start_paused = true)]
async fn each_gets_its_part_by_weight_and_weight_0_gets_none() {
    let counts = spread(&endpoints(&[1, 3, 0]), 40_000);
    assert!((29_000..31_000).contains(&counts[1]) && counts[2] == 0, "{counts:?}");
    let counts = spread(&endpoints(&[1, 1]), 10_000);
    assert!(counts.iter().all(|count| (4_500..5_500).contains(count)), "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_one_gets_less_while_its_requests_are_open() {
    let all = endpoints(&[1, 1, 1]);
    let mut held = Vec::new();
    for _ in 0..300 {
        let share = all.choose(&Tried::default(), SECOND).unwrap();
        // The first one never answers.
        if share.address().port() == 1 {
            held.push(share);
        }
    }
    assert!(held.len() < 30, "{} of 300 went to one that never answers", held.len());
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_five_times_in_a_row_is_left_out_for_a_while() {
    let all = endpoints(&[1, 1, 1]);
    tokio::time::advance(20 * SECOND).await;
    assert_eq!(fail(&all, 1, 4), [false; 4]);
    all.members[0].succeeded();
    assert_eq!(fail(&all, 1, 5), [false, false, false, false, true]);
    assert_eq!((all.out(), spread(&all, 100)[0]), (1, 0));
    tokio::time::advance(30 * SECOND).await;
    let back = spread(&all, 1_000)[0];
    assert!((1..200).contains(&back), "{back} of 1,000 at once");
    tokio::time::advance(10 * SECOND).await;
    let back = spread(&all, 3_000)[0];
    assert!((800..1_200).contains(&back), "{back} of 3,000 in the end");
    assert_eq!(fail(&all, 1, 1), [true], "it has not answered since");
}

#[tokio::test(start_paused = true)]
async fn never_more_than_half_are_out() {
    let all = endpoints(&[1, 1, 1, 0]);
    tokio::time::advance(SECOND).await;
    assert_eq!(fail(&all, 1, 5).last(), Some(&true));
    assert_eq!(fail(&all, 2, 50), [false; 50], "two of three would be more than half");
    let two = endpoints(&[1, 1]);
    assert_eq!(fail(&two, 1, 5).last(), Some(&true));
    assert_eq!(fail(&two, 2, 5), [false; 5]);
}

#[tokio::test(start_paused = true)]
async fn what_is_known_of_an_endpoint_outlives_the_list_it_is_in() {
    let all = endpoints(&[1, 1]);
    let open = all.choose(&Tried::default(), SECOND).unwrap();
    fail(&all, 1, 5);
    let more: Vec<_> = (1..=3).map(|port| endpoint(port, 2)).collect();
    let more = Endpoints::of(&more, Before::Several(&all)).unwrap();
    assert_eq!(more.out(), 1);
    drop(open);
    assert_eq!(more.members.iter().map(|member| member.open()).sum::<u32>(), 0);
    let one = Endpoints::of(&[endpoint(1, 1)], Before::Several(&more)).unwrap();
    assert_eq!(one.choose(&Tried::default(), SECOND).unwrap().address().port(), 1, "out, and all there is");
    let again = Endpoints::of(&[endpoint(1, 1), endpoint(2, 1)], Before::Several(&one)).unwrap();
    assert_eq!(again.out(), 1);
    assert!(Endpoints::of(&[endpoint(1, 1)], Before::Nothing).is_none(), "nothing to choose");
}

#[tokio::test(start_paused = true)]
async fn a_request_goes_nowhere_twice() {
    let all = endpoints(&[1, 1, 1]);
    let mut tried = Tried::default();
    for left in (0..3).rev() {
        let share = all.choose(&tried, SECOND).unwrap();
        tried.add(share.address());
        assert_eq!(all.has_other_than(&tried), left > 0);
    }
    assert!(all.choose(&tried, SECOND).is_none());
}

#[tokio::test(start_paused = true)]
async fn retries_are_a_fifth_of_the_requests_and_a_few_at_least() {
    let budget = Budget::default();
    let spent = |answered, times: usize| (0..times).filter(|_| budget.spend(answered, 20)).count();
    assert_eq!(spent(1_000, 50), 10, "nothing was answered in this window");
    assert_eq!(spent(1_200, 50), 30, "a fifth of 200, less those before");
    tokio::time::advance(10 * SECOND).await;
    assert_eq!(spent(1_200, 50), 10);
    assert!(!Budget::default().spend(1_000, 0), "none at all, where there is no budget");
}

#[test]
fn what_is_done_with_a_request_that_failed() {
    use Again::{Elsewhere, Later, No};
    use Outcome::{Repeatable, Unsent};
    for (outcome, tries, has_other, budget, again) in [
        (Unsent, 1, true, true, Elsewhere),
        (Repeatable, 1, true, true, Elsewhere),
        (Repeatable, 2, true, true, Elsewhere),
        (Repeatable, 3, true, true, No),
        (Repeatable, 1, true, false, No),
        (Repeatable, 1, false, true, Later),
        (Repeatable, 1, false, false, No),
        (Repeatable, 2, false, true, No),
        (Unsent, 1, true, false, No),
        (Unsent, 3, false, true, Later),
        (Unsent, 4, false, true, No),
    ] {
        let count = Count { tries, sent: if outcome == Repeatable { tries } else { 0 } };
        let decided = retry::decide(outcome, count, 4, has_other, || budget);
        assert_eq!(decided, again, "{outcome:?}, tried {tries} times, {has_other}, {budget}");
    }
}

proptest! {
    #[test]
    fn the_choice_is_one_that_has_weight_if_any_has(
        standings in prop::collection::vec((0_u64..5, 0_u32..4), 0..8), seed in any::<u64>(),
    ) {
        let standings: Vec<_> =
            standings.into_iter().map(|(weight, open)| Standing { weight, open }).collect();
        let mut random = fastrand::Rng::with_seed(seed);
        let picked = pick(standings.len(), |index| standings[index], |below| random.u64(..below));
        match picked {
            Some(index) => prop_assert!(standings[index].weight > 0),
            None => prop_assert!(standings.iter().all(|standing| standing.weight == 0)),
        }
    }
}
