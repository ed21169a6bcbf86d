//! What the command says before it serves: mistakes in files, arguments, and ports that are taken.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::harness::{App, Edge, PATIENCE, Ran, command, file, within};

const GOOD: &str = "[[app]]\nname = \"hello\"\ncommand = [\"true\"]\n";

/// Runs it to its end in a directory with this `apps.toml`.
async fn run(file: &str, arguments: &[&str]) -> Ran {
    let directory = TempDir::with_prefix("loco-edge-").expect("a directory");
    fs::write(directory.path().join("apps.toml"), file).expect("the file is written");
    run_in(directory.path(), arguments).await
}

async fn run_in(directory: &Path, arguments: &[&str]) -> Ran {
    let mut command = command(directory, arguments);
    // A command that wrongly goes on serving is no command that ends: the wait for it must not hang the tests.
    let output = tokio::task::spawn_blocking(move || {
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).output()
    });
    let output = within(PATIENCE, "the command ends", output).await.expect("no panic").expect("it runs");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("panicked"), "{said}");
    Ran { status: output.status, said }
}

fn assert_fails(ran: &Ran, said: &[&str]) {
    assert_eq!(ran.status.code(), Some(1), "{}", ran.said);
    for text in said {
        assert!(ran.said.contains(text), "not said: {text:?} in:\n{}", ran.said);
    }
}

#[tokio::test]
async fn a_good_file_is_good() {
    let ran = run(GOOD, &["check", "apps.toml"]).await;
    assert!(ran.status.success(), "{}", ran.said);
    assert!(ran.said.contains(": 1 app, no mistakes"), "{}", ran.said);
}

#[tokio::test]
async fn all_mistakes_are_said_at_once_each_with_its_line() {
    let bad = "domian = \"localhost\"
[defaults]
idle_after = \"fifteen\"
[[app]]
name = \"Hello World\"
command = [\"true\"]
[[app]]
name = \"twice\"
command = [\"true\"]
idle_aftr = \"1s\"
[[app]]
name = \"twice\"
command = [\"true\"]
[[app]]
name = \"nothing\"
[[app]]
name = \"hosts\"
command = [\"true\"]
hosts = [\"-bad-.localhost\"]
max_held = \"many\"
";
    let ran = run(bad, &["check", "apps.toml"]).await;
    assert_fails(
        &ran,
        &["domain", "idle_after", "fifteen", "Hello World", "twice", "nothing", "-bad-", "max_held"],
    );
    for line in [1, 3, 5, 10, 12, 19, 20] {
        assert!(
            ran.said.contains(&format!("apps.toml:{line}")),
            "no mistake at line {line} in:\n{}",
            ran.said
        );
    }
}

#[tokio::test]
async fn a_file_that_is_no_toml_is_named_with_its_line() {
    assert_fails(&run("[[app]]\nname = \n", &["check", "apps.toml"]).await, &["apps.toml:2"]);
}

#[tokio::test]
async fn a_file_that_is_not_there_is_named() {
    for verb in ["check", "dev"] {
        assert_fails(&run(GOOD, &[verb, "other.toml"]).await, &["other.toml"]);
    }
}

#[tokio::test]
async fn dev_says_the_same_of_a_bad_file() {
    assert_fails(
        &run("[[app]]\nnmae = \"x\"\n", &["dev", "apps.toml"]).await,
        &["apps.toml:2", "nmae", "name"],
    );
}

#[tokio::test]
async fn a_port_that_is_taken_is_said() {
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let any = "127.0.0.1:0";
    for (listen, admin) in [(address.as_str(), any), (any, address.as_str())] {
        let ran =
            run(GOOD, &["dev", "apps.toml", "--listen", listen, "--admin", admin, "--state", "state"]).await;
        assert_fails(&ran, &[&address]);
    }
}

#[tokio::test]
async fn a_second_edge_on_the_same_port_is_refused() {
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    // A listener with SO_REUSEPORT would let it in and lose half of the traffic to it.
    let listen = edge.listen().to_string();
    let ran =
        run(GOOD, &["dev", "apps.toml", "--listen", &listen, "--admin", "127.0.0.1:0", "--state", "state"])
            .await;
    assert_fails(&ran, &[&listen]);
}

#[tokio::test]
async fn a_second_edge_on_the_same_state_is_refused() {
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    edge.wake("hello").await;
    let any = "127.0.0.1:0";
    let arguments = ["dev", "apps.toml", "--listen", any, "--admin", any, "--state", "state"];
    assert_fails(&run_in(edge.path(), &arguments).await, &["state"]);
    assert_eq!(edge.state("hello").await, "awake");
    assert_eq!(edge.starts("hello"), 1, "the second one took the first one's apps");
}

#[tokio::test]
async fn unknown_arguments_are_said() {
    let ran = run(GOOD, &["dev", "apps.toml", "--lisen", "127.0.0.1:0"]).await;
    assert!(!ran.status.success());
    assert!(ran.said.contains("--listen"), "{}", ran.said);
}

#[tokio::test]
async fn the_examples_are_good() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut found = 0;
    for entry in walk(&examples).into_iter().filter(|path| path.extension().is_some_and(|end| end == "toml"))
    {
        let name = entry.file_name().and_then(|name| name.to_str()).expect("a UTF-8 name");
        let ran = run_in(entry.parent().expect("a directory"), &["check", name]).await;
        assert!(ran.status.success(), "{name}: {}", ran.said);
        found += 1;
    }
    assert!(found > 0, "no example in {}", examples.display());
}

fn walk(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries =
        fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
