//! gRPC with grpc-go's own client and server, through sleep and wake; skipped where Go is not installed. `tests/grpc`
//! pins them.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::Command;

use crate::harness::{App, Edge, Http2, Request, file, program_of, within};

/// The first build compiles some hundred packages; later ones take them from Go's cache.
const BUILT: Duration = Duration::from_secs(600);
/// The longest of them wait for nothing but the app.
const CASE: Duration = Duration::from_secs(30);
const SOON: Duration = Duration::from_secs(5);

/// grpc-go's plain cases: those without credentials, and without another server than `interop/server`.
const CASES: [&str; 14] = [
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "timeout_on_sleeping_server",
    "cancel_after_begin",
    "cancel_after_first_response",
    "status_code_and_message",
    "special_status_message",
    "custom_metadata",
    "unimplemented_method",
    "unimplemented_service",
];

/// Where the built client and server are, if there is Go.
async fn programs() -> Option<&'static Path> {
    static BUILDING: tokio::sync::OnceCell<Option<PathBuf>> = tokio::sync::OnceCell::const_new();
    BUILDING.get_or_init(build).await.as_deref()
}

async fn build() -> Option<PathBuf> {
    let go = program_of("go", &["version"])?;
    let profile = Path::new(env!("CARGO_BIN_EXE_loco-edge")).parent().expect("a directory");
    let directory = profile.join("grpc-go");
    let mut command = Command::new(go);
    command
        .args(["build", "-mod=readonly", "-o"])
        .arg(format!("{}/", directory.display()))
        .args(["google.golang.org/grpc/interop/client", "google.golang.org/grpc/interop/server"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/grpc"))
        .env("GOTOOLCHAIN", "local");
    let output = within(BUILT, "grpc-go is built", command.output()).await.expect("go runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(directory)
}

/// The app `real`, which is grpc-go's server.
fn server(programs: &Path) -> App {
    let server = programs.join("server");
    App::running("real", &[server.to_str().expect("a UTF-8 path"), "--port", "$PORT"])
}

/// A case of grpc-go's client against the app's own port.
fn client(programs: &Path, edge: &Edge, case: &str) -> Command {
    let mut client = Command::new(programs.join("client"));
    client
        .arg(format!("--server_host={}", edge.port("real").ip()))
        .arg(format!("--server_port={}", edge.port("real").port()))
        .arg(format!("--test_case={case}"))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    client
}

async fn assert_passes(programs: &Path, edge: &Edge, case: &str, before: &str) {
    let mut client = client(programs, edge, case);
    let output = within(CASE, case, client.output()).await.expect("the client runs");
    assert!(
        output.status.success(),
        "{case} {before}: {}\n{}",
        String::from_utf8_lossy(&output.stderr),
        edge.log()
    );
}

#[tokio::test]
async fn all_plain_cases_pass_awake_and_after_sleep_of_both_depths() {
    let Some(programs) = programs().await else { return };
    let edge = Edge::start(&file(&[server(programs)])).await;
    for case in CASES {
        assert_passes(programs, &edge, case, "awake").await;
        for depth in ["light", "deep"] {
            // A client with a short deadline may have left before it woke anything.
            edge.wake("real").await;
            edge.put_to_sleep("real", depth).await;
            assert_passes(programs, &edge, case, depth).await;
        }
    }
    edge.until_open("real", 0).await;
}

#[tokio::test]
async fn a_client_that_leaves_a_held_call_is_held_no_longer() {
    let Some(programs) = programs().await else { return };
    let server = programs.join("server");
    let late = format!("sleep 600; exec {} --port $PORT", server.display());
    let edge = Edge::start(&file(&[App::running("real", &["sh", "-c", &late])])).await;
    let mut client = client(programs, &edge, "empty_unary").spawn().expect("the client starts");
    edge.until_held(SOON, "real", 1).await;
    client.kill().await.expect("kill");
    edge.until_held(SOON, "real", 0).await;
    edge.until_open("real", 0).await;
}

#[tokio::test]
async fn a_deadline_that_passes_while_an_app_wakes_is_met_for_a_client_of_grpc_go() {
    let Some(programs) = programs().await else { return };
    let edge = Edge::start(&file(&[App::running("real", &["sleep", "600"])])).await;
    // A stream with a message sent and more to come, and a deadline of a millisecond.
    assert_passes(programs, &edge, "timeout_on_sleeping_server", "while it wakes").await;
    edge.until_held(SOON, "real", 0).await;
    edge.until_open("real", 0).await;
}

/// A client of gRPC keeps its own deadline, and would not notice that nobody else does; this one has none.
#[tokio::test]
async fn a_deadline_that_passes_while_an_app_wakes_is_answered_in_time() {
    let edge = Edge::start(&file(&[App::running("real", &["sleep", "600"])])).await;
    let mut client = Http2::connect(edge.listen()).await;
    let call = Request::post("real", "/grpc.testing.TestService/FullDuplexCall", "\0\0\0\0\0")
        .without_length()
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-timeout", "300m");
    let began = Instant::now();
    // A unary one has said all, a streaming one has not.
    let whole = client.send(&call).await;
    let mut open = client.begin(&call).await;
    open.fill(b"\0\0\0\0\0", false).await;
    for asked in [whole, open] {
        let answer = within(SOON, "DEADLINE_EXCEEDED", asked.read()).await;
        assert!(began.elapsed() >= Duration::from_millis(300), "{answer:?}");
        assert_eq!((answer.status, answer.header("grpc-status")), (200, Some("4")), "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/grpc"), "{answer:?}");
    }
    edge.until_held(SOON, "real", 0).await;
    edge.until_open("real", 0).await;
}
