//! Holds all apps: takes commands, looks at what has changed, has jobs done, reports.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;

use config::link::{Depth, Failure, Instance};
use config::model::{App, AppId};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::context::Context;
use super::failure::Ail;
use super::job::{self, Done};
use super::life::{Ailing, Job, Leaving, Life, Running, Stage, Tell, Told, Up};
use super::place::Place;
use super::pod::Pod;
use super::pods::{self, Look};
use super::sight::{Changes, SeenApplication};
use super::standing::How;
use super::wake::Kept;
use super::words::{Word, Words};
use crate::platform::{Command, Event, Exit, Note, Report, Reports, Rest, Standing};

mod outcome;

/// What the platform is told.
pub(super) enum Order {
    /// By the driver.
    Command(Command),
    /// These are the apps from now on.
    Apps(Vec<Arc<App>>),
}

/// All apps.
pub(super) struct Hub {
    pub(super) cx: Context,
    pub(super) changes: Arc<Changes>,
    pub(super) orders: mpsc::UnboundedReceiver<Order>,
    pub(super) reports: Reports,
    pub(super) words: Words,
    lives: HashMap<Place, Life>,
    places: HashMap<AppId, Place>,
    instances: HashMap<Instance, Place>,
    /// Those that could not be started, because no workload runs the app, and are not told to stop yet.
    placeless: HashMap<Instance, AppId>,
    /// Apps on their way up: those that time may change.
    rising: HashSet<Place>,
    jobs: JoinSet<(Place, u64, Done)>,
    numbered: u64,
    /// Whether all is seen that there is: it is when we are told of the first apps.
    sees: bool,
}

impl Hub {
    pub(super) fn new(
        cx: Context,
        changes: Arc<Changes>,
        orders: mpsc::UnboundedReceiver<Order>,
        reports: Reports,
        words: Words,
    ) -> Self {
        Self {
            cx,
            changes,
            orders,
            reports,
            words,
            lives: HashMap::new(),
            places: HashMap::new(),
            instances: HashMap::new(),
            placeless: HashMap::new(),
            rising: HashSet::new(),
            jobs: JoinSet::new(),
            numbered: 0,
            sees: false,
        }
    }

    /// Until nobody gives orders any more; then what is being done is left as it is.
    pub(super) async fn run(mut self) {
        let changes = Arc::clone(&self.changes);
        loop {
            let due = self.due();
            tokio::select! {
                biased;
                order = self.orders.recv() => match order {
                    Some(Order::Command(command)) => self.command(command),
                    Some(Order::Apps(apps)) => self.know(apps),
                    None => return,
                },
                Some(done) = self.jobs.join_next() => {
                    // One that was told to end says nothing more.
                    if let Ok((place, number, done)) = done {
                        self.done(&place, number, done);
                    }
                }
                places = changes.next() => places.iter().for_each(|place| self.changed(place)),
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => self.look_again(),
            }
        }
    }

    fn due(&self) -> Option<Instant> {
        let lives = self.rising.iter().filter_map(|place| self.lives.get(place));
        lives.filter_map(|life| life.due(&self.cx.settings)).min()
    }

    fn look_again(&mut self) {
        let now = Instant::now();
        let due = |life: &Life| life.due(&self.cx.settings).is_some_and(|due| due <= now);
        let places: Vec<Place> =
            self.rising.iter().filter(|place| self.lives.get(place).is_some_and(due)).cloned().collect();
        for place in places {
            self.changed(&place);
            self.ask(&place, now);
        }
    }

    /// Asks, if it is time, why there is nothing to be seen.
    fn ask(&mut self, place: &Place, now: Instant) {
        let Some(Life { stage: Stage::With(up), job: None, .. }) = self.lives.get_mut(place) else { return };
        if up.asks() && up.due(&self.cx.settings).is_some_and(|due| due <= now) {
            up.asked += 1;
            let baseline = up.baseline;
            self.put(place, Job::Ask { baseline });
        }
    }

    fn know(&mut self, apps: Vec<Arc<App>>) {
        for app in apps {
            let Some(place) = Place::of(&app) else { continue };
            self.places.insert(app.id.clone(), place.clone());
            self.life(&app, &place);
            self.changed(&place);
        }
        if !std::mem::replace(&mut self.sees, true) {
            let mut leaving = self.cx.sight.records_leaving();
            leaving.retain(|place| !self.lives.contains_key(place));
            leaving.iter().for_each(|place| self.bury(place));
        }
    }

    fn life(&mut self, app: &Arc<App>, place: &Place) -> &mut Life {
        let life = self.lives.entry(place.clone()).or_insert_with(|| Life::new(Arc::clone(app)));
        life.app = Arc::clone(app);
        life
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Start { app, instance } => self.start(&app, instance, false),
            Command::Adopt { app, instance } => self.start(&app, instance, true),
            Command::Stop { instance, depth } => self.stop(instance, depth),
            Command::Remove(app) => {
                let Some(place) = Place::of(&app) else { return };
                self.life(&app, &place);
                self.put(&place, Job::Rest { depth: Depth::Deep, known: None, instance: None });
            }
            Command::Forget(app) => self.forget(&app),
            // Nothing pauses here, see `Light::Stopped`.
            Command::Pause(instance) | Command::Resume(instance) => {
                tracing::warn!(%instance, "workloads of a cluster are not paused");
            }
        }
    }

    fn start(&mut self, app: &Arc<App>, instance: Instance, adopted: bool) {
        let Some(place) = Place::of(app) else {
            self.placeless.insert(instance, app.id.clone());
            let event = Event::NotCreated(Failure::NotStarted);
            return self.report(&app.id, instance, event);
        };
        self.places.insert(app.id.clone(), place.clone());
        self.instances.insert(instance, place.clone());
        let life = self.life(app, &place);
        life.stage = Stage::With(Up::new(instance, adopted, Instant::now()));
        life.failed = None;
        life.hurry();
        self.rising.insert(place.clone());
        if adopted {
            self.put(&place, Job::Adopt);
        } else {
            self.put(&place, Job::Wake(0));
            self.words.say(&place, Word::Waking);
        }
        self.changed(&place);
    }

    fn stop(&mut self, instance: Instance, depth: Depth) {
        if let Some(app) = self.placeless.remove(&instance) {
            return self.report(&app, instance, Event::Exited(Exit::Unknown));
        }
        let Some(place) = self.instances.get(&instance).cloned() else {
            return tracing::debug!(%instance, "nothing is known of it any more");
        };
        let known = self.cx.sight.workload(&place).map(|seen| seen.generation);
        let Some(life) = self.lives.get_mut(&place) else { return };
        // Of a wake that has only just been asked for, what is seen is older than what we did.
        let known = known.filter(|_| life.is_quiet(Instant::now()));
        life.stage = Stage::Leaving(Leaving::Told(instance));
        life.halt();
        self.rising.remove(&place);
        if life.failed.is_none() {
            self.words.say(&place, Word::Draining);
        }
        self.put(&place, Job::Rest { depth, known, instance: Some(instance) });
    }

    fn forget(&mut self, app: &AppId) {
        self.placeless.retain(|_, of| of != app);
        let Some(place) = self.places.remove(app) else { return };
        self.rising.remove(&place);
        self.instances.retain(|_, at| *at != place);
        if let Some(life) = self.lives.get_mut(&place) {
            life.halt();
            life.stage = Stage::Without(None);
            self.put(&place, Job::Forget);
        }
    }

    /// Queues a job, and begins it if nothing else is being done.
    fn put(&mut self, place: &Place, job: Job) {
        let Some(life) = self.lives.get_mut(place) else { return };
        if !life.next.contains(&job) {
            life.next.push_back(job);
        }
        self.begin(place);
    }

    fn begin(&mut self, place: &Place) {
        let Some(life) = self.lives.get_mut(place) else { return };
        if life.job.is_some() {
            return;
        }
        let Some(job) = life.next.pop_front() else { return };
        self.numbered += 1;
        let number = self.numbered;
        let yields = job.yields();
        let (cx, at, kept) = (self.cx.clone(), place.clone(), life.kept.clone());
        let handle = self.jobs.spawn(async move {
            let done = job::run(cx, at.clone(), job, kept).await;
            (at, number, done)
        });
        life.job = Some(Running { number, yields, handle });
    }

    /// It has no instance, and stands so.
    fn rests_as(&mut self, place: &Place, standing: How, tell: Tell) {
        let Some(life) = self.lives.get_mut(place) else { return };
        life.stage = Stage::Without(Some(standing));
        self.rising.remove(place);
        let app = life.app.id.clone();
        if tell == Tell::Yes {
            let standing = self.standing(place, standing);
            self.tell(Report::Stands { app, standing });
        }
    }

    fn standing(&self, place: &Place, how: How) -> Standing {
        match how {
            How::Up => {
                let look = self.seen(place);
                let ready = look.at.iter().filter(|at| at.ready);
                Standing::Up { endpoints: ready.map(|at| SocketAddr::new(at.ip, at.port).into()).collect() }
            }
            How::Asleep(depth) => Standing::Asleep(depth),
            How::PutBack => Standing::PutBack,
            How::Nothing => Standing::Nothing,
        }
    }

    /// It has been found out how an app stands that has no instance.
    fn stands(&mut self, place: &Place, standing: How) {
        let Some(life) = self.lives.get(place) else { return };
        match &life.stage {
            Stage::Without(told) if told.as_ref() != Some(&standing) => {
                self.rests_as(place, standing, Tell::Yes)
            }
            Stage::Without(_) | Stage::With(_) | Stage::Leaving(_) => {}
        }
    }

    /// Something of this workload has changed, or time has passed.
    fn changed(&mut self, place: &Place) {
        let record = self.cx.sight.record(place);
        if record.as_ref().is_some_and(|record| record.leaving) {
            self.bury(place);
        }
        self.compare(place);
        let Some(life) = self.lives.get(place) else { return };
        match &life.stage {
            Stage::Without(_) => self.settle(place),
            Stage::With(_) => self.look(place),
            Stage::Leaving(Leaving::Told(_)) => {}
            Stage::Leaving(Leaving::Down(instance, standing, tell, pods)) => {
                let (instance, standing, tell) = (*instance, *standing, *tell);
                let ours = |pod: &Pod| pod.lives() && pods.contains(&pod.uid);
                if standing == How::Up || !self.cx.sight.pods(place).iter().any(ours) {
                    self.ended(place, instance, standing, tell);
                    self.is_back(place);
                }
            }
        }
    }

    /// Somebody deletes a record. That of what is no app any more would stay for ever otherwise, and its namespace too.
    fn bury(&mut self, place: &Place) {
        if self.lives.contains_key(place) {
            return self.put(place, Job::Bury);
        }
        if self.sees {
            self.numbered += 1;
            let (cx, at, number) = (self.cx.clone(), place.clone(), self.numbered);
            self.jobs.spawn(async move {
                let done = job::run(cx, at.clone(), Job::Bury, Kept::Unknown).await;
                (at, number, done)
            });
        }
    }

    /// Says so, if what is to run is not what was.
    fn compare(&mut self, place: &Place) {
        let Some(seen) = self.cx.sight.workload(place).filter(|seen| !seen.leaving) else { return };
        let Some(life) = self.lives.get_mut(place) else { return };
        let before = life.version.replace(seen.version);
        if before.is_some_and(|before| before != seen.version) {
            let app = life.app.id.clone();
            self.tell(Report::Noted { app, note: Note::Deployed });
        }
    }

    /// It may have been put back while its pods went, and nothing of it change any more.
    fn is_back(&mut self, place: &Place) {
        if self.cx.sight.workload(place).is_some_and(|seen| seen.replicas > 0 && !seen.leaving) {
            self.settle(place);
        }
    }

    /// Finds out how it stands, if anything has changed since the last time.
    fn settle(&mut self, place: &Place) {
        let (workload, record) = (self.cx.sight.workload(place), self.cx.sight.record(place));
        let application = self.cx.sight.application(place);
        let Some(life) = self.lives.get_mut(place) else { return };
        let print = (workload, record, application);
        if life.settled.as_ref() == Some(&print) {
            return;
        }
        // What never slept has nothing to be asked for.
        let plain = match (&print, &life.kept) {
            ((Some(seen), None, None), Kept::Unknown) if !seen.leaving => {
                Some(if seen.replicas > 0 { How::Up } else { How::Asleep(Depth::Light) })
            }
            ((Some(seen), None, Some(SeenApplication { mark: None, .. })), Kept::Unknown)
                if !seen.leaving && seen.replicas > 0 =>
            {
                Some(How::Up)
            }
            ((None, None, None), Kept::Unknown) => Some(How::Nothing),
            _ => None,
        };
        life.settled = Some(print);
        match plain {
            Some(standing) => self.stands(place, standing),
            None => self.put(place, Job::Settle),
        }
    }

    fn seen(&self, place: &Place) -> Look {
        let app = self.lives.get(place).map(|life| Arc::clone(&life.app));
        let pods = self.cx.sight.pods(place);
        pods::look(&pods, |pod| self.cx.sight.port(app.as_ref()?, pod))
    }

    /// What the pods say of an instance.
    fn look(&mut self, place: &Place) {
        let look = self.seen(place);
        let Some(life) = self.lives.get_mut(place) else { return };
        let Stage::With(up) = &mut life.stage else { return };
        up.seen |= look.staying > 0;
        let instance = up.instance;
        if up.seen && look.alive == 0 && self.over(place) {
            return;
        }
        let Some(life) = self.lives.get_mut(place) else { return };
        let Stage::With(up) = &mut life.stage else { return };
        let events = up.follow(&look);
        let is_up = matches!(up.told, Told::Ready(_));
        let ail = look.ail.or_else(|| up.heard.clone());
        let ailing = if is_up { Ailing::Same } else { up.ail(ail, &self.cx.settings, Instant::now()) };
        let id = life.app.id.clone();
        let was_rising = is_up && self.rising.remove(place);
        if is_up {
            life.failed = None;
        }
        if was_rising {
            self.words.say(place, Word::Awake);
        }
        for event in events {
            self.report(&id, instance, event);
        }
        match ailing {
            Ailing::Same => {}
            Ailing::New(ail) => self.ails(&id, instance, ail),
            Ailing::Failed(ail) => self.failed(place, ail.failure, ail.words),
        }
    }

    fn ails(&self, app: &AppId, instance: Instance, ail: Ail) {
        self.report(app, instance, Event::Ails(ail.failure));
        self.note(app, ail.failure, ail.words);
    }

    /// It does not come up. What there is of it stays until it is told to stop, or, if somebody else made it, comes up
    /// after all.
    fn failed(&mut self, place: &Place, failure: Failure, why: String) {
        let Some(life) = self.lives.get_mut(place) else { return };
        let Stage::With(up) = &mut life.stage else { return };
        if up.told == Told::Failed(failure) {
            return;
        }
        up.told = Told::Failed(failure);
        let (instance, id) = (up.instance, life.app.id.clone());
        life.failed = Some((failure.code(), why.clone()));
        self.words.say(place, Word::Failed(failure.code(), why.clone()));
        self.note(&id, failure, why);
        self.report(&id, instance, Event::NotCreated(failure));
    }

    /// Nothing of an instance runs any more, and we have not put it down. Whether somebody else has: if not, it will be
    /// back (a rollout, an eviction, a pod that was deleted), and is followed on.
    fn over(&mut self, place: &Place) -> bool {
        let rest = match self.cx.sight.workload(place).filter(|seen| !seen.leaving) {
            None => Rest::Nothing,
            Some(seen) if seen.replicas == 0 => Rest::Asleep(Depth::Light),
            Some(_) => return false,
        };
        self.put_down(place, rest);
        true
    }

    /// Somebody else has put it down, and left this.
    fn put_down(&mut self, place: &Place, rest: Rest) {
        let Some(Life { app, stage: Stage::With(up), .. }) = self.lives.get(place) else { return };
        let (id, instance) = (app.id.clone(), up.instance);
        self.instances.remove(&instance);
        self.report(&id, instance, Event::PutDown(rest));
        let standing = match rest {
            Rest::Asleep(depth) => How::Asleep(depth),
            Rest::Nothing => How::Nothing,
        };
        self.rests_as(place, standing, Tell::No);
    }

    fn ended(&mut self, place: &Place, instance: Instance, standing: How, tell: Tell) {
        let Some(id) = self.lives.get(place).map(|life| life.app.id.clone()) else { return };
        self.instances.remove(&instance);
        self.report(&id, instance, Event::Exited(Exit::Unknown));
        self.rests_as(place, standing, tell);
    }

    fn report(&self, app: &AppId, instance: Instance, event: Event) {
        self.tell(Report::Happened { app: app.clone(), instance, event });
    }

    fn note(&self, app: &AppId, failure: Failure, why: String) {
        self.tell(Report::Noted { app: app.clone(), note: Note::Why(failure, why) });
    }

    fn tell(&self, report: Report) {
        if self.reports.send(report).is_err() {
            tracing::debug!("nobody listens to reports any more");
        }
    }
}
