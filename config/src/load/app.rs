//! From what a file says about an app to an [`App`]: defaults, and what settings mean for one another.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Defaults;
use super::disk::{self, Disk};
use super::draft::AppDraft;
use super::policy;
use super::reader::{Reader, Slot};
use super::text::Spot;
use crate::model::{
    After, App, AppId, AppName, Check, Health, Host, HostPattern, Label, PathPrefix, ProcessSpec, Protocol,
    Source, Tenant,
};

const RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);

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
    /// Each with its place, which is the name's where they are not written; none where they are wrong.
    pub(super) hosts: Vec<(HostPattern, Spot)>,
    pub(super) paths: Vec<(PathPrefix, Spot)>,
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
    let sleep = policy::sleep(&draft, common.defaults, reader);
    let wake = policy::wake(&draft, common.defaults, reader);
    let health = policy::health(&draft.health, &common.defaults.health, header, reader);
    let protocol = protocol(&draft, common.defaults, health.as_ref(), reader);
    let tenant = tenant(&draft, common);
    let (name, spot) = name?;
    let hosts = hosts(&draft.hosts, &name, &spot, common, reader);
    let paths = paths(&draft.paths, &spot);
    let response_timeout =
        draft.response_timeout.or(&common.defaults.response_timeout).value_or(RESPONSE_TIMEOUT);
    let app = source.zip(health).map(|(source, health)| App {
        id: AppId::from_name(&name),
        name: name.clone(),
        tenant,
        routes: Vec::new(),
        source,
        protocol,
        health,
        sleep,
        wake,
        response_timeout,
    });
    Some(Built { app, name, spot, hosts, paths })
}

/// What the endpoints speak; a check that they could not answer then is a mistake.
fn protocol(draft: &AppDraft, defaults: &AppDraft, health: Option<&Health>, reader: &mut Reader) -> Protocol {
    let protocol = draft.protocol.clone().or(&defaults.protocol);
    let grpc = draft.health.grpc.clone().or(&defaults.health.grpc);
    if let (Some((Protocol::Http1, spot)), Some(Check::Grpc { .. }), Some((_, check))) =
        (protocol.written(), health.map(|health| &health.check), grpc.written())
    {
        reader
            .mistake(spot, "an app that speaks `http1` cannot have a `grpc` health check")
            .help("gRPC needs HTTP/2: `protocol = \"h2c\"`, or leave it out")
            .see(check, "the check");
    }
    protocol.value_or(Protocol::default())
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
        (_, Slot::Written(endpoints, _)) => {
            only_for_commands(draft, reader);
            Some(Source::Upstreams(endpoints.clone()))
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

/// What holds for an app that says nothing itself.
pub(super) fn defaults(common: &Common<'_>, reader: &mut Reader) -> Option<Defaults> {
    let draft = AppDraft::default();
    let nowhere = Spot::file(0..0);
    let health = policy::health(&draft.health, &common.defaults.health, &nowhere, reader)?;
    Some(Defaults {
        tenant: tenant(&draft, common),
        protocol: protocol(&draft, common.defaults, Some(&health), reader),
        health,
        sleep: policy::only_written(common.defaults),
        wake: policy::wake(&draft, common.defaults, reader),
        response_timeout: common.defaults.response_timeout.clone().value_or(RESPONSE_TIMEOUT),
    })
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

fn paths(slot: &Slot<Vec<(PathPrefix, Spot)>>, spot: &Spot) -> Vec<(PathPrefix, Spot)> {
    match slot {
        Slot::Written(paths, _) => paths.clone(),
        Slot::Wrong => Vec::new(),
        Slot::Absent => PathPrefix::parse("/").into_iter().map(|path| (path, spot.clone())).collect(),
    }
}
