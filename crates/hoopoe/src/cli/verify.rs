//! `hoopoe verify`: is this signature right, and if not, what was probably done wrong? Exit code 0 for valid, 1 for not.

use std::io::Read as _;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::Args;
use domain::limits::BATCH_BYTES_MAX;
use hoopoe_webhooks::{Explanation, Headers, explain};

#[derive(Debug, Args)]
#[command(after_help = "The raw body is read from standard input, byte for byte:
  hoopoe verify --secret whsec_… --signature 5f1e… < body.json")]
pub(super) struct VerifyArgs {
    /// The endpoint's secret, whsec_…; repeat it to try several
    #[arg(
        long = "secret",
        env = "HOOPOE_SECRET",
        hide_env_values = true,
        required = true,
        value_name = "SECRET"
    )]
    secrets: Vec<String>,
    /// A signature of either kind; the value of x-wl-signature or of webhook-signature
    #[arg(long, value_name = "VALUE", required_unless_present = "standard_signature")]
    signature: Option<String>,
    /// The value of webhook-signature, when --signature holds the one of x-wl-signature
    #[arg(long, value_name = "VALUE")]
    standard_signature: Option<String>,
    /// The value of webhook-id
    #[arg(long, value_name = "VALUE")]
    id: Option<String>,
    /// The value of webhook-timestamp
    #[arg(long, value_name = "VALUE")]
    timestamp: Option<String>,
}

impl VerifyArgs {
    fn headers(&self) -> Headers<'_> {
        let mut headers = self.signature.as_deref().map(Headers::from_signature).unwrap_or_default();
        headers.webhook_signature = self.standard_signature.as_deref().or(headers.webhook_signature);
        headers.webhook_id = self.id.as_deref();
        headers.webhook_timestamp = self.timestamp.as_deref();
        headers
    }
}

pub(super) fn run(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let body = read_body()?;
    let secrets: Vec<&str> = args.secrets.iter().map(String::as_str).collect();
    let explanation = explain(&secrets, &args.headers(), &body, now_seconds());
    print(&explanation);
    Ok(if explanation.valid { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn read_body() -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    let max = BATCH_BYTES_MAX as u64;
    std::io::stdin()
        .take(max + 1)
        .read_to_end(&mut body)
        .context("cannot read the body from standard input")?;
    ensure!(
        body.len() <= BATCH_BYTES_MAX,
        "the body on standard input has more than {max} bytes; no webhook is that long"
    );
    Ok(body)
}

fn now_seconds() -> i64 {
    crate::clock::SystemClock.now_seconds()
}

fn print(explanation: &Explanation) {
    println!("{}", if explanation.valid { "valid" } else { "not valid" });
    for finding in &explanation.findings {
        println!("- {}", finding.sentence);
    }
}
