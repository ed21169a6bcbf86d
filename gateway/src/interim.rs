//! 1xx responses of an app, passed on as they come (RFC 9110, section 15.2): 103 Early Hints, 102 Processing.

use http::{HeaderMap, Request, StatusCode, header};
use send_wrapper::SendWrapper;

use crate::upstream::RequestBody;
use crate::{conn, hop, tenant};

/// Has 1xx responses to this request sent to the client at once. `100 Continue` is ours: it goes out when the app is
/// there to read the body.
pub fn pass_on(request: &mut Request<RequestBody>, client: &conn::Exchange) {
    // Hyper wants a callback that could be called anywhere; ours is only ever called by the connection's own task,
    // which runs on this thread.
    let client = SendWrapper::new(client.clone());
    hyper::ext::on_informational(request, move |interim| pass(&client, interim.status(), interim.headers()));
}

/// Sends one to the client.
pub fn pass(client: &conn::Exchange, status: StatusCode, headers: &HeaderMap) {
    if status == StatusCode::CONTINUE {
        return;
    }
    let mut headers = headers.clone();
    hop::remove_hop_by_hop(&mut headers);
    tenant::remove_claims(&mut headers);
    // None of these has a meaning there (RFC 9110, section 8.6; RFC 9112, section 6.1), and a cookie would pass by what
    // is looked at in a response.
    for name in [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::SET_COOKIE] {
        headers.remove(name);
    }
    client.interim(status, &headers);
}
