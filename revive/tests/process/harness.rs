//! A platform on a directory of its own, apps for it, and looks at `/proc`.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use config::link::{Depth, Instance};
use config::model::{
    After, App, AppId, AppName, Check, Health, Host, HostPattern, Label, PathPrefix, ProcessSpec, RouteMatch,
    SleepPolicy, Source, Tenant, WakeMode, WakePolicy,
};
use revive::platform::process::{Options, ProcessPlatform, Records};
use revive::platform::{Command, Event, Exit, Platform, Report};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

/// Nothing here takes longer, however busy the machine is.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// How long programs are given to end, where they will not be polite: long enough for the polite ones.
pub(crate) const STOP_TIMEOUT: Duration = Duration::from_millis(700);

pub(crate) struct Edge {
    pub(crate) platform: ProcessPlatform,
    pub(crate) reports: mpsc::UnboundedReceiver<Report>,
    /// Working directory of all apps.
    pub(crate) dir: TempDir,
    _state: TempDir,
    next: u64,
}

impl Edge {
    pub(crate) fn new() -> Self {
        let state = TempDir::new().unwrap();
        let (platform, reports) = platform(state.path());
        Self { platform, reports, dir: TempDir::new().unwrap(), _state: state, next: 1 }
    }

    pub(crate) fn shell(&self, script: &str) -> App {
        self.app(&["sh", "-c", script])
    }

    pub(crate) fn app(&self, command: &[&str]) -> App {
        app("shop", command, self.dir.path())
    }

    /// Submits a start.
    pub(crate) fn start(&mut self, app: App) -> Instance {
        let instance = Instance(self.next);
        self.next += 1;
        self.platform.submit(Command::Start { app: Arc::new(app), instance });
        instance
    }

    /// Starts and waits for the address.
    pub(crate) async fn run(&mut self, app: App) -> (Instance, SocketAddr) {
        let instance = self.start(app);
        match self.event(instance).await {
            Event::Created { endpoint, .. } => (instance, endpoint),
            other => panic!("not created but {other:?}"),
        }
    }

    pub(crate) async fn event(&mut self, instance: Instance) -> Event {
        let report = timeout(DEADLINE, self.reports.recv()).await.expect("no report in time").unwrap();
        let (of, event) = happened(report);
        assert_eq!(of, instance, "{event:?}");
        event
    }

    pub(crate) async fn stop(&mut self, instance: Instance) -> Exit {
        self.platform.submit(stop(instance));
        self.exit(instance).await
    }

    /// Waits for the end of one that ends by itself or was told to. Of the former it has been told that its program
    /// has ended, before all of it has.
    pub(crate) async fn exit(&mut self, instance: Instance) -> Exit {
        let ending = match self.event(instance).await {
            Event::Exited(exit) => return exit,
            Event::Ending(exit) => exit,
            other => panic!("not ending but {other:?}"),
        };
        assert_eq!(self.event(instance).await, Event::Exited(ending));
        ending
    }

    /// The number that the app wrote to this file in its directory, which is a process of its own.
    pub(crate) async fn pid(&self, file: &str) -> i32 {
        pid_in(&self.dir.path().join(file)).await
    }
}

/// What a report is about, and what it says.
pub(crate) fn happened(report: Report) -> (Instance, Event) {
    match report {
        Report::Happened { instance, event, .. } => (instance, event),
        other => panic!("processes do not stand by themselves: {other:?}"),
    }
}

/// The command that ends a process.
pub(crate) fn stop(instance: Instance) -> Command {
    Command::Stop { instance, depth: Depth::Deep }
}

pub(crate) fn platform(state: &Path) -> (ProcessPlatform, mpsc::UnboundedReceiver<Report>) {
    let (sender, reports) = mpsc::unbounded_channel();
    let variables = |app: &App, instance: Instance| {
        vec![
            ("LOCO_APP_NAME".to_owned(), app.name.to_string()),
            ("LOCO_DEPLOYMENT_ID".to_owned(), instance.to_string()),
        ]
    };
    let options = Options { variables: Box::new(variables), stop_timeout: STOP_TIMEOUT };
    (ProcessPlatform::new(options, Records::open(state).unwrap(), sender).unwrap(), reports)
}

pub(crate) fn app(name: &str, command: &[&str], dir: &Path) -> App {
    let name = AppName::parse(name).unwrap();
    let label = |text| Label::parse(text).unwrap();
    App {
        id: AppId::from_name(&name),
        name,
        tenant: Tenant {
            org: label("acme"),
            workspace: label("web"),
            region: label("local"),
            environment: label("dev"),
        },
        routes: vec![RouteMatch {
            host: HostPattern::Exact(Host::parse("shop.localhost").unwrap()),
            path: PathPrefix::parse("/").unwrap(),
        }],
        source: Source::Process(ProcessSpec {
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            dir: dir.to_owned(),
            env: BTreeMap::new(),
        }),
        protocol: config::model::Protocol::default(),
        health: Health { check: Check::Tcp, timeout: Duration::from_secs(1), grace: Duration::from_secs(1) },
        sleep: SleepPolicy { idle_after: After::Never, remove_after: After::Never },
        wake: WakePolicy {
            mode: WakeMode::Auto,
            page_after: Duration::from_secs(2),
            hold_timeout: Duration::from_secs(30),
            max_held: 1,
            passersby: config::model::Passersby::default(),
        },
        response_timeout: Duration::from_secs(30),
    }
}

/// Changes how the app's program is run.
pub(crate) fn spec(app: &mut App) -> &mut ProcessSpec {
    match &mut app.source {
        Source::Process(spec) => spec,
        Source::Upstreams(_) | Source::Service(_) => panic!("no process"),
    }
}

/// Waits until `check` finds something.
pub(crate) async fn until<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(began.elapsed() < DEADLINE, "still not: {what}");
        sleep(Duration::from_millis(2)).await;
    }
}

/// What a file holds, once it ends with a newline.
pub(crate) async fn text_in(path: &Path) -> String {
    let whole = || std::fs::read_to_string(path).ok().filter(|text| text.ends_with('\n'));
    until(&format!("{} written", path.display()), whole).await.trim().to_owned()
}

pub(crate) async fn pid_in(path: &Path) -> i32 {
    text_in(path).await.parse().unwrap()
}

/// The letter of proc_pid_stat(5), if there is such a process.
pub(crate) fn state(pid: i32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Not gone, and no zombie: to reap those that are not ours is their new parent's matter, and takes it a moment.
pub(crate) fn runs(pid: i32) -> bool {
    !matches!(state(pid), None | Some('Z'))
}

pub(crate) fn is_gone(pid: i32) -> bool {
    state(pid).is_none()
}

pub(crate) async fn until_state(pid: i32, wanted: char) {
    until(&format!("{pid} in state {wanted}"), || (state(pid) == Some(wanted)).then_some(())).await;
}

/// Nobody listens there any more.
pub(crate) fn is_free(address: SocketAddr) -> bool {
    TcpListener::bind(address).is_ok()
}

/// A program from the file's text.
pub(crate) fn script(dir: &Path, name: &str, text: &str, mode: u32) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path
}
