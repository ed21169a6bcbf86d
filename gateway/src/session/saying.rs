//! What revive is told.

use std::time::Duration;

use config::link::{Activity, ToRevive};
use tokio::time::{Instant, timeout};

use super::Session;
use super::link::Link;
use super::showing::TRY_AGAIN_AFTER;
use crate::app::Sent;
use crate::lease::Lease;
use crate::note::Note;
use crate::shown::{CLUSTER, Cluster};

/// How long activity is gathered before revive is told; nothing is sent where nothing goes on.
const ACTIVITY_INTERVAL: Duration = Duration::from_millis(250);
/// How long a link over a wire may take no message; then it is given up for another.
const PATIENCE: Duration = Duration::from_secs(1);

impl Session {
    /// Tells all that goes on.
    pub(super) async fn report_all(&mut self) {
        let busy = self.apps.values().map(|known| &known.app).filter(|app| {
            let Activity { app: _, open, held, idle_for } = app.activity();
            open > 0 || held > 0 || idle_for.is_some()
        });
        self.touched.extend(busy.map(|app| (app.id.clone(), app.clone())));
        if !self.touched.is_empty() {
            self.report().await;
        }
    }

    pub(super) async fn note(&mut self, note: Note) {
        match note {
            Note::Wanted(app) => {
                app.note_read(Sent::Wanted);
                if self.apps.get(&app.id).is_some_and(|known| known.cluster == Cluster::Refuses) {
                    self.try_at.get_or_insert_with(|| Instant::now() + TRY_AGAIN_AFTER);
                }
                self.send(ToRevive::Wake { app: app.id.clone() }).await;
            }
            Note::Unwanted(app) => {
                if !app.is_wanted() {
                    self.send(ToRevive::Unwanted { app: app.id.clone() }).await;
                }
            }
            Note::Touched(app) => {
                self.touched.insert(app.id.clone(), app);
                self.report_at.get_or_insert_with(|| Instant::now() + ACTIVITY_INTERVAL);
            }
            Note::Unreachable(app, CLUSTER) => self.refused(app).await,
            Note::Unreachable(app, instance) => {
                self.send(ToRevive::Unreachable { app: app.id.clone(), instance }).await;
            }
            // Rounds are one leader's: another's may have the same number.
            Note::Quiesced(_, _, number) if number != self.number => {}
            Note::Quiesced(app, round, _) => {
                self.send(ToRevive::Quiesced { round, activity: app.activity() }).await;
            }
            Note::Found(finding) => self.send(finding).await,
        }
    }

    pub(super) async fn report(&mut self) {
        self.report_at = None;
        let touched = std::mem::take(&mut self.touched).into_values();
        let activities = touched.map(|app| {
            // Before the counts are read: what changes from here on is sent with the next report.
            app.note_read(Sent::Touched);
            app.activity()
        });
        let activities = activities.collect();
        self.send(ToRevive::Activity(activities)).await;
    }

    /// Says something to revive, if there is a link: what matters is said anew to the next one.
    pub(super) async fn send(&mut self, message: ToRevive) {
        let (Link::New(link) | Link::Heard(link)) = &self.link else { return };
        let sent = match self.lease {
            // Revive is gone: `run` is about to see the same from its other half.
            Lease::Always => return drop(link.tx.send(message).await),
            // The lease must be seen to end, whatever becomes of the link.
            Lease::Until(_) => timeout(PATIENCE, link.tx.send(message)).await,
        };
        if !matches!(sent, Ok(Ok(()))) {
            tracing::warn!("the link to revive takes no more messages");
            self.part();
        }
    }
}
