//! `hoopoe openapi`: prints the very document that the server answers at `/openapi.json`.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use catalogue::Catalogue;

pub(super) fn run() -> anyhow::Result<ExitCode> {
    let document = serde_json::to_vec_pretty(&api::openapi(&Catalogue::builtin()))?;
    std::io::stdout().lock().write_all(&document).context("cannot write to standard output")?;
    Ok(ExitCode::SUCCESS)
}
