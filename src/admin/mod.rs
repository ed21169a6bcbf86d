//! `loco-edge admin`: the admin API's client, for people (tables) and for programs (`--json`).

mod arguments;
mod capacity;
mod client;
mod failure;
mod limits;
mod show;
mod table;
mod whereabouts;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

pub(crate) use self::arguments::Admin;
use self::arguments::{Command, Scope};
use self::client::{Answer, Client};
use self::failure::Failure;
use self::show::Screen;
use crate::files;

/// How often is asked whether a wake is over.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// Asks, shows, and ends.
pub(crate) fn run(args: &Admin) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(args, &Failure::Said(format!("cannot start: {error}"))),
    };
    let done = runtime.block_on(async {
        let client = Client::of(&args.edge)?;
        carry_out(&client, &args.command, screen()).await
    });
    match done {
        Ok(Shown { answer, words }) => {
            let json = || answer.text.trim_end().to_owned() + "\n";
            let shown = if args.json { json() } else { words };
            // A reader that has left (`| head`) has seen what it wanted.
            let _left = std::io::stdout().write_all(shown.as_bytes());
            ExitCode::SUCCESS
        }
        Err(failure) => fail(args, &failure),
    }
}

fn screen() -> Screen {
    Screen { colours: files::colourful(&std::io::stdout()), now: SystemTime::now() }
}

fn fail(args: &Admin, failure: &Failure) -> ExitCode {
    if let (true, Failure::Problem { text, .. }) = (args.json, failure) {
        let _left = std::io::stdout().write_all((text.trim_end().to_owned() + "\n").as_bytes());
    }
    // Nobody is left to tell if standard error is closed.
    let _closed = std::io::stderr().write_all(format!("loco-edge: {}\n", failure.words()).as_bytes());
    ExitCode::FAILURE
}

/// What came of it, for programs and for people.
struct Shown {
    answer: Answer,
    words: String,
}

async fn carry_out(client: &Client, command: &Command, screen: Screen) -> Result<Shown, Failure> {
    match command {
        Command::Apps { name: None } => {
            let answer = client.look("/v1/apps").await?;
            Ok(Shown { words: screen.apps(&answer.json), answer })
        }
        Command::Apps { name: Some(name) } => {
            let answer = about(client, name, client.look(&of_app(name, "")).await).await?;
            Ok(Shown { words: screen.app(&answer.json), answer })
        }
        Command::Wake { name, wait, timeout } => {
            let begun = about(client, name, client.tell(&of_app(name, "/wake")).await).await?;
            let answer = if *wait { until_up(client, name, begun, *timeout).await? } else { begun };
            Ok(Shown { words: screen.state(&answer.json), answer })
        }
        Command::Sleep { name, deep } => {
            let depth = if *deep { "/sleep?depth=deep" } else { "/sleep?depth=light" };
            let answer = about(client, name, client.tell(&of_app(name, depth)).await).await?;
            Ok(Shown { words: screen.state(&answer.json), answer })
        }
        Command::Brakes => {
            let answer = client.look("/v1/sleep").await?;
            Ok(Shown { words: screen.brakes(&answer.json), answer })
        }
        Command::Pause(scope) => brake(client, "pause", scope, screen).await,
        Command::Resume(scope) => brake(client, "resume", scope, screen).await,
        Command::Limits { command } => limits::carry_out(client, command.as_ref(), screen).await,
        Command::Capacity(asked) => capacity::carry_out(client, asked, screen).await,
        Command::Audit { limit } => {
            let answer = client.look(&format!("/v1/audit?limit={limit}")).await?;
            Ok(Shown { words: screen.audit(&answer.json), answer })
        }
    }
}

async fn brake(client: &Client, what: &str, scope: &Scope, screen: Screen) -> Result<Shown, Failure> {
    let workspace = scope.workspace.as_deref().map(|name| format!("?workspace={}", escaped(name)));
    let answer = client.tell(&format!("/v1/sleep/{what}{}", workspace.unwrap_or_default())).await?;
    Ok(Shown { words: screen.brake(&answer.json), answer })
}

fn of_app(name: &str, rest: &str) -> String {
    format!("/v1/apps/{}{rest}", escaped(name))
}

/// As a segment of a path, or a parameter's value (RFC 3986, section 2.1).
fn escaped(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    let byte = |b: u8| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") };
    text.bytes().map(byte).collect()
}

/// Waits for the end of a wake; that it failed is a failure.
async fn until_up(client: &Client, name: &str, begun: Answer, limit: Duration) -> Result<Answer, Failure> {
    let mut answer = begun;
    let waiting = async {
        while answer.json["state"] == "waking" {
            tokio::time::sleep(ASK_AGAIN).await;
            answer = client.look(&of_app(name, "")).await?;
        }
        Ok::<(), Failure>(())
    };
    if let Ok(waited) = tokio::time::timeout(limit, waiting).await {
        waited?;
    }
    let app = &answer.json;
    match app["state"].as_str() {
        Some("waking") => {
            let phase = app["phase"].as_str().unwrap_or_default();
            Err(Failure::Said(format!("{name} is not up after {} s: it is {phase}", limit.as_secs())))
        }
        Some("failed") => {
            let code = app["last_failure"]["code"].as_str().unwrap_or("unknown");
            Err(Failure::Said(format!("{name} did not come up: {code}; its log says more")))
        }
        Some(_) | None => Ok(answer),
    }
}

/// Of an app that is unknown, says which may be meant.
async fn about(client: &Client, name: &str, answer: Result<Answer, Failure>) -> Result<Answer, Failure> {
    match answer {
        Err(failure) if failure.code() == Some("unknown-app") => {
            let apps = client.look("/v1/apps").await.map(|answer| answer.json["apps"].clone());
            Err(failure.instead(unknown("app", name, &apps.unwrap_or_default(), "loco-edge admin apps")))
        }
        answer => answer,
    }
}

/// That there is none of this name, and which may be meant.
fn unknown(what: &str, name: &str, all: &serde_json::Value, list: &str) -> String {
    let names = all.as_array().into_iter().flatten().filter_map(|one| one["name"].as_str());
    let near = names.map(|other| (strsim::osa_distance(name, other), other)).min();
    match near.filter(|(distance, _)| *distance <= (name.chars().count() / 3).max(1)) {
        Some((_, near)) => format!("there is no {what} {name:?}: did you mean {near}?"),
        None => format!("there is no {what} {name:?}; `{list}` lists all"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_that_is_near_is_guessed() {
        let all = json!([{ "name": "hello" }, { "name": "other" }]);
        let unknown = |name| unknown("app", name, &all, "admin apps");
        assert_eq!(unknown("helo"), "there is no app \"helo\": did you mean hello?");
        assert_eq!(unknown("billing"), "there is no app \"billing\"; `admin apps` lists all");
    }

    #[test]
    fn names_stay_one_segment() {
        assert_eq!(of_app("a/../b?c", "/wake"), "/v1/apps/a%2F..%2Fb%3Fc/wake");
    }
}
