//! `[[limit]]`: from drafts to limits, and what limits and apps must agree on.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use super::draft;
use super::guess;
use super::preset::{self, Preset};
use super::reader::{Field, Key, Reader, Slot, slot};
use super::text::Spot;
use crate::model::{
    App, HostPattern, Label, Limit, LimitKey, LimitKeyError, LimitMatch, PathPrefix, Rate, RouteMatch,
};

/// A `[[limit]]`.
#[derive(Default)]
pub(super) struct LimitDraft {
    pub(super) name: Slot<Label>,
    pub(super) preset: Slot<Preset>,
    pub(super) matches: MatchDraft,
    pub(super) key: Slot<LimitKey>,
    pub(super) rate: Slot<Rate>,
    pub(super) burst: Slot<NonZeroU32>,
    pub(super) concurrency: Slot<NonZeroU32>,
}

/// `match = { … }`
#[derive(Default)]
pub(super) struct MatchDraft {
    pub(super) hosts: Slot<Vec<(HostPattern, Spot)>>,
    pub(super) paths: Slot<Vec<(PathPrefix, Spot)>>,
    pub(super) methods: Slot<Vec<String>>,
}

pub(super) static LIMIT: &[Key<LimitDraft>] = &[
    slot!(name, name),
    slot!(preset, Preset::read),
    Key { name: "match", take: |draft, f, r| r.table(f, &[MATCH], "in `match`", &mut draft.matches) },
    slot!(key, key),
    slot!(rate, Reader::rate),
    slot!(burst, some_of),
    slot!(concurrency, some_of),
];

pub(super) static MATCH: &[Key<MatchDraft>] =
    &[slot!(hosts, draft::hosts), slot!(paths, draft::paths), slot!(methods, methods)];

fn name(reader: &mut Reader, field: &Field<'_>) -> Option<Label> {
    reader.parsed(field, "deploys", Limit::parse_name)
}

fn key(reader: &mut Reader, field: &Field<'_>) -> Option<LimitKey> {
    reader.parsed(field, "client", |text| {
        text.parse().map_err(|error| match error {
            LimitKeyError::Unknown => guess::or_list(text, &LimitKey::KINDS),
            LimitKeyError::Header | LimitKeyError::Claim => error.to_string(),
        })
    })
}

fn some_of(reader: &mut Reader, field: &Field<'_>) -> Option<NonZeroU32> {
    reader.count(field, 1..=u64::from(u32::MAX)).and_then(NonZeroU32::new)
}

fn methods(reader: &mut Reader, field: &Field<'_>) -> Option<Vec<String>> {
    let methods = reader.list(field, r#"["POST"]"#, |r, f| r.parsed(f, "POST", LimitMatch::method))?;
    draft::some(reader, field, methods, "leave `methods` out for all of them, or name at least one")
}

/// What can be made of all drafts, each with the place where it begins.
pub(super) fn settle(drafts: Vec<(LimitDraft, Spot)>, reader: &mut Reader) -> Vec<Arc<Limit>> {
    let mut names = Names::default();
    let limits = drafts.into_iter().flat_map(|(draft, header)| built(draft, &header, &mut names, reader));
    limits.map(Arc::new).collect()
}

/// The names that are taken, and where.
#[derive(Default)]
struct Names(BTreeMap<Label, Spot>);

impl Names {
    fn take(&mut self, name: &Label, spot: &Spot, reader: &mut Reader) {
        if let Some(first) = self.0.get(name) {
            reader
                .mistake(spot, format!("there is already a limit `{name}`"))
                .help("a limit's name is its own: give this one another")
                .see(first, "the first one");
        }
        self.0.entry(name.clone()).or_insert_with(|| spot.clone());
    }
}

fn built(draft: LimitDraft, header: &Spot, names: &mut Names, reader: &mut Reader) -> Vec<Limit> {
    let spot = draft.name.written().map_or(header, |(_, spot)| spot);
    match &draft.preset {
        Slot::Written(preset, _) => {
            let limits = preset::limits(*preset, &draft, reader);
            limits.iter().for_each(|limit| names.take(&limit.name, spot, reader));
            return limits;
        }
        Slot::Wrong => return Vec::new(),
        Slot::Absent => {}
    }
    if let Some((name, spot)) = draft.name.written() {
        names.take(name, spot, reader);
    }
    complete(&draft, header, reader);
    let (Some((name, _)), Some((key, _))) = (draft.name.written(), draft.key.written()) else {
        return Vec::new();
    };
    let (name, key) = (name.clone(), key.clone());
    let (rate, concurrency) = (draft.rate(), draft.concurrency());
    vec![Limit { name, matches: draft.matches.settled(), key, rate, concurrency }]
}

/// Whether all is there that a limit without a preset needs.
fn complete(draft: &LimitDraft, header: &Spot, reader: &mut Reader) {
    let spot = draft.name.written().map_or(header, |(_, spot)| spot);
    if draft.name.is_absent() {
        reader.missing(header, "this limit has no name", "add `name = \"deploys\"`");
    }
    if draft.key.is_absent() {
        let help = "add `key = \"client\"`, or another of credential, tenant, workspace, app, header:NAME, claim:NAME";
        reader.missing(spot, "this limit does not say by what it counts", help);
    }
    if let (Slot::Written(burst, spot), Slot::Absent) = (&draft.burst, &draft.rate) {
        let help = format!("say how many in how long: `rate = \"{burst}/min\"`");
        reader.missing(spot, "`burst` without `rate`", help);
    } else if draft.rate.is_absent() && draft.concurrency.is_absent() {
        let help = "add `rate = \"5/min\"`, or `concurrency = 3`";
        reader.missing(spot, "this limit limits nothing", help);
    }
}

impl LimitDraft {
    /// With its burst.
    pub(super) fn rate(&self) -> Option<Rate> {
        let (rate, _) = self.rate.written()?;
        Some(self.burst.written().map_or(*rate, |(burst, _)| rate.with_burst(*burst)))
    }

    pub(super) fn concurrency(&self) -> Option<NonZeroU32> {
        self.concurrency.written().map(|(most, _)| *most)
    }
}

impl MatchDraft {
    fn settled(self) -> LimitMatch {
        LimitMatch {
            hosts: self.hosts(),
            paths: self.paths.value_or(Vec::new()).into_iter().map(|(path, _)| path).collect(),
            methods: self.methods.value_or(Vec::new()),
        }
    }

    pub(super) fn hosts(&self) -> Vec<HostPattern> {
        let written = self.hosts.written().into_iter().flat_map(|(hosts, _)| hosts);
        written.map(|(host, _)| host.clone()).collect()
    }
}

/// Warns of limits of what none of `apps`, which are all there are, answers.
pub(super) fn warn_of_nobody(drafts: &[(LimitDraft, Spot)], apps: &[Arc<App>], reader: &mut Reader) {
    let routes: Vec<&RouteMatch> = apps.iter().flat_map(|app| &app.routes).collect();
    for (draft, _) in drafts {
        draft.matches.warn_of_nobody(&routes, reader);
    }
}

impl MatchDraft {
    fn warn_of_nobody(&self, routes: &[&RouteMatch], reader: &mut Reader) {
        let hosts = self.hosts.written().map_or(&[][..], |(hosts, _)| hosts);
        for (host, spot) in hosts {
            if !routes.iter().any(|route| host.overlaps(&route.host)) {
                reader
                    .warning(spot, format!("no app answers at {host}"))
                    .help("until one does, this limit counts nothing there");
            }
        }
        let of_hosts = |route: &&&RouteMatch| {
            hosts.is_empty() || hosts.iter().any(|(host, _)| host.overlaps(&route.host))
        };
        let routes: Vec<&RouteMatch> = routes.iter().filter(of_hosts).copied().collect();
        for (path, spot) in self.paths.written().map_or(&[][..], |(paths, _)| paths) {
            let meets =
                |route: &&RouteMatch| route.path.matches(path.as_str()) || path.matches(route.path.as_str());
            if !routes.is_empty() && !routes.iter().any(meets) {
                let help = "no app that this limit is about has it among its `paths`";
                reader.warning(spot, format!("no app answers at {path}")).help(help);
            }
        }
    }
}
