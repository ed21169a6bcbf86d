#![allow(clippy::unwrap_used, reason = "a test ends where it is wrong")]

use super::*;

fn candidate(name: &str) -> Candidate {
    Candidate { lease: "lead".into(), identity: name.into(), pod: None, link: format!("{name}.test:9902") }
}

/// A lease that `name` has taken, in this version.
fn held(name: &str, version: &str) -> Lease {
    let mut lease = claim(&Lease::default(), &candidate(name), Duty::Take);
    lease.metadata.resource_version = Some(version.into());
    lease
}

fn seen(lease: Lease, since: Instant) -> Option<Seen> {
    Some(Seen { lease, since })
}

#[test]
fn a_lease_is_over_when_it_has_not_changed_for_as_long_as_it_says() {
    let now = Instant::now();
    let theirs = seen(held("b", "1"), now);
    let just_before = now + DURATION - Duration::from_millis(1);
    assert_eq!(duty(theirs.as_ref(), &candidate("a"), just_before), Duty::Look);
    assert_eq!(duty(theirs.as_ref(), &candidate("a"), now + DURATION), Duty::Take);
    assert_eq!(duty(theirs.as_ref(), &candidate("b"), now + DURATION), Duty::Renew);
}

#[test]
fn nobody_takes_what_they_have_not_looked_at() {
    assert_eq!(duty(None, &candidate("a"), Instant::now()), Duty::Look);
    assert_eq!(
        duty(seen(Lease::default(), Instant::now()).as_ref(), &candidate("a"), Instant::now()),
        Duty::Take
    );
}

#[test]
fn the_same_version_seen_again_is_no_younger() {
    let now = Instant::now();
    let mut last = seen(held("b", "1"), now);
    note(&mut last, Some(held("b", "1")), now + DURATION);
    assert_eq!(last.as_ref().unwrap().since, now);
    note(&mut last, Some(held("b", "2")), now + DURATION);
    assert_eq!(last.unwrap().since, now + DURATION);
}

#[test]
fn each_taking_is_another_epoch_and_a_renewal_is_not() {
    let first = held("a", "1");
    let renewed = claim(&first, &candidate("a"), Duty::Renew);
    let second = claim(&renewed, &candidate("b"), Duty::Take);
    assert_eq!((epoch(&first), epoch(&renewed), epoch(&second)), (1, 1, 2));
    assert_eq!(second.metadata.resource_version, first.metadata.resource_version);
    assert_eq!(link(&second).as_deref(), Some("b.test:9902"));
}

#[test]
fn one_that_was_not_renewed_leads_until_its_time_is_over_and_no_longer() {
    let sent = Instant::now();
    let ours = seen(held("a", "1"), sent);
    let leads = stands(&Standing::Follows { leader: None }, ours.as_ref(), true, Some(sent));
    assert_eq!(leads, Standing::Leads { epoch: 1, until: sent + DURATION - MARGIN });
    assert_eq!(stands(&leads, ours.as_ref(), true, None), leads);
    let over = Standing::Leads { epoch: 1, until: sent };
    assert_eq!(stands(&over, ours.as_ref(), true, None), Standing::Follows { leader: None });
    let theirs = seen(held("b", "2"), sent);
    let leader = Some("b.test:9902".to_owned());
    assert_eq!(stands(&leads, theirs.as_ref(), false, None), Standing::Follows { leader });
}

#[test]
fn the_next_look_is_at_the_lease_s_end_where_that_comes_first() {
    let now = Instant::now();
    let old = seen(held("b", "1"), now - DURATION + Duration::from_secs(1));
    assert_eq!(next_round(old.as_ref(), &candidate("a"), now, now), now + Duration::from_secs(1));
    let fresh = seen(held("b", "1"), now);
    assert_eq!(next_round(fresh.as_ref(), &candidate("a"), now, now), now + INTERVAL);
    assert_eq!(next_round(seen(Lease::default(), now).as_ref(), &candidate("a"), now, now), now);
    assert_eq!(next_round(fresh.as_ref(), &candidate("b"), now, now), now + INTERVAL);
}

#[test]
fn who_is_all_that_is_left_of_the_holders_pod_takes_over_at_once() {
    let within = |name: &str, pod: &str| Candidate { pod: Some(pod.into()), ..candidate(name) };
    let (now, before) = (Instant::now(), claim(&Lease::default(), &within("a_1", "uid-1"), Duty::Take));
    let held = seen(before.clone(), now);
    assert_eq!(duty(held.as_ref(), &within("a_2", "uid-1"), now), Duty::Take);
    assert_eq!(duty(held.as_ref(), &within("a_1", "uid-1"), now), Duty::Renew);
    // Of another pod, or in none.
    assert_eq!(duty(held.as_ref(), &within("b", "uid-2"), now), Duty::Look);
    assert_eq!(duty(held.as_ref(), &candidate("c"), now), Duty::Look);
    // Who is in no pod leaves nobody's name behind.
    let next = claim(&before, &candidate("c"), Duty::Take);
    assert_eq!(duty(seen(next, now).as_ref(), &within("a_2", "uid-1"), now), Duty::Look);
    assert_eq!(epoch(&claim(&before, &within("a_2", "uid-1"), Duty::Take)), 2);
}
