//! Which edge is meant, if nobody says it: the one that runs here.

use std::path::{Path, PathBuf};

use super::arguments::WhichEdge;
use crate::files;

/// Where `dev` answers unless told otherwise.
const USUAL: &str = "127.0.0.1:9901";

/// Its address, host and port.
///
/// # Errors
/// Says what to do, where no edge or more than one could be meant.
pub(super) fn address(edge: &WhichEdge) -> Result<String, String> {
    if let Some(address) = &edge.admin {
        let address = address.strip_prefix("http://").unwrap_or(address).trim_end_matches('/');
        return if address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
            Ok(address.to_owned())
        } else {
            Err(format!("{address:?} is no address: write host and port, such as {USUAL}"))
        };
    }
    if let Some(state) = &edge.state {
        return files::running(state).ok_or_else(|| {
            let state = state.display();
            format!("no edge runs with the state directory {state}: start it, or say --admin ADDRESS")
        });
    }
    only(here(Path::new(".loco-edge")))
}

/// The edges that `dev` runs in this directory, with what they serve and where.
fn here(states: &Path) -> Vec<(PathBuf, String)> {
    let entries = std::fs::read_dir(states).into_iter().flatten().filter_map(Result::ok);
    let mut running: Vec<_> = entries
        .filter_map(|entry| {
            let state = entry.path();
            let address = files::running(&state)?;
            Some((state, address))
        })
        .collect();
    running.sort();
    running
}

fn only(running: Vec<(PathBuf, String)>) -> Result<String, String> {
    match running.as_slice() {
        [] => Ok(USUAL.to_owned()),
        [(_, address)] => Ok(address.clone()),
        several => {
            let each =
                several.iter().map(|(state, address)| format!("\n  --admin {address}   {}", state.display()));
            Err(format!("several edges run here, say which:{}", each.collect::<String>()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(address: &str) -> Result<String, String> {
        super::address(&WhichEdge { admin: Some(address.to_owned()), state: None, token_file: None })
    }

    #[test]
    fn an_address_is_taken_as_people_write_it() {
        for text in ["127.0.0.1:9901", "http://127.0.0.1:9901", "http://127.0.0.1:9901/"] {
            assert_eq!(said(text), Ok("127.0.0.1:9901".to_owned()), "{text}");
        }
        assert_eq!(said("[::1]:80"), Ok("[::1]:80".to_owned()));
        for text in ["localhost", "", "127.0.0.1:http"] {
            assert!(said(text).is_err_and(|why| why.contains("such as 127.0.0.1:9901")), "{text}");
        }
    }

    #[test]
    fn the_one_that_runs_is_meant_and_of_two_neither() {
        let edge = |name: &str, port: u16| (PathBuf::from(name), format!("127.0.0.1:{port}"));
        assert_eq!(only(Vec::new()), Ok(USUAL.to_owned()));
        assert_eq!(only(vec![edge("a", 1)]), Ok("127.0.0.1:1".to_owned()));
        let several = only(vec![edge("a", 1), edge("b", 2)]);
        assert!(several.is_err_and(|why| why.contains("--admin 127.0.0.1:2   b")));
    }
}
