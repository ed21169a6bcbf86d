//! The query of a link: percent-encoded (RFC 3986, section 2.1), each field once.

use config::hex;

use super::Link;

/// The fields as they stand there.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fields<'a> {
    pub(super) app: Option<&'a str>,
    asked: Option<&'a str>,
    expires: Option<&'a str>,
    signature: Option<&'a str>,
}

impl<'a> Fields<'a> {
    /// `None` where one of ours is there twice: two readers could take different ones for the one that counts.
    pub(super) fn of(query: &'a str) -> Option<Self> {
        let mut fields = Self::default();
        for (name, value) in query.split('&').filter_map(|field| field.split_once('=')) {
            let place = match name {
                "app-name" => &mut fields.app,
                "og_url" => &mut fields.asked,
                "expires" => &mut fields.expires,
                "signature" => &mut fields.signature,
                _ => continue,
            };
            if place.replace(value).is_some() {
                return None;
            }
        }
        Some(fields)
    }

    /// The link, when it expires, and its signature; `None` where anything is missing or is not written as we do.
    pub(super) fn read(&self) -> Option<(Link, u64, Vec<u8>)> {
        let link = Link { app: decode(self.app?)?, asked: decode(self.asked?)? };
        let expires = self.expires?;
        let digits = expires.bytes().all(|byte| byte.is_ascii_digit());
        Some((link, expires.parse().ok().filter(|_| digits)?, hex::decode(self.signature?)?))
    }
}

/// All but what is unreserved (RFC 3986, section 2.3), and the slashes and colons of a URL, which a query may have.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b':' => {
                encoded.push(char::from(byte));
            }
            _ => {
                encoded.push('%');
                encoded.extend(hex::digits(byte).map(|digit| digit.to_ascii_uppercase()));
            }
        }
    }
    encoded
}

/// `None` where a `%` is not followed by two digits, or what comes out is no text.
pub(super) fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first == b'%' {
            let (digits, after) = rest.split_at_checked(2)?;
            bytes.extend(hex::decode(std::str::from_utf8(digits).ok()?)?);
            rest = after;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}
