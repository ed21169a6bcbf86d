//! `[[admin.token]]`: who may use the admin API. No secret gets from here into a message.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use toml::de::DeValue;

use super::reader::{Field, Key, Reader, Slot, slot, wrong_type};
use super::text::Spot;
use crate::hex;
use crate::model::{Label, Role, Token};

/// `[admin]`
#[derive(Default)]
pub(super) struct AdminDraft {
    /// Each with the place where it begins.
    pub(super) tokens: Vec<(TokenDraft, Spot)>,
}

/// `[[admin.token]]`
#[derive(Default)]
pub(super) struct TokenDraft {
    name: Slot<Label>,
    role: Slot<Role>,
    secrets: Slot<Vec<([u8; 32], Spot)>>,
}

pub(super) static ADMIN: &[Key<AdminDraft>] = &[Key { name: "token", take: tokens }];

pub(super) static TOKEN: &[Key<TokenDraft>] = &[
    slot!(name, |r: &mut Reader, f| r.parsed(f, "alice", Label::parse)),
    slot!(role, |r: &mut Reader, f| r.word(f, Role::ALL.map(|role| (role.as_str(), role)))),
    slot!(secrets, secrets),
];

/// Characters of a secret that is written as it is: fewer could be guessed.
const SHORTEST: usize = 16;
const LONGEST: usize = 1_024;
const SECRETS: &str = "such as [\"sha256:HEX…\"]; `printf %s SECRET | sha256sum` tells the HEX of a secret";

fn tokens(admin: &mut AdminDraft, field: &Field<'_>, reader: &mut Reader) {
    let tables =
        ["write [[admin.token]] with two brackets", "write [[admin.token]], and below it the token's keys"];
    reader.tables(field, &[TOKEN], "in [[admin.token]]", tables, &mut admin.tokens);
}

/// One secret, or two while one takes the other's place.
fn secrets(reader: &mut Reader, field: &Field<'_>) -> Option<Vec<([u8; 32], Spot)>> {
    let secrets = reader.list(field, "[\"sha256:HEX…\"]", |r, f| Some((secret(r, f)?, f.spot.clone())))?;
    if !(1..=2).contains(&secrets.len()) {
        let message = format!("`secrets` has {}, not one or two", secrets.len());
        reader.mistake(&field.spot, message).help(SECRETS);
        return None;
    }
    Some(secrets)
}

fn secret(reader: &mut Reader, field: &Field<'_>) -> Option<[u8; 32]> {
    let DeValue::String(text) = field.value else {
        reader.mistake(&field.spot, wrong_type(field, "a list of texts", field.value)).help(SECRETS);
        return None;
    };
    let wrong = match text.strip_prefix("sha256:") {
        Some(digits) => match hex::decode(digits).and_then(|digest| digest.try_into().ok()) {
            Some(digest) => return Some(digest),
            None => "after \"sha256:\", a secret has 64 of 0-9 and a-f",
        },
        None if text.chars().count() < SHORTEST => "this secret has fewer than 16 characters",
        // It comes in a header, `Authorization: Bearer SECRET` (RFC 6750, section 2.1).
        None if !text.bytes().all(|b| b.is_ascii_graphic()) || text.len() > LONGEST => {
            "a secret is up to 1024 visible ASCII characters, without spaces"
        }
        None => {
            let help = "`printf %s SECRET | sha256sum` tells its hash: write it as \"sha256:HASH\"";
            reader.warning(&field.spot, "a secret stands in this file as it is").help(help);
            return Some(Sha256::digest(text.as_bytes()).into());
        }
    };
    reader.mistake(&field.spot, wrong).help(SECRETS);
    None
}

/// The tokens that are right.
pub(super) fn settle(drafts: Vec<(TokenDraft, Spot)>, reader: &mut Reader) -> Vec<Token> {
    let mut names: BTreeMap<Label, Spot> = BTreeMap::new();
    let mut proofs: BTreeMap<[u8; 32], Spot> = BTreeMap::new();
    let mut tokens = Vec::with_capacity(drafts.len());
    for (draft, header) in drafts {
        complete(&draft, &header, reader);
        if let Some((name, spot)) = draft.name.written() {
            if let Some(first) = names.get(name) {
                reader
                    .mistake(spot, format!("there is already a token `{name}`"))
                    .help("the audit tells who it was by this name: give this one another")
                    .see(first, "the first one");
            }
            names.entry(name.clone()).or_insert_with(|| spot.clone());
        }
        for (proof, spot) in draft.secrets.written().map_or(&[][..], |(secrets, _)| secrets) {
            if let Some(first) = proofs.get(proof) {
                reader
                    .mistake(spot, "this secret is there already")
                    .help("each token, and each of its two, has a secret of its own")
                    .see(first, "the first time");
            }
            proofs.entry(*proof).or_insert_with(|| spot.clone());
        }
        tokens.extend(draft.settled());
    }
    tokens
}

impl TokenDraft {
    fn settled(self) -> Option<Token> {
        let (name, role, secrets) = (self.name.written()?, self.role.written()?, self.secrets.written()?);
        let secrets = secrets.0.iter().map(|(proof, _)| *proof).collect();
        Some(Token { name: name.0.clone(), role: *role.0, secrets })
    }
}

fn complete(draft: &TokenDraft, header: &Spot, reader: &mut Reader) {
    let spot = draft.name.written().map_or(header, |(_, spot)| spot);
    if draft.name.is_absent() {
        reader.missing(
            header,
            "this token has no name",
            "add `name = \"alice\"`: the audit names who it was",
        );
    }
    if draft.role.is_absent() {
        reader.missing(spot, "this token has no role", "add `role = \"viewer\"`, `operator` or `admin`");
    }
    if draft.secrets.is_absent() {
        reader.missing(spot, "this token has no secrets", format!("add `secrets`, {SECRETS}"));
    }
}
