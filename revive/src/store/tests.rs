#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::fs;
use std::num::NonZeroU32;

use config::link::{Depth, Failure};
use config::model::{AppId, AppName, Label};
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::limits::{self as limits_of_admins, Said, Word};

pub(super) fn id(name: &str) -> AppId {
    AppId::from_name(&AppName::parse(name).unwrap())
}

pub(super) fn row(name: &str, since: i64) -> AppRow {
    AppRow {
        id: id(name),
        state: LastKnown::Awake,
        since: UnixMillis(since),
        last_activity: None,
        port: None,
        failures: None,
    }
}

pub(super) fn entry(n: usize) -> AuditEntry {
    AuditEntry {
        at: UnixMillis(n as i64),
        actor: "ann".into(),
        action: "sleep.pause".into(),
        subject: "all".into(),
        before: json!(null),
        after: json!({ "n": n }),
    }
}

fn label(text: &str) -> Label {
    Label::parse(text).unwrap()
}

fn said(word: Word) -> Said {
    Said { word, by: "ann".into(), since: UnixMillis(9) }
}

/// An open store in a directory of its own, which lasts as long as the `TempDir`.
pub(super) fn fresh() -> (Store, TempDir) {
    let dir = TempDir::new().unwrap();
    (Store::open(dir.path()).unwrap(), dir)
}

/// One write at a time, as the writer's batches make them.
impl Store {
    fn save_app(&mut self, app: &AppRow) -> Result<(), StoreError> {
        apps::save(&self.connection, app).map_err(|e| self.error(e))
    }

    fn forget_app(&mut self, app: &AppId) -> Result<(), StoreError> {
        apps::forget(&self.connection, app).map_err(|e| self.error(e))
    }

    fn set_brake(&mut self, scope: &Scope, pause: &Pause) -> Result<(), StoreError> {
        pauses::set(&self.connection, scope, pause).map_err(|e| self.error(e))
    }

    fn lift_brake(&mut self, scope: &Scope) -> Result<(), StoreError> {
        pauses::lift(&self.connection, scope).map_err(|e| self.error(e))
    }

    fn say_limit(&mut self, name: &Label, said: &Said) -> Result<(), StoreError> {
        limits::save(&self.connection, name, said).map_err(|e| self.error(e))
    }

    fn unsay_limit(&mut self, name: &Label) -> Result<(), StoreError> {
        limits::forget(&self.connection, name).map_err(|e| self.error(e))
    }

    fn append_audit(&mut self, entry: &AuditEntry) -> Result<(), StoreError> {
        self.commit(|transaction| audit::append(transaction, entry))
    }
}

/// The file as plain SQLite.
fn raw(dir: &TempDir) -> Connection {
    Connection::open(dir.path().join(FILE_NAME)).unwrap()
}

/// Lets the database grow by so many pages and no more, as a full disk would.
pub(super) fn fill_disk(store: &Store, spare: i64) {
    let pages: i64 = store.connection.pragma_query_value(None, "page_count", |r| r.get(0)).unwrap();
    store
        .connection
        .pragma_update_and_check(None, "max_page_count", pages + spare, |r| r.get::<_, i64>(0))
        .unwrap();
}

#[test]
fn all_of_it_is_there_after_reopening() {
    let (mut store, dir) = fresh();
    let light = AppRow {
        state: LastKnown::Asleep(Depth::Light),
        last_activity: Some(UnixMillis(-5)),
        port: Some(65_535),
        ..row("light", i64::MAX)
    };
    let deep = AppRow { state: LastKnown::Asleep(Depth::Deep), ..row("deep", 0) };
    let failures = Failure::ALL.into_iter().enumerate().map(|(n, last)| AppRow {
        failures: Some(FailureRun { last, in_a_row: NonZeroU32::new(u32::MAX - n as u32).unwrap() }),
        ..row(&format!("failed-{n}"), 1)
    });
    let mut apps: Vec<_> = failures.chain([light, deep, row("awake", 3)]).collect();
    apps.iter().for_each(|app| store.save_app(app).unwrap());
    store.save_app(&row("forgotten", 1)).unwrap();
    store.forget_app(&id("forgotten")).unwrap();
    store.forget_app(&id("unknown")).unwrap();
    apps.sort_by(|a, b| a.id.cmp(&b.id));

    let shop = Scope::Workspace(Label::parse("shop").unwrap());
    let pause = |by: &str| Pause { by: by.into(), since: UnixMillis(9) };
    store.set_brake(&Scope::All, &pause("ann")).unwrap();
    store.set_brake(&shop, &pause("ann")).unwrap();
    store.set_brake(&shop, &pause("bob")).unwrap();
    store.lift_brake(&Scope::All).unwrap();
    store.append_audit(&entry(1)).unwrap();
    store.append_audit(&entry(2)).unwrap();
    drop(store);

    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.load_apps().unwrap(), LoadedApps { apps, rejected: Vec::new() });
    assert_eq!(store.brakes().unwrap(), [(shop, pause("bob"))]);
    assert_eq!(store.audit(9).unwrap(), [entry(2), entry(1)]);
    assert_eq!(store.audit(1).unwrap(), [entry(2)]);
}

#[test]
fn instances_are_never_given_out_twice() {
    let (mut store, dir) = fresh();
    assert_eq!(store.reserve_instances(3).unwrap(), 1..4);
    assert_eq!(store.reserve_instances(0).unwrap(), 4..4);
    drop(store);
    assert_eq!(
        Store::open(dir.path()).unwrap().reserve_instances(u32::MAX).unwrap(),
        4..4 + u64::from(u32::MAX)
    );
}

#[test]
fn two_opens_see_each_others_writes() {
    let (mut first, dir) = fresh();
    let second = Store::open(dir.path()).unwrap();
    first.save_app(&row("a", 1)).unwrap();
    assert_eq!(second.load_apps().unwrap().apps, [row("a", 1)]);
}

#[test]
fn writers_at_the_same_time_wait_for_each_other() {
    let dir = TempDir::new().unwrap();
    let reserve = || {
        // Also the first open races: four threads create the same file.
        let mut store = Store::open(dir.path()).unwrap();
        (0..25).map(|_| store.reserve_instances(10).unwrap()).collect::<Vec<_>>()
    };
    let blocks: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(reserve)).collect();
        threads.into_iter().flat_map(|t| t.join().unwrap()).collect()
    });
    assert_eq!(blocks.iter().cloned().flatten().collect::<HashSet<_>>().len(), 4 * 25 * 10);
}

#[test]
fn an_older_file_gets_the_missing_steps_and_keeps_its_rows() {
    let (mut store, dir) = fresh();
    store.save_app(&row("a", 1)).unwrap();
    let mut steps = schema::STEPS.to_vec();
    steps.push("ALTER TABLE apps ADD COLUMN note TEXT NOT NULL DEFAULT 'new'");
    schema::migrate(&mut store.connection, &steps).unwrap();
    // A second time there is nothing to do; `ADD COLUMN` would fail.
    schema::migrate(&mut store.connection, &steps).unwrap();
    let kept: (String, String) =
        raw(&dir).query_row("SELECT id, note FROM apps", [], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
    assert_eq!(kept, ("a".into(), "new".into()));
}

#[test]
fn a_step_that_fails_leaves_the_file_as_it_was() {
    let (mut store, dir) = fresh();
    let mut steps = schema::STEPS.to_vec();
    steps.extend(["CREATE TABLE half (a INTEGER)", "CREATE TABLE half (a INTEGER)"]);
    assert!(schema::migrate(&mut store.connection, &steps).is_err());
    drop(store);
    Store::open(dir.path()).unwrap().load_apps().unwrap();
    assert!(raw(&dir).query_row("SELECT count(*) FROM half", [], |r| r.get::<_, i64>(0)).is_err());
}

#[test]
fn a_file_of_version_1_opens() {
    let dir = TempDir::new().unwrap();
    raw(&dir).execute_batch(include_str!("tests/version-1.sql")).unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let slept = AppRow {
        state: LastKnown::Asleep(Depth::Deep),
        last_activity: Some(UnixMillis(1_700_000_000_500)),
        port: Some(20_001),
        failures: Some(FailureRun { last: Failure::Unhealthy, in_a_row: NonZeroU32::new(2).unwrap() }),
        ..row("hello", 1_700_000_001_000)
    };
    assert_eq!(store.load_apps().unwrap().apps, [slept]);
    assert_eq!(store.brakes().unwrap().len(), 1);
    assert_eq!(store.audit(9).unwrap().len(), 1);
    assert_eq!(store.reserve_instances(1).unwrap(), 77..78);
    // What version 1 did not know is empty, and can be written.
    assert_eq!(store.limits().unwrap(), LoadedLimits::default());
    store.say_limit(&label("deploys"), &said(Word::Off)).unwrap();
    assert_eq!(Store::open(dir.path()).unwrap().limits().unwrap().said.len(), 1);
}

#[test]
fn limits_are_kept_in_the_apis_own_words() {
    let (mut store, dir) = fresh();
    let words = json!({ "match": { "paths": ["/a"] }, "key": "header:x-key", "rate": "5/2h", "burst": 1 });
    let set = said(Word::Set(limits_of_admins::parse(label("set"), &words).unwrap().into()));
    store.say_limit(&label("set"), &said(Word::Off)).unwrap();
    store.say_limit(&label("set"), &set).unwrap();
    store.say_limit(&label("off"), &said(Word::Off)).unwrap();
    store.say_limit(&label("forgotten"), &said(Word::Off)).unwrap();
    store.unsay_limit(&label("forgotten")).unwrap();
    drop(store);
    let mut store = Store::open(dir.path()).unwrap();
    let there = [(label("off"), said(Word::Off)), (label("set"), set)];
    assert_eq!(store.limits().unwrap(), LoadedLimits { said: there.to_vec(), rejected: Vec::new() });
    raw(&dir).execute("UPDATE limits SET words = '{\"rate\": \"5/moon\"}' WHERE name = 'set'", []).unwrap();
    store.say_limit(&label("other"), &said(Word::Off)).unwrap();
    let loaded = store.limits().unwrap();
    assert_eq!(loaded.said.len(), 2);
    assert_eq!(loaded.rejected[0].name, "set");
    assert!(loaded.rejected[0].why.contains("5/moon"), "{loaded:?}");
}

#[test]
fn a_newer_file_is_refused_untouched() {
    let (store, dir) = fresh();
    drop(store);
    raw(&dir).pragma_update(None, "user_version", 99).unwrap();
    let before = fs::read(dir.path().join(FILE_NAME)).unwrap();
    let error = Store::open(dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::NewerVersion { found: 99, known: 2, .. }), "{error}");
    assert!(error.to_string().contains("run the newer loco-edge"), "{error}");
    assert_eq!(fs::read(dir.path().join(FILE_NAME)).unwrap(), before);
}

#[test]
fn another_programs_file_is_refused_untouched() {
    let dir = TempDir::new().unwrap();
    raw(&dir).execute_batch("CREATE TABLE theirs (a)").unwrap();
    let before = fs::read(dir.path().join(FILE_NAME)).unwrap();
    assert!(matches!(Store::open(dir.path()), Err(StoreError::Foreign { .. })));
    assert_eq!(fs::read(dir.path().join(FILE_NAME)).unwrap(), before);
}

#[test]
fn a_damaged_file_is_refused_untouched_and_says_what_to_do() {
    let (mut store, dir) = fresh();
    (0..200).for_each(|n| store.append_audit(&entry(n)).unwrap());
    drop(store);
    let path = dir.path().join(FILE_NAME);
    let sound = fs::read(&path).unwrap();
    // From the middle to the end, the head alone, and no database at all.
    let mut torn = sound.clone();
    let half = torn.len() / 2;
    torn[half..].fill(0xA5);
    for damaged in [torn, sound[..4096].to_vec(), b"not a database, ".repeat(99)] {
        fs::write(&path, &damaged).unwrap();
        let error = Store::open(dir.path()).unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
        assert!(error.to_string().contains("Move it away (mv "), "{error}");
        assert_eq!(fs::read(&path).unwrap(), damaged);
    }
}

#[test]
fn a_row_that_cannot_be_understood_is_named_and_the_rest_goes_on() {
    let (mut store, dir) = fresh();
    ["a", "b", "c"].iter().for_each(|name| store.save_app(&row(name, 1)).unwrap());
    raw(&dir).execute("UPDATE apps SET failure = 'moon-phase', failures = 1 WHERE id = 'b'", []).unwrap();
    raw(&dir).execute("UPDATE apps SET id = 'No Name' WHERE id = 'c'", []).unwrap();
    let loaded = store.load_apps().unwrap();
    assert_eq!(loaded.apps, [row("a", 1)]);
    assert_eq!(loaded.rejected.iter().map(|r| r.id.as_str()).collect::<Vec<_>>(), ["No Name", "b"]);
    assert_eq!(loaded.rejected[1].why, "there is no failure moon-phase, Some(1) times");
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(
        matches!(Store::open(&file.join("state")), Err(StoreError::Directory { path, .. }) if path == file.join("state"))
    );
}

/// Nobody can create a file in /proc, root neither; an ordinary read-only directory does not stop root.
#[cfg(target_os = "linux")]
#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let error = Store::open(Path::new("/proc/self")).unwrap_err();
    assert!(matches!(error, StoreError::CannotOpen { .. }), "{error}");
    assert!(error.to_string().contains("/proc/self/loco-edge.db"), "{error}");
}

#[test]
fn a_read_only_directory_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let (store, dir) = fresh();
    drop(store);
    let path = dir.path().join(FILE_NAME);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o500)).unwrap();
    let opened = Store::open(dir.path());
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
    if rustix::process::geteuid().is_root() {
        // Permissions do not bind root, who therefore must get on.
        opened.unwrap().save_app(&row("a", 1)).unwrap();
    } else {
        assert!(
            matches!(opened, Err(StoreError::ReadOnly { .. } | StoreError::CannotOpen { .. })),
            "{opened:?}"
        );
    }
}

#[test]
fn a_file_that_becomes_read_only_is_named() {
    let (mut store, _dir) = fresh();
    store.connection.pragma_update(None, "query_only", true).unwrap();
    assert!(matches!(store.save_app(&row("a", 1)), Err(StoreError::ReadOnly { .. })));
}

#[test]
fn a_full_disk_is_named_and_nothing_half_written_stays() {
    let (mut store, _dir) = fresh();
    fill_disk(&store, 2);
    let big = AuditEntry { subject: "x".repeat(100_000), ..entry(1) };
    let error = store.append_audit(&big).unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    assert_eq!(store.audit(9).unwrap(), []);
    store.save_app(&row("a", 1)).unwrap();
}

#[test]
fn the_audit_keeps_the_newest_and_cannot_be_rewritten() {
    let (mut store, _dir) = fresh();
    let newest = AUDIT_KEPT as usize + 5;
    store.commit(|t| (1..=newest).try_for_each(|n| audit::append(t, &entry(n)))).unwrap();
    let kept = store.audit(u32::MAX).unwrap();
    assert_eq!(kept.len(), AUDIT_KEPT as usize);
    assert_eq!((kept.first(), kept.last()), (Some(&entry(newest)), Some(&entry(6))));
    let rewrite = store.connection.execute("UPDATE audit SET actor = 'nobody'", []);
    assert!(rewrite.unwrap_err().to_string().contains("append-only"));
}

#[test]
fn the_wall_clock_before_1970_is_a_negative_number() {
    use std::time::{SystemTime, UNIX_EPOCH};
    assert_eq!(UnixMillis::from(UNIX_EPOCH + Duration::from_micros(1_999)), UnixMillis(1));
    assert_eq!(UnixMillis::from(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), UnixMillis(-1_000));
}
