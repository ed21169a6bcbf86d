//! What the environment asks for.

use std::env;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;

/// How the app lives, fails and ends. Durations are written `1.5`, `3s` or `200ms`.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// `BIND`: the address it listens on; 127.0.0.1 if not said, and 0.0.0.0 in a pod.
    pub(crate) bind: IpAddr,
    /// `PORT`; 0 takes any, which the first line of stdout names. 8080 if not said.
    pub(crate) port: u16,
    /// `START_DELAY`: how long until it listens.
    pub(crate) start_delay: Duration,
    /// `READY_DELAY`: how long, from its start, `/readyz` says 503.
    pub(crate) ready_delay: Duration,
    /// `HEALTH_STATUS`: what `/healthz` answers.
    pub(crate) health_status: u16,
    /// `FAIL`: which failure is wanted.
    pub(crate) fail: Fail,
    /// `BODY`: answered to each request that asks for nothing else, in place of the description.
    pub(crate) body: Option<Bytes>,
    /// `DRAIN`: how long it goes on after SIGTERM.
    pub(crate) drain: Duration,
    /// `STARTS_FILE`: gets a line with the pid at each start.
    pub(crate) starts_file: Option<PathBuf>,
    /// `REQUESTS_FILE`: gets a line `METHOD target` for each request, before anything is done about it.
    pub(crate) requests_file: Option<PathBuf>,
    /// `TIMES_FILE`: gets a line `WHAT NANOSECONDS` (CLOCK_MONOTONIC, the same for all processes) when the app has
    /// `started`, when it is `listening`, and for each `request` whose head has come, health checks left out.
    pub(crate) times_file: Option<PathBuf>,
    /// `SPAWN_CHILD=1`: starts a process in a session of its own, whose pid the answers name.
    pub(crate) spawn_child: bool,
    /// `RAW`: these bytes answer every request, whatever they are.
    pub(crate) raw: Option<Bytes>,
    /// `RAW_CLOSE=1`: the connection is closed after them.
    pub(crate) raw_close: bool,
}

/// A failure that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fail {
    /// None.
    Not,
    /// `exit`: ends with status 3 at once.
    Exit,
    /// `exit-after-TIME`: ends with status 3 then.
    ExitAfter(Duration),
    /// `never-listen`: runs, but opens no port.
    NeverListen,
    /// `out-of-memory`: takes memory until it is ended for it, or has 1 GiB.
    OutOfMemory,
    /// `crash-after-N`: answers N requests, health checks not counted, and aborts at the next.
    CrashAfter(u64),
}

impl Settings {
    /// Reads them all.
    ///
    /// # Errors
    /// Names the first variable that makes no sense.
    pub(crate) fn from_environment() -> Result<Self, String> {
        Ok(Self {
            bind: parsed("BIND", Ipv4Addr::LOCALHOST.into(), |text| text.parse().ok())?,
            port: parsed("PORT", 8080, |text| text.parse().ok())?,
            start_delay: parsed("START_DELAY", Duration::ZERO, duration)?,
            ready_delay: parsed("READY_DELAY", Duration::ZERO, duration)?,
            health_status: parsed("HEALTH_STATUS", 200, |text| text.parse().ok())?,
            fail: parsed("FAIL", Fail::Not, Fail::parse)?,
            body: text("BODY").map(Bytes::from),
            drain: parsed("DRAIN", Duration::ZERO, duration)?,
            starts_file: text("STARTS_FILE").map(PathBuf::from),
            requests_file: text("REQUESTS_FILE").map(PathBuf::from),
            times_file: text("TIMES_FILE").map(PathBuf::from),
            spawn_child: flag("SPAWN_CHILD"),
            raw: text("RAW").map(Bytes::from),
            raw_close: flag("RAW_CLOSE"),
        })
    }
}

impl Fail {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "exit" => Some(Self::Exit),
            "never-listen" => Some(Self::NeverListen),
            "out-of-memory" => Some(Self::OutOfMemory),
            _ => text
                .strip_prefix("exit-after-")
                .and_then(duration)
                .map(Self::ExitAfter)
                .or_else(|| text.strip_prefix("crash-after-")?.parse().ok().map(Self::CrashAfter)),
        }
    }
}

/// Parses `1.5`, `3s` or `200ms`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * unit).ok()
}

fn text(name: &str) -> Option<String> {
    env::var(name).ok().filter(|text| !text.is_empty())
}

fn flag(name: &str) -> bool {
    text(name).is_some_and(|text| text == "1")
}

fn parsed<T>(name: &str, unset: T, parse: impl Fn(&str) -> Option<T>) -> Result<T, String> {
    text(name).map_or(Ok(unset), |text| parse(&text).ok_or_else(|| format!("{name}={text} makes no sense")))
}

#[cfg(test)]
mod tests {
    use super::{Fail, duration};
    use std::time::Duration;

    #[test]
    fn durations_have_three_forms() {
        assert_eq!(duration("1.5"), Some(Duration::from_millis(1_500)));
        assert_eq!(duration("3s"), Some(Duration::from_secs(3)));
        assert_eq!(duration("200ms"), Some(Duration::from_millis(200)));
        assert_eq!(duration("soon"), None);
        assert_eq!(duration("-1"), None);
    }

    #[test]
    fn failures_are_parsed() {
        assert_eq!(Fail::parse("exit"), Some(Fail::Exit));
        assert_eq!(Fail::parse("exit-after-1.5"), Some(Fail::ExitAfter(Duration::from_millis(1_500))));
        assert_eq!(Fail::parse("crash-after-7"), Some(Fail::CrashAfter(7)));
        assert_eq!(Fail::parse("explode"), None);
    }
}
