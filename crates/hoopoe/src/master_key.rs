//! The key under which secrets are encrypted: from the setting, else from a file beside the data. It is made once, on an
//! empty data directory; data whose key is gone is refused, never overwritten.

use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::config::{MASTER_KEY_VARIABLE, parse_master_key};

pub(crate) const FILE_NAME: &str = "master.key";

/// Whether the data directory holds events already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Data {
    Present,
    Absent,
}

/// Reads the key file, or makes one where there is no data yet.
pub(crate) fn from_file(data_dir: &Path, data: Data) -> anyhow::Result<[u8; 32]> {
    let path = data_dir.join(FILE_NAME);
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            warn_if_readable_by_others(&path);
            parse_master_key(&text).with_context(|| {
                format!("the master key in {} is damaged; restore it from a backup", path.display())
            })
        }
        Err(error) if error.kind() == ErrorKind::NotFound && data == Data::Absent => make(&path),
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(
            "the data in {} is encrypted and its key is missing; put the file {FILE_NAME} back or set {MASTER_KEY_VARIABLE}",
            data_dir.display()
        ),
        Err(error) => Err(error).with_context(|| {
            format!("cannot read the master key in {}; make it readable for this user", path.display())
        }),
    }
}

fn make(path: &Path) -> anyhow::Result<[u8; 32]> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).context("the system gave no randomness for a master key")?;
    let text: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    write_durably(path, &text).with_context(|| {
        format!("cannot write the master key to {}; choose a writable --data-dir", path.display())
    })?;
    Ok(key)
}

/// Under another name first, so that a crash leaves the whole key or none. A key that lost its disk's write cache would
/// make the data unreadable, hence both syncs.
fn write_durably(path: &Path, text: &str) -> std::io::Result<()> {
    let unfinished = path.with_extension("key.new");
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)?;
    let dir = path.parent().expect("a file in the data directory has a parent");
    std::fs::File::open(dir)?.sync_all()
}

fn warn_if_readable_by_others(path: &Path) {
    let open_to_others = std::fs::metadata(path).is_ok_and(|data| data.permissions().mode() & 0o077 != 0);
    if open_to_others {
        tracing::warn!(path = %path.display(), "other users can read the master key; `chmod 600` it");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_for_an_empty_directory_and_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let key = from_file(dir.path(), Data::Absent).unwrap();
        assert_eq!(from_file(dir.path(), Data::Present).unwrap(), key);
        let mode = std::fs::metadata(dir.path().join(FILE_NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_ne!(key, [0; 32]);
    }

    #[test]
    fn data_without_its_key_and_a_damaged_key_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let error = from_file(dir.path(), Data::Present).unwrap_err().to_string();
        assert!(error.contains(FILE_NAME) && error.contains(MASTER_KEY_VARIABLE), "{error}");
        assert!(!dir.path().join(FILE_NAME).exists());
        std::fs::write(dir.path().join(FILE_NAME), "abc").unwrap();
        assert!(from_file(dir.path(), Data::Absent).is_err());
    }
}
