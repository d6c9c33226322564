//! The keys that come from the environment alone, and their rules. None is ever printed.

use std::fmt;

use anyhow::{Context as _, bail, ensure};
use store::vault::MasterKey;
use zeroize::Zeroizing;

pub const PLATFORM_KEY_VARIABLE: &str = "HOOPOE_PLATFORM_KEY";
pub const MASTER_KEY_VARIABLE: &str = "HOOPOE_MASTER_KEY";
pub const MASTER_KEY_PREVIOUS_VARIABLE: &str = "HOOPOE_MASTER_KEY_PREVIOUS";

const PREFIX: &str = "hpk_";
/// After the prefix.
const CHARACTERS_MIN: usize = 32;
const CHARACTERS_MAX: usize = 512;

/// A platform key as the operator set it.
#[derive(Clone)]
pub struct PlatformKey(Zeroizing<String>);

impl PlatformKey {
    pub(super) fn parse(text: String) -> anyhow::Result<Self> {
        let key = Zeroizing::new(text);
        let rest = key.strip_prefix(PREFIX).unwrap_or_default();
        let fits = (CHARACTERS_MIN..=CHARACTERS_MAX).contains(&rest.len())
            && rest.bytes().all(|byte| byte.is_ascii_graphic());
        ensure!(
            fits,
            "{PLATFORM_KEY_VARIABLE} is not usable; set it to {PREFIX} followed by {CHARACTERS_MIN} to {CHARACTERS_MAX} \
             printable ASCII characters without spaces, or unset it"
        );
        Ok(Self(key))
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PlatformKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlatformKey(…)")
    }
}

/// 64 hex characters, as in `HOOPOE_MASTER_KEY` and the key file.
///
/// # Errors
/// A sentence that never repeats the text.
pub fn parse_master_key(text: &str) -> anyhow::Result<MasterKey> {
    let text = text.trim().as_bytes();
    let mut key = Zeroizing::new([0; 32]);
    if text.len() != 2 * key.len() {
        bail!("a master key has 64 hex characters, this one has {}", text.len());
    }
    for (byte, pair) in key.iter_mut().zip(text.chunks_exact(2)) {
        let digit = |letter: u8| char::from(letter).to_digit(16);
        let (Some(high), Some(low)) = (digit(pair[0]), digit(pair[1])) else {
            bail!("a master key has 64 hex characters and no others");
        };
        *byte = (high * 16 + low) as u8;
    }
    Ok(MasterKey::new(*key))
}

/// The master key and the one before, as the environment gives them.
pub(super) fn master_keys(
    variable: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<(Option<MasterKey>, Option<MasterKey>)> {
    let read = |name: &str| {
        let text = variable(name).map(Zeroizing::new);
        let parsed = text.map(|text| parse_master_key(&text)).transpose();
        parsed.with_context(|| format!("{name} is not usable"))
    };
    let (present, previous) = (read(MASTER_KEY_VARIABLE)?, read(MASTER_KEY_PREVIOUS_VARIABLE)?);
    ensure!(
        previous.is_none() || present.is_some(),
        "{MASTER_KEY_PREVIOUS_VARIABLE} is set without {MASTER_KEY_VARIABLE}; set the new key too, or unset it"
    );
    ensure!(
        previous.is_none() || previous != present,
        "{MASTER_KEY_PREVIOUS_VARIABLE} is the same key as {MASTER_KEY_VARIABLE}; set it to the old key, or unset it"
    );
    Ok((present, previous))
}
