//! All that visitors are told: what it means for them, never how it is built. `title` and `text` are also fit to be
//! `title` and `detail` of a problem (RFC 9457).

use config::link::{Failure, Phase};

/// A short line and a sentence or two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    /// A few words, without a full stop unless they are a sentence.
    pub title: &'static str,
    /// One or two sentences.
    pub text: &'static str,
}

/// What happens in a phase.
pub fn phase(phase: Phase) -> Words {
    match phase {
        Phase::Queued => Words { title: "Waiting in line", text: "Others are waking up, too." },
        Phase::Creating => Words { title: "Getting ready", text: "Its place is being set up." },
        Phase::Scheduling => {
            Words { title: "Finding a place", text: "Looking for a machine with room for it." }
        }
        Phase::Pulling => Words { title: "Fetching", text: "The app is on its way to that machine." },
        Phase::Starting => Words { title: "Starting", text: "The app is starting." },
        Phase::Probing => Words { title: "Opening", text: "It is running. Waiting for its first answer." },
    }
}

/// What became of an app that could not be woken.
pub fn failure(failure: Failure) -> Words {
    match failure {
        Failure::ProgramNotFound => Words {
            title: "A part of this app is missing.",
            text: "Without it the app cannot start. You did nothing wrong; its owner has to put it right.",
        },
        Failure::NotStarted => Words {
            title: "This app cannot be started.",
            text: "Something about the way it is set up is not right. You did nothing wrong; its owner has to look.",
        },
        Failure::ExitedEarly => Words {
            title: "This app stopped while it was starting.",
            text: "It began and ended again before it could show anything. You did nothing wrong.",
        },
        Failure::NeverListened => Words {
            title: "This app did not open in time.",
            text: "It was started, but it never got as far as taking visitors. You did nothing wrong.",
        },
        Failure::Unhealthy => Words {
            title: "This app is not well.",
            text: "It was started, but it says of itself that it is not ready. You did nothing wrong.",
        },
        Failure::Crashed => Words {
            title: "This app has stopped.",
            text: "It was open, and then it broke off. You did nothing wrong.",
        },
        Failure::ImagePull => Words {
            title: "This app could not be fetched.",
            text: "What it is made of is not where it should be. You did nothing wrong; its owner has to put it right.",
        },
        Failure::OutOfMemory => Words {
            title: "This app needs more memory than it has.",
            text: "It was ended while it was starting. You did nothing wrong; its owner has to give it more.",
        },
        Failure::Unschedulable => Words {
            title: "There is no room for this app just now.",
            text: "No machine could take it. You did nothing wrong; try again in a while.",
        },
        Failure::Quota => Words {
            title: "This app may not start now.",
            text: "Its owner has used up what they may use. You did nothing wrong.",
        },
        Failure::Denied => Words {
            title: "This app was not allowed to start.",
            text: "A rule of the platform is against it. You did nothing wrong; its owner has to look.",
        },
        Failure::Volume => Words {
            title: "This app is missing its data.",
            text: "A place where it keeps things could not be opened. You did nothing wrong; its owner has to look.",
        },
        Failure::PlatformDown => Words {
            title: "This app cannot be started just now.",
            text: "The platform that runs it does not answer. You did nothing wrong; try again in a while.",
        },
    }
}

/// 404: no app has this host and path. Never said of an app that sleeps.
pub const UNKNOWN_HOST: Words = Words {
    title: "There is no app here",
    text: "Nothing answers at this address. Check it for a typing mistake, or ask whoever gave it to you.",
};

/// 500: a rule that names an app that is not there.
pub const NO_BACKEND: Words = Words {
    title: "This address is not set up right",
    text: "It should lead to an app, and there is none behind it. You did nothing wrong; its owner has to look.",
};

/// 503: an app that is up, and of which nobody knows where.
pub const NO_ENDPOINTS: Words = Words {
    title: "This app is not there just now",
    text: "None of its parts takes visitors. You did nothing wrong; try again in a while.",
};

/// 404: a path that is kept for the edge itself, and where it serves nothing.
pub const RESERVED_PATH: Words = Words {
    title: "There is nothing here",
    text: "This address is kept for the server itself, and means nothing to it.",
};

/// 400: a link to wake an app that the edge has not made.
pub const LINK_FORGED: Words = Words {
    title: "This link is not right",
    text: "It was cut off or changed on its way here. Open the app itself once more.",
};

/// 403: a link to wake an app that is too old.
pub const LINK_EXPIRED: Words = Words {
    title: "This link is too old",
    text: "Links like this one work for a minute. Open the app itself once more: that makes a new one.",
};

/// 504: held until the deadline, and the app is not up yet.
pub const HOLD_DEADLINE: Words = Words {
    title: "This app is slow to wake up",
    text: "It is still starting, but your request could not wait any longer. It was not passed on to the app.",
};

/// 503: the app sleeps, and whoever asks is none for whom it is woken.
pub const ASLEEP: Words = Words {
    title: "This app is asleep",
    text: "It wakes up when a person visits it, and seldom or never for health checks, monitors and crawlers.",
};

/// 503: the edge itself is about to end.
pub const SHUTTING_DOWN: Words = Words {
    title: "Back in a moment",
    text: "This server is being restarted. Your request was not passed on to the app.",
};

/// 503: no more requests may wait for the app, or be open to it.
pub const QUEUE_FULL: Words = Words {
    title: "Too many visitors at once",
    text: "There is no room for one more right now. Your request was not passed on to the app.",
};

/// 502: no connection to the app.
pub const UPSTREAM_REFUSED: Words = Words {
    title: "This app does not answer",
    text: "It should be running, but it cannot be reached. Your request was not passed on to it.",
};

/// 502: the app broke off before its response began.
pub const UPSTREAM_RESET: Words = Words {
    title: "This app broke off",
    text: "It ended before it answered. It may or may not have done what you asked for.",
};

/// 502: it speaks another protocol than the request needs.
pub const UPSTREAM_OTHER_PROTOCOL: Words = Words {
    title: "This app does not speak this protocol",
    text: "What was asked for needs a protocol that the app does not understand. Nothing was done.",
};

/// 502: what the app said was not HTTP.
pub const UPSTREAM_MALFORMED: Words = Words {
    title: "This app was not understood",
    text: "It answered in a way that cannot be passed on. It may or may not have done what you asked for.",
};

/// 504: the app's response did not begin in time.
pub const UPSTREAM_TIMED_OUT: Words = Words {
    title: "This app took too long",
    text: "It did not answer in time. It may or may not have done what you asked for.",
};

/// 413: the body is larger than allowed.
pub const TOO_LARGE: Words = Words {
    title: "That is too large",
    text: "What you sent is larger than what is taken here. Try it with a smaller file.",
};

/// 429: a limit's rate.
pub const TOO_MANY: Words = Words {
    title: "That was a little too often",
    text: "This can be done only so many times in a while. Wait a moment, then try again.",
};

/// 429: a limit's concurrency.
pub const TOO_MANY_AT_ONCE: Words = Words {
    title: "One thing at a time",
    text: "As much of this as may go on at once is going on. Try again when some of it is done.",
};

/// 429: apps woken by one client.
pub const TOO_MANY_WAKES: Words = Words {
    title: "That wakes too many apps",
    text: "You have woken several sleeping apps just now. Wait a moment before you wake another.",
};

/// 400: not a request as HTTP has it.
pub const BAD_REQUEST: Words = Words {
    title: "That was not understood",
    text: "Your browser sent something that cannot be right. Check the address, or delete this site's cookies.",
};
