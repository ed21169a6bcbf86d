//! What is counted at an app for as long as it lasts: requests that are open, those that are held, waiting pages.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use config::settings;

use super::App;
use crate::balance::Share;
use crate::note::Note;

/// A request that is open at an app: holding it keeps the app from being put to sleep.
#[derive(Debug)]
pub struct Open {
    app: Arc<App>,
    keeps_awake: bool,
    /// Of an app with several endpoints: the one it is at.
    share: Option<Share>,
}

impl Open {
    /// Counts a request in. The caller has just read that the app is awake, without an await since then.
    pub fn enter(app: &Arc<App>, keeps_awake: bool, share: Option<Share>) -> Self {
        app.open.fetch_add(1, Relaxed);
        app.touch(keeps_awake);
        Self { app: app.clone(), keeps_awake, share }
    }

    /// Its endpoint has begun to answer.
    pub fn succeeded(&self) {
        if let Some(share) = &self.share {
            share.succeeded();
        }
    }

    /// Its endpoint has failed it.
    pub fn failed(&self, settings: &settings::Gateway) {
        if self.share.as_ref().is_some_and(|share| share.failed(settings)) {
            self.app.stats.ejections.fetch_add(1, Relaxed);
        }
    }

    /// The app.
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.app.open.fetch_sub(1, Relaxed);
        self.app.touch(self.keeps_awake);
    }
}

/// A place among those held for an app.
#[derive(Debug)]
pub struct Place {
    app: Arc<App>,
}

impl Place {
    /// Takes a place, if there is one among `max`; whoever is first asks for the wake.
    pub fn take(app: &Arc<App>, max: u32) -> Option<Self> {
        let before = app.held.fetch_update(Relaxed, Relaxed, |held| (held < max).then_some(held + 1)).ok()?;
        let place = Self { app: app.clone() };
        if before == 0 {
            app.ask();
        }
        app.touch(false);
        Some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.app.held.fetch_sub(1, Relaxed) == 1 {
            self.app.notes.send(Note::Unwanted(self.app.clone()));
        }
        self.app.touch(false);
    }
}

/// A waiting page that follows the app's wake. It is no use of the app, but somebody wants it.
#[derive(Debug)]
pub struct Follower {
    app: Arc<App>,
}

impl Follower {
    /// Counts it in, if there are fewer than `max`.
    pub fn of(app: &Arc<App>, max: u32) -> Option<Self> {
        let more = |following| (following < max).then_some(following + 1);
        app.following.fetch_update(Relaxed, Relaxed, more).ok()?;
        Some(Self { app: app.clone() })
    }

    /// The app.
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        if self.app.following.fetch_sub(1, Relaxed) == 1 {
            self.app.notes.send(Note::Unwanted(self.app.clone()));
        }
    }
}
