//! What the edge costs when nobody asks: memory and time to start by number of apps, CPU and wake-ups at rest.
//!
//! `idle [--seconds 20] [--most 10000]`; fewer apps where the descriptors do not suffice, since each app has a listener
//! of its own.

use std::fmt::Write;
use std::process::ExitCode;
use std::time::Duration;

use loadtests::client::Client;
use loadtests::edge::Edge;
use loadtests::figures::{self, say};
use loadtests::process;
use loadtests::{Outcome, arguments};
use serde_json::{Map, Value, json};

/// Serving threads of the edge, so that figures of machines with more cores can be compared.
const THREADS: usize = 2;
/// Connections that an edge must have beside those that its listeners reserve while they wait.
const CONNECTIONS: u64 = 64;
/// Longer than `upstream_idle_timeout`, and than tokio keeps an idle thread.
const SETTLE: Duration = Duration::from_secs(35);
const MIB: f64 = (1 << 20) as f64;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("idle: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<()> {
    let window = Duration::from_secs(arguments::value("seconds", 20)?);
    let most: usize = arguments::value("most", 10_000)?;
    let mut figures = Map::new();
    figures.insert("rest".to_owned(), Value::Array(vec![rest(0, window)?, rest(10, window)?]));
    say("\n   apps  threads    MiB  anonymous  ready after, ms");
    let mut sizes = Vec::new();
    for apps in [10, 100, 1_000, most] {
        sizes.push(size(affordable(apps, THREADS)?, THREADS)?);
    }
    let fits = affordable(most, 1)?;
    sizes.push(size(fits, 1)?);
    figures.insert("sizes".to_owned(), Value::Array(sizes));
    figures::save("idle", figures)
}

/// A listener has a descriptor, and for each thread one more and one of the connections, of which there are
/// (descriptors - 512) / 2.
fn affordable(apps: usize, threads: usize) -> Outcome<usize> {
    let descriptors = process::descriptors()?;
    let connections = usize::try_from((descriptors - 512) / 2 - CONNECTIONS)?;
    let listeners = (connections / threads).min(usize::try_from(descriptors - 512)? / (threads + 1));
    Ok(apps.min(listeners - 1))
}

fn file(apps: usize, threads: usize) -> String {
    let mut text = format!("[gateway]\nthreads = {threads}\n\n[defaults]\nidle_after = \"1h\"\n");
    for number in 0..apps {
        let (org, workspace) = (number / 100, number / 10);
        // A String takes all.
        let _ = write!(
            text,
            "\n[[app]]\nname = \"app-{number}\"\ncommand = [\"{{app}}\"]\n\
             tenant = {{ org = \"org-{org}\", workspace = \"shop-{workspace}\" }}\n"
        );
    }
    text
}

/// A hundred apps, of which some are awake and all idle.
fn rest(awake: usize, window: Duration) -> Outcome<Value> {
    let edge = Edge::start(&file(100, THREADS))?;
    for number in 0..awake {
        let answer = Client::connect(edge.listen)?.ask("GET", &format!("app-{number}.localhost"), "/")?;
        if answer.status != 200 {
            return Err(format!("app-{number}: {}", answer.status).into());
        }
    }
    // What starting and waking leave to be done, such as closing idle connections, is no rest.
    std::thread::sleep(SETTLE);
    let before = process::usage(edge.pid())?;
    std::thread::sleep(window);
    let after = process::usage(edge.pid())?;
    let seconds = window.as_secs_f64();
    let work = after.since(&before);
    let (waits, cpu) = (work.waits as f64 / seconds, work.cpu as f64 / 1e7 / seconds);
    let mib = after.resident as f64 / MIB;
    say(&format!("100 apps, {awake} awake: {mib:.1} MiB, {waits:.1} wake-ups/s, {cpu:.4} % of a core"));
    Ok(json!({ "apps": 100, "awake": awake, "mib": mib, "wakeups_per_s": waits, "cpu_percent": cpu }))
}

/// So many apps, all asleep.
fn size(apps: usize, threads: usize) -> Outcome<Value> {
    let edge = Edge::start(&file(apps, threads))?;
    let usage = process::usage(edge.pid())?;
    let (mib, anonymous) = (usage.resident as f64 / MIB, usage.anonymous as f64 / MIB);
    let ready = edge.start.as_secs_f64() * 1e3;
    // Whether the edge serves with so many: an answer of its own, on more than one connection.
    for _ in 0..4 {
        let answer = Client::connect(edge.listen)?.ask("GET", "nobody.localhost", "/")?;
        if answer.status != 404 {
            return Err(format!("{apps} apps: {}", answer.status).into());
        }
    }
    say(&format!("{apps:>7} {threads:>8} {mib:>6.1} {anonymous:>10.1} {ready:>16.0}"));
    Ok(json!({ "apps": apps, "threads": threads, "mib": mib, "anonymous_mib": anonymous, "ready_ms": ready }))
}
