//! The flags of `hoopoe serve`, each with its variable in the environment. Defaults are not here but in `config`, since
//! the config file comes between.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use console::{Color, Name, Parent};
use domain::address_rules::Cidr;
use domain::name_rules::NamePattern;

use super::values::{DatabaseUrl, LogFormat, ValidateMode, Waits};

/// Shown below the flags: what can be set, but not by a flag.
const ENVIRONMENT_ONLY: &str = "\
Environment only (a flag would show them to every user of the machine):
  HOOPOE_PLATFORM_KEY  An API key of the platform that is valid while it is set: hpk_ and at
                       least 32 characters. Without it the first start makes one and prints it.
  HOOPOE_MASTER_KEY    The key that encrypts secrets at rest: 64 hex characters. Without it,
                       the file `master.key` in the data directory, made at the first start.
  HOOPOE_MASTER_KEY_PREVIOUS
                       At a start with a new HOOPOE_MASTER_KEY: the old one. Everything is sealed
                       under the new key; the log says when the old one is no longer needed.

Flags win over the environment, the environment over the config file. The file's keys are the
flags' names with underscores: listen = \"0.0.0.0:8080\", retention_days = 14. Lists have an s:
allow_cidrs = [\"10.1.0.0/16\"], allow_names = [\"hooks.internal\"].";

#[derive(Debug, Clone, Default, Args)]
#[command(after_help = ENVIRONMENT_ONLY)]
pub struct ServeArgs {
    /// TOML file with settings [default: ./hoopoe.toml, then hoopoe.toml in the data directory, if there]
    #[arg(long, env = "HOOPOE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address and port of the API; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, env = "HOOPOE_LISTEN", value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Where people reach this server, behind its proxy: links begin with it, and with https cookies are for https alone
    /// [default: where the request came to]
    #[arg(long, env = "HOOPOE_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// Where events, the log and the master key live; created when missing [default: ./hoopoe-data]
    #[arg(long, env = "HOOPOE_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// A PostgreSQL database, 15 or later, instead of the data directory; then HOOPOE_MASTER_KEY must be set. Several nodes may
    /// share it. With a password in it, the variable is the better place: other users of the machine see flags
    #[arg(long, env = "HOOPOE_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<DatabaseUrl>,
    /// For local work: allows http and receivers on loopback and private addresses, and nothing else. A flag alone, so
    /// that no file or variable that was left behind can open a server
    #[arg(long)]
    pub dev: bool,
    /// Lets the system write core dumps of this process, and other processes of its user look into it. They see every
    /// secret: for debugging and measuring alone, and so a flag alone
    #[arg(long)]
    pub core_dumps: bool,
    /// Serves /metrics on this address instead of the main one
    #[arg(long, env = "HOOPOE_METRICS_LISTEN", value_name = "ADDR")]
    pub metrics_listen: Option<SocketAddr>,
    /// What a payload's schema faults do when the request does not say [default: reject]
    #[arg(long, env = "HOOPOE_VALIDATE", value_name = "MODE")]
    pub validate: Option<ValidateMode>,
    /// Endpoints that one location, company or app may have [default: 50]
    #[arg(long, env = "HOOPOE_ENDPOINTS_PER_OWNER", value_name = "N")]
    pub endpoints_per_owner: Option<usize>,
    /// Events a second that one API key may publish [default: no limit]
    #[arg(long, env = "HOOPOE_PUBLISH_PER_SECOND_PER_KEY", value_name = "N")]
    pub publish_per_second_per_key: Option<u32>,
    /// Events a second that may be published for one location [default: no limit]
    #[arg(long, env = "HOOPOE_PUBLISH_PER_SECOND_PER_LOCATION", value_name = "N")]
    pub publish_per_second_per_location: Option<u32>,
    /// Connections from one address; set, it also holds for a proxy on this machine [default: 1024, no limit on loopback]
    #[arg(long, env = "HOOPOE_CONNECTIONS_PER_ADDRESS", value_name = "N")]
    pub connections_per_address: Option<usize>,
    /// Seconds before attempts 2, 3, …, separated by commas: 0 to 30 waits of 1 to 604800, each ± 20 %
    /// [default: 5 s × 4ⁿ up to 12 h, 14 attempts]
    #[arg(long, env = "HOOPOE_RETRY_SCHEDULE", value_name = "SECONDS,…")]
    pub retry_schedule: Option<Waits>,
    /// Sign-ins of one address that may fail in a minute; more are told to wait. Raise it behind a proxy, where all callers
    /// have one address [default: 60]
    #[arg(long, env = "HOOPOE_FAILED_SIGN_INS", value_name = "N")]
    pub failed_sign_ins: Option<u32>,
    /// Days that the audit log keeps its entries [default: 365]
    #[arg(long, env = "HOOPOE_AUDIT_RETENTION_DAYS", value_name = "DAYS")]
    pub audit_retention_days: Option<u32>,
    /// Days that events and deliveries stay in the log [default: 30]
    #[arg(long, env = "HOOPOE_RETENTION_DAYS", value_name = "DAYS")]
    pub retention_days: Option<u32>,
    /// How log lines are written (to stderr) [default: text]
    #[arg(long, env = "HOOPOE_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// error, warn, info, debug or trace, also per module: info,hoopoe_delivery=debug [default: info]
    #[arg(long, env = "HOOPOE_LOG_LEVEL", value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// PEM file of certificate authorities that receivers may use beside the system's
    #[arg(long, env = "HOOPOE_CA_CERTIFICATES", value_name = "FILE")]
    pub ca_certificates: Option<PathBuf>,
    /// Address blocks that receivers may have although they are not public, separated by commas or given again
    /// [default: none]
    #[arg(long = "allow-cidr", env = "HOOPOE_ALLOW_CIDRS", value_name = "CIDR,…", value_delimiter = ',')]
    pub allow_cidrs: Option<Vec<Cidr>>,
    /// Host names that receivers may have although they are not public, and that may lead to private addresses:
    /// hooks.internal, or *.corp.example for all below corp.example. Separated by commas or given again [default: none]
    #[arg(long = "allow-name", env = "HOOPOE_ALLOW_NAMES", value_name = "NAME,…", value_delimiter = ',')]
    pub allow_names: Option<Vec<NamePattern>>,
    /// What the console calls itself, 1 to 40 characters [default: Hoopoe]
    #[arg(long, env = "HOOPOE_BRAND_NAME", value_name = "NAME")]
    pub brand_name: Option<Name>,
    /// SVG, PNG or WebP picture of at most 128 KiB that the console shows beside its name [default: the hoopoe]
    #[arg(long, env = "HOOPOE_BRAND_LOGO", value_name = "FILE")]
    pub brand_logo: Option<PathBuf>,
    /// The console's accent, such as #0b5fff [default: its own]
    #[arg(long, env = "HOOPOE_BRAND_COLOR", value_name = "#RRGGBB")]
    pub brand_color: Option<Color>,
    /// Origins whose pages may show the console in a frame, such as https://crm.example.com, separated by commas or given
    /// again [default: none]
    #[arg(
        long = "frame-ancestor",
        env = "HOOPOE_FRAME_ANCESTORS",
        value_name = "ORIGIN,…",
        value_delimiter = ','
    )]
    pub frame_ancestors: Option<Vec<Parent>>,
}
