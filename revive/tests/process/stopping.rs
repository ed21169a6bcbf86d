use revive::platform::{Command, Event, Exit, Platform};
use tokio::time::{Instant, timeout};

use crate::harness::{
    DEADLINE, Edge, STOP_TIMEOUT, app, happened, is_free, is_gone, runs, state, stop, until,
};

#[tokio::test]
async fn a_program_that_will_not_listen_is_ended_by_force() {
    let mut edge = Edge::new();
    let (instance, _) =
        edge.run(edge.shell("trap '' TERM HUP; echo $$ > pid; while :; do sleep 1; done")).await;
    let pid = edge.pid("pid").await;
    let began = Instant::now();
    assert_eq!(edge.stop(instance).await, Exit::Signal(9));
    assert!(began.elapsed() >= STOP_TIMEOUT);
    assert_eq!(state(pid), None);
}

#[tokio::test]
async fn a_polite_program_may_end_with_a_status_of_its_own() {
    let mut edge = Edge::new();
    let polite = "trap 'exit 7' TERM; echo $$ > pid; while :; do sleep 0.05; done";
    let (instance, _) = edge.run(edge.shell(polite)).await;
    edge.pid("pid").await;
    assert_eq!(edge.stop(instance).await, Exit::Code(7));
}

/// A daemon by the book: forked twice, in a session of its own, deaf to SIGTERM and SIGHUP.
const DAEMON: &str = r#"
import os, signal, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with open("daemon", "w") as f: f.write(f"{os.getpid()}\n")
        time.sleep(60)
    os._exit(0)
os.wait()
with open("leader", "w") as f: f.write(f"{os.getpid()}\n")
"#;

#[tokio::test]
async fn a_daemon_it_started_ends_with_it_and_leaves_no_zombie() {
    let mut edge = Edge::new();
    let script = format!("{DAEMON}\ntime.sleep(60)");
    let (instance, _) = edge.run(edge.app(&["python3", "-c", &script])).await;
    let (daemon, leader) = (edge.pid("daemon").await, edge.pid("leader").await);
    assert_eq!(edge.stop(instance).await, Exit::Signal(15));
    assert_eq!((state(daemon), state(leader)), (None, None));
}

#[tokio::test]
async fn a_launcher_that_ends_takes_its_daemon_along() {
    let mut edge = Edge::new();
    let (instance, _) = edge.run(edge.app(&["python3", "-c", DAEMON])).await;
    assert_eq!(edge.exit(instance).await, Exit::Code(0));
    assert!(is_gone(edge.pid("daemon").await));
}

#[tokio::test]
async fn what_a_crash_leaves_of_the_group_is_ended_before_the_exit_is_told() {
    let mut edge = Edge::new();
    let script = "python3 -m http.server $PORT & echo $! > child; kill -9 $$";
    let (instance, address) = edge.run(edge.shell(script)).await;
    assert_eq!(edge.exit(instance).await, Exit::Signal(9));
    assert!(is_gone(edge.pid("child").await));
    assert!(is_free(address));
}

#[tokio::test]
async fn a_crash_is_told_before_what_it_leaves_has_ended() {
    let mut edge = Edge::new();
    let script = "(trap '' TERM; while :; do sleep 1; done) & echo $! > child; exit 7";
    let (instance, _) = edge.run(edge.shell(script)).await;
    let child = edge.pid("child").await;
    let began = Instant::now();
    assert_eq!(edge.event(instance).await, Event::Ending(Exit::Code(7)));
    assert!(runs(child) && began.elapsed() < STOP_TIMEOUT, "told after {:?}", began.elapsed());
    // It is ending already.
    edge.platform.submit(stop(instance));
    assert_eq!(edge.event(instance).await, Event::Exited(Exit::Code(7)));
    assert!(is_gone(child));
}

#[tokio::test]
async fn an_orphan_that_ends_while_its_app_lives_is_reaped() {
    let mut edge = Edge::new();
    let script = "setsid sh -c 'sh -c \"echo \\$\\$ > orphan; sleep 0.1\" & exit 0'; exec sleep 60";
    let (instance, _) = edge.run(edge.shell(script)).await;
    let orphan = edge.pid("orphan").await;
    until("the orphan reaped", || is_gone(orphan).then_some(())).await;
    edge.stop(instance).await;
}

#[tokio::test]
async fn a_shutdown_ends_all_and_starts_no_more() {
    let mut edge = Edge::new();
    let deaf = "trap '' TERM; echo $$ > $LOCO_APP_NAME; while :; do sleep 1; done";
    for name in ["a", "b", "c"] {
        edge.run(app(name, &["sh", "-c", deaf], edge.dir.path())).await;
    }
    let pids = [edge.pid("a").await, edge.pid("b").await, edge.pid("c").await];
    let began = Instant::now();
    edge.platform.shutdown().await;
    assert!(began.elapsed() < 3 * STOP_TIMEOUT + DEADLINE / 10, "one after the other: {:?}", began.elapsed());
    for _ in 0..3 {
        let report = edge.reports.try_recv().unwrap();
        assert_eq!(happened(report).1, Event::Exited(Exit::Signal(9)));
    }
    assert!(pids.into_iter().all(is_gone));
    let refused = edge.start(edge.shell("exit 0"));
    assert!(matches!(edge.event(refused).await, Event::NotCreated(_)));
}

#[tokio::test]
async fn a_dropped_platform_leaves_nothing_running() {
    let mut edge = Edge::new();
    let (_, address) = edge.run(edge.app(&["python3", "-m", "http.server", "$PORT"])).await;
    let Edge { platform, mut reports, .. } = edge;
    drop(platform);
    let report = timeout(DEADLINE, reports.recv()).await.unwrap().unwrap();
    assert!(matches!(happened(report).1, Event::Exited(_)));
    assert!(is_free(address));
    assert_eq!(timeout(DEADLINE, reports.recv()).await.unwrap(), None);
}

#[tokio::test]
async fn two_apps_do_not_end_each_other() {
    let mut edge = Edge::new();
    let (first, _) = edge.run(app("a", &["sh", "-c", "echo $$ > a; exec sleep 60"], edge.dir.path())).await;
    let (second, _) = edge.run(app("b", &["sh", "-c", "echo $$ > b; exec sleep 60"], edge.dir.path())).await;
    let (a, b) = (edge.pid("a").await, edge.pid("b").await);
    edge.stop(first).await;
    assert!(is_gone(a) && !is_gone(b));
    edge.platform.submit(Command::Pause(second));
    assert_eq!(edge.event(second).await, Event::Paused);
    edge.stop(second).await;
}

/// As nginx does without `daemon off`: in another session, orphaned, its environment overwritten.
const DISOWNED: &str = r#"
import os, socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
server.set_inheritable(True)
if os.fork() == 0:
    os.setsid()
    write = "import os,time; open('daemon','w').write(f'{os.getpid()}\\n'); time.sleep(60)"
    os.execve(sys.executable, [sys.executable, "-c", write], {})
"#;

#[tokio::test]
async fn a_disowned_daemon_is_known_by_its_port() {
    let mut edge = Edge::new();
    let wait = format!(
        "{DISOWNED}\nimport time\nwhile not (os.path.exists('daemon') and os.path.getsize('daemon')): time.sleep(0.01)"
    );
    let (instance, address) = edge.run(edge.app(&["python3", "-c", &wait, "$PORT"])).await;
    let daemon = edge.pid("daemon").await;
    assert_eq!(edge.exit(instance).await, Exit::Code(0));
    assert!(is_gone(daemon) && is_free(address));
}

#[tokio::test]
async fn an_nginx_in_the_background_leaves_nothing() {
    let mut edge = Edge::new();
    let conf = edge.dir.path().join("nginx.conf");
    let (pid, log) = (edge.dir.path().join("nginx.pid"), edge.dir.path().join("error.log"));
    let serve = "worker_processes 2; events {} http { access_log off; server { listen 127.0.0.1:PORT; } }";
    let text = format!("pid {}; error_log {}; {serve}", pid.display(), log.display());
    std::fs::write(&conf, text).unwrap();
    let run = "sed -i s/PORT/$PORT/ nginx.conf && exec nginx -c $PWD/nginx.conf -e error.log";
    if std::process::Command::new("nginx").arg("-v").status().is_err() {
        eprintln!("skipped: no nginx here");
        return;
    }
    let (instance, address) = edge.run(edge.shell(run)).await;
    assert_eq!(edge.exit(instance).await, Exit::Code(0));
    assert!(is_free(address), "{}", std::fs::read_to_string(log).unwrap_or_default());
}
