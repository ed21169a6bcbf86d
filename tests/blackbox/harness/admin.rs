//! What the edge says of itself.

use std::time::Duration;

use serde_json::Value;

use super::edge::Edge;
use super::message::{Answer, Request};
use super::wait::{PATIENCE, eventually};
use super::wire::{Broken, Wire};

impl Edge {
    /// Asks the admin API.
    pub(crate) async fn try_admin(&self, method: &str, target: &str) -> Result<Answer, Broken> {
        let request = Request::new(method, &self.admin.to_string(), target);
        Wire::connect(self.admin).await.ask(&request).await
    }

    /// Asks the admin API; fails if there is no whole answer.
    pub(crate) async fn tell(&self, method: &str, target: &str) -> Answer {
        let answer = self.try_admin(method, target).await;
        answer.unwrap_or_else(|broken| panic!("{method} {target} of the admin API: {broken:?}"))
    }

    /// A request to the admin API, to be sent with [`Self::tell_this`].
    pub(crate) fn to_admin(&self, method: &str, target: &str) -> Request {
        Request::new(method, &self.admin.to_string(), target)
    }

    /// Asks the admin API; fails if there is no whole answer.
    pub(crate) async fn tell_this(&self, request: &Request) -> Answer {
        let answer = Wire::connect(self.admin).await.ask(request).await;
        answer.unwrap_or_else(|broken| panic!("{request:?} to the admin API: {broken:?}"))
    }

    /// `GET /v1/apps/NAME`.
    pub(crate) async fn app(&self, name: &str) -> Value {
        let answer = self.tell("GET", &format!("/v1/apps/{name}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// `GET /v1/config`.
    pub(crate) async fn configuration(&self) -> Value {
        let answer = self.tell("GET", "/v1/config").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// `awake`, `asleep light`, `waking probing`…
    pub(crate) async fn state(&self, name: &str) -> String {
        let app = self.app(name).await;
        let words =
            ["state", "depth", "phase"].map(|field| app[field].as_str().unwrap_or_default().to_owned());
        words.join(" ").trim().replace("  ", " ")
    }

    /// Waits until the app's state begins with these words.
    pub(crate) async fn until(&self, name: &str, state: &str) {
        self.until_within(PATIENCE, name, state).await;
    }

    /// The same with a deadline.
    pub(crate) async fn until_within(&self, deadline: Duration, name: &str, state: &str) {
        eventually(deadline, &format!("{name} is {state}"), async || {
            let now = self.state(name).await;
            if now.starts_with(state) { Ok(()) } else { Err(now) }
        })
        .await;
    }

    /// Waits until so many requests are held for the app.
    pub(crate) async fn until_held(&self, deadline: Duration, name: &str, held: u64) {
        eventually(deadline, &format!("{held} are held for {name}"), async || {
            let app = self.app(name).await;
            if app["held"] == held { Ok(()) } else { Err(app.to_string()) }
        })
        .await;
    }

    /// Waits until so many requests to the app are open.
    pub(crate) async fn until_open(&self, name: &str, open: u64) {
        eventually(PATIENCE, &format!("{open} are open at {name}"), async || {
            let app = self.app(name).await;
            if app["open"] == open { Ok(()) } else { Err(app.to_string()) }
        })
        .await;
    }

    /// `POST /v1/apps/NAME/wake`, and waits until it is awake.
    pub(crate) async fn wake(&self, name: &str) {
        let answer = self.tell("POST", &format!("/v1/apps/{name}/wake")).await;
        assert!((200..300).contains(&answer.status), "{answer:?}");
        self.until(name, "awake").await;
    }

    /// `POST /v1/apps/NAME/sleep`, once.
    pub(crate) async fn sleep(&self, name: &str, depth: &str) -> Answer {
        self.tell("POST", &format!("/v1/apps/{name}/sleep?depth={depth}")).await
    }

    /// The same until it is done: that a request has just ended may not be known yet.
    pub(crate) async fn put_to_sleep(&self, name: &str, depth: &str) {
        eventually(PATIENCE, &format!("{name} sleeps ({depth})"), async || {
            let answer = self.sleep(name, depth).await;
            if answer.status == 200 { Ok(()) } else { Err(format!("{answer:?}")) }
        })
        .await;
        assert_eq!(self.state(name).await, format!("asleep {depth}"));
    }
}
