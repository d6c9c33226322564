//! Secrets of endpoints and their rotation. Which bytes of a secret sign is the signing library's business.

use std::fmt;

use zeroize::Zeroizing;

use crate::limits::{GRACE_SECONDS_MAX, SECRET_BYTES};
use crate::time::Timestamp;

/// A secret as shown to its owner. Never printed, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
    /// The secret itself: for signing, sealing, and the answers that show it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}

/// How many random bytes a generated secret holds.
pub const GENERATED_BYTES: usize = SECRET_BYTES;

/// An endpoint's secret, and the one before it while a rotation's grace runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secrets {
    pub current: SecretText,
    pub previous: Option<Previous>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Previous {
    pub secret: SecretText,
    pub grace_until: Timestamp,
}

/// Why a rotation or a promotion cannot be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RotationFault {
    #[error("a rotation's grace is still running: promote the new secret, or wait until the grace ends")]
    InProgress,
    #[error("no rotation is running, so there is nothing to promote")]
    NotRunning,
    #[error("graceSeconds is a number from 0 to {GRACE_SECONDS_MAX}")]
    GraceOutOfRange,
}

impl Secrets {
    pub fn new(current: SecretText) -> Self {
        Self { current, previous: None }
    }

    /// The previous secret while its grace runs at `now`.
    pub fn previous_at(&self, now: Timestamp) -> Option<&Previous> {
        self.previous.as_ref().filter(|previous| now < previous.grace_until)
    }

    /// Signs `x-wl-signature`: the old secret while the grace runs, so that nothing breaks at the moment of rotation.
    pub fn platform_secret_at(&self, now: Timestamp) -> &SecretText {
        self.previous_at(now).map_or(&self.current, |previous| &previous.secret)
    }

    /// `new` becomes the secret; the present one stays valid for `grace_seconds` (0 to 604,800; 0 switches at once).
    pub fn rotate(&self, new: SecretText, grace_seconds: u32, now: Timestamp) -> Result<Self, RotationFault> {
        if grace_seconds > GRACE_SECONDS_MAX {
            return Err(RotationFault::GraceOutOfRange);
        }
        if self.previous_at(now).is_some() {
            return Err(RotationFault::InProgress);
        }
        let grace_until = now.plus_seconds(i64::from(grace_seconds));
        let previous = (grace_seconds > 0).then(|| Previous { secret: self.current.clone(), grace_until });
        Ok(Self { current: new, previous })
    }

    /// Ends a running grace: the new secret signs everything.
    pub fn promote(&self, now: Timestamp) -> Result<Self, RotationFault> {
        match self.previous_at(now) {
            Some(_) => Ok(Self::new(self.current.clone())),
            None => Err(RotationFault::NotRunning),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretText {
        SecretText::new(text.into())
    }

    #[test]
    fn during_grace_the_old_secret_signs_for_the_platform_and_afterwards_the_new_one() {
        let now = Timestamp::from_millis(1_000_000);
        let rotated = Secrets::new(secret("old")).rotate(secret("new"), 60, now).unwrap();
        assert_eq!(rotated.platform_secret_at(now.plus_seconds(59)).expose(), "old");
        assert_eq!(rotated.platform_secret_at(now.plus_seconds(60)).expose(), "new");
        assert_eq!(rotated.previous_at(now.plus_seconds(60)), None);
        assert_eq!(rotated.rotate(secret("x"), 60, now.plus_seconds(59)), Err(RotationFault::InProgress));
        assert!(rotated.rotate(secret("x"), 60, now.plus_seconds(60)).is_ok());
    }

    #[test]
    fn no_grace_switches_at_once_and_promotion_needs_a_rotation() {
        let now = Timestamp::from_millis(1_000_000);
        let fresh = Secrets::new(secret("old"));
        assert_eq!(fresh.promote(now), Err(RotationFault::NotRunning));
        assert_eq!(fresh.rotate(secret("new"), 0, now).unwrap(), Secrets::new(secret("new")));
        assert_eq!(fresh.rotate(secret("new"), 604_801, now), Err(RotationFault::GraceOutOfRange));
        let promoted = fresh.rotate(secret("new"), 60, now).unwrap().promote(now).unwrap();
        assert_eq!(promoted, Secrets::new(secret("new")));
    }

    #[test]
    fn a_secret_is_not_printed() {
        assert!(!format!("{:?}", Secrets::new(secret("whsec_abc"))).contains("abc"));
    }
}
