//! 1xx responses of an app, passed on as they come (RFC 9110, section 15.2): 103 Early Hints, 102 Processing.

use http::{HeaderMap, StatusCode, header};

use crate::{conn, hop};

/// Sends a 1xx response to the client at once. `100 Continue` is ours: it goes out when the app is there to read the body.
pub fn pass(client: &conn::Exchange, status: StatusCode, mut headers: HeaderMap) {
    if status == StatusCode::CONTINUE {
        return;
    }
    hop::clean_response(&mut headers);
    // None of these has a meaning there (RFC 9110, section 8.6; RFC 9112, section 6.1), and a cookie would pass by what
    // is looked at in a response.
    for name in [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::SET_COOKIE] {
        headers.remove(name);
    }
    client.interim(status, &headers);
}
