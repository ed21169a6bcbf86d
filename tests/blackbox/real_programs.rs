//! Programs that nobody wrote for this, put to sleep at both depths and woken; skipped where not installed.

use std::fs;
use std::process::Command;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{App, Edge, Request, file, let_pass, program_of};

/// Answers `METHOD LENGTH`, echoes WebSocket text frames of up to 125 bytes, and closes idle connections soon.
const NODE: &str = r#"
const http = require('http'), crypto = require('crypto');
const server = http.createServer((request, response) => {
  let length = 0;
  request.on('data', (data) => { length += data.length; });
  request.on('end', () => response.end(`${request.method} ${length}`));
});
server.keepAliveTimeout = 200;
server.on('upgrade', (request, socket) => {
  const key = request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
  const accept = crypto.createHash('sha1').update(key).digest('base64');
  socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
    `Sec-WebSocket-Accept: ${accept}\r\n\r\n`);
  socket.on('error', () => {});
  socket.on('data', (frame) => {
    if ((frame[0] & 15) !== 1) { socket.end(); return; }
    const length = frame[1] & 127, mask = frame.subarray(2, 6), text = frame.subarray(6, 6 + length);
    const plain = Buffer.from(text.map((byte, i) => byte ^ mask[i % 4]));
    socket.write(Buffer.concat([Buffer.from([0x81, length]), plain]));
  });
});
server.listen(process.env.PORT, '127.0.0.1');
"#;

const NGINX: &str = "
worker_processes 1; pid nginx.pid; error_log stderr;
events { worker_connections 64; }
http {
  access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server { listen 127.0.0.1:@PORT@; location / { return 200 \"nginx $request_method\"; } }
}
";

fn directory(name: &str, text: &str) -> TempDir {
    let directory = TempDir::with_prefix("loco-edge-").expect("a directory");
    fs::write(directory.path().join(name), text).expect("the file is written");
    directory
}

/// Asks it, puts it to sleep at both depths, asks again; each time with `expected` in the answer.
async fn assert_sleeps_and_wakes(edge: &Edge, request: Request, expected: &str) {
    let mut wire = edge.wire().await;
    for depth in ["light", "deep", "light", "light"] {
        let answer =
            wire.ask(&request).await.unwrap_or_else(|broken| panic!("before {depth} sleep: {broken:?}"));
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.text().contains(expected), "{answer:?}");
        edge.put_to_sleep("real", depth).await;
        if depth == "deep" {
            edge.until_nothing_runs("nothing of it runs").await;
        }
    }
    let answer = wire.ask(&request).await.expect("an answer after the last sleep");
    assert!(answer.text().contains(expected), "{answer:?}");
}

#[tokio::test]
async fn python_http_server() {
    let Some(python) = program_of("python3", &["--version"]) else { return };
    let directory = directory("index.html", "<p>Hello from Python</p>");
    let command = [&python, "-m", "http.server", "$PORT", "--bind", "127.0.0.1"];
    let edge = Edge::start_in(directory, &file(&[App::running("real", &command)])).await;
    assert_sleeps_and_wakes(&edge, Request::get("real", "/"), "Hello from Python").await;
}

#[tokio::test]
async fn node_http_server_whose_keep_alive_ends_in_its_sleep() {
    let Some(node) = program_of("node", &["--version"]) else { return };
    let edge =
        Edge::start_in(directory("server.js", NODE), &file(&[App::running("real", &[&node, "server.js"])]))
            .await;
    assert_sleeps_and_wakes(&edge, Request::get("real", "/"), "GET 0").await;
    let mut wire = edge.wire().await;
    for round in 0..5 {
        let answer = wire.ask(&Request::post("real", "/", "body")).await.expect("an answer");
        assert_eq!(answer.text(), "POST 4", "round {round}: {answer:?}");
        edge.put_to_sleep("real", "light").await;
        // Its timers fire first on resume and close what was pooled before.
        let_pass(Duration::from_millis(300), "longer than node's keepAliveTimeout").await;
    }
}

#[tokio::test]
async fn node_websocket_echo() {
    let Some(node) = program_of("node", &["--version"]) else { return };
    let app = App::running("real", &[&node, "server.js"]).line(r#"idle_after = "400ms""#);
    let edge = Edge::start_in(directory("server.js", NODE), &file(&[app])).await;
    for _ in 0..2 {
        let stream = TcpStream::connect(edge.listen()).await.expect("a connection");
        let (mut socket, _) =
            tokio_tungstenite::client_async("ws://real.localhost/", stream).await.expect("a WebSocket");
        for text in ["one", "two"] {
            socket.send(Message::text(text)).await.expect("sent");
            assert_eq!(socket.next().await.expect("an echo").expect("an echo"), Message::text(text));
            let_pass(Duration::from_millis(600), "longer than idle_after").await;
            assert_eq!(edge.state("real").await, "awake");
        }
        socket.close(None).await.expect("closed");
        drop(socket);
        edge.until("real", "asleep light").await;
    }
}

#[tokio::test]
async fn nginx() {
    let Some(nginx) = program_of("nginx", &["-v"]) else { return };
    // It reads no variables: the shell writes them into its file.
    let script = format!(
        "sed s/@PORT@/$PORT/ nginx.in > nginx.conf && exec {nginx} -e stderr -p . -c nginx.conf -g 'daemon off;'"
    );
    let app = App::running("real", &["sh", "-c", &script]);
    let edge = Edge::start_in(directory("nginx.in", NGINX), &file(&[app])).await;
    assert_sleeps_and_wakes(&edge, Request::get("real", "/"), "nginx GET").await;
}

#[tokio::test]
async fn curl_as_the_client() {
    let Some(curl) = program_of("curl", &["--version"]) else { return };
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    let upload = edge.path().join("upload");
    fs::write(&upload, vec![b'x'; 3 << 20]).expect("the file is written");
    let address = edge.listen();
    let resolve = format!("hello.localhost:{}:127.0.0.1", address.port());
    // Of more than 1 MiB curl asks with Expect: 100-continue.
    let body = format!("@{}", upload.display());
    let url = format!("http://hello.localhost:{}/upload", address.port());
    let arguments = ["-sS", "--max-time", "30", "--resolve", &resolve, "--data-binary", &body, &url];
    for depth in ["light", "deep"] {
        let output = Command::new(&curl).args(arguments).output().expect("curl runs");
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("\"length\":3145728"), "{said}");
        edge.put_to_sleep("hello", depth).await;
    }
}

/// What a program has said; it must have succeeded.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().expect("the program runs");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    said
}

#[tokio::test]
async fn curl_over_http2() {
    let Some(curl) = program_of("curl", &["--version"]) else { return };
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    let upload = edge.path().join("upload");
    fs::write(&upload, vec![b'x'; 3 << 20]).expect("the file is written");
    let address = edge.listen();
    let resolve = format!("hello.localhost:{}:127.0.0.1", address.port());
    let body = format!("@{}", upload.display());
    let url = format!("http://hello.localhost:{}/upload", address.port());
    let version = "\nHTTP %{http_version}\n";
    let known = ["-sS", "--http2-prior-knowledge", "--max-time", "30", "--resolve", &resolve, "-w", version];
    for depth in ["light", "deep"] {
        let said = said(&curl, &[&known[..], &["--data-binary", &body, &url]].concat());
        assert!(said.contains("\"length\":3145728") && said.contains("HTTP 2"), "{said}");
        edge.put_to_sleep("hello", depth).await;
    }
    // Without prior knowledge curl asks for an upgrade (RFC 7540, section 3.2), which RFC 9113 has taken back.
    let said =
        said(&curl, &["-sS", "--http2", "--max-time", "30", "--resolve", &resolve, "-w", version, &url]);
    assert!(said.contains("HTTP 1.1"), "{said}");
}

#[tokio::test]
async fn nghttp_and_h2load() {
    let (Some(nghttp), Some(h2load)) =
        (program_of("nghttp", &["--version"]), program_of("h2load", &["--version"]))
    else {
        return;
    };
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    edge.wake("hello").await;
    edge.put_to_sleep("hello", "deep").await;
    let url = format!("http://{}/", edge.listen());
    let host = "-H:authority: hello.localhost";
    let answer = said(&nghttp, &["-v", "-t", "30", host, &url]);
    assert!(answer.contains(":status: 200"), "{answer}");
    assert!(answer.contains("SETTINGS_ENABLE_CONNECT_PROTOCOL(0x08):1"), "{answer}");
    let load = said(&h2load, &["-n", "2000", "-c", "4", "-m", "50", host, &url]);
    assert!(load.contains("2000 succeeded, 0 failed, 0 errored"), "{load}");
}
