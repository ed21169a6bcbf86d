//! The one model that everything the platform says is compiled into.

mod app;
mod host;
mod limit;
mod rate;
mod rule;
mod tenant;
mod token;

pub use app::{
    After, App, Check, CheckPathError, CheckServiceError, Endpoint, Health, Passersby, PathPrefix,
    PathPrefixError, ProcessSpec, Protocol, RouteMatch, Service, SleepPolicy, Source, Treatment, WakeMode,
    WakePolicy, Workload, WorkloadKind,
};
pub use host::{Host, HostError, HostPattern};
pub use limit::{Limit, LimitKey, LimitKeyError, LimitMatch, LimitNameError};
pub use rate::{Rate, RateError};
pub use rule::{
    Backend, Filter, HeaderChange, PathChange, PathMatch, Pattern, Redirect, RequestMatch, Rewrite, Rule,
    Then, ValueMatch,
};
pub use tenant::{AppId, AppName, AppNameError, Label, LabelError, Tenant};
pub use token::{Role, Token};
