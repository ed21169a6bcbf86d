#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use config::model::Label;
use rusqlite::Connection;

use super::super::tests::{entry, fill_disk, fresh, id, row};
use super::super::{FILE_NAME, StoreError, UnixMillis};
use super::*;

/// Long enough for any disk; a test that reaches it has failed.
const LONG: Duration = Duration::from_secs(60);

/// A transaction of somebody else, which keeps all others from writing until it is dropped.
fn lock(dir: &Path) -> Connection {
    let other = Connection::open(dir.join(FILE_NAME)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    other
}

#[tokio::test]
async fn what_was_flushed_is_there() {
    let (store, dir) = fresh();
    let writer = Writer::spawn(store).unwrap();
    let shop = Scope::Workspace(Label::parse("shop").unwrap());
    let pause = Pause { by: "ann".into(), since: UnixMillis(1) };
    writer.save_app(row("a", 1));
    writer.save_app(row("b", 1));
    writer.forget_app(id("b"));
    writer.set_brake(Scope::All, pause.clone());
    writer.lift_brake(Scope::All);
    writer.set_brake(shop.clone(), pause.clone());
    writer.append_audit(entry(1));
    writer.append_audit(entry(2));
    writer.flush(LONG).await.unwrap();
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.load_apps().unwrap().apps, [row("a", 1)]);
    assert_eq!(store.brakes().unwrap(), [(shop, pause)]);
    assert_eq!(store.audit(9).unwrap(), [entry(2), entry(1)]);
    assert_eq!((writer.failed_writes(), writer.lost_writes(), writer.waiting()), (0, 0, 0));
}

#[tokio::test]
async fn behind_a_disk_that_hangs_only_the_newest_state_of_an_app_waits() {
    let (store, dir) = fresh();
    store.wait_for_others(LONG).unwrap();
    let other = lock(dir.path());
    let writer = Writer::spawn(store).unwrap();
    for n in 0..100_000 {
        writer.save_app(row(if n % 2 == 0 { "a" } else { "b" }, n));
    }
    assert!(writer.waiting() <= 2);
    let error = writer.flush(Duration::from_millis(10)).await.unwrap_err();
    assert!(matches!(error, FlushError::Deadline { .. }), "{error}");
    drop(other);
    writer.flush(LONG).await.unwrap();
    let apps = Store::open(dir.path()).unwrap().load_apps().unwrap().apps;
    assert_eq!(apps, [row("a", 99_998), row("b", 99_999)]);
    assert_eq!(writer.failed_writes(), 0);
}

#[tokio::test]
async fn what_failed_is_counted_and_tried_again_but_not_over_something_newer() {
    let (store, dir) = fresh();
    store.wait_for_others(Duration::ZERO).unwrap();
    let other = lock(dir.path());
    let writer = Writer::spawn(store).unwrap();
    writer.save_app(row("a", 1));
    writer.save_app(row("b", 1));
    writer.append_audit(entry(1));
    let error = writer.flush(LONG).await.unwrap_err();
    assert!(matches!(&error, FlushError::Failed { why } if why.contains("locked")), "{error}");
    assert!(writer.failed_writes() >= 3);
    writer.forget_app(id("a"));
    writer.append_audit(entry(2));
    drop(other);
    writer.flush(LONG).await.unwrap();
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.load_apps().unwrap().apps, [row("b", 1)]);
    assert_eq!(store.audit(9).unwrap(), [entry(2), entry(1)]);
    assert_eq!((writer.lost_writes(), writer.waiting()), (0, 0));
}

#[test]
fn what_comes_while_a_write_fails_is_newer_than_what_goes_back() {
    let (mut store, dir) = fresh();
    let mailbox = Mailbox::default();
    let save = |name, since| mailbox.add(|b| b.app(id(name), AppWrite::Save(row(name, since))));
    save("a", 1);
    save("b", 1);
    mailbox.add(|b| b.audit(entry(1)));
    let work = mailbox.take().unwrap();
    save("a", 2);
    save("c", 2);
    mailbox.add(|b| b.audit(entry(2)));
    mailbox.not_written(work, &StoreError::Full { path: FILE_NAME.into() });
    assert_eq!((mailbox.waiting(), mailbox.failed(), mailbox.lost()), (5, 3, 0));

    mailbox.flush(oneshot::channel().0);
    let work = mailbox.take().unwrap();
    store.write(&work.batch).unwrap();
    mailbox.written(work);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.load_apps().unwrap().apps, [row("a", 2), row("b", 1), row("c", 2)]);
    assert_eq!(store.audit(9).unwrap(), [entry(2), entry(1)]);
    assert_eq!(mailbox.waiting(), 0);
}

#[test]
fn what_can_never_be_written_does_not_block_the_rest() {
    let mailbox = Mailbox::default();
    mailbox.add(|b| b.audit(entry(1)));
    let work = mailbox.take().unwrap();
    let mistake = rusqlite::Error::InvalidQuery;
    mailbox.not_written(work, &StoreError::Refused { path: FILE_NAME.into(), source: mistake });
    assert_eq!((mailbox.waiting(), mailbox.failed(), mailbox.lost()), (0, 1, 1));
}

#[tokio::test]
async fn a_full_disk_is_said_and_counted() {
    let (store, _dir) = fresh();
    fill_disk(&store, 0);
    let writer = Writer::spawn(store).unwrap();
    writer.append_audit(AuditEntry { subject: "x".repeat(100_000), ..entry(1) });
    let error = writer.flush(LONG).await.unwrap_err();
    assert!(matches!(&error, FlushError::Failed { why } if why.contains("the disk is full")), "{error}");
    assert!(writer.failed_writes() >= 1);
    assert_eq!((writer.lost_writes(), writer.waiting()), (0, 1));
}

#[test]
fn the_last_handle_takes_the_thread_with_it_after_a_last_write() {
    let (store, dir) = fresh();
    let mailbox = Arc::new(Mailbox::default());
    let writer = Writer(Arc::new(Handle(Arc::clone(&mailbox))));
    let clone = writer.clone();
    drop(writer);
    clone.save_app(row("a", 1));
    drop(clone);
    run(store, &mailbox);
    assert_eq!(Store::open(dir.path()).unwrap().load_apps().unwrap().apps, [row("a", 1)]);
}

#[test]
fn what_cannot_be_written_at_the_end_is_given_up_and_counted() {
    let (store, dir) = fresh();
    store.wait_for_others(Duration::ZERO).unwrap();
    let _other = lock(dir.path());
    let mailbox = Arc::new(Mailbox::default());
    let writer = Writer(Arc::new(Handle(Arc::clone(&mailbox))));
    writer.save_app(row("a", 1));
    drop(writer);
    run(store, &mailbox);
    assert_eq!((mailbox.failed(), mailbox.lost()), (1, 1));
}

#[test]
fn a_mailbox_that_is_full_counts_what_it_loses() {
    let mailbox = Mailbox::default();
    for n in 0..batch::MAX_KEYS + 3 {
        mailbox.add(|b| b.app(id(&format!("a{n}")), AppWrite::Forget));
    }
    // Whoever waits already is not kept out.
    mailbox.add(|b| b.app(id("a0"), AppWrite::Save(row("a0", 1))));
    assert_eq!((mailbox.waiting(), mailbox.failed(), mailbox.lost()), (batch::MAX_KEYS, 3, 3));
}
