//! The command line: one file per subcommand. Commands read arguments, call the library and print; no rule lives here.

mod bench;
mod connection;
mod keys;
mod listen;
mod login_link;
mod migrate;
mod openapi;
mod serve;
mod sse;
mod trigger;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde_json::Value;

/// Self-hosted webhooks: publish an event once, and every receiver gets it, signed and retried.
#[derive(Debug, Parser)]
#[command(name = "hoopoe", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve(Box<crate::config::ServeArgs>),
    /// Publish the catalogue's example of an event type to a running server
    Trigger(trigger::TriggerArgs),
    /// Forward live events to a local server, through a running Hoopoe server
    Listen(listen::ListenArgs),
    /// Do something to keys of a running server
    Keys(keys::KeysArgs),
    /// Print a link that signs the operator in to a running server, once and within a minute
    LoginLink(login_link::LoginLinkArgs),
    /// Bring a PostgreSQL database's schema up to date, which a start does too, and end
    Migrate(migrate::MigrateArgs),
    /// Check a webhook's signature and explain why it does not match
    Verify(verify::VerifyArgs),
    /// Measure this binary on this machine
    Bench(bench::BenchArgs),
    /// Print the API's OpenAPI document
    Openapi,
}

/// Runs the command that the process was given.
///
/// # Errors
/// Whatever stopped it, in sentences for its user.
pub fn run() -> anyhow::Result<ExitCode> {
    match Cli::parse().command {
        Command::Serve(args) => serve::run(*args),
        Command::Trigger(args) => trigger::run(args),
        Command::Listen(args) => listen::run(args),
        Command::Keys(args) => keys::run(args),
        Command::LoginLink(args) => login_link::run(&args),
        Command::Migrate(args) => migrate::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Bench(args) => bench::run(args),
        Command::Openapi => openapi::run(),
    }
}

/// An error with its causes, without line breaks: what a terminal or a log collector shows as one.
pub fn one_line(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    text.split('\n').map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// What a server that refused has said, for a person.
fn refusal(status: u16, problem: &Value, url: &str) -> String {
    let Some(code) = problem["code"].as_str() else {
        return format!("what answers at {url} is no Hoopoe server (it said {status}); check --url");
    };
    let detail = problem["detail"].as_str().unwrap_or_default();
    let faults: Vec<String> = problem["errors"].as_array().into_iter().flatten().map(fault_line).collect();
    let head = format!("the server refused it ({status} {code}): {detail}");
    // A single fault is the detail already.
    if faults.len() < 2 { head } else { format!("{head}{}", faults.concat()) }
}

fn fault_line(fault: &Value) -> String {
    let text = |member: &str| fault[member].as_str().unwrap_or_default();
    format!("\n  {} {}", text("pointer"), text("detail"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_code_and_faults() {
        let fault = |pointer: &str| serde_json::json!({"pointer": pointer, "detail": "must be an array"});
        let problem = |errors: Vec<Value>| serde_json::json!({"code": "invalid-payload", "detail": "faults", "errors": errors});
        assert_eq!(
            refusal(422, &problem(vec![fault("/tags"), fault("/attachments")]), "http://x"),
            "the server refused it (422 invalid-payload): faults\n  /tags must be an array\n  /attachments must be an array"
        );
        assert_eq!(
            refusal(422, &problem(vec![fault("/tags")]), "http://x"),
            "the server refused it (422 invalid-payload): faults"
        );
        assert!(refusal(404, &Value::Null, "http://x").contains("no Hoopoe server"));
    }
}
