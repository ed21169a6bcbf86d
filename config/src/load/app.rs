//! From what a file says about an app to an [`App`]: defaults, and what settings mean for one another.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::disk::{self, Disk};
use super::draft::{AppDraft, HealthDraft};
use super::quantity::shown_duration;
use super::reader::{Reader, Slot};
use super::text::Spot;
use crate::model::{
    After, App, AppId, AppName, Check, Health, Host, HostPattern, Label, PathPrefix, ProcessSpec,
    SleepPolicy, Source, Tenant, WakeMode, WakePolicy,
};

const IDLE_AFTER: Duration = Duration::from_secs(15 * 60);
const REMOVE_AFTER: Duration = Duration::from_secs(7 * 24 * 3_600);
const HEALTH_TIMEOUT: Duration = Duration::from_secs(1);
const HEALTH_GRACE: Duration = Duration::from_secs(60);
const PAGE_AFTER: Duration = Duration::from_secs(2);
const HOLD_TIMEOUT: Duration = Duration::from_secs(30);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);
const MAX_HELD: u32 = 10_000;

/// What all apps of a file have in common.
pub(super) struct Common<'a> {
    pub(super) domain: Host,
    pub(super) region: Label,
    pub(super) environment: Label,
    pub(super) defaults: &'a AppDraft,
    pub(super) base_dir: &'a Path,
    pub(super) search_path: Option<&'a str>,
    pub(super) disk: &'a dyn Disk,
}

/// An app but for its routes, which are settled between all apps.
pub(super) struct Built {
    /// `None` where something else about it is wrong: it still has its name and its place.
    pub(super) app: Option<App>,
    pub(super) name: AppName,
    /// Where its name is.
    pub(super) spot: Spot,
    /// None where they are wrong.
    pub(super) hosts: Vec<(HostPattern, Spot)>,
    pub(super) paths: Vec<PathPrefix>,
}

/// What can be made of a draft; `None` where it has no name. `header` is where the app begins.
pub(super) fn build(
    draft: AppDraft,
    header: &Spot,
    common: &Common<'_>,
    reader: &mut Reader,
) -> Option<Built> {
    let source = source(&draft, header, common, reader);
    let name = match &draft.name {
        Slot::Written(name, spot) => Some((name.clone(), spot.clone())),
        Slot::Wrong => None,
        Slot::Absent => {
            reader.missing(header, "this app has no name", "add `name = \"hello\"`");
            None
        }
    };
    let sleep = sleep(&draft, common.defaults, reader);
    let wake = wake(&draft, common.defaults, reader);
    let health = health(&draft.health, &common.defaults.health, header, reader);
    let tenant = tenant(&draft, common);
    let (name, spot) = name?;
    let hosts = hosts(&draft.hosts, &name, &spot, common, reader);
    let paths = paths(&draft.paths);
    let response_timeout =
        draft.response_timeout.or(&common.defaults.response_timeout).value_or(RESPONSE_TIMEOUT);
    let app = source.zip(health).map(|(source, health)| App {
        id: AppId::from_name(&name),
        name: name.clone(),
        tenant,
        routes: Vec::new(),
        source,
        health,
        sleep,
        wake,
        response_timeout,
    });
    Some(Built { app, name, spot, hosts, paths })
}

fn source(draft: &AppDraft, header: &Spot, common: &Common<'_>, reader: &mut Reader) -> Option<Source> {
    match (&draft.command, &draft.upstreams) {
        (Slot::Absent, Slot::Absent) => {
            let help = "add `command = [\"program\", \"argument\"]`, or `upstreams = [\"127.0.0.1:9000\"]`";
            let spot = draft.name.written().map_or(header, |(_, spot)| spot);
            reader.missing(spot, "nothing runs this app", help);
            None
        }
        (Slot::Written(_, command), Slot::Written(_, upstreams)) => {
            reader
                .mistake(upstreams, "an app has `command` or `upstreams`, not both")
                .help("keep `command` where the edge is to run it, `upstreams` where somebody else does")
                .see(command, "the other one");
            None
        }
        (Slot::Written(command, spot), _) => {
            process(draft, command, spot, common, reader).map(Source::Process)
        }
        (_, Slot::Written(addresses, _)) => {
            only_for_commands(draft, reader);
            Some(Source::Upstreams(addresses.clone()))
        }
        (Slot::Absent | Slot::Wrong, Slot::Absent | Slot::Wrong) => None,
    }
}

fn only_for_commands(draft: &AppDraft, reader: &mut Reader) {
    for (name, slot) in [("idle_after", &draft.idle_after), ("remove_after", &draft.remove_after)] {
        if let Slot::Written(After::Elapsed(_), spot) = slot {
            reader
                .mistake(spot, format!("`{name}` on an app with `upstreams`"))
                .help("take it out: somebody else runs the app, so it never sleeps");
        }
    }
    let unused = [("dir", draft.dir.written().map(|w| w.1)), ("env", draft.env.written().map(|w| w.1))];
    for (name, spot) in unused.into_iter().filter_map(|(name, spot)| Some((name, spot?))) {
        reader
            .warning(spot, format!("`{name}` does nothing on an app with `upstreams`"))
            .help("take it out: somebody else runs the app");
    }
}

fn process(
    draft: &AppDraft,
    command: &[String],
    spot: &Spot,
    common: &Common<'_>,
    reader: &mut Reader,
) -> Option<ProcessSpec> {
    let mut env = common.defaults.env.clone().value_or(BTreeMap::new());
    env.extend(draft.env.clone().value_or(BTreeMap::new()));
    let dir = directory(draft, common, reader)?;
    warn_without_program(command, spot, &dir, &env, common, reader);
    Some(ProcessSpec { command: command.to_vec(), dir, env })
}

fn directory(draft: &AppDraft, common: &Common<'_>, reader: &mut Reader) -> Option<PathBuf> {
    let slot = draft.dir.clone().or(&common.defaults.dir);
    let Some((written, spot)) = slot.written() else {
        return slot.is_absent().then(|| common.base_dir.to_owned());
    };
    let dir = common.base_dir.join(written);
    if common.disk.is_directory(&dir) {
        return Some(dir);
    }
    let help = if written.starts_with('~') {
        "'~' is not replaced here: write the whole path".to_owned()
    } else {
        format!("looked at {}", dir.display())
    };
    reader.mistake(spot, "there is no such directory").help(help);
    None
}

fn warn_without_program(
    command: &[String],
    spot: &Spot,
    dir: &Path,
    env: &BTreeMap<String, String>,
    common: &Common<'_>,
    reader: &mut Reader,
) {
    let (Some(program), Some(path)) =
        (command.first(), env.get("PATH").map(String::as_str).or(common.search_path))
    else {
        return;
    };
    // With a variable in it, only the start knows the program's name.
    if program.contains('$') || disk::finds_program(common.disk, program, dir, path) {
        return;
    }
    let place = if program.contains('/') { "from the app's directory" } else { "in PATH" };
    reader
        .warning(spot, format!("there is no program {program:?} {place}"))
        .help("until there is, a request for this app gets an error");
}

/// What is not written follows what is: an app that never pauses is not removed either, and one that is removed
/// early does not wait for a pause.
fn sleep(draft: &AppDraft, defaults: &AppDraft, reader: &mut Reader) -> SleepPolicy {
    if !draft.upstreams.is_absent() {
        return SleepPolicy { idle_after: After::Never, remove_after: After::Never };
    }
    let idle = draft.idle_after.clone().or(&defaults.idle_after);
    let remove = draft.remove_after.clone().or(&defaults.remove_after);
    if let (Slot::Written(After::Elapsed(i), idle), Slot::Written(After::Elapsed(r), remove)) =
        (&idle, &remove)
        && r < i
    {
        let (idle_text, remove_text) = (shown_duration(*i), shown_duration(*r));
        reader
            .mistake(
                remove,
                format!("`remove_after` ({remove_text}) is shorter than `idle_after` ({idle_text})"),
            )
            .help("an app is paused first and removed later")
            .see(idle, "paused only here");
    }
    let idle_after = match (&idle, &remove) {
        (Slot::Written(idle, _), _) => *idle,
        (_, Slot::Written(After::Elapsed(remove), _)) => After::Elapsed(IDLE_AFTER.min(*remove)),
        _ => After::Elapsed(IDLE_AFTER),
    };
    let remove_after = match (&remove, idle_after) {
        (Slot::Written(remove, _), _) => *remove,
        (_, After::Never) => After::Never,
        (_, After::Elapsed(idle)) => After::Elapsed(REMOVE_AFTER.max(idle)),
    };
    SleepPolicy { idle_after, remove_after }
}

fn wake(draft: &AppDraft, defaults: &AppDraft, reader: &mut Reader) -> WakePolicy {
    let page = draft.page_after.clone().or(&defaults.page_after);
    let hold = draft.hold_timeout.clone().or(&defaults.hold_timeout);
    let spot = page.written().or(hold.written()).map(|(_, spot)| spot.clone());
    let policy = WakePolicy {
        mode: draft.wake.clone().or(&defaults.wake).value_or(WakeMode::Auto),
        page_after: page.value_or(PAGE_AFTER),
        hold_timeout: hold.value_or(HOLD_TIMEOUT),
        max_held: draft.max_held.clone().or(&defaults.max_held).value_or(MAX_HELD),
    };
    let page_is_late = policy.mode == WakeMode::Auto && policy.page_after > policy.hold_timeout;
    if let (true, true, Some(spot)) = (page_is_late, draft.upstreams.is_absent(), spot) {
        let (page, hold) = (shown_duration(policy.page_after), shown_duration(policy.hold_timeout));
        reader
            .warning(&spot, format!("`page_after` ({page}) is longer than `hold_timeout` ({hold})"))
            .help("a browser gets an error before it would get the waiting page");
    }
    policy
}

fn health(draft: &HealthDraft, defaults: &HealthDraft, header: &Spot, reader: &mut Reader) -> Option<Health> {
    let written = if draft.http.is_absent() && draft.tcp.is_absent() { defaults } else { draft };
    let check = match (&written.http, &written.tcp) {
        (Slot::Written(_, http), Slot::Written(true, tcp)) => {
            reader
                .mistake(http, "a health check is `http` or `tcp`, not both")
                .help("keep one")
                .see(tcp, "the other one");
            return None;
        }
        (Slot::Written(path, _), _) => Check::Http { path: path.clone() },
        (Slot::Absent, Slot::Written(false, tcp)) => {
            reader
                .mistake(tcp, "without `tcp`, a health check needs `http`")
                .help("such as { http = \"/healthz\" }, or leave `tcp` out");
            return None;
        }
        _ => Check::Tcp,
    };
    let timeout = draft.timeout.clone().or(&defaults.timeout);
    let grace = draft.grace.clone().or(&defaults.grace);
    let spot = timeout.written().or(grace.written()).map_or(header, |(_, spot)| spot).clone();
    let health =
        Health { check, timeout: timeout.value_or(HEALTH_TIMEOUT), grace: grace.value_or(HEALTH_GRACE) };
    if health.timeout > health.grace {
        let (timeout, grace) = (shown_duration(health.timeout), shown_duration(health.grace));
        reader
            .warning(
                &spot,
                format!("the health check's `timeout` ({timeout}) is longer than its `grace` ({grace})"),
            )
            .help("a start that takes longer than `grace` has failed, so `timeout` cannot matter");
    }
    Some(health)
}

fn tenant(draft: &AppDraft, common: &Common<'_>) -> Tenant {
    let local = || common.region.clone();
    let label = |own: &Slot<Label>, default: &Slot<Label>| {
        own.clone().or(default).value_or(Label::parse("local").unwrap_or_else(|_| local()))
    };
    Tenant {
        org: label(&draft.tenant.org, &common.defaults.tenant.org),
        workspace: label(&draft.tenant.workspace, &common.defaults.tenant.workspace),
        region: common.region.clone(),
        environment: common.environment.clone(),
    }
}

fn hosts(
    slot: &Slot<Vec<(HostPattern, Spot)>>,
    name: &AppName,
    spot: &Spot,
    common: &Common<'_>,
    reader: &mut Reader,
) -> Vec<(HostPattern, Spot)> {
    match slot {
        Slot::Written(hosts, _) => hosts.clone(),
        Slot::Wrong => Vec::new(),
        Slot::Absent => match HostPattern::parse(&format!("{name}.{}", common.domain)) {
            Ok(host) => vec![(host, spot.clone())],
            Err(error) => {
                reader.mistake(spot, format!("{name}.{} is no host", common.domain)).help(error.to_string());
                Vec::new()
            }
        },
    }
}

fn paths(slot: &Slot<Vec<(PathPrefix, Spot)>>) -> Vec<PathPrefix> {
    match slot {
        Slot::Written(paths, _) => paths.iter().map(|(path, _)| path.clone()).collect(),
        Slot::Wrong => Vec::new(),
        Slot::Absent => PathPrefix::parse("/").into_iter().collect(),
    }
}
