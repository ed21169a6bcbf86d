use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use revive::platform::Exit;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::harness::{Edge, until};

type Fields = BTreeMap<&'static str, String>;

/// Collects the fields of events, for the thread it is set on.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<(String, Fields)>>>);

impl Log {
    fn set(&self) -> tracing::subscriber::DefaultGuard {
        tracing::subscriber::set_default(self.clone())
    }

    fn of(&self, target: &str) -> Vec<Fields> {
        let all = self.0.lock().unwrap();
        all.iter().filter(|(t, _)| t == target).map(|(_, fields)| fields.clone()).collect()
    }

    fn messages(&self, stream: &str) -> Vec<String> {
        let lines = self.of("app").into_iter().filter(|fields| fields["stream"] == stream);
        lines.map(|fields| fields["message"].clone()).collect()
    }
}

struct Collect(Fields);

impl Visit for Collect {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Collect(Fields::new());
        event.record(&mut fields);
        self.0.lock().unwrap().push((event.metadata().target().to_owned(), fields.0));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn each_line_is_logged_with_whose_it_is_before_the_exit_is_told() {
    let log = Log::default();
    let _guard = log.set();
    let mut edge = Edge::new();
    let (instance, _) = edge.run(edge.shell("echo one; echo two; echo oops >&2; printf partial")).await;
    assert_eq!(edge.exit(instance).await, Exit::Code(0));
    assert_eq!(log.messages("stdout"), ["one", "two", "partial"]);
    assert_eq!(log.messages("stderr"), ["oops"]);
    let line = &log.of("app")[0];
    let whose = ["app", "org", "workspace", "region", "environment"].map(|name| line[name].as_str());
    assert_eq!(whose, ["shop", "acme", "web", "local", "dev"]);
}

#[tokio::test]
async fn why_it_was_not_started_says_what_to_do() {
    let log = Log::default();
    let _guard = log.set();
    let mut edge = Edge::new();
    crate::harness::script(edge.dir.path(), "local", "#!/bin/sh\n", 0o755);
    let instance = edge.start(edge.app(&["local"]));
    edge.event(instance).await;
    let said = log.of("revive::platform::process::instance").pop().unwrap();
    assert!(said["message"].contains("no program `local` in PATH"), "{said:?}");
    assert!(said["message"].contains("with ./"), "{said:?}");
    assert_eq!(said["app"], "shop");
}

#[tokio::test]
async fn a_launcher_is_told_to_stay_in_the_foreground() {
    let log = Log::default();
    let _guard = log.set();
    let mut edge = Edge::new();
    let (instance, _) = edge.run(edge.shell("sleep 60 & exit 0")).await;
    assert_eq!(edge.exit(instance).await, Exit::Code(0));
    let said = log.of("revive::platform::process::instance");
    assert!(said.iter().any(|fields| fields["message"].contains("daemon off")), "{said:?}");
}

#[tokio::test]
async fn a_flood_stalls_neither_the_edge_nor_other_apps() {
    let log = Log::default();
    let _guard = log.set();
    let mut edge = Edge::new();
    let flood =
        edge.run(crate::harness::app("flood", &["sh", "-c", "while :; do echo y; done"], edge.dir.path()));
    let (flood, _) = flood.await;
    let zeros = crate::harness::app("zeros", &["cat", "/dev/zero"], edge.dir.path());
    let (zeros, _) = edge.run(zeros).await;
    until("the flood comes", || (log.messages("stdout").len() > 100).then_some(())).await;
    let (quiet, _) = edge.run(edge.shell("exit 9")).await;
    assert_eq!(edge.exit(quiet).await, Exit::Code(9));
    edge.stop(flood).await;
    edge.stop(zeros).await;
    let cut: Vec<Fields> = log.of("app").into_iter().filter(|fields| fields["app"] == "zeros").collect();
    assert!(cut.len() <= 1, "a line without end was logged {} times", cut.len());
}

#[tokio::test]
async fn a_pipe_handed_to_a_stranger_does_not_delay_the_exit_for_ever() {
    let mut edge = Edge::new();
    let (instance, _) = edge.run(edge.shell("echo $$ > pid; exec sleep 60")).await;
    let pid = edge.pid("pid").await;
    let _held = std::fs::OpenOptions::new().write(true).open(format!("/proc/{pid}/fd/1")).unwrap();
    let stopped = tokio::time::timeout(Duration::from_secs(10), edge.stop(instance)).await;
    assert_eq!(stopped.unwrap(), Exit::Signal(15));
}
