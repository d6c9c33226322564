//! File descriptors: every connection holds one, and the usual soft limit of 1,024 is less than the bounds of the server.

use domain::limits::{CONNECTIONS_MAX, IN_FLIGHT_MAX};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Connections of the API, attempts and as many kept connections, and some for files.
const NEEDED: u64 = (CONNECTIONS_MAX + 2 * IN_FLIGHT_MAX + 256) as u64;

/// Raises the process's soft limit as far as it is needed and the hard limit allows; says so when that is not enough.
pub(crate) fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    let Some(wish) = wish(limit) else { return };
    if let Err(fault) = setrlimit(Resource::Nofile, Rlimit { current: Some(wish), ..limit }) {
        tracing::warn!(%fault, "the limit of open files could not be raised");
    } else if wish < NEEDED {
        tracing::warn!(
            limit = wish,
            needed = NEEDED,
            "few open files are allowed; raise the hard limit (ulimit -Hn)"
        );
    }
}

/// `None`: the limit is enough. No limit is more than any number.
fn wish(limit: Rlimit) -> Option<u64> {
    let enough = limit.current.is_none_or(|current| current >= NEEDED);
    (!enough).then(|| limit.maximum.map_or(NEEDED, |maximum| maximum.min(NEEDED)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_to_what_is_needed_within_the_hard_one() {
        for (current, maximum, expected) in [
            (Some(1_024), None, Some(NEEDED)),
            (Some(1_024), Some(1_048_576), Some(NEEDED)),
            (Some(1_024), Some(4_096), Some(4_096)),
            (Some(NEEDED), None, None),
            (None, None, None),
        ] {
            assert_eq!(wish(Rlimit { current, maximum }), expected, "{current:?} {maximum:?}");
        }
    }
}
