use std::collections::BTreeMap;
use std::path::PathBuf;

use config::link::{Failure, Instance};
use revive::platform::{Command, Event, Exit, Platform};
use tempfile::TempDir;

use crate::harness::{Edge, is_free, script, spec, state, stop, text_in, until};

#[tokio::test]
async fn a_program_that_ends_is_reported_with_its_status() {
    let mut edge = Edge::new();
    for (script, exit) in [
        ("exit 0", Exit::Code(0)),
        ("exit 3", Exit::Code(3)),
        ("kill -9 $$", Exit::Signal(9)),
        ("kill -11 $$", Exit::Signal(11)),
    ] {
        let (instance, _) = edge.run(edge.shell(script)).await;
        assert_eq!(edge.exit(instance).await, exit, "{script}");
    }
}

#[tokio::test]
async fn it_gets_the_port_in_its_words_and_all_variables() {
    let mut edge = Edge::new();
    let words = "echo $1 $2 $PORT $LOCO_APP_NAME $LOCO_DEPLOYMENT_ID $GREETING $PATH > words; exec sleep 60";
    let mut app = edge.app(&["sh", "-c", words, "sh", "--port=$PORT", "${PORT}x"]);
    let own = [("GREETING", "hi"), ("PORT", "1"), ("LOCO_APP_NAME", "another")];
    spec(&mut app).env = own.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let (instance, address) = edge.run(app).await;
    let (port, path) = (address.port(), std::env::var("PATH").unwrap());
    let words = text_in(&edge.dir.path().join("words")).await;
    // `sh -c` is given its script with $PORT replaced, too, so that what it prints does not show the variable.
    assert_eq!(words, format!("--port={port} {port}x {port} shop {} hi {path}", instance.0));
    edge.stop(instance).await;
}

#[tokio::test]
async fn the_variable_port_wins_over_the_apps_own() {
    let mut edge = Edge::new();
    let mut app = edge.app(&["sh", "-c", "env | grep ^PORT= > port; exec sleep 60"]);
    spec(&mut app).env = [("PORT".to_owned(), "1".to_owned())].into();
    let (instance, address) = edge.run(app).await;
    assert_eq!(text_in(&edge.dir.path().join("port")).await, format!("PORT={}", address.port()));
    edge.stop(instance).await;
}

#[tokio::test]
async fn a_server_listens_where_it_was_told_and_the_port_is_free_afterwards() {
    let mut edge = Edge::new();
    let (instance, address) = edge.run(edge.app(&["python3", "-m", "http.server", "$PORT"])).await;
    until("listening", || std::net::TcpStream::connect(address).ok()).await;
    assert!(!is_free(address));
    assert_eq!(edge.stop(instance).await, Exit::Signal(15));
    assert!(is_free(address));
}

#[tokio::test]
async fn each_way_of_not_starting_has_its_failure() {
    let mut edge = Edge::new();
    let dir = edge.dir.path().to_owned();
    script(&dir, "plain", "#!/bin/sh\n", 0o644);
    script(&dir, "lost", "#!/no/such/interpreter\n", 0o755);
    script(&dir, "noise", "\u{1}\u{2}", 0o755);
    for (program, failure) in [
        ("no-such-program", Failure::ProgramNotFound),
        ("./no-such-program", Failure::ProgramNotFound),
        ("/no/such/program", Failure::ProgramNotFound),
        ("plain", Failure::ProgramNotFound),
        ("./lost", Failure::ProgramNotFound),
        ("./plain", Failure::NotStarted),
        ("./noise", Failure::NotStarted),
        ("/", Failure::NotStarted),
        ("", Failure::NotStarted),
    ] {
        let instance = edge.start(edge.app(&[program]));
        assert_eq!(edge.event(instance).await, Event::NotCreated(failure), "{program:?}");
    }
    let instance = edge.start(edge.app(&[]));
    assert_eq!(edge.event(instance).await, Event::NotCreated(Failure::NotStarted));
}

#[tokio::test]
async fn a_missing_directory_is_no_missing_program() {
    let mut edge = Edge::new();
    for dir in ["gone", "file"] {
        let mut app = edge.shell("exit 0");
        std::fs::write(edge.dir.path().join("file"), "").unwrap();
        spec(&mut app).dir = edge.dir.path().join(dir);
        let instance = edge.start(app);
        assert_eq!(edge.event(instance).await, Event::NotCreated(Failure::NotStarted), "{dir}");
    }
}

#[tokio::test]
async fn a_program_is_found_in_its_directory_and_in_its_own_path() {
    let mut edge = Edge::new();
    let bin = TempDir::new().unwrap();
    script(edge.dir.path(), "local", "#!/bin/sh\nexit 5\n", 0o755);
    script(bin.path(), "elsewhere", "#!/bin/sh\nexit 6\n", 0o755);
    let (instance, _) = edge.run(edge.app(&["./local"])).await;
    assert_eq!(edge.exit(instance).await, Exit::Code(5));
    let mut app = edge.app(&["elsewhere"]);
    spec(&mut app).env = [("PATH".to_owned(), bin.path().to_str().unwrap().to_owned())].into();
    let (instance, _) = edge.run(app).await;
    assert_eq!(edge.exit(instance).await, Exit::Code(6));
}

/// What a process has open, by descriptor.
fn links(pid: u32) -> BTreeMap<String, PathBuf> {
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().map(Result::unwrap);
    open.filter_map(|fd| Some((fd.file_name().into_string().ok()?, std::fs::read_link(fd.path()).ok()?)))
        .collect()
}

#[tokio::test]
async fn it_inherits_its_three_streams_and_no_other_descriptor() {
    let _socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut edge = Edge::new();
    let (instance, _) = edge.run(edge.shell("echo $$ > pid; exec sleep 60")).await;
    let pid = edge.pid("pid").await;
    until("exec", || {
        std::fs::read_link(format!("/proc/{pid}/exe")).ok().filter(|exe| exe.ends_with("sleep"))
    })
    .await;
    let inherited = links(std::os::unix::process::parent_id());
    // What the test's own parent left open is not the edge's to close; what a program opens as it begins it closes.
    let only_its_own = || {
        let open = links(u32::try_from(pid).unwrap());
        let mut more = open.iter().filter(|(fd, _)| !["0", "1", "2"].contains(&fd.as_str()));
        more.all(|(fd, link)| inherited.get(fd) == Some(link)).then_some(())
    };
    until("nothing open but its streams", only_its_own).await;
    assert_eq!(std::fs::read_link(format!("/proc/{pid}/fd/0")).unwrap().to_str(), Some("/dev/null"));
    edge.stop(instance).await;
}

#[tokio::test]
async fn the_next_instance_of_an_app_starts_when_the_last_has_ended() {
    let mut edge = Edge::new();
    let (first, _) = edge.run(edge.shell("trap '' TERM; echo $$ > pid; while :; do sleep 1; done")).await;
    let pid = edge.pid("pid").await;
    edge.platform.submit(stop(first));
    let second = edge.start(edge.shell("exec sleep 60"));
    assert_eq!(edge.exit(first).await, Exit::Signal(9));
    assert_eq!(state(pid), None);
    assert!(matches!(edge.event(second).await, Event::Created { .. }));
    edge.stop(second).await;
}

#[tokio::test]
async fn orders_to_nobody_are_not_answered() {
    let mut edge = Edge::new();
    let (instance, _) = edge.run(edge.shell("exit 0")).await;
    edge.exit(instance).await;
    for order in [Command::Pause as fn(Instance) -> Command, Command::Resume, stop] {
        edge.platform.submit(order(instance));
        edge.platform.submit(order(Instance(99)));
    }
    let (next, _) = edge.run(edge.shell("exit 0")).await;
    assert_eq!(edge.exit(next).await, Exit::Code(0));
}
