//! What all resources are made of: texts, spans, addresses.

use std::net::SocketAddr;
use std::time::Duration;

use crate::model::{AppId, Endpoint};

/// Something that was sent cannot be understood: which part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its {0} is missing, or not known to this version")]
pub struct Unclear(pub &'static str);

/// The format that this version speaks. Who adds a field without which a resource would mean something else raises it,
/// and sends the new number as the `needs` of those resources that have it, so that an older peer refuses these.
pub(super) const FORMAT: u32 = 1;

pub(super) fn understood(needs: u32, part: &'static str) -> Result<(), Unclear> {
    (needs <= FORMAT).then_some(()).ok_or(Unclear(part))
}

/// What a part should be, or which part is unclear.
pub(super) trait Clear<T> {
    fn or_unclear(self, part: &'static str) -> Result<T, Unclear>;
}

impl<T> Clear<T> for Option<T> {
    fn or_unclear(self, part: &'static str) -> Result<T, Unclear> {
        self.ok_or(Unclear(part))
    }
}

impl<T, E> Clear<T> for Result<T, E> {
    fn or_unclear(self, part: &'static str) -> Result<T, Unclear> {
        self.map_err(|_| Unclear(part))
    }
}

/// A span of time.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(super) struct Span {
    #[prost(uint64, tag = "1")]
    seconds: u64,
    #[prost(uint32, tag = "2")]
    nanos: u32,
}

impl From<Duration> for Span {
    fn from(span: Duration) -> Self {
        Self { seconds: span.as_secs(), nanos: span.subsec_nanos() }
    }
}

impl Span {
    pub(super) fn parse(span: Option<Self>, part: &'static str) -> Result<Duration, Unclear> {
        let Self { seconds, nanos } = span.or_unclear(part)?;
        let right = nanos < 1_000_000_000;
        right.then(|| Duration::new(seconds, nanos)).or_unclear(part)
    }
}

/// An address with its weight.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct Place {
    #[prost(string, tag = "1")]
    address: String,
    #[prost(uint32, tag = "2")]
    weight: u32,
}

impl From<&Endpoint> for Place {
    fn from(endpoint: &Endpoint) -> Self {
        Self { address: endpoint.address.to_string(), weight: endpoint.weight }
    }
}

impl TryFrom<&Place> for Endpoint {
    type Error = Unclear;

    fn try_from(place: &Place) -> Result<Self, Unclear> {
        Ok(Self { address: address(&place.address)?, weight: place.weight })
    }
}

pub(super) fn address(text: &str) -> Result<SocketAddr, Unclear> {
    text.parse().or_unclear("address")
}

pub(super) fn app_id(text: &str) -> Result<AppId, Unclear> {
    AppId::parse(text).or_unclear("app")
}

/// All of them, or which part of the first that is unclear.
pub(super) fn all<'a, W: 'a, T>(list: impl IntoIterator<Item = &'a W>) -> Result<Vec<T>, Unclear>
where
    T: TryFrom<&'a W, Error = Unclear>,
{
    list.into_iter().map(T::try_from).collect()
}
