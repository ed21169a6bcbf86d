#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::*;

mod model;

fn app(tenant: usize, n: usize) -> AppId {
    AppId::from_name(&config::model::AppName::parse(&format!("t{tenant}-{n}")).unwrap())
}

fn tenant(n: usize) -> Label {
    Label::parse(&format!("t{n}")).unwrap()
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// An admission in which each tenant has enqueued so many apps, in turn, and the time of that.
fn queued(slots: usize, apps: &[usize]) -> (Admission, Instant) {
    let (mut admission, now) = (Admission::new(slots), Instant::now());
    for n in 0..apps.iter().copied().max().unwrap_or(0) {
        for t in (0..apps.len()).filter(|t| n < apps[*t]) {
            admission.enqueue(app(t, n), tenant(t), now);
        }
    }
    (admission, now)
}

fn of(tenant: usize, starts: &[AppId]) -> usize {
    starts.iter().filter(|a| a.as_str().starts_with(&format!("t{tenant}-"))).count()
}

#[test]
fn a_lone_tenant_leaves_the_last_quarter_and_a_newcomer_finds_it() {
    let (mut admission, now) = queued(32, &[100]);
    assert_eq!(admission.grant(now).len(), 24);
    admission.enqueue(app(1, 0), tenant(1), now);
    assert_eq!(admission.grant(now), [app(1, 0)]);
}

#[test]
fn full_queues_share_equally() {
    let (mut admission, now) = queued(32, &[100, 100, 100, 100, 1]);
    let starts = admission.grant(now);
    assert_eq!((0..5).map(|t| of(t, &starts)).collect::<Vec<_>>(), [8, 8, 8, 7, 1]);
}

#[test]
fn few_slots_still_serve() {
    for (slots, alone, together) in [(0, 1, 1), (1, 1, 1), (2, 1, 2), (3, 2, 3), (4, 3, 4), (5, 4, 5)] {
        let (mut admission, now) = queued(slots, &[9]);
        assert_eq!(admission.grant(now).len(), alone, "{slots} slots, one tenant");
        let (mut admission, now) = queued(slots, &[9; 9]);
        assert_eq!(admission.grant(now).len(), together, "{slots} slots, nine tenants");
    }
}

#[test]
fn those_whose_visitors_have_left_come_last() {
    let (mut admission, start) = (Admission::new(1), Instant::now());
    for n in 0..3 {
        admission.enqueue(app(0, n), tenant(0), start + seconds(n as u64 * 10));
        admission.waiters(&app(0, n), u32::from(n == 2));
    }
    assert_eq!(admission.grant(start + seconds(59)), [app(0, 2)]);
}

#[test]
fn the_oldest_first_unless_many_wait_for_another() {
    let (mut admission, start) = (Admission::new(1), Instant::now());
    for n in 0..3 {
        admission.enqueue(app(0, n), tenant(0), start + seconds(n as u64 * 4));
    }
    // log2(1000 + 1) is 9: worth 8 s more than one waiter's 1 s, so it ties with the oldest, who was there first.
    admission.waiters(&app(0, 2), 1_000);
    let order: Vec<_> = (0..3)
        .flat_map(|_| {
            let starts = admission.grant(start + seconds(8));
            starts.iter().for_each(|a| admission.release(a));
            starts
        })
        .collect();
    assert_eq!(order, [app(0, 0), app(0, 2), app(0, 1)]);
}

#[test]
fn three_bad_images_stop_nobody() {
    let (mut admission, now) = queued(4, &[3, 3, 3, 3]);
    assert_eq!(admission.grant(now).len(), 4);
    assert_eq!(admission.next_expiry(), Some(now + SLOT_TIME));
    assert_eq!(admission.grant(now + SLOT_TIME - Duration::from_nanos(1)), []);
    assert_eq!(admission.grant(now + SLOT_TIME).len(), 4);
}

#[test]
fn enqueue_again_keeps_the_age_and_a_new_wake_returns_the_old_slot() {
    let (mut admission, now) = queued(1, &[2]);
    admission.enqueue(app(0, 0), tenant(0), now + seconds(9));
    assert_eq!(admission.grant(now), [app(0, 0)]);
    admission.enqueue(app(0, 0), tenant(0), now + seconds(10));
    assert_eq!((admission.in_use(), admission.queued()), (0, 2));
    assert_eq!(admission.grant(now + seconds(10)), [app(0, 1)]);
}

#[test]
fn nothing_is_kept_of_who_is_done() {
    let (mut admission, now) = queued(8, &[3, 3, 3]);
    let starts = admission.grant(now);
    starts.iter().for_each(|a| admission.release(a));
    (0..3).for_each(|t| (0..3).for_each(|n| admission.withdraw(&app(t, n))));
    assert!(admission.tenants.is_empty() && admission.ready.is_empty() && admission.running.is_empty());
    assert_eq!((admission.in_use(), admission.queued(), admission.next_expiry()), (0, 0, None));
}

/// Every start hangs until its slot expires; a tenant with one app joins each second, before each grant.
#[test]
fn a_stream_of_newcomers_starves_nobody() {
    for slots in [1, 2, 4, 32] {
        let (mut admission, start) = queued(slots, &[slots + 1]);
        assert!(!admission.grant(start).contains(&app(0, slots)));
        let served = (1..1_000).find(|s| {
            let now = start + seconds(*s);
            admission.enqueue(app(*s as usize, 0), tenant(*s as usize), now);
            admission.grant(now).contains(&app(0, slots))
        });
        // Once its own have expired (20 s) nobody new comes before it, but those of the meantime do.
        let bound = 20 + 20 * (20 / slots as u64 + 1);
        assert!(served.is_some_and(|s| s <= bound), "{slots} slots: {served:?} > {bound}");
    }
}

#[test]
fn an_estimate_counts_the_rounds_before() {
    let (mut admission, now) = queued(4, &[10]);
    assert_eq!(admission.estimate(&app(0, 0), now, seconds(2)), Some(seconds(2)));
    admission.grant(now);
    // Three at a time: 0 to 2 run, 3 to 5 are the second round, 9 is the fourth.
    assert_eq!(admission.estimate(&app(0, 0), now, seconds(2)), Some(seconds(2)));
    assert_eq!(admission.estimate(&app(0, 5), now, seconds(2)), Some(seconds(4)));
    assert_eq!(admission.estimate(&app(0, 9), now, seconds(2)), Some(seconds(8)));
    assert_eq!(admission.estimate(&app(1, 0), now, seconds(2)), None);
    // Starts that hang hold their slots no longer than SLOT_TIME.
    let late = now + seconds(15);
    assert_eq!(admission.estimate(&app(0, 3), late, seconds(2)), Some(seconds(5 + 2)));
}

/// Equal turns, one slot: the position is how many are really granted before.
#[test]
fn a_position_is_how_many_go_before() {
    for apps in [&[5][..], &[3, 3, 3], &[1, 4], &[6, 2, 1]] {
        let (mut admission, now) = queued(1, apps);
        let told: HashMap<_, _> =
            admission.queue().map(|app| (app.clone(), admission.position(app).unwrap())).collect();
        let mut order = Vec::new();
        while let [start] = admission.grant(now)[..].to_vec().as_slice() {
            order.push(start.clone());
            assert_eq!(admission.position(start), None, "it is no longer in line");
            admission.release(start);
        }
        assert_eq!(order.len(), apps.iter().sum::<usize>());
        for (place, app) in order.iter().enumerate() {
            assert!(
                told[app].abs_diff(place as u32) <= apps.len() as u32,
                "{app}: {} said, {place}",
                told[app]
            );
        }
        assert_eq!(told[&order[0]], 0, "{apps:?}");
    }
}

/// One tenant alone: the estimate is what happens.
#[test]
fn an_estimate_of_one_tenant_comes_true() {
    for slots in [1, 2, 3, 4, 8, 32] {
        let (admission, now) = queued(slots, &[100]);
        let happens = model::simulate(admission, now, seconds(3));
        let (admission, now) = queued(slots, &[100]);
        for (app, up) in happens {
            assert_eq!(admission.estimate(&app, now, seconds(3)), Some(up), "{slots} slots, {app}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Many tenants with queues of any length: off by two rounds at most, however many there are.
    #[test]
    fn estimates_come_true(slots in 1_usize..40, apps in prop::collection::vec(0_usize..60, 1..12)) {
        let (admission, now) = queued(slots, &apps);
        let typical = seconds(3);
        let estimates: HashMap<_, _> = admission
            .queued
            .keys()
            .map(|a| (a.clone(), admission.estimate(a, now, typical).unwrap()))
            .collect();
        for (app, up) in model::simulate(admission, now, typical) {
            let off = estimates[&app].abs_diff(up);
            prop_assert!(off <= 2 * typical, "{app}: {:?} said, {up:?} happened", estimates[&app]);
        }
    }

    #[test]
    fn follows_the_rules(
        slots in 0_usize..12,
        steps in prop::collection::vec((0_u8..10, 0_usize..5, 0_usize..8, 0_u32..3_000), 0..300),
    ) {
        let mut model = model::Model::new(slots);
        let (mut admission, mut now) = (Admission::new(slots), Instant::now());
        for (kind, t, n, number) in steps {
            let app = app(t, n);
            match kind {
                0..4 => { admission.enqueue(app.clone(), tenant(t), now); model.enqueue(app, t, now); }
                4 => { admission.waiters(&app, number); model.waiters(&app, number); }
                5 => { admission.withdraw(&app); model.withdraw(&app); }
                6 => { admission.release(&app); model.release(&app); }
                7 => now += Duration::from_millis(u64::from(number)),
                _ => model.check_grant(&admission.grant(now), now),
            }
            model.check_counts(&admission);
        }
    }
}

/// Prints what a mass wake costs; run it with `--ignored --nocapture` (and `--release`, for figures).
#[test]
#[ignore = "a measurement, not a check"]
#[allow(clippy::print_stdout, reason = "its result is what it prints")]
fn cost_of_a_mass_wake() {
    let begin = Instant::now();
    let (mut admission, now) = queued(32, &[100; 100]);
    let enqueued = begin.elapsed();
    let begin = Instant::now();
    let estimates: Duration =
        (0..10_000).filter_map(|i| admission.estimate(&app(i % 100, i / 100), now, seconds(1))).sum();
    let estimated = begin.elapsed();
    let begin = Instant::now();
    let mut starts = 0;
    loop {
        let granted = admission.grant(now);
        if granted.is_empty() {
            break;
        }
        starts += granted.len();
        granted.iter().for_each(|a| admission.release(a));
    }
    println!("10,000 apps of 100 tenants: enqueue {enqueued:?}, estimate {estimated:?} ({estimates:?})");
    println!("{starts} starts: {:?}", begin.elapsed());
}
