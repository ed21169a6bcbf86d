//! Log lines about an app.

/// An event about an app, with the fields that every line about one carries: whose it is, and where it runs.
macro_rules! tell {
    ($level:ident, target: $target:expr, $app:expr, $($rest:tt)+) => {{
        let app: &::config::model::App = $app;
        ::tracing::$level!(
            target: $target,
            app = %app.name,
            org = %app.tenant.org,
            workspace = %app.tenant.workspace,
            region = %app.tenant.region,
            environment = %app.tenant.environment,
            $($rest)+
        )
    }};
    ($level:ident, $app:expr, $($rest:tt)+) => {
        $crate::tell::tell!($level, target: ::std::module_path!(), $app, $($rest)+)
    };
}
pub(crate) use tell;
