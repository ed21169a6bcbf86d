//! All limits of one generation, by the hosts whose requests they count.

use std::collections::HashMap;
use std::sync::Arc;

use config::model::{HostPattern, Limit};

use super::counts::{Bounds, Counts};
use super::gcra::Now;
use super::key::CountedBy;
use super::path::{Path, Prefix};
use super::told::Tally;
use crate::host::Patterns;

/// See the module. Immutable; what the limits have counted is shared with the generations before and after.
#[derive(Debug, Default)]
pub(super) struct Rules {
    /// By name: the order in which their locks are taken, in every generation.
    limits: Vec<Arc<Rule>>,
    /// Of the hosts that some limit names: all limits that count their requests.
    named: Patterns<Vec<usize>>,
    /// Those that count the requests of all other hosts.
    any_host: Vec<usize>,
}

/// A limit, ready to be compared with requests.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) limit: Arc<Limit>,
    pub(super) by: CountedBy,
    paths: Vec<Prefix>,
    pub(super) counts: Arc<Counts>,
    pub(super) tally: Arc<Tally>,
}

impl Rules {
    /// The rules of a generation; `before` gives those their counts that have kept their name. A limit of a name that
    /// comes twice is what the last one says.
    pub(super) fn after(before: &Self, limits: Vec<Arc<Limit>>, most_keys: usize, now: Now) -> Self {
        let mut by_name: Vec<_> =
            limits.into_iter().filter_map(|limit| before.rule(limit, most_keys, now)).collect();
        by_name.sort_by(|a, b| a.limit.name.cmp(&b.limit.name));
        let mut rules = Self { limits: by_name, ..Self::default() };
        rules.index();
        rules
    }

    fn rule(&self, limit: Arc<Limit>, most_keys: usize, now: Now) -> Option<Arc<Rule>> {
        let Some(by) = CountedBy::new(&limit.key) else {
            tracing::error!(limit = %limit.name, key = %limit.key, "left out: no header is called so");
            return None;
        };
        let bounds = Bounds { rate: limit.rate, concurrency: limit.concurrency };
        let before = self.limits.iter().find(|rule| rule.limit.name == limit.name);
        let (counts, tally) = match before {
            Some(before) => {
                before.counts.change(bounds, now);
                (before.counts.clone(), before.tally.clone())
            }
            None => (Counts::new(bounds, most_keys), Arc::default()),
        };
        let paths = limit.matches.paths.iter().map(Prefix::new).collect();
        Some(Arc::new(Rule { limit, by, paths, counts, tally }))
    }

    /// Each host that is named gets all that applies to it: a request looks once.
    fn index(&mut self) {
        let mut direct: HashMap<&HostPattern, Vec<usize>> = HashMap::new();
        for (index, rule) in self.limits.iter().enumerate() {
            if rule.limit.matches.hosts.is_empty() {
                self.any_host.push(index);
            }
            for host in &rule.limit.matches.hosts {
                direct.entry(host).or_default().push(index);
            }
        }
        for pattern in direct.keys() {
            let host = match pattern {
                HostPattern::Exact(host) | HostPattern::Wildcard(host) => host,
            };
            let wider =
                std::iter::successors(Some(host.as_str()), |host| host.split_once('.').map(|(_, rest)| rest));
            let wider = wider.skip(1).filter_map(|suffix| HostPattern::parse(&format!("*.{suffix}")).ok());
            let wider = wider.filter_map(|pattern| direct.get(&pattern)).flatten();
            let mut all: Vec<usize> =
                direct[pattern].iter().chain(wider).chain(&self.any_host).copied().collect();
            all.sort_unstable();
            all.dedup();
            *self.named.entry(pattern) = all;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.limits.is_empty()
    }

    pub(super) fn count(&self) -> usize {
        self.limits.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.limits.iter()
    }

    /// Whether the host makes a difference.
    pub(super) fn are_by_host(&self) -> bool {
        self.any_host.len() < self.limits.len()
    }

    /// Those that count requests of a host, in the order of their names.
    pub(super) fn of_host(&self, host: &str) -> &[usize] {
        self.named.find(host).unwrap_or(&self.any_host)
    }

    /// Those that count requests of any host of a pattern, some of them more than once.
    pub(super) fn of_pattern(&self, pattern: &HostPattern) -> impl Iterator<Item = usize> {
        self.any_host.iter().chain(self.named.find_for(pattern).flatten()).copied()
    }

    /// The rule of an index that [`Rules::of_host`] has returned.
    pub(super) fn at(&self, index: usize) -> &Rule {
        &self.limits[index]
    }
}

impl Rule {
    /// Whether it counts a request of one of its hosts.
    pub(super) fn counts(&self, method: &http::Method, path: &Path<'_>) -> bool {
        let methods = &self.limit.matches.methods;
        (methods.is_empty() || methods.iter().any(|name| name == method.as_str()))
            && (self.paths.is_empty() || self.paths.iter().any(|prefix| prefix.covers(path)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::collections::HashSet;

    use super::super::fakes::limit;
    use super::*;

    fn names(rules: &Rules, host: &str) -> Vec<String> {
        rules.of_host(host).iter().map(|index| rules.at(*index).limit.name.to_string()).collect()
    }

    #[test]
    fn every_limit_that_names_a_host_counts_its_requests_and_those_that_name_none() {
        let with_hosts = |name: &str, hosts: &[&str]| {
            let mut limit = limit(name);
            limit.matches.hosts = hosts.iter().map(|host| HostPattern::parse(host).unwrap()).collect();
            Arc::new(limit)
        };
        let limits = vec![
            with_hosts("wide", &["*.example.com"]),
            with_hosts("one", &["api.example.com", "api.example.org"]),
            with_hosts("all", &[]),
            with_hosts("narrow", &["*.eu.example.com", "*.example.com"]),
        ];
        let rules = Rules::after(&Rules::default(), limits, 10, Now(0));
        assert_eq!(names(&rules, "api.example.com"), ["all", "narrow", "one", "wide"]);
        assert_eq!(names(&rules, "api.example.org"), ["all", "one"]);
        assert_eq!(names(&rules, "a.b.eu.example.com"), ["all", "narrow", "wide"]);
        assert_eq!(names(&rules, "b.example.com"), ["all", "narrow", "wide"]);
        assert_eq!(names(&rules, "example.com"), ["all"]);
        for (pattern, limits) in [
            ("*.eu.example.com", 3),
            ("*.example.com", 4),
            ("api.example.org", 2),
            ("*.com", 4),
            ("*.org", 2),
        ] {
            let pattern = HostPattern::parse(pattern).unwrap();
            let all: HashSet<usize> = rules.of_pattern(&pattern).collect();
            assert_eq!(all.len(), limits, "{pattern}");
        }
        assert_eq!(names(&rules, ""), ["all"]);
    }
}
