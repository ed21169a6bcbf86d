//! The file changes while the edge runs.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use futures_util::future::join_all;

use crate::harness::{App, Edge, PATIENCE, Request, Signal, eventually, file, runs, scaled, signal};

/// The test app, which says this word.
fn saying(name: &str, word: &str) -> App {
    App::named(name).env("BODY", word)
}

/// A request for this path that has reached its app.
async fn under_way(edge: &Edge, app: &str, path: &str) -> crate::harness::Wire {
    let before = edge.app(app).await["open"].as_u64().unwrap();
    let mut wire = edge.wire().await;
    wire.send(&Request::get(app, path).bytes()).await;
    edge.until_open(app, before + 1).await;
    wire
}

#[tokio::test]
async fn routes_and_policies_hold_at_once_and_what_runs_is_left_alone() {
    let edge = Edge::start(&file(&[saying("hello", "hi")])).await;
    edge.ask(Request::get("hello", "/")).await;
    let mut wire = under_way(&edge, "hello", "/?delay=2s").await;
    let changed = saying("hello", "hi").line(r#"hosts = ["moved.localhost"]"#).line(r#"idle_after = "1s""#);
    let configuration = edge.reload(&file(&[changed])).await;
    assert_eq!(
        (&configuration["generation"], &configuration["last_read"]["result"]),
        (&2.into(), &"ok".into())
    );
    assert_eq!(edge.ask(Request::get("moved", "/")).await.status, 200);
    edge.ask(Request::get("hello", "/")).await.assert_refused(404, "unknown-host");
    let answer = wire.read(&Request::get("hello", "/")).await.expect("what was under way has its answer");
    assert_eq!((answer.status, answer.text()), (200, "hi".to_owned()));
    assert_eq!(edge.starts("hello"), 1);
    edge.until("hello", "asleep light").await;
}

#[tokio::test]
async fn another_command_runs_when_what_is_open_has_ended() {
    let edge = Edge::start(&file(&[saying("hello", "one")])).await;
    assert_eq!(edge.ask(Request::get("hello", "/")).await.text(), "one");
    let mut wire = under_way(&edge, "hello", "/?delay=1500ms").await;
    edge.reload(&file(&[saying("hello", "two")])).await;
    // It waits for the new version, which waits for the old one's last answer.
    assert_eq!(edge.ask(Request::get("hello", "/")).await.text(), "two");
    let answer = wire.read(&Request::get("hello", "/")).await.expect("the old version's last answer");
    assert_eq!((answer.status, answer.text()), (200, "one".to_owned()));
    assert_eq!(edge.starts("hello"), 2);
    // What sleeps is not woken for it.
    edge.put_to_sleep("hello", "light").await;
    edge.reload(&file(&[saying("hello", "three")])).await;
    assert_eq!(edge.state("hello").await, "asleep deep");
    assert_eq!(edge.ask(Request::get("hello", "/")).await.text(), "three");
    assert_eq!(edge.starts("hello"), 3);
}

#[tokio::test]
async fn what_is_open_has_so_much_time_and_no_more() {
    let drain = "[gateway]\ndrain_timeout = \"300ms\"\n";
    let edge = Edge::start(&(file(&[saying("hello", "one")]) + drain)).await;
    edge.ask(Request::get("hello", "/")).await;
    let wire = under_way(&edge, "hello", "/?delay=600s").await;
    edge.reload(&(file(&[saying("hello", "two")]) + drain)).await;
    assert_eq!(edge.ask(Request::get("hello", "/")).await.text(), "two");
    drop(wire);
}

#[tokio::test]
async fn a_broken_file_changes_nothing_and_says_where_it_is_broken() {
    let right = file(&[saying("hello", "one")]);
    let edge = Edge::start(&right).await;
    assert_eq!(edge.ask(Request::get("hello", "/")).await.text(), "one");
    let wrong = file(&[saying("hello", "two").line("idle_after = 5"), saying("hello", "three")]);
    let configuration = edge.reload(&wrong).await;
    assert_eq!(
        (&configuration["generation"], &configuration["last_read"]["result"]),
        (&1.into(), &"refused".into())
    );
    let mistakes = configuration["last_read"]["mistakes"].as_array().unwrap();
    let line = 1 + wrong.lines().position(|line| line == "idle_after = 5").unwrap();
    assert_eq!((mistakes.len(), &mistakes[0]["line"]), (2, &line.into()), "{mistakes:?}");
    assert!(edge.log().contains(&format!("apps.toml:{line}:")), "{}", edge.log());
    assert_eq!(edge.ask(Request::get("hello", "/")).await.text(), "one");
    let metrics = edge.tell("GET", "/metrics").await.text();
    assert!(metrics.contains("loco_edge_config_reloads_total{result=\"refused\"} 1"), "{metrics}");
    assert!(metrics.contains("loco_edge_config_generation 1"), "{metrics}");

    let threads = "[gateway]\nthreads = 7\n";
    let configuration = edge.reload(&(file(&[saying("hello", "four")]) + threads)).await;
    assert_eq!(
        (&configuration["generation"], &configuration["last_read"]["result"]),
        (&2.into(), &"ok".into())
    );
    assert_eq!(configuration["at_next_start"], serde_json::json!(["gateway.threads"]));
    assert_eq!(edge.ask(Request::get("hello", "/")).await.text(), "four");
    let metrics = edge.tell("GET", "/metrics").await.text();
    assert!(metrics.contains("loco_edge_config_reloads_total{result=\"ok\"} 1"), "{metrics}");
}

#[tokio::test]
async fn sighup_has_the_file_read_again() {
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    let before = edge.configuration().await;
    signal(edge.pid(), Signal::HUP);
    eventually(PATIENCE, "the file is read again", async || {
        let now = edge.configuration().await;
        if now["generation"] == 2 && before["generation"] == 1 { Ok(()) } else { Err(now.to_string()) }
    })
    .await;
    assert_eq!(edge.ask(Request::get("hello", "/")).await.status, 200);
}

#[tokio::test]
async fn an_app_that_is_added_answers_and_its_neighbours_are_told_of_it() {
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    assert_eq!(
        edge.ask(Request::get("hello", "/env")).await.json()["LOCO_MORE_URL"],
        serde_json::Value::Null
    );
    edge.ask(Request::get("more", "/")).await.assert_refused(404, "unknown-host");
    edge.reload(&file(&[App::named("hello"), saying("more", "more")])).await;
    assert_eq!(edge.ask(Request::get("more", "/")).await.text(), "more");
    let port = edge.app("more").await["port"].as_u64().unwrap();
    let mut wire = crate::harness::Wire::connect(([127, 0, 0, 1], port as u16).into()).await;
    assert_eq!(wire.ask(&Request::get("anybody", "/")).await.expect("an answer").text(), "more");
    edge.put_to_sleep("hello", "deep").await;
    let variables = edge.ask(Request::get("hello", "/env")).await.json();
    assert_eq!(variables["LOCO_MORE_URL"], format!("http://127.0.0.1:{port}"));
}

#[tokio::test]
async fn an_app_that_is_removed_answers_what_is_under_way_and_is_ended() {
    let both = file(&[saying("stays", "stays"), saying("goes", "goes")]);
    let edge = Edge::start(&both).await;
    edge.ask(Request::get("goes", "/")).await;
    let pid = u32::try_from(edge.app("goes").await["pid"].as_u64().unwrap()).unwrap();
    let mut wire = under_way(&edge, "goes", "/?delay=1500ms").await;
    let port = edge.port("goes");
    edge.reload(&file(&[saying("stays", "stays")])).await;
    edge.ask(Request::get("goes", "/")).await.assert_refused(404, "unknown-host");
    assert!(runs(pid), "somebody still waits for it");
    let answer = wire.read(&Request::get("goes", "/")).await.expect("what was under way has its answer");
    assert_eq!((answer.status, answer.text()), (200, "goes".to_owned()));
    eventually(PATIENCE, "nothing of it is left", async || {
        match edge.tell("GET", "/v1/apps/goes").await.status {
            404 if !runs(pid) => Ok(()),
            status => Err(format!("{status}, it runs: {}", runs(pid))),
        }
    })
    .await;
    assert!(std::net::TcpStream::connect(port).is_err(), "its port is closed");
    let metrics = edge.tell("GET", "/metrics").await.text();
    assert!(!metrics.contains("app=\"goes\""), "{metrics}");
    assert_eq!(edge.ask(Request::get("stays", "/")).await.text(), "stays");
}

#[tokio::test]
async fn who_is_held_for_an_app_that_is_removed_is_told_so() {
    let slow =
        App::named("slow").env("START_DELAY", "600s").line(r#"health = { tcp = true, grace = "500s" }"#);
    let edge = Edge::start(&file(&[App::named("hello"), slow])).await;
    let mut wires = Vec::new();
    for _ in 0..20 {
        let mut wire = edge.wire().await;
        wire.send(&Request::get("slow", "/").bytes()).await;
        wires.push(wire);
    }
    edge.until_held(PATIENCE, "slow", 20).await;
    edge.reload(&file(&[App::named("hello")])).await;
    for wire in &mut wires {
        let answer = wire.read(&Request::get("slow", "/")).await.expect("an answer");
        answer.assert_refused(404, "unknown-host");
    }
    edge.until_nothing_runs("its start is given up").await;
}

#[tokio::test]
async fn an_app_that_is_back_before_it_was_gone_waits_for_its_old_self() {
    let one = |word: &str| file(&[saying("hello", word)]);
    let edge = Edge::start(&one("one")).await;
    edge.ask(Request::get("hello", "/")).await;
    let mut wire = under_way(&edge, "hello", "/?delay=2s").await;
    edge.reload(&file(&[App::named("other")])).await;
    edge.reload(&one("two")).await;
    assert_eq!(edge.ask(Request::get("hello", "/")).await.text(), "two");
    let answer = wire.read(&Request::get("hello", "/")).await.expect("the old one's last answer");
    assert_eq!((answer.status, answer.text()), (200, "one".to_owned()));
    assert_eq!(edge.starts("hello"), 2);
}

#[tokio::test]
async fn many_changes_under_traffic_lose_no_request() {
    let stays = saying("stays", "stays");
    let with = |number: usize| {
        // One is started anew with every second file, one comes and goes, and one only moves.
        let moves = stays.clone().line(&format!(r#"hosts = ["stays.localhost", "at-{number}.localhost"]"#));
        let renewed = saying("renewed", &format!("{}", number / 2));
        let mut apps = vec![moves, renewed];
        apps.extend(number.is_multiple_of(3).then(|| saying("guest", "guest")));
        file(&apps)
    };
    let edge = Edge::start(&with(0)).await;
    let done = AtomicBool::new(false);
    let (done, traffic) = (&done, ["stays", "stays", "renewed", "renewed"]);
    let traffic = traffic.map(|app| {
        let edge = &edge;
        async move {
            let mut answered = 0_usize;
            let mut wire = edge.wire().await;
            while !done.load(Relaxed) {
                let answer = wire.ask(&Request::get(app, "/?delay=5ms")).await;
                let answer = answer.unwrap_or_else(|broken| panic!("{app}, after {answered}: {broken:?}"));
                assert_eq!(answer.status, 200, "{app}, after {answered}: {answer:?}");
                answered += 1;
                if answered.is_multiple_of(500) {
                    wire = edge.wire().await;
                }
            }
            answered
        }
    });
    let changes = async {
        for number in 1..=scaled(100) {
            edge.reload(&with(number)).await;
            assert_eq!(edge.ask(Request::get(&format!("at-{number}"), "/")).await.text(), "stays");
        }
        done.store(true, Relaxed);
    };
    let (answered, ()) = tokio::join!(join_all(traffic), changes);
    assert!(answered.iter().all(|count| *count > 10), "{answered:?}");
    assert_eq!(edge.starts("stays"), 1);
    assert_eq!(edge.configuration().await["generation"], scaled(100) + 1);
}

/// A limit of so many requests to the app `hello`, counted for it as a whole.
fn with_limit(rate: &str, burst: u32) -> String {
    let limit = format!(
        "\n[[limit]]\nname = \"few\"\nmatch = {{ hosts = [\"hello.localhost\"] }}\nkey = \"app\"\nrate = \"{rate}\"\nburst = {burst}\n"
    );
    file(&[saying("hello", "hi")]) + &limit
}

#[tokio::test]
async fn the_files_limits_hold_for_the_very_next_request_and_keep_their_counts() {
    let edge = Edge::start(&with_limit("1/d", 2)).await;
    let ask = async || edge.ask(Request::get("hello", "/")).await.status;
    assert_eq!([ask().await, ask().await, ask().await], [200, 200, 429]);
    edge.reload(&with_limit("1/d", 3)).await;
    assert_eq!([ask().await, ask().await], [200, 429], "the two before still count");
    edge.reload(&file(&[saying("hello", "hi")])).await;
    assert_eq!(ask().await, 200, "it is gone");
}

#[tokio::test]
async fn a_secret_is_replaced_in_the_file_without_one_401() {
    let file = |secrets: &str| {
        let token = format!("\n[[admin.token]]\nname = \"ops\"\nrole = \"admin\"\nsecrets = [{secrets}]\n");
        file(&[App::named("hello")]) + &token
    };
    let (old, new) = ("the-old-secret-of-this-test", "the-new-secret-of-this-test");
    let edge = Edge::start(&file(&format!("{old:?}"))).await;
    let status = async |secret: &str| edge.tell_as(Some(secret), "GET", "/v1/apps").await.status;
    assert_eq!([status(old).await, status(new).await], [200, 401]);
    let steps = [format!("{old:?}, {new:?}"), format!("{new:?}")];
    for (number, secrets) in steps.iter().enumerate() {
        // Both before the change and after it this one is right.
        let holder = [old, new][number];
        let is_done = AtomicBool::new(false);
        let asking = async {
            while !is_done.load(Relaxed) {
                assert_eq!(status(holder).await, 200, "step {number}");
            }
        };
        let changing = async {
            edge.rewrite(&file(secrets));
            let (gone, right) = if number == 0 { (new, 200) } else { (old, 401) };
            eventually(PATIENCE, "the tokens are those of the file", async || match status(gone).await {
                status if status == right => Ok(()),
                429 if right == 401 => Ok(()),
                status => Err(format!("{status}")),
            })
            .await;
            is_done.store(true, Relaxed);
        };
        tokio::join!(asking, changing);
    }
}
