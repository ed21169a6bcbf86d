//! The keys of `[gateway]` and `[revive]`: the fields of [`crate::settings`] by their names.

use std::time::Duration;

use super::reader::{Key, Reader};
use crate::model::Host;
use crate::settings::{Gateway, Kubernetes, LocoSleep, Revive, ReviveUrl, Settings};

/// A key that has the name of a field and sets it.
macro_rules! field {
    ($name:ident, $read:ident, $limit:expr) => {
        Key {
            name: stringify!($name),
            take: |settings, field, reader| {
                if let Some(value) = reader.$read(field, $limit) {
                    settings.$name = value;
                    reader.remember(stringify!($name), field);
                }
            },
        }
    };
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const TIB: u64 = 1 << 40;
/// A clock of nothing would end everything at once.
const MOMENT: Duration = Duration::from_millis(1);

pub(super) static GATEWAY: &[Key<Gateway>] = &[
    field!(threads, count, 0..=1_024),
    field!(max_request_line, size, 64..=MIB),
    field!(max_head, size, KIB..=MIB),
    field!(max_header_lines, count, 8..=10_000),
    field!(max_body, size, 1..=TIB),
    field!(header_timeout, duration, MOMENT),
    field!(idle_timeout, duration, MOMENT),
    field!(min_body_rate, size, 0..=1_024 * MIB),
    field!(body_rate_after, duration, Duration::ZERO),
    field!(write_timeout, duration, MOMENT),
    field!(max_requests_per_connection, count, 1..=u32::MAX as u64),
    field!(max_streams, count, 1..=10_000),
    field!(stream_window, size, KIB..=16 * MIB),
    field!(max_stream_resets, count, 1..=1_000_000),
    field!(max_held_bytes, size, 0..=TIB),
    field!(max_connections, count, 1..=10_000_000),
    field!(max_open_per_app, count, 1..=10_000_000),
    field!(connect_timeout, duration, MOMENT),
    field!(max_faults, count, 1..=1_000_000),
    field!(eject_time, duration, MOMENT),
    field!(slow_start, duration, Duration::ZERO),
    field!(retry_budget, count, 0..=100),
    field!(upstream_idle_timeout, duration, MOMENT),
    field!(drain_timeout, duration, Duration::ZERO),
    field!(max_limit_keys, count, 64..=10_000_000),
    field!(max_wakes_per_client, rate_or_none, "10/min"),
    field!(claim_secrets, secrets, 2),
    Key {
        name: REVIVE_URL,
        take: |settings, field, reader| {
            if let Some(value) = reader.parsed(field, "https://platform.example", revive_url) {
                settings.revive_url = value;
                reader.remember(REVIVE_URL, field);
            }
        },
    },
];

pub(super) const REVIVE_URL: &str = "revive_url";

/// A host is the edge's own, a URL somebody else's page.
fn revive_url(text: &str) -> Result<ReviveUrl, String> {
    const RIGHT: &str = "a host for the edge's own page, such as \"revive.localhost\", or the URL of another's, such as \
                         \"https://platform.example\", without query";
    let Some((scheme, rest)) = text.split_once("://") else {
        let host = Host::parse(text).map_err(|_| super::draft::host_help(text, RIGHT))?;
        return Ok(ReviveUrl::Own(host.as_str().into()));
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = authority.split_once(':').unwrap_or((authority, "80"));
    let right = matches!(scheme, "http" | "https")
        && Host::parse(host).is_ok()
        && port.parse::<u16>().is_ok()
        && path.bytes().all(|b| b.is_ascii_graphic() && !b"?#\\\"<>".contains(&b));
    if right { Ok(ReviveUrl::Elsewhere(text.trim_end_matches('/').into())) } else { Err(RIGHT.to_owned()) }
}

pub(super) static REVIVE: &[Key<Revive>] = &[
    field!(max_concurrent_wakes, count, 0..=10_000),
    field!(stop_timeout, duration, Duration::ZERO),
    field!(backoff_first, duration, MOMENT),
    field!(backoff_max, duration, MOMENT),
];

pub(super) static KUBERNETES: &[Key<Kubernetes>] = &[
    field!(controller, label_key, "edge.loco.io/gateway-controller"),
    field!(ports, ports, 64),
    field!(addresses, texts, "192.0.2.1"),
    field!(service, object_or_empty, "loco-edge/loco-edge-gateway"),
    field!(tenant_pattern, tenant_pattern, "wks-{workspace}-res-{app}"),
    field!(org_label, label_key, "loco.dev/org-id"),
    field!(workspace_label, label_key, "loco.dev/workspace-id"),
    field!(pull_secret_hook, url_or_empty, "http://platform.example/renew"),
    field!(failure_webhook, url_or_empty, "http://platform.example/failed"),
    field!(trust_autoscaler, boolean_as, "true"),
    field!(loco, boolean_as, "true"),
    field!(loco_sleep, word, [("replicas", LocoSleep::Replicas), ("agreement", LocoSleep::Agreement)]),
];

/// Records settings that are right each by itself but not beside another.
pub(super) fn contradictions(settings: &Settings, reader: &mut Reader) {
    let Settings { gateway, revive, kubernetes: _ } = settings;
    if gateway.max_request_line > gateway.max_head {
        let help = "a request line is part of the head: the smaller limit comes first";
        contradiction(["max_request_line", "max_head"], help, reader);
    }
    if revive.backoff_first > revive.backoff_max {
        let help = "waiting only grows: the first time is the shortest";
        contradiction(["backoff_first", "backoff_max"], help, reader);
    }
}

fn contradiction([low, high]: [&'static str; 2], help: &str, reader: &mut Reader) {
    // One of them is written, since the defaults agree.
    let Some(spot) = reader.place_of(low).or(reader.place_of(high)).cloned() else { return };
    reader.mistake(&spot, format!("`{low}` is larger than `{high}`")).help(help);
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;

    /// The names of a struct's fields, from its `Debug`.
    fn fields(value: &impl Debug) -> Vec<String> {
        let shown = format!("{value:#?}");
        shown
            .lines()
            .filter_map(|l| l.strip_prefix("    ")?.split_once(':'))
            .map(|(n, _)| n.to_owned())
            .collect()
    }

    #[test]
    fn revive_is_at_a_host_or_behind_a_url() {
        assert_eq!(revive_url("revive.localhost"), Ok(ReviveUrl::below("localhost")));
        for url in ["https://platform.example", "http://127.0.0.1:3000/console/"] {
            let kept = url.trim_end_matches('/').into();
            assert_eq!(revive_url(url), Ok(ReviveUrl::Elsewhere(kept)), "{url}");
        }
        for wrong in [
            "",
            "*.localhost",
            "revive.localhost:80",
            "ftp://platform.example",
            "https://platform.example/?a=b",
            "https://platform.example/#a",
            "https://me@platform.example",
            "https://platform.example:x",
            "https:///path",
            "https://platform.example/\r\nSet-Cookie: a=b",
        ] {
            assert!(revive_url(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_field_has_a_key() {
        let keys = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(keys(GATEWAY.iter().map(|k| k.name).collect()), fields(&Gateway::default()));
        assert_eq!(keys(REVIVE.iter().map(|k| k.name).collect()), fields(&Revive::default()));
    }
}
