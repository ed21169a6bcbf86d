//! The platform on a real cluster: whichever `KUBECONFIG` names. Without it nothing is tested, and that is said.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test ends where it is wrong"
)]

mod asleep;
mod away;
mod failing;
mod managers;
mod others;
mod races;
mod rig;
mod toy;

/// A test on a cluster, in a namespace of its own that is gone afterwards.
macro_rules! on_cluster {
    ($name:ident, $rig:ident, $body:block) => {
        #[tokio::test]
        async fn $name() {
            let Some(mut $rig) = $crate::rig::Rig::new(stringify!($name)).await else { return };
            $body
            $rig.end().await;
        }
    };
}
pub(crate) use on_cluster;
