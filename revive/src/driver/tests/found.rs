//! Apps as admins call them: by name, and by id.

use std::net::SocketAddr;
use std::sync::Arc;

use config::load::Mistakes;
use config::model::{App, AppId, AppName};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::fakes::{Edge, app, seconds};
use crate::admin::{self, Admin, Configuration, Counts, Tokens};
use crate::driver::Ask;

fn of_cluster(namespace: &str, name: &str) -> App {
    let (id, name) = (AppId::from_object(namespace, name), AppName::from_object(namespace, name));
    App { id, name, ..app("any") }
}

/// The status and the body.
async fn ask(address: SocketAddr, method: &str, target: &str) -> (u16, Value) {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("{method} {target} HTTP/1.1\r\nhost: {address}\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let answer = tokio::time::timeout(seconds(30), exchange).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap())
}

#[tokio::test]
async fn an_app_of_a_cluster_is_found_by_its_name_and_by_its_id() {
    let mut edge = Edge::start([app("a"), of_cluster("lead", "app")]);
    let mut registry = Registry::default();
    let counts = Counts::register(&mut registry);
    let configuration = Configuration::of("none".into(), &Mistakes::default());
    let keep = Arc::new(edge.store.clone());
    let figures = (Arc::new(registry), counts);
    let api = Admin::new(edge.handle.clone(), keep, figures, Tokens::new(Vec::new()), configuration);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(admin::serve(listener, api));

    for target in ["/v1/apps/app.lead", "/v1/apps/lead%2Fapp"] {
        let (status, shown) = ask(address, "GET", target).await;
        assert_eq!((status, &shown["id"], &shown["name"]), (200, &json!("lead/app"), &json!("app.lead")));
    }
    assert_eq!(ask(address, "GET", "/v1/apps/a").await.0, 200);
    for target in ["/v1/apps/app", "/v1/apps/lead.app", "/v1/apps/lead%2Fother", "/v1/apps/b"] {
        let (status, problem) = ask(address, "GET", target).await;
        assert_eq!((status, &problem["code"]), (404, &json!("unknown-app")), "{target}");
    }
    assert_eq!(ask(address, "POST", "/v1/apps/app.lead/sleep").await.0, 200);
    assert_eq!(ask(address, "POST", "/v1/apps/app.lead/wake").await.1["state"], "waking");
    assert_eq!(edge.command_within(seconds(30)).await, "start lead/app 1");
    serving.abort();
}

#[tokio::test(start_paused = true)]
async fn a_name_comes_before_an_id_that_is_the_same() {
    let mut other = of_cluster("evil", "other");
    other.id = AppId::parse("app.lead").unwrap();
    let edge = Edge::start([of_cluster("lead", "app"), other]);
    let find = |text: &str| {
        edge.handle.ask({
            let text = text.to_owned();
            move |reply| Ask::Find(text, reply)
        })
    };
    assert_eq!(find("app.lead").await.unwrap(), Some(AppId::from_object("lead", "app")));
    assert_eq!(find("other.evil").await.unwrap(), Some(AppId::parse("app.lead").unwrap()));
    assert_eq!(find("nobody").await.unwrap(), None);
}
