//! A limit.

use std::num::NonZeroU32;

use crate::link::wire::parse::{Clear, FORMAT, Span, Unclear, understood};
use crate::model::{HostPattern, Limit, LimitMatch, PathPrefix, Rate};

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct WireLimit {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, repeated, tag = "2")]
    hosts: Vec<String>,
    #[prost(string, repeated, tag = "3")]
    paths: Vec<String>,
    #[prost(string, repeated, tag = "4")]
    methods: Vec<String>,
    /// As it is written: `client`, `header:NAME`.
    #[prost(string, tag = "5")]
    key: String,
    #[prost(message, optional, tag = "6")]
    rate: Option<WireRate>,
    /// 0: no limit.
    #[prost(uint32, tag = "7")]
    concurrency: u32,
    #[prost(uint32, tag = "15")]
    needs: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireRate {
    #[prost(uint32, tag = "1")]
    count: u32,
    #[prost(message, optional, tag = "2")]
    per: Option<Span>,
    #[prost(uint32, tag = "3")]
    burst: u32,
}

impl WireLimit {
    /// Its name and nothing else: it is refused by that.
    pub(super) fn named(limit: &Limit) -> Self {
        Self { name: limit.name.to_string(), ..Self::default() }
    }
}

impl From<&Limit> for WireLimit {
    fn from(limit: &Limit) -> Self {
        let rate = |rate: Rate| WireRate {
            count: rate.count.get(),
            per: Some(rate.per.into()),
            burst: rate.burst.get(),
        };
        Self {
            name: limit.name.to_string(),
            hosts: limit.matches.hosts.iter().map(ToString::to_string).collect(),
            paths: limit.matches.paths.iter().map(ToString::to_string).collect(),
            methods: limit.matches.methods.clone(),
            key: limit.key.to_string(),
            rate: limit.rate.map(rate),
            concurrency: limit.concurrency.map_or(0, NonZeroU32::get),
            needs: FORMAT,
        }
    }
}

impl TryFrom<&WireLimit> for Limit {
    type Error = Unclear;

    fn try_from(limit: &WireLimit) -> Result<Self, Unclear> {
        understood(limit.needs, "condition")?;
        let hosts = limit.hosts.iter().map(|host| HostPattern::parse(host).or_unclear("host"));
        let paths = limit.paths.iter().map(|path| PathPrefix::parse(path).or_unclear("path"));
        let matches = LimitMatch {
            hosts: hosts.collect::<Result<_, _>>()?,
            paths: paths.collect::<Result<_, _>>()?,
            methods: limit.methods.clone(),
        };
        let parsed = Self {
            name: Limit::parse_name(&limit.name).or_unclear("name")?,
            matches,
            key: limit.key.parse().or_unclear("key")?,
            rate: limit.rate.as_ref().map(TryInto::try_into).transpose()?,
            concurrency: NonZeroU32::new(limit.concurrency),
        };
        let bounds = parsed.rate.is_some() || parsed.concurrency.is_some();
        bounds.then_some(parsed).or_unclear("bound")
    }
}

impl TryFrom<&WireRate> for Rate {
    type Error = Unclear;

    fn try_from(rate: &WireRate) -> Result<Self, Unclear> {
        let number = |number| NonZeroU32::new(number).or_unclear("rate");
        let per = Span::parse(rate.per, "rate")?;
        let right = !per.is_zero();
        right.then_some(()).or_unclear("rate")?;
        Ok(Self { count: number(rate.count)?, per, burst: number(rate.burst)? })
    }
}
