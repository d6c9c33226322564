//! `hoopoe migrate`: brings the database's schema up to date, so that an upgrade may do it before the first node starts.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use crate::config::DatabaseUrl;

#[derive(Debug, Args)]
pub(super) struct MigrateArgs {
    /// The database, as `hoopoe serve` takes it
    #[arg(long, env = "HOOPOE_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: DatabaseUrl,
}

pub(super) fn run(args: &MigrateArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("the async runtime cannot start")?;
    let url = &args.database_url;
    let migrating = store_postgres::migrate(url.expose());
    let migrated =
        runtime.block_on(migrating).with_context(|| format!("the database {url} cannot be migrated"))?;
    if migrated.from == migrated.to {
        println!("the schema of {url} is up to date, version {}", migrated.to);
    } else {
        println!("the schema of {url} went from version {} to {}", migrated.from, migrated.to);
    }
    Ok(ExitCode::SUCCESS)
}
