//! The command line: one file per subcommand. Commands read arguments, call the library and print; no rule lives here.

mod bench;
mod connection;
mod login_link;
mod openapi;
mod serve;
mod trigger;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    Serve(crate::config::ServeArgs),
    /// Publish the catalogue's example of an event type to a running server
    Trigger(trigger::TriggerArgs),
    /// Print a link that signs the operator in to a running server, once and within a minute
    LoginLink(login_link::LoginLinkArgs),
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
        Command::Serve(args) => serve::run(args),
        Command::Trigger(args) => trigger::run(args),
        Command::LoginLink(args) => login_link::run(&args),
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
