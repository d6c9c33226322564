//! `hoopoe.toml`: found, read, and refused when it holds a key that nobody knows.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;

use super::DATA_DIR_DEFAULT;
use super::values::{DatabaseUrl, LogFormat, ValidateMode};

const FILE_NAME: &str = "hoopoe.toml";

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileSettings {
    pub(super) listen: Option<SocketAddr>,
    pub(super) public_url: Option<String>,
    pub(super) failed_sign_ins: Option<u32>,
    pub(super) audit_retention_days: Option<u32>,
    pub(super) data_dir: Option<PathBuf>,
    pub(super) database_url: Option<DatabaseUrl>,
    pub(super) metrics_listen: Option<SocketAddr>,
    pub(super) validate: Option<ValidateMode>,
    pub(super) endpoints_per_owner: Option<usize>,
    pub(super) publish_per_second_per_key: Option<u32>,
    pub(super) publish_per_second_per_location: Option<u32>,
    pub(super) connections_per_address: Option<usize>,
    pub(super) retry_schedule: Option<Vec<u32>>,
    pub(super) retention_days: Option<u32>,
    pub(super) log_format: Option<LogFormat>,
    pub(super) log_level: Option<String>,
    pub(super) ca_certificates: Option<PathBuf>,
    pub(super) allow_cidrs: Option<Vec<String>>,
    pub(super) allow_names: Option<Vec<String>>,
    pub(super) brand_name: Option<String>,
    pub(super) brand_logo: Option<PathBuf>,
    pub(super) brand_color: Option<String>,
    pub(super) frame_ancestors: Option<Vec<String>>,
}

/// The file that was named, which must exist; else the first of the usual places that has one; else nothing.
pub(super) fn read(named: Option<&Path>, data_dir: Option<&Path>) -> anyhow::Result<FileSettings> {
    if let Some(path) = named {
        let text = std::fs::read_to_string(path).with_context(|| {
            format!("cannot read the config file {}; name one that exists with --config", path.display())
        })?;
        return parse(&text, path);
    }
    let in_data_dir = data_dir.unwrap_or(Path::new(DATA_DIR_DEFAULT)).join(FILE_NAME);
    for path in [PathBuf::from(FILE_NAME), in_data_dir] {
        match std::fs::read_to_string(&path) {
            Ok(text) => return parse(&text, &path),
            // What is not there is not meant; a data directory that is no directory is named when it is opened.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read the config file {}", path.display()));
            }
        }
    }
    Ok(FileSettings::default())
}

fn parse(text: &str, path: &Path) -> anyhow::Result<FileSettings> {
    toml::from_str(text)
        .with_context(|| format!("the config file {} is not usable; correct it", path.display()))
}
