//! GatewayClasses, Gateways, ReferenceGrants and Namespaces.

use gateway_api::gatewayclasses;
use gateway_api::gateways;
use gateway_api::referencegrants;
use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition as ApiCondition;

use super::{Keeps, Watched, meta};
use crate::kubernetes::index::condition::Condition;
use crate::kubernetes::index::gateway::{
    Address, Gateway, GatewayClass, GatewayStatus, ListenerStatus, ReferenceGrant,
};
use crate::kubernetes::index::service::Namespace;
use crate::kubernetes::index::{Seen, Update};

pub(super) fn conditions(of: impl IntoIterator<Item = ApiCondition>) -> Vec<Condition> {
    let condition = |one: ApiCondition| Condition {
        r#type: one.type_,
        status: one.status,
        observed_generation: one.observed_generation,
        last_transition_time: one.last_transition_time.0.to_string(),
        reason: one.reason,
        message: one.message,
    };
    of.into_iter().map(condition).collect()
}

impl Watched for gatewayclasses::GatewayClass {
    type Kept = GatewayClass;

    fn trimmed(self, keeps: &Keeps) -> Option<GatewayClass> {
        let said = self.status.unwrap_or_default().conditions.unwrap_or_default();
        Some(GatewayClass {
            meta: meta(self.metadata, keeps)?,
            controller: self.spec.controller_name.into(),
            parameters: self.spec.parameters_ref.is_some(),
            conditions: conditions(said),
        })
    }

    fn update(seen: Seen<GatewayClass>) -> Update {
        Update::Class(seen)
    }
}

impl Watched for gateways::Gateway {
    type Kept = Gateway;

    fn trimmed(self, keeps: &Keeps) -> Option<Gateway> {
        let status = self.status.unwrap_or_default();
        let addresses = status.addresses.unwrap_or_default().into_iter();
        let listeners = status.listeners.unwrap_or_default().into_iter().map(|listener| ListenerStatus {
            name: listener.name,
            supported_kinds: listener.supported_kinds.unwrap_or_default(),
            attached_routes: listener.attached_routes,
            conditions: conditions(listener.conditions),
        });
        let status = GatewayStatus {
            addresses: addresses.map(|one| Address { r#type: one.r#type, value: one.value }).collect(),
            conditions: conditions(status.conditions.unwrap_or_default()),
            listeners: listeners.collect(),
        };
        Some(Gateway { meta: meta(self.metadata, keeps)?, spec: self.spec, status })
    }

    fn update(seen: Seen<Gateway>) -> Update {
        Update::Gateway(seen)
    }
}

impl Watched for referencegrants::ReferenceGrant {
    type Kept = ReferenceGrant;

    fn trimmed(self, keeps: &Keeps) -> Option<ReferenceGrant> {
        Some(ReferenceGrant { meta: meta(self.metadata, keeps)?, spec: self.spec })
    }

    fn update(seen: Seen<ReferenceGrant>) -> Update {
        Update::Grant(seen)
    }
}

impl Watched for v1::Namespace {
    type Kept = Namespace;

    fn trimmed(self, keeps: &Keeps) -> Option<Namespace> {
        Some(Namespace { meta: meta(self.metadata, keeps)? })
    }

    fn update(seen: Seen<Namespace>) -> Update {
        Update::Namespace(seen)
    }
}
