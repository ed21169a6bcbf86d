//! GatewayClasses, Gateways and ReferenceGrants.

use gateway_api::gateways::{GatewaySpec, GatewayStatusListenersSupportedKinds};
use gateway_api::referencegrants::ReferenceGrantSpec;
use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::meta::{Meta, Object};

/// A GatewayClass.
#[derive(Clone, Debug, PartialEq)]
pub struct GatewayClass {
    /// Its metadata.
    pub meta: Meta,
    /// Whose it is.
    pub controller: Box<str>,
    /// Whether it names parameters, of which we have none.
    pub parameters: bool,
    /// What is said of it.
    pub conditions: Vec<Condition>,
}

impl Object for GatewayClass {
    fn meta(&self) -> &Meta {
        &self.meta
    }

    fn compiles_like(&self, other: &Self) -> bool {
        (&self.meta, &self.controller, self.parameters) == (&other.meta, &other.controller, other.parameters)
    }
}

/// A Gateway.
#[derive(Clone, Debug, PartialEq)]
pub struct Gateway {
    /// Its metadata.
    pub meta: Meta,
    /// What is asked for.
    pub spec: GatewaySpec,
    /// What is said of it.
    pub status: GatewayStatus,
}

impl Object for Gateway {
    fn meta(&self) -> &Meta {
        &self.meta
    }

    fn compiles_like(&self, other: &Self) -> bool {
        self.meta == other.meta && self.spec == other.spec
    }
}

/// `GatewayStatus`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct GatewayStatus {
    /// Where it is reached.
    pub addresses: Vec<Address>,
    /// What is said of it.
    pub conditions: Vec<Condition>,
    /// What is said of each listener.
    pub listeners: Vec<ListenerStatus>,
}

/// `GatewayStatusAddress`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Address {
    /// `IPAddress` or `Hostname`.
    pub r#type: Option<String>,
    /// The address.
    pub value: String,
}

/// `ListenerStatus`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListenerStatus {
    /// Which listener.
    pub name: String,
    /// Which kinds of routes it takes.
    pub supported_kinds: Vec<GatewayStatusListenersSupportedKinds>,
    /// How many routes it has.
    pub attached_routes: i32,
    /// What is said of it.
    pub conditions: Vec<Condition>,
}

/// A ReferenceGrant.
#[derive(Clone, Debug, PartialEq)]
pub struct ReferenceGrant {
    /// Its metadata.
    pub meta: Meta,
    /// From where to what.
    pub spec: ReferenceGrantSpec,
}

impl Object for ReferenceGrant {
    fn meta(&self) -> &Meta {
        &self.meta
    }
}
