//! `hoopoe keys`: what is done to keys through the API of a running server.

use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::connection::{Answer, Connection};

#[derive(Debug, Args)]
pub(super) struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Make a new master key and seal every secret anew, while the server goes on
    RotateMaster(RotateMasterArgs),
}

#[derive(Debug, Args)]
struct RotateMasterArgs {
    /// The server's base URL
    #[arg(long, env = "HOOPOE_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// A key of the platform that may manage
    #[arg(long, env = "HOOPOE_API_KEY", hide_env_values = true, value_name = "KEY")]
    key: Option<String>,
}

pub(super) fn run(args: KeysArgs) -> anyhow::Result<ExitCode> {
    let KeysCommand::RotateMaster(args) = args.command;
    let Some(key) = &args.key else {
        bail!("no API key: give one of the platform with --key or in HOOPOE_API_KEY");
    };
    let answer = Connection::to(&args.url)?.post("/v1/system/master-key/rotate", key, Vec::new())?;
    println!("{}", told(&answer, &args.url)?);
    Ok(ExitCode::SUCCESS)
}

/// What the server said, for a person.
fn told(answer: &Answer, url: &str) -> anyhow::Result<String> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if answer.status != 200 {
        bail!("{}", super::refusal(answer.status, &body, url));
    }
    let (Some("rotated"), Some(count)) = (body["state"].as_str(), body["resealed"].as_u64()) else {
        bail!("what answers at {url} is no Hoopoe server; check --url");
    };
    Ok(format!(
        "the master key was rotated, {count} values were sealed anew; back up the key file now. Backups made before need the old key"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, body: &'static str) -> String {
        match told(&Answer { status, body: body.into() }, "http://x") {
            Ok(text) => text,
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_became_of_a_rotation_is_told_in_a_sentence() {
        assert!(said(200, r#"{"state":"rotated","resealed":7}"#).contains("7 values"));
        assert!(said(200, "{}").contains("no Hoopoe server"));
        let problem = r#"{"code":"external-master-key","detail":"restart the server"}"#;
        assert_eq!(said(409, problem), "the server refused it (409 external-master-key): restart the server");
    }
}
