//! What a held request costs, and what becomes of all of them.
//!
//! Many ask for one app that does not come up until it is let, each on a connection of its own, or with `--http2` 100 on
//! each of a few. Memory is looked at three times: with nobody there, with all connections open but nothing asked, with
//! all requests held. Then the app may start: every request must be answered, by one start.
//!
//! `held [--requests 10000] [--http2]`; fewer where the descriptors do not suffice: the edge takes (descriptors - 512) / 2
//! connections, of which its listeners have one each while they wait.

use std::collections::BTreeMap;
use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use loadtests::crowd::Crowd;
use loadtests::edge::Edge;
use loadtests::figures::{self, say};
use loadtests::process::{self, Usage};
use loadtests::{Outcome, arguments, clock};
use serde_json::{Map, json};

const HELD: Duration = Duration::from_secs(120);
const SPARE_CONNECTIONS: u64 = 64;

/// The app is the test app behind a gate: a file that is not there yet.
const FILE: &str = r#"
[defaults]
idle_after = "never"
remove_after = "never"

[[app]]
name = "gated"
command = ["sh", "-c", "until [ -e {dir}/gate ]; do sleep 0.02; done; exec {app}"]
env = { STARTS_FILE = "{dir}/starts", BODY = "here" }
wake = "hold"
hold_timeout = "5m"
max_held = 20000
health = { tcp = true, grace = "5m" }
"#;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("held: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<()> {
    let http2 = arguments::flag("http2");
    let requests = affordable(arguments::value("requests", 10_000_u64)?, http2)?;
    let edge = Edge::start(FILE)?;
    let begin = look(&edge)?;
    let mut crowd = Crowd::connect(edge.listen, usize::try_from(requests)?, http2)?;
    let connected = look(&edge)?;
    crowd.ask("gated.localhost")?;
    clock::eventually(HELD, "all are held", || {
        crowd.go_on();
        let held = edge.app("gated").map_err(|error| error.to_string())?["held"].as_u64().unwrap_or(0);
        if held == requests { Ok(()) } else { Err(format!("{held} are")) }
    })?;
    let held = look(&edge)?;
    let released = Instant::now();
    fs::write(edge.path().join("gate"), "")?;
    let (mut right, mut wrong) = (0_u64, BTreeMap::<String, u64>::new());
    for answer in crowd.answers() {
        match answer {
            Ok(answer) if answer.status == 200 && answer.body == b"here" => right += 1,
            Ok(answer) => *wrong.entry(String::from_utf8_lossy(&answer.body).into_owned()).or_default() += 1,
            Err(error) => *wrong.entry(error.to_string()).or_default() += 1,
        }
    }
    let took = released.elapsed();
    let answered = look(&edge)?;
    let starts = fs::read_to_string(edge.path().join("starts"))?.lines().count();
    let connections = crowd.connections();
    drop(crowd);
    std::thread::sleep(Duration::from_secs(2));
    let gone = look(&edge)?;

    let each =
        |from: &Usage, to: &Usage, count: f64| (to.resident as f64 - from.resident as f64) / count / 1_024.0;
    let per_connection = each(&begin, &connected, connections as f64);
    let per_held = each(&connected, &held, requests as f64);
    let mib = |usage: &Usage| usage.resident as f64 / f64::from(1 << 20);
    let cpu = answered.since(&connected).cpu as f64 / requests as f64 / 1e3;
    say(&format!("requests held              {requests:>10}"));
    say(&format!("over connections           {connections:>10}"));
    say(&format!("answered rightly           {right:>10}"));
    wrong.iter().for_each(|(answer, count)| say(&format!("instead                    {count:>10} {answer}")));
    say(&format!("starts of the app          {starts:>10}"));
    say(&format!("KiB a connection           {:>10.2}", per_connection));
    say(&format!("KiB a held request, beyond {:>10.2}", per_held));
    say(&format!(
        "MiB: start, connected, held, answered, gone  {:.1} {:.1} {:.1} {:.1} {:.1}",
        mib(&begin),
        mib(&connected),
        mib(&held),
        mib(&answered),
        mib(&gone)
    ));
    say(&format!("app may start -> last answer, s {took:>5.2?}"));
    say(&format!("CPU of the edge a request, us {cpu:>7.1}"));
    let figures = json!({
        "requests": requests, "connections": connections, "answered": right, "instead": wrong, "starts": starts,
        "kib_per_connection": per_connection, "kib_per_held": per_held,
        "mib": { "start": mib(&begin), "connected": mib(&connected), "held": mib(&held),
                 "answered": mib(&answered), "gone": mib(&gone) },
        "seconds_to_last_answer": took.as_secs_f64(), "cpu_us_per_request": cpu,
    });
    let figures = figures.as_object().cloned().unwrap_or_else(Map::new);
    figures::save(if http2 { "held-http2" } else { "held" }, figures)?;
    if right == requests && starts == 1 { Ok(()) } else { Err("not all were answered by one start".into()) }
}

/// As many as were wanted, if there are descriptors for their connections.
fn affordable(wanted: u64, http2: bool) -> Outcome<u64> {
    let most = if http2 { wanted } else { (process::descriptors()? - 512) / 2 - SPARE_CONNECTIONS };
    if most < wanted {
        say(&format!("only {most}: there are no descriptors for more (ulimit -n)"));
    }
    Ok(wanted.min(most))
}

fn look(edge: &Edge) -> Outcome<Usage> {
    process::usage(edge.pid())
}
