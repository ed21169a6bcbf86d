//! The sockets of a run: where requests come in, and each app's own port on loopback, by which its neighbours call
//! it (`LOCO_<APP>_URL`), so that such a call counts and wakes.

use config::load::Loaded;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use config::model::{App, AppId};
use gateway::listen::{Entry, Listener};
use revive::store::AppRow;

/// All listeners of the data plane.
#[derive(Debug)]
pub(crate) struct Ports {
    /// The first is for all hosts, the others for one app each.
    pub listeners: Vec<Listener>,
    /// Where requests come in.
    pub listen: SocketAddr,
    /// Each app's own port.
    pub apps: HashMap<AppId, u16>,
}

impl Ports {
    /// Binds. An app gets the port it had in the last run, if that is free: so its URL stays the same.
    ///
    /// # Errors
    /// Says which address is taken, and what to do.
    pub(crate) fn bind(listen: SocketAddr, apps: &[Arc<App>], stored: &[AppRow]) -> Result<Self, String> {
        let main = Listener::bind(listen, Entry::Hosts { port: None })
            .map_err(|error| taken("--listen", listen, &error))?;
        let listen =
            main.address().map_err(|error| format!("cannot read the listener's address: {error}"))?;
        let before: HashMap<&AppId, u16> =
            stored.iter().filter_map(|row| Some((&row.id, row.port?))).collect();
        let mut ports = Self { listeners: vec![main], listen, apps: HashMap::new() };
        for app in apps {
            let (listener, port) = Self::bind_own(app, before.get(&app.id).copied())?;
            ports.listeners.push(listener);
            ports.apps.insert(app.id.clone(), port);
        }
        Ok(ports)
    }

    /// Binds an app's own port: the one it had `before`, if that is free.
    ///
    /// # Errors
    /// Says whose could not be had.
    pub(crate) fn bind_own(app: &App, before: Option<u16>) -> Result<(Listener, u16), String> {
        own_port(app, before)
            .map_err(|error| format!("app {}: no port on 127.0.0.1 is free for it: {error}", app.name))
    }

    /// Each app's own address, by name.
    pub(crate) fn addresses(&self, apps: &[Arc<App>]) -> BTreeMap<String, SocketAddr> {
        let address = |app: &Arc<App>| {
            let port = self.apps.get(&app.id)?;
            Some((app.name.to_string(), SocketAddr::from((Ipv4Addr::LOCALHOST, *port))))
        };
        apps.iter().filter_map(address).collect()
    }
}

/// What to do about an address that cannot be had.
pub(crate) fn taken(flag: &str, address: SocketAddr, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "{flag} {address}: another program listens there; end it, or choose another port, for example \
             {flag} {}:0 for any that is free",
            address.ip()
        ),
        io::ErrorKind::AddrNotAvailable => format!(
            "{flag} {address}: this machine has no such address; 127.0.0.1 is always there, 0.0.0.0 means all"
        ),
        io::ErrorKind::PermissionDenied => {
            format!("{flag} {address}: ports below 1024 need more rights; choose one above, for example 8080")
        }
        _ => format!("{flag} {address}: cannot listen there: {error}"),
    }
}

fn own_port(app: &App, before: Option<u16>) -> io::Result<(Listener, u16)> {
    let bind = |port| Listener::bind((Ipv4Addr::LOCALHOST, port).into(), Entry::App(app.id.clone()));
    let again = before.and_then(|port| bind(port).ok());
    let listener = match again {
        Some(listener) => listener,
        None => bind(0)?,
    };
    let port = listener.address()?.port();
    Ok((listener, port))
}

/// Whether the admin API may answer there: beyond this machine it must ask who somebody is.
pub(crate) fn guarded(address: SocketAddr, loaded: &Loaded) -> Result<(), String> {
    if address.ip().is_loopback() || !loaded.tokens.is_empty() {
        return Ok(());
    }
    Err(format!(
        "--admin {address}: without tokens, whoever reaches this address could end apps; add an [[admin.token]] to the \
         file, or keep to loopback, for example --admin 127.0.0.1:{}",
        address.port()
    ))
}
