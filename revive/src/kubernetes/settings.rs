//! What the edge is to make of a cluster.

use std::collections::BTreeSet;
use std::time::Duration;

use config::model::{Health, Label, LabelError, Tenant};
use config::settings::LocoSleep;

use super::crd::Sleeping;
use super::index::{Key, Labels};

/// What the edge is to make of a cluster.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The controller that GatewayClasses name to mean us (`spec.controllerName`).
    pub controller: Box<str>,
    /// The ports that gateways serve.
    pub ports: Ports,
    /// Where gateways are reached.
    pub addresses: Addresses,
    /// Whose apps are.
    pub tenants: Tenants,
    /// What holds for apps of which no policy says otherwise.
    pub sleep: Sleeping,
    /// What holds for apps of which neither a policy nor a readiness probe says otherwise.
    pub health: Health,
    /// How long an app may take to begin its response.
    pub response_timeout: Duration,
    /// Whether loco's Applications are apps, and how they sleep.
    pub loco: Option<LocoSleep>,
}

/// The ports that gateways serve; listeners of others are told `PortUnavailable`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ports {
    /// In the clear.
    pub http: BTreeSet<u16>,
    /// Over TLS.
    pub https: BTreeSet<u16>,
}

/// Where gateways are reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// Here: addresses or names.
    Fixed(Vec<Box<str>>),
    /// Where this Service is: at its load balancer, else at its external addresses, else at its cluster IP.
    Service(Key),
}

/// Whose apps are: said by labels or annotations of their namespace, else by the namespace's name, else for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenants {
    /// The labels or annotations that say it.
    pub keys: TenantKeys,
    /// What a namespace's name says.
    pub pattern: Option<NamePattern>,
    /// What holds else. Of a namespace that nothing says a workspace of, it is the namespace itself.
    pub org: Label,
    /// See `org`.
    pub region: Label,
    /// See `org`.
    pub environment: Label,
}

/// The names of labels or annotations of namespaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantKeys {
    /// Of the organisation.
    pub org: Box<str>,
    /// Of the workspace.
    pub workspace: Box<str>,
    /// Of the region.
    pub region: Box<str>,
    /// Of the environment.
    pub environment: Box<str>,
}

impl Settings {
    /// The annotations that are read of objects.
    pub fn annotations(&self) -> Vec<Box<str>> {
        let TenantKeys { org, workspace, region, environment } = &self.tenants.keys;
        [org, workspace, region, environment].map(Clone::clone).into()
    }
}

impl Settings {
    /// The defaults, with these words for what only the platform knows.
    ///
    /// # Errors
    /// Where one of them is no label.
    pub fn new(org: &str, region: &str, environment: &str) -> Result<Self, LabelError> {
        Ok(Self {
            controller: "edge.loco.io/gateway-controller".into(),
            ports: Ports { http: [80].into(), https: [443].into() },
            addresses: Addresses::Fixed(Vec::new()),
            tenants: Tenants {
                keys: TenantKeys {
                    org: "loco.dev/org".into(),
                    workspace: "loco.dev/workspace".into(),
                    region: "loco.dev/region".into(),
                    environment: "loco.dev/environment".into(),
                },
                pattern: None,
                org: Label::parse(org)?,
                region: Label::parse(region)?,
                environment: Label::parse(environment)?,
            },
            sleep: Sleeping::default(),
            health: Health::default(),
            response_timeout: Duration::from_secs(60),
            loco: None,
        })
    }
}

/// A pattern of names, such as `wks-{workspace}-res-{app}`: each name in braces stands for one or more characters, as few
/// as will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    Named(Said),
}

/// What a part of a name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Said {
    Org,
    Workspace,
    App,
    Region,
    Environment,
}

/// Why a text is no [`NamePattern`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a pattern of namespaces' names, in which {{org}}, {{workspace}}, {{app}}, {{region}} and {{environment}} stand each once at most, with text between them: wks-{{workspace}}-res-{{app}}"
)]
pub struct NamePatternError;

impl NamePattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// Where it names what it cannot say, the same twice, or two things with nothing between.
    pub fn parse(text: &str) -> Result<Self, NamePatternError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or(NamePatternError)?;
            let named = Said::parse(name).ok_or(NamePatternError)?;
            if parts.contains(&Part::Named(named)) || (before.is_empty() && !parts.is_empty()) {
                return Err(NamePatternError);
            }
            if !before.is_empty() {
                parts.push(Part::Text(before.into()));
            }
            parts.push(Part::Named(named));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.into()));
        }
        let says = parts.iter().any(|part| matches!(part, Part::Named(_)));
        let stray = parts.iter().any(|part| matches!(part, Part::Text(text) if text.contains('}')));
        if says && !stray { Ok(Self(parts)) } else { Err(NamePatternError) }
    }

    /// What a name says; `None` where it is not of this pattern.
    fn read<'n>(&self, name: &'n str) -> Option<Vec<(Said, &'n str)>> {
        let mut said = Vec::new();
        read(&self.0, name, &mut said).then_some(said)
    }
}

/// With at most four gaps between fixed texts, trying all lengths is cheap for names of 63 characters.
fn read<'n>(parts: &[Part], name: &'n str, said: &mut Vec<(Said, &'n str)>) -> bool {
    match parts.split_first() {
        None => name.is_empty(),
        Some((Part::Text(text), parts)) => {
            name.strip_prefix(&**text).is_some_and(|rest| read(parts, rest, said))
        }
        Some((Part::Named(named), parts)) => (1..=name.len()).any(|length| {
            let Some((value, rest)) = name.split_at_checked(length) else { return false };
            said.push((*named, value));
            let right = read(parts, rest, said);
            if !right {
                said.pop();
            }
            right
        }),
    }
}

impl Said {
    fn parse(name: &str) -> Option<Self> {
        match name {
            "org" => Some(Self::Org),
            "workspace" => Some(Self::Workspace),
            "app" => Some(Self::App),
            "region" => Some(Self::Region),
            "environment" => Some(Self::Environment),
            _ => None,
        }
    }
}

impl Tenants {
    /// Whose the apps of a namespace are. A label wins over an annotation, and what is no [`Label`] says nothing. What
    /// those say who may only write *in* the namespace does not count: they could say that it is somebody else's.
    pub fn tenant(&self, namespace: &str, labels: &Labels, annotations: &Labels) -> Tenant {
        let named = self.pattern.as_ref().and_then(|pattern| pattern.read(namespace)).unwrap_or_default();
        let said = |key: &str, what: Said| {
            let written = labels.get(key).or_else(|| annotations.get(key)).map(|value| &**value);
            let named = || named.iter().find(|(said, _)| *said == what).map(|(_, value)| *value);
            let parsed = |text: &str| Label::parse(text).ok();
            written.and_then(parsed).or_else(|| named().and_then(parsed))
        };
        let org = said(&self.keys.org, Said::Org).unwrap_or_else(|| self.org.clone());
        let workspace = said(&self.keys.workspace, Said::Workspace);
        Tenant {
            workspace: workspace.or_else(|| Label::parse(namespace).ok()).unwrap_or_else(|| org.clone()),
            org,
            region: said(&self.keys.region, Said::Region).unwrap_or_else(|| self.region.clone()),
            environment: said(&self.keys.environment, Said::Environment)
                .unwrap_or_else(|| self.environment.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends where it is wrong")]

    use super::*;

    fn labels(of: &[(&str, &str)]) -> Labels {
        of.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    #[test]
    fn a_namespaces_name_says_whose_its_apps_are() {
        let mut tenants = Settings::new("acme", "here", "test").unwrap().tenants;
        tenants.pattern = Some(NamePattern::parse("wks-{workspace}-res-{app}").unwrap());
        let of = |name: &str| tenants.tenant(name, &Labels::new(), &Labels::new()).workspace.to_string();
        assert_eq!(of("wks-7-res-12"), "7");
        assert_eq!(of("wks-a-res-b-res-c"), "a", "as few characters as will do");
        assert_eq!(of("wks--res-12"), "wks--res-12", "nothing says no workspace");
        assert_eq!(of("shop"), "shop");
    }

    #[test]
    fn labels_of_the_namespace_win_and_what_is_no_label_says_nothing() {
        let tenants = Settings::new("acme", "here", "test").unwrap().tenants;
        let said = labels(&[("loco.dev/org", "globex"), ("loco.dev/workspace", "a b")]);
        let noted = labels(&[("loco.dev/org", "other"), ("loco.dev/region", "there")]);
        let tenant = tenants.tenant("shop", &said, &noted);
        let shown =
            [tenant.org, tenant.workspace, tenant.region, tenant.environment].map(|label| label.to_string());
        assert_eq!(shown, ["globex", "shop", "there", "test"]);
    }

    #[test]
    fn a_pattern_that_could_be_read_in_two_ways_is_none() {
        for text in ["", "wks", "{app}{org}", "{nobody}", "{org}-{org}", "{org", "org}", "a}-{org}"] {
            assert_eq!(NamePattern::parse(text), Err(NamePatternError), "{text}");
        }
    }
}
