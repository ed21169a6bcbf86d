//! What runs an app: the workload that its Service selects, or the record of one that sleeps.

use std::sync::Arc;

use config::model::{self, WorkloadKind};

use crate::kubernetes::index::application::Application;
use crate::kubernetes::index::policy::{Rest, SleepRecord};
use crate::kubernetes::index::service::Service;
use crate::kubernetes::index::workload::{Template, Workload};
use crate::kubernetes::index::{Index, Key};

/// What runs an app.
#[derive(Debug)]
pub(super) enum Runs<'i> {
    /// One workload, and nothing else.
    Workload {
        /// Its kind.
        kind: WorkloadKind,
        /// Its name.
        name: &'i str,
        /// It, if it is there.
        there: Option<&'i Arc<Workload>>,
        /// Its record, if it has one.
        record: Option<&'i Arc<SleepRecord>>,
        /// The Application of loco's that it is made of, if it is.
        application: Option<&'i Arc<Application>>,
    },
    /// Somebody else, or several: it never sleeps.
    Others,
}

const KINDS: [WorkloadKind; 2] = [WorkloadKind::Deployment, WorkloadKind::StatefulSet];

/// What runs the pods that a Service selects.
pub(super) fn runs<'i>(index: &'i Index, service: &Service) -> Runs<'i> {
    if let Some(application) = index.applications.of(&service.meta.key) {
        return of_application(index, application);
    }
    let namespace = &service.meta.key.namespace;
    let there =
        KINDS.into_iter().flat_map(|kind| index.workloads(kind).selected(namespace, &service.selector));
    let there: Vec<_> = there.collect();
    let records = index.records.selected(namespace, &service.selector);
    // What is there counts, and what is saved only where it is not: a workload that is being made again, or deleted, is
    // both for a moment.
    let gone = records.into_iter().filter(|record| {
        let (kind, name) = &record.workload;
        !record.tombstone
            && record.rest == Rest::Deep
            && index.workloads(*kind).find(&service.meta.key.beside(name)).is_none()
    });
    let gone: Vec<_> = gone.collect();
    match (&*there, &*gone) {
        ([workload], []) => Runs::Workload {
            kind: workload.kind,
            name: &workload.meta.key.name,
            there: Some(workload),
            record: index.record_of(workload.kind, &workload.meta.key),
            application: Some(workload)
                .filter(|workload| workload.kind == WorkloadKind::Deployment)
                .and_then(|workload| index.applications.of(&workload.meta.key)),
        },
        ([], [record]) => {
            let (kind, name) = &record.workload;
            Runs::Workload { kind: *kind, name, there: None, record: Some(record), application: None }
        }
        _ => Runs::Others,
    }
}

/// Its Deployment is there or not: its controller makes it as is needed.
fn of_application<'i>(index: &'i Index, application: &'i Arc<Application>) -> Runs<'i> {
    let place = &application.place;
    Runs::Workload {
        kind: WorkloadKind::Deployment,
        name: &place.name,
        there: index.deployments.find(place),
        record: index.record_of(WorkloadKind::Deployment, place),
        application: Some(application),
    }
}

impl<'i> Runs<'i> {
    /// The Application of loco's that it is made of.
    pub(super) fn application(&self) -> Option<&'i Arc<Application>> {
        match self {
            Self::Workload { application, .. } => *application,
            Self::Others => None,
        }
    }

    /// Its name.
    pub(super) fn name(&self) -> Option<&'i str> {
        match self {
            Self::Workload { name, .. } => Some(name),
            Self::Others => None,
        }
    }

    /// Its key.
    pub(super) fn workload_key(&self) -> Option<Key> {
        match self {
            Self::Workload { name, there, record, application, .. } => {
                let place = there.map(|there| &there.meta.key).or(record.map(|record| &record.meta.key));
                let place = place.or(application.map(|application| &application.place));
                place.map(|place| place.beside(name))
            }
            Self::Others => None,
        }
    }

    /// It as it is, or as it was.
    pub(super) fn workload(&self) -> Option<&'i Workload> {
        match self {
            Self::Workload { there: Some(there), .. } => Some(there),
            Self::Workload { there: None, record, .. } => record.and_then(|record| record.saved.as_deref()),
            Self::Others => None,
        }
    }

    /// What its pods are made after.
    pub(super) fn template(&self) -> Option<&'i Template> {
        self.workload().map(|workload| &workload.template)
    }

    /// In the words of the model.
    pub(super) fn model(&self) -> Option<model::Workload> {
        match self {
            Self::Workload { kind, name, .. } => Some(model::Workload { kind: *kind, name: (*name).into() }),
            Self::Others => None,
        }
    }
}
