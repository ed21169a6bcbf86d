use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use revive::platform::{Command, Event, Exit, Platform};
use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{Edge, until, until_state};

/// Starts `setsid`, which leaves the group and the session, and stays.
const STRAY: &str = "setsid sh -c 'echo $$ > stray; exec sleep 61' & sh -c 'echo $$ > child; exec sleep 61' & echo $$ > pid; wait";

#[tokio::test]
async fn a_pause_stops_the_group_and_those_outside_and_a_resume_continues_them() {
    let mut edge = Edge::new();
    let (instance, _) = edge.run(edge.shell(STRAY)).await;
    let all = [edge.pid("pid").await, edge.pid("child").await, edge.pid("stray").await];
    for _ in 0..3 {
        edge.platform.submit(Command::Pause(instance));
        assert_eq!(edge.event(instance).await, Event::Paused);
        for pid in all {
            until_state(pid, 'T').await;
        }
        edge.platform.submit(Command::Resume(instance));
        assert_eq!(edge.event(instance).await, Event::Resumed);
        for pid in all {
            until_state(pid, 'S').await;
        }
    }
    edge.stop(instance).await;
}

#[tokio::test]
async fn a_paused_server_accepts_but_answers_only_when_resumed() {
    let mut edge = Edge::new();
    let (instance, address) = edge.run(edge.app(&["python3", "-m", "http.server", "$PORT"])).await;
    until("listening", || TcpStream::connect(address).ok()).await;
    edge.platform.submit(Command::Pause(instance));
    assert_eq!(edge.event(instance).await, Event::Paused);
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    client.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert!(client.read(&mut [0]).is_err(), "a paused process answered");
    edge.platform.submit(Command::Resume(instance));
    assert_eq!(edge.event(instance).await, Event::Resumed);
    client.set_read_timeout(Some(crate::harness::DEADLINE)).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    edge.stop(instance).await;
}

#[tokio::test]
async fn a_paused_program_can_be_stopped_and_is_seen_to_die() {
    let mut edge = Edge::new();
    for killed in [false, true] {
        let (instance, _) = edge.run(edge.shell("echo $$ > pid; exec sleep 60")).await;
        let pid = edge.pid("pid").await;
        edge.platform.submit(Command::Pause(instance));
        assert_eq!(edge.event(instance).await, Event::Paused);
        if killed {
            kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
            assert_eq!(edge.exit(instance).await, Exit::Signal(9));
        } else {
            assert_eq!(edge.stop(instance).await, Exit::Signal(15));
        }
        std::fs::remove_file(edge.dir.path().join("pid")).unwrap();
    }
}

#[tokio::test]
async fn a_pause_that_comes_too_late_is_answered_by_the_exit_alone() {
    let mut edge = Edge::new();
    for _ in 0..20 {
        let instance = edge.start(edge.shell("exit 4"));
        edge.platform.submit(Command::Pause(instance));
        assert!(matches!(edge.event(instance).await, Event::Created { .. }));
        let mut event = edge.event(instance).await;
        if event == Event::Paused {
            edge.platform.submit(Command::Resume(instance));
            event = edge.event(instance).await;
            if event == Event::Resumed {
                event = edge.event(instance).await;
            }
        }
        assert_eq!(event, Event::Ending(Exit::Code(4)));
        assert_eq!(edge.event(instance).await, Event::Exited(Exit::Code(4)));
    }
}
