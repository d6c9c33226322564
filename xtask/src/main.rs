//! `cargo run -p xtask -- tidy` checks the tree, `… -- gen` writes what is generated, `… -- gen --check` proves
//! that nobody forgot to. Only the command line is here; the work is in the library, where tests call it too.

use std::process::ExitCode;

use anyhow::bail;

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let root = xtask::root();
    let findings = match arguments.as_slice() {
        ["tidy"] => xtask::tidy::check(&root)?,
        ["gen"] => {
            xtask::generate::write(&root)?;
            Vec::new()
        }
        ["gen", "--check"] => xtask::generate::check(&root)?,
        _ => bail!("usage: xtask tidy | gen | gen --check"),
    };
    for finding in &findings {
        eprintln!("{finding}");
    }
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
