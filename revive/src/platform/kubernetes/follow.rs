//! What is told of an instance, as its pods come and go. Pure.

use std::net::SocketAddr;
use std::sync::Arc;

use config::model::Endpoint;

use super::life::{Told, Up};
use super::pods::Look;
use crate::platform::Event;

impl Up {
    /// What is to be told of what is seen now.
    pub(super) fn follow(&mut self, look: &Look) -> Vec<Event> {
        let ready: Vec<Endpoint> =
            look.at.iter().filter(|at| at.ready).map(|at| SocketAddr::new(at.ip, at.port).into()).collect();
        let first = look.at.iter().max_by_key(|at| at.ready).map(|at| SocketAddr::new(at.ip, at.port));
        match &self.told {
            Told::Ready(before) => {
                if **before == *ready {
                    return Vec::new();
                }
                let endpoints: Arc<[Endpoint]> = ready.into();
                self.told = Told::Ready(Arc::clone(&endpoints));
                vec![Event::Endpoints(endpoints)]
            }
            // We said that it will not come up; who has made it may have healed it.
            Told::Failed(_) if ready.is_empty() || !self.adopted => Vec::new(),
            Told::Phase(_) | Told::Created(_) | Told::Failed(_) => self.rise(look, first, ready),
        }
    }

    fn rise(&mut self, look: &Look, first: Option<SocketAddr>, ready: Vec<Endpoint>) -> Vec<Event> {
        let mut events = Vec::new();
        let there = |told: SocketAddr| look.at.iter().any(|at| SocketAddr::new(at.ip, at.port) == told);
        match (&self.told, first) {
            (Told::Created(told), _) if there(*told) => {}
            (_, Some(endpoint)) => {
                events.push(Event::Created { endpoint, pid: None });
                self.told = Told::Created(endpoint);
            }
            (Told::Phase(told), None) if *told != Some(look.phase) => {
                events.push(Event::Phase(look.phase));
                self.told = Told::Phase(Some(look.phase));
            }
            (_, None) => {}
        }
        if !ready.is_empty() {
            let endpoints: Arc<[Endpoint]> = ready.into();
            events.push(Event::Endpoints(Arc::clone(&endpoints)));
            self.told = Told::Ready(endpoints);
        }
        events
    }
}
