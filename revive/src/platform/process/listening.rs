//! Who listens on a port: proc_pid_net(5), `tcp` and `tcp6`, and the descriptors of a process.

use std::collections::HashSet;
use std::io;

use rustix::process::Pid;

/// The state of a listening socket in `/proc/net/tcp`: `TCP_LISTEN` of the kernel's `tcp_states.h`.
const LISTENING: &str = "0A";

/// The sockets that listen on the port, by inode, whatever their address.
///
/// # Errors
/// Where `/proc` cannot be read; a machine may be without IPv6.
pub(super) fn listeners(port: u16) -> io::Result<HashSet<u64>> {
    let mut sockets = parse(&std::fs::read_to_string("/proc/self/net/tcp")?, port);
    match std::fs::read_to_string("/proc/self/net/tcp6") {
        Ok(table) => sockets.extend(parse(&table, port)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(sockets)
}

fn parse(table: &str, port: u16) -> HashSet<u64> {
    let suffix = format!(":{port:04X}");
    let socket = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let listens = fields.get(1)?.ends_with(&suffix) && *fields.get(3)? == LISTENING;
        listens.then(|| fields.get(9)?.parse().ok())?
    };
    table.lines().filter_map(socket).collect()
}

/// Whether the process has one of the sockets open; not, if it may not be looked into.
pub(super) fn holds_any(pid: Pid, sockets: &HashSet<u64>) -> bool {
    let Ok(open) = std::fs::read_dir(format!("/proc/{}/fd", pid.as_raw_pid())) else { return false };
    open.flatten().filter_map(|fd| std::fs::read_link(fd.path()).ok()).any(|link| {
        let inode = link.to_str().and_then(|l| l.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
        inode.is_some_and(|inode| sockets.contains(&inode))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_listener_is_found_and_its_holder_known() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let _client = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        let _accepted = listener.accept().unwrap();
        let sockets = listeners(port).unwrap();
        assert_eq!(sockets.len(), 1, "connections do not count");
        assert!(holds_any(rustix::process::getpid(), &sockets));
        assert!(!holds_any(rustix::process::getpid(), &HashSet::from([0])));
        drop(listener);
        assert!(listeners(port).unwrap().is_empty());
    }
}
