//! The one model that everything the platform says is compiled into.

mod app;
mod host;
mod tenant;

pub use app::{
    After, App, Check, Health, PathPrefix, PathPrefixError, ProcessSpec, RouteMatch, SleepPolicy, Source,
    WakeMode, WakePolicy,
};
pub use host::{Host, HostError, HostPattern};
pub use tenant::{AppId, AppName, AppNameError, Label, LabelError, Tenant};
