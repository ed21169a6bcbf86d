//! Where objects are to be.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::cli::GatewayRef;

/// Where objects are to be, and which Gateway lets requests in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// Without one: wherever they are applied.
    pub(super) namespace: Option<&'a str>,
    /// The Gateway; without a namespace it is where the objects are.
    pub(super) gateway: &'a GatewayRef,
}

impl Place<'_> {
    /// The metadata of an object of an app.
    pub(super) fn metadata(&self, name: impl Into<String>) -> ObjectMeta {
        named(name, self.namespace)
    }

    /// The metadata of an object beside the Gateway.
    pub(super) fn beside_gateway(&self, name: impl Into<String>) -> ObjectMeta {
        named(name, self.gateway.namespace.as_deref().or(self.namespace))
    }
}

fn named(name: impl Into<String>, namespace: Option<&str>) -> ObjectMeta {
    ObjectMeta { name: Some(name.into()), namespace: namespace.map(str::to_owned), ..ObjectMeta::default() }
}

/// The labels by which a Service finds an app's pods.
pub(super) fn selector(name: &str) -> BTreeMap<String, String> {
    [("app.kubernetes.io/name".to_owned(), name.to_owned())].into()
}
