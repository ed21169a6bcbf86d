#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::num::NonZeroU32;
use std::sync::atomic::AtomicUsize;

use super::*;

const SECOND: u64 = 1_000_000_000;

fn bounds(rate: &str, burst: u32) -> Bounds {
    let rate = rate.parse::<Rate>().unwrap().with_burst(NonZeroU32::new(burst).unwrap());
    Bounds { rate: Some(rate), concurrency: None }
}

fn at_once(most: u32) -> Bounds {
    Bounds { rate: None, concurrency: NonZeroU32::new(most) }
}

/// A key as hashes are: any number is another one.
fn key(number: u64) -> u64 {
    let mixed = (number ^ number >> 31).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ mixed >> 31
}

fn ask(counts: &Arc<Counts>, key: u64, now: u64) -> Result<Option<Held>, Denied> {
    let mut shard = counts.shard(key);
    shard.check(key, Now(now))?;
    Ok(counts.take(&mut shard, key, Now(now)))
}

/// The part of a whole count that is tried here, as `LOCO_TEST_SCALE` says.
fn scaled(whole: u64) -> u64 {
    let scale =
        std::env::var("LOCO_TEST_SCALE").ok().and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.1);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "small"
    )]
    let scaled = (whole as f64 * scale) as u64;
    scaled.max(1_000)
}

#[test]
fn one_key_is_exact_across_threads() {
    let counts = Counts::new(bounds("1/d", 500), 100);
    let open = Counts::new(at_once(7), 100);
    let (admitted, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let now_open = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for round in 0..1_000 {
                    if ask(&counts, 1, round).is_ok() {
                        admitted.fetch_add(1, Relaxed);
                    }
                    if let Ok(held) = ask(&open, 1, 0) {
                        most.fetch_max(now_open.fetch_add(1, Relaxed) + 1, Relaxed);
                        std::thread::yield_now();
                        now_open.fetch_sub(1, Relaxed);
                        drop(held);
                    }
                }
            });
        }
    });
    assert_eq!(admitted.into_inner(), 500);
    assert!((1..=7).contains(&most.into_inner()));
    let held: Vec<_> = (0..9).map(|_| ask(&open, 1, 0)).collect();
    assert_eq!(held.iter().filter(|held| held.is_ok()).count(), 7, "all slots are free again");
}

#[test]
fn a_slot_is_free_when_its_holder_is_gone_and_not_before() {
    let counts = Counts::new(at_once(2), 100);
    let first = ask(&counts, 1, 0).unwrap();
    let _second = ask(&counts, 1, 0).unwrap();
    assert_eq!(ask(&counts, 1, 0).unwrap_err(), Denied::Open);
    assert!(ask(&counts, 2, 0).is_ok(), "another key's");
    drop(first);
    assert!(ask(&counts, 1, 0).is_ok());
}

#[test]
fn a_change_keeps_what_was_used_and_what_is_open() {
    let both = Bounds { concurrency: NonZeroU32::new(3), ..bounds("1/min", 4) };
    let counts = Counts::new(both, 100);
    let held = [ask(&counts, 1, 0).unwrap(), ask(&counts, 1, 0).unwrap()];
    counts.change(Bounds { concurrency: NonZeroU32::new(2), ..bounds("1/min", 6) }, Now(0));
    assert_eq!(ask(&counts, 1, 0).unwrap_err(), Denied::Open, "those that were open before");
    drop(held);
    let left = (0..9).filter(|_| ask(&counts, 1, 0).is_ok()).count();
    assert_eq!(left, 4, "six but for the two that were used");
    counts.change(bounds("60/min", 6), Now(0));
    assert_eq!(ask(&counts, 1, 0).unwrap_err(), Denied::Rate(Duration::from_secs(1)));
    counts.change(at_once(1), Now(0));
    assert!(ask(&counts, 1, 0).is_ok(), "no rate any more");
}

#[test]
fn a_bound_that_was_not_there_when_a_request_came_does_not_count_it() {
    let counts = Counts::new(bounds("60/min", 9), 100);
    let before = ask(&counts, 1, 0).unwrap();
    assert!(before.is_none());
    counts.change(at_once(1), Now(0));
    let held = ask(&counts, 1, 0).unwrap();
    counts.change(bounds("60/min", 9), Now(0));
    drop(held);
    counts.change(at_once(1), Now(0));
    assert!(ask(&counts, 1, 0).is_ok(), "it had left while nobody counted");
}

#[test]
fn who_has_all_tokens_is_forgotten_at_no_loss() {
    let counts = Counts::new(bounds("60/min", 2), 1_000);
    for number in 0..100_000 {
        // 500 a second: as many are in use at once, and no more.
        assert!(ask(&counts, key(number), number * SECOND / 500).is_ok());
    }
    assert!(counts.keys() < 1_000, "{}", counts.keys());
    assert_eq!(counts.overflowed(), 0);
}

/// 1,000,000 keys in a minute: ten times as many as are kept.
#[test]
fn a_flood_of_keys_takes_no_more_memory_and_harms_nobody_who_was_there() {
    let flood = scaled(1_000_000);
    let most_keys = usize::try_from(flood / 10).unwrap();
    let counts = Counts::new(bounds("5/min", 2), most_keys);
    let known: Vec<u64> = (0..100).map(|number| key(u64::MAX - number)).collect();
    known.iter().for_each(|known| assert!(ask(&counts, *known, 0).is_ok()));
    let (mut newcomers, mut refused) = (0, 0);
    for number in 0..flood {
        let now = number * 60 * SECOND / flood;
        assert!(number % 1_000 > 0 || counts.keys() <= most_keys + SHARDS);
        if ask(&counts, key(number), now).is_err() {
            refused += 1;
        }
        // They go on at their rate, one each 12 s, and each is let through.
        if number % (flood / 5) == flood / 5 - 1 {
            known.iter().for_each(|known| assert!(ask(&counts, *known, now + SECOND / 100).is_ok()));
        }
        newcomers += 1;
    }
    assert!(counts.overflowed() > 0, "or this was no flood");
    assert!(counts.keys() <= most_keys + SHARDS, "{}", counts.keys());
    assert_eq!(newcomers, flood);
    let bytes = bytes(&counts) / most_keys;
    assert!(bytes <= 100, "{bytes} for each key that is kept");
    assert!(
        refused * 20 < flood,
        "newcomers have two tokens, and hardly ever miss both: {refused} of {flood}"
    );
    // Nobody is admitted for being one of many: one that found no place has two tokens, too.
    let late = key(flood + 7);
    let admitted = (0..10).filter(|_| ask(&counts, late, 60 * SECOND).is_ok()).count();
    assert!((0..=2).contains(&admitted));
    // When it is over, all is as before.
    let later = 600 * SECOND;
    let again: Vec<u64> = (0..flood / 20).map(|number| key(2 * flood + number)).collect();
    let admitted = again.iter().filter(|key| ask(&counts, **key, later).is_ok()).count();
    assert_eq!(admitted, again.len());
    assert!(counts.shards.iter().all(|shard| lock(shard).sketch.is_none()), "its memory is given back");
}

#[test]
fn what_is_open_is_counted_without_a_place_of_its_own() {
    let counts = Counts::new(at_once(2), 64);
    let others: Vec<_> = (0..64).map(|number| ask(&counts, key(number), 0).unwrap()).collect();
    let newcomer = key(1_000);
    let first = ask(&counts, newcomer, 0).unwrap();
    let second = ask(&counts, newcomer, 0).unwrap();
    assert_eq!(ask(&counts, newcomer, 0).unwrap_err(), Denied::Open);
    assert_eq!(counts.overflowed(), 2);
    drop(others);
    assert_eq!(ask(&counts, newcomer, 0).unwrap_err(), Denied::Open, "though there is room now");
    drop((first, second));
    let held = [ask(&counts, newcomer, 0), ask(&counts, newcomer, 0), ask(&counts, newcomer, 0)];
    assert_eq!(held.iter().filter(|held| held.is_ok()).count(), 2);
    drop(held);
    assert_eq!(counts.keys(), 1 + (0..64).filter(|number| is_known(&counts, key(*number))).count());
}

/// What the keys take, and the sketch of those that have no place.
fn bytes(counts: &Counts) -> usize {
    let of_shard = |shard: &Mutex<Shard>| {
        let shard = lock(shard);
        shard.keys.allocation_size() + shard.sketch.as_ref().map_or(0, |sketch| sketch.bytes())
    };
    counts.shards.iter().map(of_shard).sum()
}

fn is_known(counts: &Counts, key: u64) -> bool {
    counts.shard(key).keys.find(key, |entry| entry.key == key).is_some()
}

#[test]
fn a_change_of_rate_keeps_what_was_estimated() {
    let counts = Counts::new(bounds("1/min", 3), 64);
    (0..64).for_each(|number| assert!(ask(&counts, key(number), 0).is_ok()));
    let newcomer = key(1_000);
    assert!(ask(&counts, newcomer, 0).is_ok() && ask(&counts, newcomer, 0).is_ok());
    counts.change(bounds("1/h", 3), Now(0));
    assert!(ask(&counts, newcomer, 0).is_ok());
    assert_eq!(ask(&counts, newcomer, 0).unwrap_err(), Denied::Rate(Duration::from_secs(3_600)));
}
