//! What is made of jobs that are done.

use config::link::{Depth, Failure};

use super::Hub;
use crate::platform::kubernetes::job::Done;
use crate::platform::kubernetes::life::{Job, Leaving, Life, Stage, Tell};
use crate::platform::kubernetes::place::Place;
use crate::platform::kubernetes::record::NotCommitted;
use crate::platform::kubernetes::sleep::Rested;
use crate::platform::kubernetes::standing::How;
use crate::platform::kubernetes::wake::{Found, Kept, NotWoken};
use crate::platform::kubernetes::words::Word;
use crate::platform::{Event, Note, Report, Rest};
use config::link::Instance;

impl Hub {
    /// A job is done.
    pub(super) fn done(&mut self, place: &Place, number: u64, done: Done) {
        let Some(life) = self.lives.get_mut(place) else { return };
        if life.job.as_ref().is_none_or(|job| job.number != number) {
            return;
        }
        life.job = None;
        match done {
            Done::Woken(tries, woken) => self.woken(place, tries, woken),
            Done::Adopted(adopted) => self.adopted(place, adopted),
            Done::Rested(job, rested) => self.rested(place, &job, rested),
            Done::Settled(Ok((judged, kept))) => {
                life.kept = kept;
                self.stands(place, judged.standing);
            }
            Done::Heard(ail, newest) => {
                if let Stage::With(up) = &mut life.stage {
                    (up.heard, up.baseline) = (ail, newest);
                }
                self.changed(place);
            }
            Done::Settled(Err(error)) => tracing::warn!(%place, %error, "how it stands is not known"),
            Done::Tidied => {}
        }
        self.begin(place);
    }

    fn woken(&mut self, place: &Place, tries: u32, woken: Result<Found, NotWoken>) {
        let recorded = self.cx.sight.record(place).is_some();
        if let (Some(life), Ok(Found::PutBack(from))) = (self.lives.get(place), &woken) {
            self.tell(Report::Noted { app: life.app.id.clone(), note: Note::PutBack(*from) });
        }
        let Some(life) = self.lives.get_mut(place) else { return };
        let Stage::With(up) = &mut life.stage else { return };
        let id = life.app.id.clone();
        match woken {
            Ok(_) if recorded || life.kept != Kept::Unknown => {
                life.kept = Kept::Unknown;
                self.put(place, Job::Tidy);
            }
            Ok(_) => {}
            Err(NotWoken::Away(why)) => {
                let instance = up.instance;
                if tries == 0 {
                    self.report(&id, instance, Event::Ails(Failure::PlatformDown));
                    self.note(&id, Failure::PlatformDown, why);
                }
                self.put(place, Job::Wake(tries + 1));
            }
            Err(NotWoken::Failed(failure, why)) => self.failed(place, failure, why),
            Err(NotWoken::Nothing) => self.put_down(place, Rest::Nothing),
        }
    }

    fn adopted(&mut self, place: &Place, adopted: Result<How, NotCommitted>) {
        match adopted {
            // A put back workload runs until it is told to stop.
            Ok(How::Up | How::PutBack) => self.woken(place, 0, Ok(Found::AsWanted)),
            Ok(How::Asleep(depth)) => self.put_down(place, Rest::Asleep(depth)),
            Ok(How::Nothing) => self.put_down(place, Rest::Nothing),
            Err(error) => self.failed(place, Failure::NotStarted, error.to_string()),
        }
    }

    fn rested(&mut self, place: &Place, job: &Job, rested: Result<Rested, NotCommitted>) {
        let Job::Rest { depth, instance, .. } = job else { return };
        let Some(life) = self.lives.get_mut(place) else { return };
        let id = life.app.id.clone();
        // The next look finds what we have done, and nobody else.
        life.settled = None;
        let (standing, tell) = match rested {
            Ok(Rested::Asleep(rests, lost, kept)) => {
                life.kept = kept;
                let word = match &life.failed {
                    Some((code, why)) => Word::PutAway(rests, code, why.clone()),
                    None => Word::Asleep(rests, lost.clone()),
                };
                // Who has asked for it meanwhile is on the way to be told something else.
                if !matches!(life.stage, Stage::With(_)) {
                    self.words.say(place, word);
                }
                if let Some(what) = lost {
                    self.tell(Report::Noted { app: id, note: Note::WouldLoseData(Depth::Deep, what) });
                }
                (How::Asleep(rests), if rests == *depth { Tell::No } else { Tell::Yes })
            }
            Ok(Rested::WouldLoseData(what)) => {
                self.words.say(place, Word::WouldLoseData(what.clone()));
                self.tell(Report::Noted { app: id, note: Note::WouldLoseData(Depth::Light, what) });
                (How::Up, Tell::Yes)
            }
            Ok(Rested::Deployed) => (How::Up, Tell::Yes),
            // A wake that was asked for meanwhile finds it running, too.
            Ok(Rested::Runs) => return self.found_running(place),
            Ok(Rested::Nothing) => (How::Nothing, Tell::Yes),
            Err(error) => {
                tracing::warn!(%place, %error, "it was not put to sleep");
                (How::Up, Tell::Yes)
            }
        };
        match instance {
            Some(instance) => {
                let pods = self.cx.sight.pods(place).into_iter().map(|pod| pod.uid).collect();
                life_leaves(self.lives.get_mut(place), *instance, (standing, tell), pods);
                self.changed(place);
            }
            None => self.removed(place, standing),
        }
    }

    /// The answer to `Remove` is how it stands: whoever has made it run may have deployed it, or only put it back.
    fn found_running(&mut self, place: &Place) {
        let Some(life) = self.lives.get_mut(place) else { return };
        if let Stage::Without(told) = &mut life.stage {
            *told = None;
            self.put(place, Job::Settle);
        }
    }

    /// The answer to `Remove`, unless the app has been asked for meanwhile: then there is a wake to follow, which goes on
    /// from here, and says itself what comes of it.
    fn removed(&mut self, place: &Place, standing: How) {
        match self.lives.get(place).map(|life| &life.stage) {
            Some(Stage::Without(_)) => self.rests_as(place, standing, Tell::Yes),
            Some(Stage::With(_) | Stage::Leaving(_)) | None => {}
        }
    }
}

/// The workload of an instance is down: its pods go.
fn life_leaves(
    life: Option<&mut Life>,
    instance: Instance,
    (standing, tell): (How, Tell),
    pods: Vec<String>,
) {
    let Some(life) = life else { return };
    match life.stage {
        Stage::Leaving(Leaving::Told(ours)) if ours == instance => {
            life.stage = Stage::Leaving(Leaving::Down(instance, standing, tell, pods));
        }
        Stage::Leaving(_) | Stage::With(_) | Stage::Without(_) => {}
    }
}
