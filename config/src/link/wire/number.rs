//! Plain enums as numbers.

use crate::link::{Depth, Failure, Phase};
use crate::model::{Protocol, Treatment, WakeMode, WorkloadKind};

/// The numbers of an enum's values, for good. 0 is none of them, so that a field that is not there is no value.
macro_rules! numbered {
    ($number:ident, $named:ident, $type:ident { $($name:ident = $value:literal),+ $(,)? }) => {
        pub(super) fn $number(value: $type) -> u32 {
            match value {
                $($type::$name => $value,)+
            }
        }

        /// `None` of a newer peer's.
        pub(super) fn $named(number: u32) -> Option<$type> {
            match number {
                $($value => Some($type::$name),)+
                _ => None,
            }
        }
    };
}

numbered!(protocol_number, protocol, Protocol { Auto = 1, Http1 = 2, H2c = 3 });
numbered!(kind_number, kind, WorkloadKind { Deployment = 1, StatefulSet = 2 });
numbered!(mode_number, mode, WakeMode { Auto = 1, Hold = 2, Page = 3, Redirect = 4 });
numbered!(treatment_number, treatment, Treatment { Wake = 1, Budget = 2, Answer200 = 3, Answer503 = 4 });
numbered!(depth_number, depth, Depth { Light = 1, Deep = 2 });
numbered!(
    phase_number,
    phase,
    Phase { Queued = 1, Creating = 2, Scheduling = 3, Pulling = 4, Starting = 5, Probing = 6 }
);
numbered!(
    failure_number,
    failure,
    Failure {
        ProgramNotFound = 1,
        NotStarted = 2,
        ExitedEarly = 3,
        NeverListened = 4,
        Unhealthy = 5,
        Crashed = 6,
        ImagePull = 7,
        OutOfMemory = 8,
        Unschedulable = 9,
        Quota = 10,
        Denied = 11,
        Volume = 12,
        PlatformDown = 13,
    }
);
