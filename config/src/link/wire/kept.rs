//! A table as it is kept in a file: as a new link would tell it, with a checksum.

use prost::Message as _;
use sha2::{Digest as _, Sha256};

use crate::link::wire::message::FromRevive;
use crate::link::wire::{Heard, Hearer, Teller};
use crate::link::{Depth, Limits, Status, Table, ToGateway};
use crate::model::{App, Source};

/// The first bytes. Another format gets another number.
const MAGIC: &[u8] = b"loco-edge table 1\n";
const CHECKSUM: usize = 32;

/// Why a file is no table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotKept {
    /// It is something else.
    #[error("it is no table of this version")]
    Unknown,
    /// Something is missing of it, or other than it was written.
    #[error("it is damaged")]
    Damaged,
}

/// The bytes of a file. No state is kept that will be of the past: of apps that run somewhere else it says only that
/// they are there.
pub fn keep(limits: Limits, table: Table) -> Vec<u8> {
    let status = |app: &App, status: Status| match app.source {
        Source::Upstreams(_) => status,
        Source::Service(_) | Source::Process(_) => Status::Asleep { depth: Depth::Deep },
    };
    let apps = table.apps.into_iter().map(|(app, told)| {
        let status = status(&app, told);
        (app, status)
    });
    let table = Table { apps: apps.collect(), leaving: Vec::new(), ..table };
    let mut teller = Teller::default();
    let mut bytes = [MAGIC, &[0; CHECKSUM]].concat();
    for message in [ToGateway::Limits(limits), ToGateway::Table(table)] {
        for page in teller.tell(message) {
            bytes.extend(page.encode_length_delimited_to_vec());
        }
    }
    let (head, body) = bytes.split_at_mut(MAGIC.len() + CHECKSUM);
    head[MAGIC.len()..].copy_from_slice(&Sha256::digest(body));
    bytes
}

/// What a file says: the limits, and the table.
///
/// # Errors
/// Where it is none, or not whole.
pub fn kept(bytes: &[u8]) -> Result<(Limits, Table), NotKept> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(NotKept::Unknown)?;
    let (checksum, mut body) = rest.split_at_checked(CHECKSUM).ok_or(NotKept::Damaged)?;
    if Sha256::digest(body)[..] != *checksum {
        return Err(NotKept::Damaged);
    }
    let (mut hearer, mut limits) = (Hearer::default(), Limits { generation: 0, limits: Vec::new() });
    while !body.is_empty() {
        let page = FromRevive::decode_length_delimited(&mut body).map_err(|_| NotKept::Damaged)?;
        match hearer.hear(page) {
            Ok(Heard::Said(ToGateway::Limits(said))) => limits = said,
            Ok(Heard::Said(ToGateway::Table(table))) => return Ok((limits, table)),
            Ok(_) | Err(_) => {}
        }
    }
    Err(NotKept::Damaged)
}
