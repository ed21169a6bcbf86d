//! ReferenceGrants: what may be named from another namespace.

use crate::kubernetes::index::{Index, Key};

/// Who names something.
#[derive(Clone, Copy, Debug)]
pub(super) struct From<'f> {
    /// Its group.
    pub group: &'f str,
    /// Its kind.
    pub kind: &'f str,
    /// Its namespace.
    pub namespace: &'f str,
}

/// The group of the Gateway API.
pub(super) const GATEWAY_API: &str = "gateway.networking.k8s.io";

/// Whether `from` may name an object of the core group (`kind` and key). A namespace always may its own.
pub(super) fn permits(index: &Index, from: From<'_>, kind: &str, to: &Key) -> bool {
    if *to.namespace == *from.namespace {
        return true;
    }
    index.grants.within(&to.namespace).any(|grant| {
        let trusts =
            grant.spec.from.iter().any(|one| {
                (&*one.group, &*one.kind, &*one.namespace) == (from.group, from.kind, from.namespace)
            });
        let lends = grant.spec.to.iter().any(|one| {
            // Group and name are as they are written: an empty name is none (Gateway API, `ReferenceGrantTo`).
            let name = one.name.as_deref().filter(|name| !name.is_empty());
            one.group.is_empty() && one.kind == kind && name.is_none_or(|name| *name == *to.name)
        });
        trusts && lends
    })
}
