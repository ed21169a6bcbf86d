//! Requests and answers, with nothing hidden.

use std::fmt;

use serde_json::Value;

/// A request, written as it is said.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// With a `Host`, and a target in origin form.
    pub(crate) fn new(method: &str, host: &str, target: &str) -> Self {
        let headers = vec![("Host".to_owned(), host.to_owned())];
        Self { method: method.to_owned(), target: target.to_owned(), headers, body: Vec::new() }
    }

    /// `GET` of an app at its own name's host.
    pub(crate) fn get(app: &str, target: &str) -> Self {
        Self::new("GET", &format!("{app}.localhost"), target)
    }

    /// `POST` to an app at its own name's host.
    pub(crate) fn post(app: &str, target: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", &format!("{app}.localhost"), target).body(body)
    }

    /// One more header line.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A body, with its `Content-Length`.
    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        let length = self.body.len().to_string();
        self.header("Content-Length", &length)
    }

    /// What Chromium says when somebody follows a link.
    pub(crate) fn navigation(self) -> Self {
        self.header("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
            .header(
                "User-Agent",
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36",
            )
            .header("Sec-Fetch-Mode", "navigate")
            .header("Sec-Fetch-Dest", "document")
            .header("Sec-Fetch-Site", "none")
            .header("Upgrade-Insecure-Requests", "1")
    }

    /// Whether its answer has no body, whatever it says.
    pub(super) fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// Without a length: over HTTP/2 its end needs none.
    pub(crate) fn without_length(mut self) -> Self {
        self.headers.retain(|(name, _)| name != "Content-Length");
        self
    }

    /// Its body.
    pub(super) fn content(&self) -> &[u8] {
        &self.body
    }

    /// Its head as HTTP/2 has it: the host is the authority.
    pub(super) fn head2(&self) -> http::request::Builder {
        let host = |(name, value): &(String, String)| (name == "Host").then(|| value.clone());
        let host = self.headers.iter().find_map(host).unwrap_or_default();
        let head = http::Request::builder().method(self.method.as_str());
        let head = head.uri(format!("http://{host}{}", self.target)).version(http::Version::HTTP_2);
        let others = self.headers.iter().filter(|(name, _)| name != "Host");
        others.fold(head, |head, (name, value)| head.header(name.as_str(), value))
    }

    /// On the wire.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            bytes += &format!("{name}: {value}\r\n");
        }
        bytes += "\r\n";
        [bytes.as_bytes(), &self.body].concat()
    }
}

/// A status and header lines.
#[derive(Clone, Debug, Default)]
pub(crate) struct Head {
    /// The status.
    pub(crate) status: u16,
    /// In their order, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
}

/// A whole answer.
#[derive(Clone, Default)]
pub(crate) struct Answer {
    /// Answers with 1xx that came first.
    pub(crate) interim: Vec<Head>,
    /// The status.
    pub(crate) status: u16,
    /// In their order, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// Without its framing.
    pub(crate) body: Vec<u8>,
    /// After the last chunk.
    pub(crate) trailers: Vec<(String, String)>,
}

impl Answer {
    /// The only value of a header; a header that is there twice is not what anybody meant.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let values = self.all(name);
        assert!(values.len() <= 1, "{name} is there {} times in {self:?}", values.len());
        values.first().copied()
    }

    /// All values of a header.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        values(&self.headers, name)
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// What the test app says arrived.
    pub(crate) fn seen(&self) -> Seen {
        assert_eq!(self.status, 200, "not the app's answer: {self:?}");
        Seen(self.json())
    }

    /// Fails unless the edge itself refused with `status` and `code`, in all the ways it promises: RFC 9457's
    /// problem+json and RFC 9209's `Proxy-Status`.
    pub(crate) fn assert_refused(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "status, expecting {code}: {self:?}");
        let kind = self.header("content-type").unwrap_or_default();
        assert!(kind.starts_with("application/problem+json"), "content type, expecting {code}: {self:?}");
        let problem = self.json();
        assert_eq!(problem["code"], code, "code: {self:?}");
        assert_eq!(problem["status"], status, "status in the body: {self:?}");
        for text in ["type", "title", "detail"] {
            assert!(
                problem[text].as_str().is_some_and(|text| !text.is_empty()),
                "{text} is missing: {self:?}"
            );
        }
        let proxy = self.header("proxy-status").unwrap_or_else(|| panic!("no Proxy-Status: {self:?}"));
        assert!(proxy.starts_with("loco-edge; error="), "Proxy-Status: {proxy}");
        assert!(proxy.contains(&format!("details=\"{code}\"")), "Proxy-Status: {proxy}");
        let store = self.header("cache-control").unwrap_or_default();
        assert!(store.contains("no-store"), "a refusal may be cached: {self:?}");
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: String = self.text().chars().take(600).collect();
        writeln!(f, "answer {} ({} bytes of body)", self.status, self.body.len())?;
        self.headers.iter().try_for_each(|(name, value)| writeln!(f, "  {name}: {value}"))?;
        writeln!(f, "  {text:?}")
    }
}

/// A request as the test app received it.
#[derive(Debug)]
pub(crate) struct Seen(Value);

impl Seen {
    /// All values of a header.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        let headers = self.0["headers"].as_array().expect("headers").iter();
        let pairs =
            headers.map(|pair| (pair[0].as_str().expect("a name"), pair[1].as_str().expect("a value")));
        pairs.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).collect()
    }

    /// The only value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let values = self.all(name);
        assert!(values.len() <= 1, "{name} is there {} times: {self:?}", values.len());
        values.into_iter().next()
    }

    /// The names of all headers.
    pub(crate) fn names(&self) -> Vec<String> {
        let headers = self.0["headers"].as_array().expect("headers").iter();
        headers.map(|pair| pair[0].as_str().expect("a name").to_owned()).collect()
    }

    /// Any other field of the description.
    pub(crate) fn field(&self, name: &str) -> &Value {
        &self.0[name]
    }

    /// Which process it was.
    pub(crate) fn pid(&self) -> u32 {
        u32::try_from(self.0["pid"].as_u64().expect("a pid")).expect("a pid")
    }
}

/// All values of a name, in order.
pub(super) fn values<'a>(headers: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str()).collect()
}
