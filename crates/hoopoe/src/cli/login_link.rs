//! `hoopoe login-link`: asks a running server for a link that signs the operator in.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::{Value, json};

use super::connection::Connection;

#[derive(Debug, Args)]
pub(super) struct LoginLinkArgs {
    /// Only look: the session may change nothing
    #[arg(long)]
    view_only: bool,
    /// The server's base URL
    #[arg(long, env = "HOOPOE_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// An API key of the platform that may manage
    #[arg(long, env = "HOOPOE_API_KEY", hide_env_values = true, value_name = "KEY")]
    key: Option<String>,
}

pub(super) fn run(args: &LoginLinkArgs) -> anyhow::Result<ExitCode> {
    let Some(key) = &args.key else {
        bail!("no API key: give one with --key or in HOOPOE_API_KEY (`hoopoe serve` printed the first one)");
    };
    let permissions = if args.view_only { json!(["view"]) } else { json!(["manage", "view"]) };
    let body = json!({"permissions": permissions, "ttlSeconds": 43_200}).to_string().into_bytes();
    let answer = Connection::to(&args.url)?.post("/v1/portal-sessions", key, body)?;
    let answered: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if answer.status != 201 {
        let detail =
            answered["detail"].as_str().context("what answers there is no Hoopoe server; check --url");
        bail!("the server refused ({}): {}", answer.status, detail?);
    }
    println!("{}", answered["url"].as_str().context("the server gave no link")?);
    Ok(ExitCode::SUCCESS)
}
