//! What an operator may set, and from where: flags, then `HOOPOE_*` in the environment, then `hoopoe.toml`, then the
//! defaults. Reads settings and judges them; opens nothing and starts nothing.

mod args;
mod file;
mod key_settings;
mod values;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context as _, ensure};
use console::{Color, Name, Parent, Parents};
use domain::address_rules::{AddressPolicy, Cidr};
use domain::limits::{
    AUDIT_DAYS_DEFAULT, CONNECTIONS_MAX, ENDPOINTS_PER_OWNER_DEFAULT, FAILED_SIGN_INS_PER_ADDRESS,
    PUBLISH_PER_SECOND_MAX, RETENTION_DAYS_DEFAULT,
};
use domain::name_rules::NamePattern;
use domain::retry::{DEFAULT_WAITS_S, JITTER};
use domain::url_rules::UrlPolicy;
use store::vault::MasterKey;
use url::Url;

pub use args::ServeArgs;
pub use key_settings::{
    MASTER_KEY_PREVIOUS_VARIABLE, MASTER_KEY_VARIABLE, PLATFORM_KEY_VARIABLE, PlatformKey, parse_master_key,
};
pub use values::{DatabaseUrl, LogFormat, Mode, ValidateMode, Waits};

const LISTEN_DEFAULT: &str = "127.0.0.1:8080";
const DATA_DIR_DEFAULT: &str = "hoopoe-data";
const LOG_LEVEL_DEFAULT: &str = "info";

/// Every setting of `hoopoe serve`, settled.
#[derive(Debug, Clone)]
pub struct Config {
    pub listen: SocketAddr,
    /// Scheme and authority, without a slash at the end; `None`: where a request came to.
    pub public_url: Option<String>,
    pub data_dir: PathBuf,
    /// `None`: the embedded database in the data directory.
    pub database_url: Option<DatabaseUrl>,
    pub mode: Mode,
    /// Whether the process may be dumped and looked into.
    pub core_dumps: bool,
    /// Where `/metrics` listens; `None`: on the main address.
    pub metrics_listen: Option<SocketAddr>,
    pub validate: ValidateMode,
    pub endpoints_per_owner: usize,
    /// Events a second by one key, and of one location; `None`: as many as come.
    pub publish_per_second_per_key: Option<NonZeroU32>,
    pub publish_per_second_per_location: Option<NonZeroU32>,
    /// `None`: the default for others, and no bound for this machine's own addresses.
    pub connections_per_address: Option<usize>,
    pub retry_waits_s: Vec<u32>,
    pub retention_days: u32,
    pub audit_retention_days: u32,
    /// In a minute, of one address.
    pub failed_sign_ins: u32,
    pub log: LogSettings,
    /// PEM file with certificate authorities that receivers' certificates may also come from.
    pub ca_certificates: Option<PathBuf>,
    /// Addresses and names that receivers may have although they are not public.
    pub allow_cidrs: Vec<Cidr>,
    pub allow_names: Vec<NamePattern>,
    pub brand: BrandSettings,
    /// A platform key that is valid while it is set.
    pub platform_key: Option<PlatformKey>,
    /// `None`: the file beside the data.
    pub master_key: Option<MasterKey>,
    /// With `master_key` only: what the data may still be sealed under.
    pub master_key_previous: Option<MasterKey>,
}

/// How the console presents itself; what is `None` is its own.
#[derive(Debug, Clone, Default)]
pub struct BrandSettings {
    pub name: Option<Name>,
    /// A picture's file, read at the start.
    pub logo: Option<PathBuf>,
    pub color: Option<Color>,
    pub parents: Parents,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    pub format: LogFormat,
    /// A level, or a filter such as `info,hoopoe_delivery=debug`.
    pub level: String,
}

impl Config {
    /// Settles the settings. `variable` reads the environment, for the keys that have no flag.
    ///
    /// # Errors
    /// One sentence that names the setting and says what to do.
    pub fn load(args: ServeArgs, variable: impl Fn(&str) -> Option<String>) -> anyhow::Result<Self> {
        let file = file::read(args.config.as_deref(), args.data_dir.as_deref())?;
        let (master_key, master_key_previous) = key_settings::master_keys(&variable)?;
        let ca_certificates = args.ca_certificates.or(file.ca_certificates);
        let database_url = args.database_url.or(file.database_url);
        ensure!(
            database_url.is_none() || master_key.is_some(),
            "with a database_url the nodes need one key for it: set {MASTER_KEY_VARIABLE} to 64 hex characters, the same on all"
        );
        let retry_waits_s = retry_waits(args.retry_schedule, file.retry_schedule)?;
        Ok(Self {
            listen: args.listen.or(file.listen).unwrap_or(default_listen()),
            data_dir: args.data_dir.or(file.data_dir).unwrap_or_else(|| DATA_DIR_DEFAULT.into()),
            database_url,
            mode: if args.dev { Mode::Dev } else { Mode::Production },
            core_dumps: args.core_dumps,
            metrics_listen: args.metrics_listen.or(file.metrics_listen),
            validate: args.validate.or(file.validate).unwrap_or_default(),
            endpoints_per_owner: endpoints_per_owner(args.endpoints_per_owner.or(file.endpoints_per_owner))?,
            publish_per_second_per_key: publish_rate(
                "publish_per_second_per_key",
                args.publish_per_second_per_key.or(file.publish_per_second_per_key),
            )?,
            publish_per_second_per_location: publish_rate(
                "publish_per_second_per_location",
                args.publish_per_second_per_location.or(file.publish_per_second_per_location),
            )?,
            connections_per_address: connections_per_address(
                args.connections_per_address.or(file.connections_per_address),
            )?,
            retention_days: retention_days(args.retention_days.or(file.retention_days), &retry_waits_s)?,
            audit_retention_days: audit_retention_days(
                args.audit_retention_days.or(file.audit_retention_days),
            )?,
            failed_sign_ins: args
                .failed_sign_ins
                .or(file.failed_sign_ins)
                .unwrap_or(FAILED_SIGN_INS_PER_ADDRESS),
            public_url: args.public_url.or(file.public_url).map(|url| public_url(&url)).transpose()?,
            retry_waits_s,
            log: LogSettings {
                format: args.log_format.or(file.log_format).unwrap_or_default(),
                level: args.log_level.or(file.log_level).unwrap_or_else(|| LOG_LEVEL_DEFAULT.to_owned()),
            },
            ca_certificates,
            allow_cidrs: allowed("allow_cidrs", args.allow_cidrs, file.allow_cidrs)?,
            allow_names: allowed("allow_names", args.allow_names, file.allow_names)?,
            brand: BrandSettings {
                name: one_of("brand_name", args.brand_name, file.brand_name)?,
                logo: args.brand_logo.or(file.brand_logo),
                color: one_of("brand_color", args.brand_color, file.brand_color)?,
                parents: parents(allowed("frame_ancestors", args.frame_ancestors, file.frame_ancestors)?)?,
            },
            platform_key: variable(PLATFORM_KEY_VARIABLE).map(PlatformKey::parse).transpose()?,
            master_key,
            master_key_previous,
        })
    }
}

impl Config {
    /// What `--dev` decides about URLs.
    pub fn url_policy(&self) -> UrlPolicy {
        match self.mode {
            Mode::Production => UrlPolicy::Strict,
            Mode::Dev => UrlPolicy::Dev,
        }
    }

    /// Which addresses receivers may have: one policy for saving and for calling.
    pub fn address_policy(&self) -> AddressPolicy {
        let policy = self.url_policy().addresses();
        policy.with_allowed(self.allow_cidrs.iter().copied()).with_allowed_names(self.allow_names.clone())
    }
}

fn default_listen() -> SocketAddr {
    LISTEN_DEFAULT.parse().expect("the default is an address")
}

fn retry_waits(flag: Option<Waits>, file: Option<Vec<u32>>) -> anyhow::Result<Vec<u32>> {
    match (flag, file) {
        (Some(Waits(waits)), _) => Ok(waits),
        (None, Some(waits)) => Ok(Waits::checked(waits).context("retry_schedule in the config file")?.0),
        (None, None) => Ok(DEFAULT_WAITS_S.to_vec()),
    }
}

/// The flag's, else the file's; a file's entry that is wrong is named.
fn allowed<T>(setting: &str, flag: Option<Vec<T>>, file: Option<Vec<String>>) -> anyhow::Result<Vec<T>>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let parse =
        |text: &String| text.parse().with_context(|| format!("{setting} in the config file: `{text}`"));
    flag.map_or_else(|| file.unwrap_or_default().iter().map(parse).collect(), Ok)
}

fn endpoints_per_owner(wish: Option<usize>) -> anyhow::Result<usize> {
    match wish.unwrap_or(ENDPOINTS_PER_OWNER_DEFAULT) {
        0 => anyhow::bail!("endpoints_per_owner must be at least 1"),
        count => Ok(count),
    }
}

fn parents(origins: Vec<Parent>) -> anyhow::Result<Parents> {
    Parents::new(origins).context("frame_ancestors is not usable")
}

/// The flag's, or else the file's.
fn one_of<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    setting: &str,
    flag: Option<T>,
    file: Option<String>,
) -> anyhow::Result<Option<T>> {
    match (flag, file) {
        (Some(value), _) => Ok(Some(value)),
        (None, Some(text)) => {
            text.parse().map(Some).with_context(|| format!("{setting} in the config file: `{text}`"))
        }
        (None, None) => Ok(None),
    }
}

fn audit_retention_days(wish: Option<u32>) -> anyhow::Result<u32> {
    match wish.unwrap_or(AUDIT_DAYS_DEFAULT) {
        0 => anyhow::bail!("audit_retention_days must be at least 1"),
        days => Ok(days),
    }
}

/// What links begin with: a scheme and an authority, no path.
fn public_url(text: &str) -> anyhow::Result<String> {
    let advice = || format!("public_url `{text}` is not usable; give one such as https://hooks.example.com");
    let url = Url::parse(text).with_context(advice)?;
    let is_base = matches!(url.scheme(), "http" | "https")
        && url.host().is_some()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    anyhow::ensure!(is_base, "{}: scheme, host and port alone", advice());
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn publish_rate(setting: &str, wish: Option<u32>) -> anyhow::Result<Option<NonZeroU32>> {
    let Some(wish) = wish else { return Ok(None) };
    let rate = NonZeroU32::new(wish).filter(|rate| rate.get() <= PUBLISH_PER_SECOND_MAX);
    anyhow::ensure!(
        rate.is_some(),
        "{setting} must be 1 to {PUBLISH_PER_SECOND_MAX}; leave it out for no limit"
    );
    Ok(rate)
}

fn connections_per_address(wish: Option<usize>) -> anyhow::Result<Option<usize>> {
    anyhow::ensure!(
        wish.is_none_or(|count| (1..=CONNECTIONS_MAX).contains(&count)),
        "connections_per_address must be 1 to {CONNECTIONS_MAX}"
    );
    Ok(wish)
}

/// What is still being retried must not grow older than the log.
fn retention_days(wish: Option<u32>, waits_s: &[u32]) -> anyhow::Result<u32> {
    let days = wish.unwrap_or(RETENTION_DAYS_DEFAULT);
    let longest_s = waits_s.iter().copied().map(f64::from).sum::<f64>() * (1.0 + JITTER);
    let least = (longest_s / 86_400.0).ceil().max(1.0) as u32;
    anyhow::ensure!(
        days >= least,
        "retention_days {days} is less than the retry schedule takes; set at least {least}, or a shorter retry_schedule"
    );
    Ok(days)
}

#[cfg(test)]
mod tests {
    use domain::address_rules::judge_answer;

    use super::*;

    const KEY: &str = "hpk_0123456789abcdef0123456789abcdef";

    fn with_file(text: &str, change: impl FnOnce(&mut ServeArgs)) -> anyhow::Result<Config> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hoopoe.toml");
        std::fs::write(&path, text).unwrap();
        let mut args = ServeArgs { config: Some(path), ..ServeArgs::default() };
        change(&mut args);
        Config::load(args, |_| None)
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let config = with_file("listen = \"127.0.0.1:1\"\nretention_days = 7\n", |args| {
            args.listen = Some("127.0.0.1:2".parse().unwrap());
        })
        .unwrap();
        assert_eq!(config.listen.port(), 2);
        assert_eq!(config.retention_days, 7);
        assert_eq!(config.endpoints_per_owner, 50);
        assert_eq!(config.retry_waits_s, DEFAULT_WAITS_S);
        assert_eq!(config.mode, Mode::Production);
    }

    #[test]
    fn what_the_file_may_not_hold_is_named() {
        for (text, named) in [
            ("lisen = \"127.0.0.1:1\"", "lisen"),
            ("retry_schedule = [5, 0]", "retry_schedule"),
            ("retention_days = 0", "retention_days"),
            ("retention_days = 3", "at least 4"),
            ("retention_days = 1\nretry_schedule = [43200, 43200]", "at least 2"),
            ("endpoints_per_owner = 0", "endpoints_per_owner"),
            ("audit_retention_days = 0", "audit_retention_days"),
            ("public_url = \"hooks.example.com\"", "public_url"),
            ("public_url = \"https://hooks.example.com/path\"", "public_url"),
            ("public_url = \"https://a@hooks.example.com\"", "public_url"),
            ("publish_per_second_per_key = 0", "publish_per_second_per_key"),
            ("publish_per_second_per_location = 1000001", "publish_per_second_per_location"),
            ("connections_per_address = 0", "connections_per_address"),
            ("connections_per_address = 4097", "connections_per_address"),
            ("validate = \"maybe\"", "validate"),
            ("platform_key = \"x\"", "platform_key"),
            ("dev = true", "dev"),
            (
                "allow_cidrs = [\"10.1.0.0/16\", \"10.0.0.1/8\"]",
                "allow_cidrs in the config file: `10.0.0.1/8`",
            ),
            ("brand_name = \"\"", "brand_name in the config file: ``"),
            ("brand_color = \"red\"", "brand_color in the config file: `red`: a colour is"),
            (
                "frame_ancestors = [\"https://*.example.com\"]",
                "frame_ancestors in the config file: `https://*",
            ),
            ("allow_names = [\"*\"]", "allow_names in the config file: `*`"),
        ] {
            let error = format!("{:#}", with_file(text, |_| {}).unwrap_err());
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn what_is_allowed_is_opened_for_saving_and_for_calling() {
        let text =
            "allow_cidrs = [\"10.1.0.0/16\"]\nallow_names = [\"hooks.internal\", \"*.corp.example\"]\n";
        let config = with_file(text, |_| {}).unwrap();
        let policy = config.address_policy();
        assert!(policy.allows_name("hooks.internal") && policy.allows_name("a.corp.example"));
        assert_eq!(judge_answer("10.1.2.3".parse().unwrap(), &policy), Ok(()));
        assert!(judge_answer("10.2.0.0".parse().unwrap(), &policy).is_err());
        let config = with_file(text, |args| args.allow_cidrs = Some(Vec::new())).unwrap();
        assert_eq!((config.allow_cidrs.len(), config.allow_names.len()), (0, 2), "a flag wins");
        assert_eq!(with_file("", |_| {}).unwrap().address_policy(), AddressPolicy::strict());
    }

    #[test]
    fn lists_are_given_with_commas_or_again() {
        #[derive(clap::Parser)]
        struct Serve {
            #[command(flatten)]
            args: ServeArgs,
        }
        let parsed = |flags: &[&str]| {
            <Serve as clap::Parser>::try_parse_from([&["serve"], flags].concat()).map(|serve| serve.args)
        };
        let args = parsed(&["--allow-cidr", "10.1.0.0/16,fd12::/16", "--allow-cidr", "192.168.1.7"]).unwrap();
        assert_eq!(args.allow_cidrs.unwrap().len(), 3);
        let args = parsed(&["--allow-name", "a.internal", "--allow-name", "*.corp.example"]).unwrap();
        assert_eq!(args.allow_names.unwrap().len(), 2);
        for bad in [["--allow-cidr", "10.0.0.1/8"], ["--allow-name", "*"], ["--allow-name", "10.0.0.1"]] {
            assert!(parsed(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_config_file_that_was_named_must_exist() {
        let args = ServeArgs { config: Some("/nowhere/hoopoe.toml".into()), ..ServeArgs::default() };
        let error = format!("{:#}", Config::load(args, |_| None).unwrap_err());
        assert!(error.contains("/nowhere/hoopoe.toml"), "{error}");
    }

    #[test]
    fn keys_from_the_environment_are_judged_and_never_shown() {
        let load = |name: &'static str, value: &'static str| {
            Config::load(ServeArgs::default(), move |asked| (asked == name).then(|| value.to_owned()))
        };
        let config = load(PLATFORM_KEY_VARIABLE, KEY).unwrap();
        assert_eq!(config.platform_key.as_ref().unwrap().expose(), KEY);
        assert!(!format!("{config:?}").contains(KEY));
        for (name, bad) in [
            (PLATFORM_KEY_VARIABLE, "hpk_short"),
            (PLATFORM_KEY_VARIABLE, "0123456789abcdef0123456789abcdef0123"),
            (PLATFORM_KEY_VARIABLE, "hpk_0123456789abcdef 0123456789abcdef"),
            (MASTER_KEY_VARIABLE, "abc"),
            (MASTER_KEY_VARIABLE, "zz00000000000000000000000000000000000000000000000000000000000000"),
        ] {
            let error = format!("{:#}", load(name, bad).unwrap_err());
            assert!(error.contains(name) && !error.contains(bad), "{error}");
        }
    }

    #[test]
    fn the_previous_master_key_comes_with_another_present_one() {
        let [new, old] = ["a7", "5b"].map(|byte| byte.repeat(32));
        let load = |present: Option<&str>, previous: Option<&str>| {
            let (present, previous) = (present.map(str::to_owned), previous.map(str::to_owned));
            Config::load(ServeArgs::default(), move |asked| match asked {
                MASTER_KEY_VARIABLE => present.clone(),
                MASTER_KEY_PREVIOUS_VARIABLE => previous.clone(),
                _ => None,
            })
        };
        let config = load(Some(&new), Some(&old)).unwrap();
        assert_eq!(config.master_key_previous, Some(MasterKey::new([0x5b; 32])));
        let shown = format!("{config:?}");
        assert!(
            shown.contains("MasterKey(…)") && !shown.contains("167") && !shown.contains("a7a7"),
            "{shown}"
        );
        for (present, previous) in [(None, Some(&*old)), (Some(&*new), Some(&*new)), (Some(&*new), Some("x"))]
        {
            let error = format!("{:#}", load(present, previous).unwrap_err());
            assert!(error.contains(MASTER_KEY_PREVIOUS_VARIABLE) && !error.contains(&*new), "{error}");
        }
    }
}
