//! How long a wake takes beyond what the app itself takes.
//!
//! * deep: the app's process is gone. Own latency is from the moment its port is open (stamped by the app right after
//!   listen(2)) until it has the head of the request that woke it (stamped by the app too, so its own reading and parsing
//!   count against us). Apps listen at once, or after a delay between 0 and 40 ms, so that the prober is met in every phase.
//! * light: the app's process group is stopped. Its port is open all the time, so own latency is from the moment the
//!   client sends the request.
//!
//! `wake-latency [--wakes 1000] [--seed 1]`

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use loadtests::client::Client;
use loadtests::edge::Edge;
use loadtests::figures::{self, Distribution, say};
use loadtests::{Outcome, arguments, clock};
use serde_json::{Map, Value, json};

/// Apps that listen late, each with a delay of its own.
const LATE_APPS: usize = 20;
const MAX_DELAY_MS: f64 = 40.0;
const MILLISECOND: f64 = 1e6;

/// The stamps of one wake, in milliseconds.
struct Wake {
    /// From the request until the app's `main` runs: deciding, forking, linking.
    decision: f64,
    /// See the top of the file.
    own: f64,
    /// From the request until its answer was read.
    total: f64,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("wake-latency: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<()> {
    let wakes = arguments::value("wakes", 1_000_usize)?;
    fastrand::seed(arguments::value("seed", 1)?);
    let edge = Edge::start(&file())?;
    let late: Vec<String> = (0..LATE_APPS).map(|number| format!("late-{number}")).collect();
    let scenarios: [(&str, &str, Vec<String>); 3] = [
        ("deep, listens at once", "deep", vec!["prompt".to_owned()]),
        ("deep, listens after 0-40 ms", "deep", late),
        ("light", "light", vec!["prompt".to_owned()]),
    ];
    let mut figures = Map::new();
    say(&format!("{wakes} wakes each, in ms             p50      p95      p99      max"));
    for (name, depth, apps) in scenarios {
        let measured = scenario(&edge, depth, &apps, wakes)?;
        figures.insert(name.to_owned(), report(name, depth, &measured));
    }
    figures::save("wake-latency", figures)
}

fn file() -> String {
    let app = |name: &str, delay: f64| {
        format!(
            "[[app]]\nname = \"{name}\"\ncommand = [\"{{app}}\"]\n\
             env = {{ TIMES_FILE = \"{{dir}}/{name}.times\", START_DELAY = \"{delay:.3}ms\" }}\n"
        )
    };
    let late = (0..LATE_APPS).map(|number| app(&format!("late-{number}"), fastrand::f64() * MAX_DELAY_MS));
    let defaults =
        "[defaults]\nidle_after = \"never\"\nremove_after = \"never\"\nwake = \"hold\"\n".to_owned();
    defaults + &app("prompt", 0.0) + &late.collect::<String>()
}

fn scenario(edge: &Edge, depth: &str, apps: &[String], wakes: usize) -> Outcome<Vec<Wake>> {
    for app in apps {
        wake(edge, app)?;
        edge.sleep(app, depth)?;
    }
    let mut measured = Vec::with_capacity(wakes);
    for app in apps.iter().cycle().take(wakes) {
        measured.push(wake(edge, app)?);
        edge.sleep(app, depth)?;
    }
    Ok(measured)
}

/// Wakes a sleeping app by a request on a new connection.
fn wake(edge: &Edge, app: &str) -> Outcome<Wake> {
    let times: PathBuf = edge.path().join(format!("{app}.times"));
    fs::write(&times, "")?;
    let mut client = Client::connect(edge.listen)?;
    let asked = clock::now();
    let answer = client.ask("GET", &format!("{app}.localhost"), "/")?;
    let answered = clock::now();
    if answer.status != 200 {
        return Err(format!("{app}: {} {}", answer.status, String::from_utf8_lossy(&answer.body)).into());
    }
    let stamps = fs::read_to_string(&times)?;
    let request = stamp(&stamps, "request").ok_or("the app has not stamped the request")?;
    // Neither is there when a stopped app goes on.
    let (started, listening) = (stamp(&stamps, "started"), stamp(&stamps, "listening"));
    Ok(Wake {
        decision: started.map_or(0.0, |started| milliseconds(asked, started)),
        own: milliseconds(listening.unwrap_or(asked), request),
        total: milliseconds(asked, answered),
    })
}

fn stamp(stamps: &str, what: &str) -> Option<u64> {
    stamps.lines().find_map(|line| line.strip_prefix(what)?.trim().parse().ok())
}

fn milliseconds(from: u64, to: u64) -> f64 {
    (to as f64 - from as f64) / MILLISECOND
}

fn report(name: &str, depth: &str, wakes: &[Wake]) -> Value {
    let of = |part: fn(&Wake) -> f64| Distribution::of(wakes.iter().map(part).collect());
    let (decision, own, total) = (of(|wake| wake.decision), of(|wake| wake.own), of(|wake| wake.total));
    say(&format!("{name:28} own      {}", own.row()));
    if depth == "deep" {
        say(&format!("{:28} decision {}", "", decision.row()));
    }
    say(&format!("{:28} in all   {}", "", total.row()));
    json!({ "unit": "ms", "own": own.json(), "decision": decision.json(), "total": total.json() })
}
