//! Calls of somebody's HTTP hook: JSON by POST, over plain HTTP within the cluster.

pub use http::Uri;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// Why an address is none of a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hook is called over plain HTTP, within the cluster: http://HOST[:PORT]/PATH")]
pub struct NoHook;

/// Where a hook is.
///
/// # Errors
/// Where that is no address of one.
pub fn address(text: &str) -> Result<Uri, NoHook> {
    let url: Uri = text.parse().map_err(|_| NoHook)?;
    let plain = url.scheme() == Some(&http::uri::Scheme::HTTP) && url.authority().is_some();
    if plain { Ok(url) } else { Err(NoHook) }
}

/// One call. Any answer from 200 to 299 is a yes. Whoever calls sets the deadline.
///
/// # Errors
/// Says for people what went wrong.
pub async fn post(url: &Uri, body: &Value) -> Result<(), String> {
    let authority = url.authority().ok_or("the hook has no host")?;
    // In a URL an IPv6 address stands in brackets (RFC 3986, section 3.2.2).
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let to = (host, authority.port_u16().unwrap_or(80));
    let socket = TcpStream::connect(to).await.map_err(|error| error.to_string())?;
    let (mut send, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket))
        .await
        .map_err(|error| error.to_string())?;
    let request = http::Request::post(url.path_and_query().map_or("/", |path| path.as_str()))
        .header(http::header::HOST, authority.as_str())
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(body.to_string())
        .map_err(|error| error.to_string())?;
    let exchange = async { send.send_request(request).await.map_err(|error| error.to_string()) };
    let answer = tokio::select! {
        answer = exchange => answer?,
        ended = connection => return Err(ended.err().map_or_else(|| "the connection ended".to_owned(), |e| e.to_string())),
    };
    if answer.status().is_success() { Ok(()) } else { Err(format!("it answered {}", answer.status())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_called_in_the_clear_is_a_hook() {
        assert!(address("http://platform.tools:8080/renew").is_ok() && address("http://[::1]/x").is_ok());
        for text in ["https://platform.tools/renew", "platform.tools", "/renew", ""] {
            assert_eq!(address(text), Err(NoHook), "{text}");
        }
    }
}
