//! The memory of a server holds secrets in the clear. It must not end in a core file, nor be read by other processes of the
//! same user.

use rustix::process::{Resource, Rlimit, setrlimit};

/// For this process and for good. Says so in the log where the system refuses.
pub(crate) fn forbid() {
    if let Err(fault) = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }) {
        tracing::warn!(%fault, "core dumps could not be forbidden");
    }
    // A program that the system pipes dumps to is not held by the limit.
    #[cfg(target_os = "linux")]
    if let Err(fault) = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
    {
        tracing::warn!(%fault, "the process could not be made undumpable");
    }
}
