//! What requests to an awake app cost on an HTTP/2 connection whose other streams are held.
//!
//! ```text
//!   one connection:  alone ─► 100 uploads held for an app that does not come up ─► alone again      (one round)
//! ```
//!
//! In each of the three phases an awake app is asked again and again, one request after another: GETs, and uploads of
//! several stream windows. Each held upload has filled its stream's window, and nobody reads it: that it could not send
//! one byte more is looked at when the phase is over. Rounds follow each other on a connection of their own, so that the
//! machine's noise falls on all phases; what is left of it shows in `alone again` against `alone`. The app that does not
//! come up starts all the time, for one who waits on another connection, so that only the held uploads differ.
//!
//! `h2-beside-held [--requests 1000] [--uploads 100] [--rounds 40]`, requests of a phase; of uploads a tenth.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use bytes::Bytes;
use loadtests::client::Client;
use loadtests::edge::Edge;
use loadtests::figures::{self, Distribution, say};
use loadtests::http2::{Asked, Http2, runtime, within};
use loadtests::{Outcome, arguments, process};
use serde_json::{Map, Value, json};

const PATIENCE: Duration = Duration::from_secs(120);
const STREAM_WINDOW: usize = 64 << 10;
const UPLOAD: usize = 256 << 10;
const WARM_UP: usize = 100;
const PHASES: [&str; 3] = ["alone", "beside held", "alone again"];

/// One kind of request to the awake app.
struct Kind {
    name: &'static str,
    method: &'static str,
    target: &'static str,
    body: Bytes,
    requests: usize,
}

/// What one phase of one round took.
struct Phase {
    /// Of each request, in microseconds.
    took: Distribution,
    /// Of each request, in microseconds: the edge's CPU time, and the client's.
    cpu: [f64; 2],
}

type Round = [Phase; 3];

fn main() -> ExitCode {
    let outcome = runtime().and_then(|runtime| runtime.block_on(run()));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("h2-beside-held: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Outcome<()> {
    let requests = arguments::value("requests", 1_000_usize)?;
    let uploads = arguments::value("uploads", 100_usize)?;
    let rounds = arguments::value("rounds", 40_usize)?.max(1);
    let kinds = kinds(requests);
    let edge = Edge::start(&file(uploads))?;
    let mut keeper = Client::connect(edge.listen)?;
    keeper.send("GET", "slow.localhost", "/")?;
    let mut measured: Vec<Vec<Round>> = kinds.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        for (kind, measured) in kinds.iter().zip(&mut measured) {
            measured.push(round(&edge, kind, uploads).await?);
        }
    }
    let mut figures = Map::new();
    figures.insert("uploads".to_owned(), uploads.into());
    figures.insert("rounds".to_owned(), rounds.into());
    say(&format!(
        "{uploads} uploads held, {rounds} rounds; us      p50      p90      p99   edge's CPU client's CPU"
    ));
    for (kind, rounds) in kinds.iter().zip(&measured) {
        figures.insert(kind.name.to_owned(), report(kind, rounds));
    }
    figures::save("h2-beside-held", figures)
}

fn kinds(requests: usize) -> [Kind; 2] {
    let body = Bytes::from(vec![b'y'; UPLOAD]);
    [
        Kind { name: "GET", method: "GET", target: "/", body: Bytes::new(), requests },
        Kind {
            name: "POST 256 KiB",
            method: "POST",
            target: "/upload",
            body,
            requests: requests.div_ceil(10),
        },
    ]
}

/// With room for the held uploads and for more, and for all requests of a round on one connection.
fn file(uploads: usize) -> String {
    format!(
        r#"
[gateway]
max_streams = {streams}
stream_window = "{STREAM_WINDOW}B"
max_stream_resets = {resets}
max_requests_per_connection = 1000000

[defaults]
idle_after = "never"
remove_after = "never"
wake = "hold"

[[app]]
name = "quick"
command = ["{{app}}"]
env = {{ BODY = "here" }}

[[app]]
name = "slow"
command = ["{{app}}"]
env = {{ START_DELAY = "3600s" }}
hold_timeout = "30m"
health = {{ tcp = true, grace = "30m" }}
"#,
        streams = uploads + 20,
        resets = uploads + 100,
    )
}

/// All three phases, on a connection of their own.
async fn round(edge: &Edge, kind: &Kind, uploads: usize) -> Outcome<Round> {
    let mut client = Http2::connect(edge.listen).await?;
    let alone = phase(edge, &mut client, kind).await?;
    let mut held = hold(edge, &mut client, uploads).await?;
    let beside = phase(edge, &mut client, kind).await?;
    for upload in &mut held {
        if !upload.is_blocked().await? {
            return Err("a held upload may send more than its window".into());
        }
    }
    held.into_iter().for_each(Asked::cancel);
    // The keeper.
    until_held(edge, 1).await?;
    Ok([alone, beside, phase(edge, &mut client, kind).await?])
}

async fn hold(edge: &Edge, client: &mut Http2, uploads: usize) -> Outcome<Vec<Asked>> {
    let fill = async {
        let mut held = Vec::with_capacity(uploads);
        for _ in 0..uploads {
            let mut asked = client.send("POST", "slow.localhost", "/", true).await?;
            asked.fill(STREAM_WINDOW).await?;
            held.push(asked);
        }
        Ok(held)
    };
    let held = within(PATIENCE, "the uploads fill their windows", fill).await?;
    until_held(edge, 1 + uploads as u64).await?;
    Ok(held)
}

async fn until_held(edge: &Edge, count: u64) -> Outcome<()> {
    let begin = Instant::now();
    loop {
        let held = edge.app("slow")?["held"].as_u64().unwrap_or(0);
        if held == count {
            return Ok(());
        }
        if begin.elapsed() > PATIENCE {
            return Err(format!("{held} are held, not {count}").into());
        }
        // Meanwhile the connection goes on.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn phase(edge: &Edge, client: &mut Http2, kind: &Kind) -> Outcome<Phase> {
    within(PATIENCE, "one phase", async {
        ask(client, kind, WARM_UP.min(kind.requests)).await?;
        let look = || Outcome::Ok([process::usage(edge.pid())?, process::usage(std::process::id())?]);
        let before = look()?;
        let took = ask(client, kind, kind.requests).await?;
        let after = look()?;
        let cpu = [0, 1].map(|who| after[who].since(&before[who]).cpu as f64 / kind.requests as f64 / 1e3);
        Ok(Phase { took: Distribution::of(took), cpu })
    })
    .await
}

/// One after another; how long each took, in microseconds.
async fn ask(client: &mut Http2, kind: &Kind, requests: usize) -> Outcome<Vec<f64>> {
    let mut took = Vec::with_capacity(requests);
    for _ in 0..requests {
        let begin = Instant::now();
        let answer = client.ask(kind.method, "quick.localhost", kind.target, &kind.body).await?;
        took.push(begin.elapsed().as_secs_f64() * 1e6);
        let body = String::from_utf8_lossy(&answer.body);
        let whole = kind.body.is_empty() || body.contains(&format!(r#""length":{}"#, kind.body.len()));
        if answer.status != 200 || !whole {
            return Err(format!("{}: {} {body}", kind.name, answer.status).into());
        }
    }
    Ok(took)
}

fn report(kind: &Kind, rounds: &[Round]) -> Value {
    let mut figures = Map::new();
    figures.insert("requests".to_owned(), (kind.requests * rounds.len()).into());
    for (number, name) in PHASES.iter().enumerate() {
        let all = Distribution::merge(rounds.iter().map(|round| &round[number].took));
        let [p50, p90, p99] = [0.5, 0.9, 0.99].map(|share| all.quantile(share));
        let [edge, client] = [0, 1]
            .map(|who| rounds.iter().map(|round| round[number].cpu[who]).sum::<f64>() / rounds.len() as f64);
        say(&format!(
            "{:14} {name:14} {p50:>11.1} {p90:>8.1} {p99:>8.1} {edge:>12.1} {client:>12.1}",
            kind.name
        ));
        figures.insert(
            (*name).to_owned(),
            json!({ "unit": "us", "p50": p50, "p90": p90, "p99": p99, "cpu_edge": edge, "cpu_client": client }),
        );
    }
    let p50 = |phase: &Phase| phase.took.quantile(0.5);
    // The machine's drift over a round goes half into `alone`, half into `alone again`.
    let beside = |[alone, beside, again]: &Round| p50(beside) * 2.0 / (p50(alone) + p50(again));
    let control = |[alone, _, again]: &Round| p50(again) / p50(alone);
    for (name, ratio) in
        [("p50 beside / alone", &beside as &dyn Fn(&Round) -> f64), ("p50 alone again / alone", &control)]
    {
        let all = Distribution::of(rounds.iter().map(ratio).collect());
        let [low, median, high] = [0.25, 0.5, 0.75].map(|share| all.quantile(share));
        say(&format!("{:14} {name}: {median:.3} (half of the rounds: {low:.3} to {high:.3})", kind.name));
        figures.insert(name.to_owned(), json!({ "p25": low, "p50": median, "p75": high }));
    }
    figures.into()
}
