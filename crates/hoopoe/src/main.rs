//! The binary's entry. All it decides is the exit code and how an error is shown: one line, no backtrace.

use std::process::ExitCode;

/// Most of what is allocated for an event is freed on another thread, for which the system's allocator takes locks.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match hoopoe::cli::run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("hoopoe: {}", hoopoe::cli::one_line(&error));
            ExitCode::FAILURE
        }
    }
}
