//! The key under which secrets are encrypted: from the setting, else from a file beside the data. It is made once, on an
//! empty data directory; data whose key is gone is refused, never overwritten.

use std::fs::Permissions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use store::vault::{MasterKey, Vault};
use zeroize::Zeroizing;

use crate::config::{MASTER_KEY_VARIABLE, parse_master_key};

pub(crate) const FILE_NAME: &str = "master.key";

/// Whether the data directory holds events already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Data {
    Present,
    Absent,
}

/// What everything is sealed under, and while a rotation is unfinished what some of it still is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keys {
    pub(crate) present: MasterKey,
    pub(crate) previous: Option<MasterKey>,
}

impl Keys {
    pub(crate) fn vault(&self) -> Vault {
        let vault = Vault::new(&self.present);
        match &self.previous {
            Some(previous) => vault.with_previous(previous),
            None => vault,
        }
    }
}

/// Reads the key file, or makes one where there is no data yet.
pub(crate) fn from_file(data_dir: &Path, data: Data) -> anyhow::Result<Keys> {
    let path = data_dir.join(FILE_NAME);
    match std::fs::read_to_string(&path).map(Zeroizing::new) {
        Ok(text) => {
            warn_if_readable_by_others(&path);
            parse(&text).with_context(|| {
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

/// The key, and on a second line the one before.
fn parse(text: &str) -> anyhow::Result<Keys> {
    let mut lines = text.trim().lines();
    let present = parse_master_key(lines.next().unwrap_or_default())?;
    let previous = lines.next().map(parse_master_key).transpose()?;
    ensure!(lines.next().is_none(), "it has more than two lines");
    Ok(Keys { present, previous })
}

fn make(path: &Path) -> anyhow::Result<Keys> {
    let present = random().context("the system gave no randomness for a master key")?;
    let keys = Keys { present, previous: None };
    write(path, &keys).with_context(|| {
        format!("cannot write the master key to {}; choose a writable --data-dir", path.display())
    })?;
    Ok(keys)
}

pub(crate) fn random() -> Result<MasterKey, getrandom::Error> {
    let mut key = [0; 32];
    getrandom::fill(&mut key)?;
    Ok(MasterKey::new(key))
}

/// Under another name first, so that a crash leaves the old file or the new one, whole. A key that lost its disk's write
/// cache would make the data unreadable, hence both syncs.
pub(crate) fn write(path: &Path, keys: &Keys) -> std::io::Result<()> {
    let unfinished = path.with_extension("key.new");
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    // One that a crash left there keeps its own mode otherwise.
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(text(keys).as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)?;
    let dir = path.parent().expect("a file in the data directory has a parent");
    std::fs::File::open(dir)?.sync_all()
}

fn text(keys: &Keys) -> Zeroizing<String> {
    // As long as two lines, so that it is not copied while it grows.
    let mut text = Zeroizing::new(String::with_capacity(2 * 65));
    for key in std::iter::once(&keys.present).chain(&keys.previous) {
        key.expose().iter().for_each(|byte| push_hex(&mut text, *byte));
        text.push('\n');
    }
    text
}

fn push_hex(text: &mut String, byte: u8) {
    for digit in [byte >> 4, byte & 0xf] {
        text.push(char::from_digit(digit.into(), 16).expect("four bits are one hex digit"));
    }
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
        assert_ne!(key.present, MasterKey::new([0; 32]));
        assert_eq!(key.previous, None);
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

    #[test]
    fn while_a_rotation_runs_the_file_holds_both_keys_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        let [present, previous] = [[0xa7; 32], [0x5b; 32]].map(MasterKey::new);
        let keys = Keys { present, previous: Some(previous) };
        std::fs::write(path.with_extension("key.new"), "left by a crash, readable by all").unwrap();
        write(&path, &keys).unwrap();
        assert_eq!(from_file(dir.path(), Data::Present).unwrap(), keys);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let line = |byte: &str| format!("{}\n", byte.repeat(32));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), line("a7") + &line("5b"));
        for damaged in [line("a7") + "5b", line("a7").repeat(3), "\n".to_owned()] {
            std::fs::write(&path, damaged).unwrap();
            assert!(from_file(dir.path(), Data::Present).is_err());
        }
    }
}
