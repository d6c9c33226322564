//! `hoopoe openapi`: prints the very document that the server answers at `/openapi.json`.

use std::io::Write as _;
use std::process::ExitCode;

pub(super) fn run() -> anyhow::Result<ExitCode> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(api::openapi().as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
