//! Limits that need not be written out.

use std::num::NonZeroU32;
use std::time::Duration;

use super::limit::LimitDraft;
use super::reader::{Field, Reader};
use crate::model::{Label, Limit, LimitKey, LimitMatch, PathPrefix, Rate};

/// A set of limits by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Preset {
    /// The platform's deploy and create calls.
    LocoDeploy,
}

impl Preset {
    pub(super) fn read(reader: &mut Reader, field: &Field<'_>) -> Option<Self> {
        reader.word(field, [("loco-deploy", Self::LocoDeploy)])
    }
}

/// Calls that make the platform build or start something. Each is known with and without the `loco.` before its
/// package, which the platform may gain.
const DEPLOYS: [&str; 5] = [
    "deployment.v1.DeploymentService/CreateDeployment",
    "resource.v1.ResourceService/CreateResource",
    "resource.v1.ResourceService/UpdateResource",
    "resource.v1.ResourceService/ScaleResource",
    "resource.v1.ResourceService/UpdateResourceEnv",
];

const MINUTE: Duration = Duration::from_secs(60);

/// One of a preset's limits.
struct Part {
    name: &'static str,
    key: LimitKey,
    /// In a minute.
    count: u32,
    burst: u32,
    concurrency: u32,
}

/// A deploy takes minutes and a person deploys now and then; several people, or their build machines, can share an
/// address.
const PARTS: [Part; 2] = [
    Part { name: "by-credential", key: LimitKey::Credential, count: 5, burst: 3, concurrency: 3 },
    Part { name: "by-client", key: LimitKey::Client, count: 20, burst: 10, concurrency: 6 },
];

/// The limits of a preset, with what `draft` says otherwise.
pub(super) fn limits(preset: Preset, draft: &LimitDraft, reader: &mut Reader) -> Vec<Limit> {
    let Preset::LocoDeploy = preset;
    refuse_own_words(draft, reader);
    let matches = LimitMatch {
        hosts: draft.matches.hosts(),
        paths: DEPLOYS
            .iter()
            .flat_map(|call| [format!("/{call}"), format!("/loco.{call}")])
            .filter_map(|path| PathPrefix::parse(&path).ok())
            .collect(),
        methods: vec!["POST".to_owned()],
    };
    let limit = |part: Part| {
        let name = name(draft, part.name, reader)?;
        let rate = draft.rate().or_else(|| {
            let rate = Rate::new(NonZeroU32::new(part.count)?, MINUTE);
            let burst = draft.burst.written().map(|(burst, _)| *burst).or(NonZeroU32::new(part.burst))?;
            Some(rate.with_burst(burst))
        });
        let concurrency = draft.concurrency().or(NonZeroU32::new(part.concurrency));
        Some(Limit { name, matches: matches.clone(), key: part.key, rate, concurrency })
    };
    PARTS.into_iter().filter_map(limit).collect()
}

/// The name of a part: the draft's, or `deploys`, and what the part is by.
fn name(draft: &LimitDraft, part: &str, reader: &mut Reader) -> Option<Label> {
    let written = draft.name.written();
    let prefix = written.map_or("deploys", |(name, _)| name.as_str());
    match (Limit::parse_name(&format!("{prefix}-{part}")), written) {
        (Ok(name), _) => Some(name),
        (Err(error), Some((_, spot))) => {
            reader
                .mistake(spot, format!("with \"-{part}\", which is put behind it, this name is none"))
                .help(error.to_string());
            None
        }
        (Err(_), None) => None,
    }
}

/// What the preset itself says.
fn refuse_own_words(draft: &LimitDraft, reader: &mut Reader) {
    let own = [
        ("key", draft.key.written().map(|w| w.1)),
        ("paths", draft.matches.paths.written().map(|w| w.1)),
        ("methods", draft.matches.methods.written().map(|w| w.1)),
    ];
    for (name, spot) in own.into_iter().filter_map(|(name, spot)| Some((name, spot?))) {
        reader
            .mistake(spot, format!("`{name}` beside a `preset`, which says that itself"))
            .help("take it out, or write the limit without `preset`");
    }
}
