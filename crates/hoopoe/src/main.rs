//! The binary's entry. All it decides is the exit code and how an error is shown: one line, no backtrace.

use std::process::ExitCode;

fn main() -> ExitCode {
    match hoopoe::cli::run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("hoopoe: {}", hoopoe::cli::one_line(&error));
            ExitCode::FAILURE
        }
    }
}
