//! From a file of apps to the model, or everything that is wrong with it at once.
//!
//! ```text
//!   path ──► file ──► syntax ──► document ──────► app ──────► routes ──► Loaded
//!            text     tables     drafts, by keys  defaults    who
//!                                (draft,          and rules   answers
//!                                 settings)                   where
//!              └─────────┴───────────┴───────────────┴──────────┴──────► Mistakes ──► render
//! ```
//!
//! # Defaults
//!
//! | key | default |
//! |---|---|
//! | `domain`, `region`, `environment` | `"localhost"`, `"local"`, `"dev"` |
//! | `hosts`, `paths` | `[NAME.domain]`, `["/"]` |
//! | `dir` | the file's directory |
//! | `tenant` | `{ org = "local", workspace = "local" }` |
//! | `health` | `{ tcp = true, timeout = "1s", grace = "60s" }` |
//! | `idle_after` | `"15m"`, or `remove_after` where that is shorter |
//! | `remove_after` | `"7d"`, or `idle_after` where that is longer or `"never"` |
//! | `protocol` | `"auto"` |
//! | `wake`, `page_after`, `hold_timeout`, `max_held` | `"auto"`, `"2s"`, `"30s"`, `10000` |
//! | `response_timeout` | `"60s"` |
//! | `passersby` | `{ health_checks = "budget", monitors = "budget", crawlers = "budget", budget = "24h" }` |
//! | `burst` | as many as `rate` counts |
//!
//! The two sleep defaults are of this file only, which is how `dev` learns of apps: on one's own machine a sleeping
//! app costs nobody anything. Elsewhere nothing sleeps unless a policy or a default that somebody wrote says so.
//! An app with `upstreams` never sleeps.
//!
//! # Environment
//!
//! `LOCO_EDGE__GATEWAY__HEADER_TIMEOUT=5s` overrides `header_timeout` of `[gateway]`; so do variables for `[revive]`
//! and, as `LOCO_EDGE__REGION`, for `domain`, `region` and `environment`. Any other `LOCO_EDGE__…` is a mistake.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{App, Health, Host, Label, Limit, Protocol, SleepPolicy, Tenant, Token, WakePolicy};
use crate::settings::{ReviveUrl, Settings};

mod app;
mod cluster;
mod disk;
mod document;
mod draft;
mod file;
mod guess;
mod limit;
mod mistake;
mod passersby;
mod policy;
mod preset;
mod quantity;
mod reader;
mod remark;
mod render;
mod routes;
mod secret;
mod settings;
mod span;
mod syntax;
mod text;
mod token;
mod upstream;
mod values;

pub use mistake::{Mistake, Mistakes, Place, Related, Severity};
pub use remark::Remark;
pub use render::Colours;
pub use span::{after, shown_span, span};

use disk::{Disk, FullDisk, RealDisk};
use document::Document;
use reader::Reader;
use text::{Origin, Spot, Text};

/// What a file says, with defaults and the environment applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Where it runs.
    pub region: Label,
    /// What it is for, such as `dev`.
    pub environment: Label,
    /// What an app's name is put before.
    pub domain: Host,
    /// Sizes and clocks.
    pub settings: Settings,
    /// What holds for an app that says nothing else.
    pub defaults: Defaults,
    /// In the order of the file; none in the file of a platform.
    pub apps: Vec<Arc<App>>,
    /// In the order of the file, presets written out.
    pub limits: Vec<Arc<Limit>>,
    /// Who may use the admin API; everybody who reaches it where there are none.
    pub tokens: Vec<Token>,
    /// What looks wrong but can be used.
    pub warnings: Mistakes,
}

/// What an app of a cluster is, where neither its objects nor a policy say otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// Whose it is, where its labels and its namespace do not say.
    pub tenant: Tenant,
    /// What it speaks.
    pub protocol: Protocol,
    /// When it is up.
    pub health: Health,
    /// When it sleeps: never, unless the file says so.
    pub sleep: SleepPolicy,
    /// What a request meets while it sleeps.
    pub wake: WakePolicy,
    /// How long it may take to begin its response.
    pub response_timeout: Duration,
}

/// What a file is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    /// Apps of this machine.
    Apps,
    /// A platform, which knows its apps itself.
    Platform,
}

/// Loads a file; `environment` is the process's variables, of which `LOCO_EDGE__…` and `PATH` matter.
///
/// # Errors
/// All that is wrong with the file or its variables; warnings among it.
pub fn load(path: &Path, environment: &[(String, String)]) -> Result<Loaded, Mistakes> {
    from_file(path, environment, About::Apps)
}

/// Loads the file of a platform: settings, defaults, limits and tokens, and no apps.
///
/// # Errors
/// As [`load`].
pub fn load_platform(path: &Path, environment: &[(String, String)]) -> Result<Loaded, Mistakes> {
    from_file(path, environment, About::Platform)
}

fn from_file(path: &Path, environment: &[(String, String)], about: About) -> Result<Loaded, Mistakes> {
    let text = file::read(path)?;
    let name = path.display().to_string();
    let absolute = std::path::absolute(path).map_err(|error| {
        let help = "name the file by its whole path".to_owned();
        Mistakes::unreadable(&name, format!("the directory of the file is unknown: {error}"), help)
    })?;
    let base_dir = absolute.parent().unwrap_or(Path::new("/"));
    read((&name, about), &text, base_dir, environment, &RealDisk)
}

/// Loads a text without a look at the disk, as if every directory and program in it were there. `name` is what
/// mistakes call it, `base_dir` what relative directories are relative to.
///
/// # Errors
/// All that is wrong with the text or the variables; warnings among it.
pub fn parse(
    name: &str,
    text: &str,
    base_dir: &Path,
    environment: &[(String, String)],
) -> Result<Loaded, Mistakes> {
    read((name, About::Apps), text, base_dir, environment, &FullDisk)
}

/// Loads the text of a platform's file.
///
/// # Errors
/// All that is wrong with the text or the variables; warnings among it.
pub fn parse_platform(name: &str, text: &str, environment: &[(String, String)]) -> Result<Loaded, Mistakes> {
    read((name, About::Platform), text, Path::new("/"), environment, &FullDisk)
}

fn read(
    (name, about): (&str, About),
    source: &str,
    base_dir: &Path,
    variables: &[(String, String)],
    disk: &dyn Disk,
) -> Result<Loaded, Mistakes> {
    let text = Text::new(source);
    let syntax::Repaired { text: repaired, mistakes } = syntax::repair(source, &text);
    let table = syntax::tables(&repaired);
    let mut reader = Reader::new(document::home);
    if !mistakes.is_empty() {
        reader.set_incomplete();
    }
    let mut document = Document::default();
    document.apps_are_misspelt = document::apps_are_misspelt(&table);
    reader.entries(&table, &[document::TOP, document::TABLES], "at the top of the file", &mut document);
    let overlay = document::overlay(&mut document, variables, &mut reader);
    settings::contradictions(&document.settings, &mut reader);
    let search_path = variables.iter().find(|(name, _)| name == "PATH").map(|(_, path)| path.as_str());
    let loaded = compile(document, source, &Surroundings { about, base_dir, search_path, disk }, &mut reader);

    let mut findings = reader.into_findings();
    findings.retain(|f| {
        f.spot.origin != Origin::File || !mistakes.contains_key(&text.line_number(f.spot.span.start))
    });
    findings.extend(mistakes.into_values());
    let found = Mistakes::located(findings, name, &text, &Text::new(&overlay));
    match loaded {
        Some(loaded) if found.count(Severity::Error) == 0 => Ok(Loaded { warnings: found, ..loaded }),
        _ => Err(found),
    }
}

/// What is around a file.
struct Surroundings<'a> {
    about: About,
    base_dir: &'a Path,
    search_path: Option<&'a str>,
    disk: &'a dyn Disk,
}

fn compile(
    mut document: Document,
    source: &str,
    around: &Surroundings<'_>,
    reader: &mut Reader,
) -> Option<Loaded> {
    check_subject(&document, source, around.about, reader);
    let common = app::Common {
        domain: document.domain.value_or(Host::parse("localhost").ok()?),
        region: document.region.value_or(Label::parse("local").ok()?),
        environment: document.environment.value_or(Label::parse("dev").ok()?),
        defaults: &document.defaults,
        base_dir: around.base_dir,
        search_path: around.search_path,
        disk: around.disk,
    };
    let count = document.apps.len();
    let built =
        document.apps.into_iter().filter_map(|(draft, spot)| app::build(draft, &spot, &common, reader));
    let built: Vec<_> = built.collect();
    if reader.place_of(settings::REVIVE_URL).is_none() {
        document.settings.gateway.revive_url = ReviveUrl::below(common.domain.as_str());
    }
    let apps = routes::settle(built, &document.settings.gateway.revive_url, reader);
    if apps.len() == count {
        limit::warn_of_nobody(&document.limits, &apps, reader);
    }
    let limits = limit::settle(document.limits, reader);
    let tokens = token::settle(document.admin.tokens, reader);
    let defaults = app::defaults(&common, reader)?;
    let app::Common { domain, region, environment, .. } = common;
    let warnings = Mistakes::default();
    Some(Loaded {
        region,
        environment,
        domain,
        settings: document.settings,
        defaults,
        apps,
        limits,
        tokens,
        warnings,
    })
}

/// A file is about apps, or about a platform.
fn check_subject(document: &Document, source: &str, about: About, reader: &mut Reader) {
    match (about, &document.kubernetes, document.apps.first()) {
        (About::Apps, _, None) if !document.apps_are_misspelt => {
            let end = Spot::file(source.trim_end().len()..source.len());
            reader.missing(&end, "there are no apps in this file", "add [[app]] with `name` and `command`");
        }
        (About::Apps, Some(spot), _) => {
            let help = "it is for the file of `loco-edge revive --config` and `loco-edge gateway --config`";
            reader.mistake(spot, "[kubernetes] in a file of apps").help(help);
        }
        (About::Platform, _, Some((_, spot))) => {
            let help = "on a cluster, routes and Services say which apps there are";
            reader.mistake(spot, "an app in the file of a platform").help(help);
        }
        (About::Apps, None, _) | (About::Platform, _, None) => {}
    }
}
