//! HTTPRoutes and GRPCRoutes: one type for both, whose group, version and names are those of the Gateway API's own types.

use std::borrow::Cow;
use std::marker::PhantomData;

use gateway_api::grpcroutes::GrpcRoute;
use gateway_api::httproutes::HttpRoute;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::NamespaceResourceScope;
use serde::Deserialize;

use super::{Keeps, Watched, meta};
use crate::kubernetes::index::route::{ParentStatus, Route, RouteKind, RouteSpec};
use crate::kubernetes::index::{Seen, Update};

/// A route of kind `K`. Of what the Gateway API's own types refuse, a filter of an unknown type for one, a status can be
/// written; and one such route does not stop the others.
#[derive(Clone, Debug, Deserialize)]
#[serde(bound = "")]
pub(in crate::kubernetes::watch) struct RouteObject<K> {
    metadata: ObjectMeta,
    #[serde(default)]
    spec: RouteSpec,
    #[serde(default)]
    status: RouteStatus,
    #[serde(skip)]
    kind: PhantomData<K>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct RouteStatus {
    parents: Vec<ParentStatus>,
}

/// Which kind this is to us.
pub(in crate::kubernetes::watch) trait Kind:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
{
    const KIND: RouteKind;
}

impl Kind for HttpRoute {
    const KIND: RouteKind = RouteKind::Http;
}

impl Kind for GrpcRoute {
    const KIND: RouteKind = RouteKind::Grpc;
}

impl<K: Kind> Resource for RouteObject<K> {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        K::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        K::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        K::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        K::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl<K: Kind + Clone + std::fmt::Debug + Send + Sync + 'static> Watched for RouteObject<K> {
    type Kept = Route;

    fn trimmed(self, keeps: &Keeps) -> Option<Route> {
        let (spec, parents) = (self.spec, self.status.parents);
        Some(Route { meta: meta(self.metadata, keeps)?, kind: K::KIND, spec, parents })
    }

    fn update(seen: Seen<Route>) -> Update {
        Update::Route(K::KIND, seen)
    }
}
