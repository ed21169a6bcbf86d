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

/// An API server with one Lease, into which somebody else writes before each renewal, for as long as `busy`.
fn api(busy: watch::Receiver<bool>) -> Api<Lease> {
    let stored = std::sync::Arc::new(std::sync::Mutex::new((None::<Lease>, 0_u64)));
    let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
        let (stored, busy) = (std::sync::Arc::clone(&stored), *busy.borrow());
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect_bytes().await?;
            let mut stored = stored.lock().unwrap();
            let (lease, version) = &mut *stored;
            let renews = parts.method == http::Method::PUT;
            if renews && busy {
                *version += 1;
                lease.as_mut().unwrap().metadata.resource_version = Some(version.to_string());
            }
            let mut status = 200;
            if parts.method != http::Method::GET {
                let mut sent: Lease = serde_json::from_slice(&body).unwrap();
                let known = lease.as_ref().and_then(|lease| lease.metadata.resource_version.clone());
                if sent.metadata.resource_version == known {
                    *version += 1;
                    sent.metadata.resource_version = Some(version.to_string());
                    *lease = Some(sent);
                } else {
                    status = 409;
                }
            }
            let answer = match lease {
                Some(lease) if status == 200 => serde_json::to_vec(lease).unwrap(),
                _ => {
                    let (code, reason) = if status == 200 { (404, "NotFound") } else { (status, "Conflict") };
                    let said = serde_json::json!({ "kind": "Status", "status": "Failure", "code": code, "reason": reason });
                    status = code;
                    serde_json::to_vec(&said).unwrap()
                }
            };
            let answer = http::Response::builder().status(status).body(kube::client::Body::from(answer));
            Ok::<_, tower::BoxError>(answer.unwrap())
        }
    });
    Api::namespaced(kube::Client::new(service, "home"), "home")
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_others_were_quicker_than_does_not_count() {
    let (busy_tx, busy) = watch::channel(false);
    let (tx, mut standing) = watch::channel(Standing::Follows { leader: None });
    let electing = tokio::spawn(elect(api(busy), candidate("a"), tx));
    let leads = |now: &Standing| matches!(now, Standing::Leads { epoch: 1, .. });
    tokio::time::timeout(DURATION, standing.wait_for(leads)).await.unwrap().unwrap();
    tokio::time::sleep(2 * DURATION).await;
    assert!(leads(&standing.borrow()), "it is renewed");
    // By the clock of those who look it may be over since the last time that it was written by its holder.
    busy_tx.send_replace(true);
    tokio::time::sleep(DURATION).await;
    assert_eq!(*standing.borrow(), Standing::Follows { leader: None });
    busy_tx.send_replace(false);
    tokio::time::sleep(2 * RETRY).await;
    assert!(leads(&standing.borrow()), "it is still its own, and renewed at once");
    electing.abort();
}
