//! How nouns stand in columns: words, kinds and ids. A word that was written once keeps its meaning for good.

use std::sync::Arc;

use domain::api_key::Permission;
use domain::app::InstallTarget;
use domain::audit::Actor;
use domain::endpoint::{DisabledReason, EndpointState, Subscription};
use domain::id::{ApiKeyId, EndpointId, SessionId};
use domain::scope::{Owner, Scope};
use domain::tally::Grain;
use domain::time::Timestamp;

use super::{Damaged, codec};
use crate::vault::{Vault, VaultFault};

/// Stands for no owner.
const PLATFORM: &str = "platform";

/// Kind and id as columns; `None` is the platform.
pub fn owner_columns(owner: Option<&Owner>) -> (&'static str, &str) {
    owner.map_or((PLATFORM, ""), |owner| (owner.kind(), owner.id()))
}

pub fn owner_of_columns(kind: &str, id: &str) -> Result<Option<Owner>, Damaged> {
    match kind {
        PLATFORM => Ok(None),
        _ => Owner::from_parts(kind, id).map(Some).ok_or(Damaged("owner")),
    }
}

/// A location's, company's or app's id.
pub fn tenant_id<T: std::str::FromStr>(text: Option<String>) -> Result<Option<T>, Damaged> {
    text.map(|text| text.parse().map_err(|_| Damaged("tenant's id"))).transpose()
}

pub fn joined<T: ToString>(parts: &[T], between: &str) -> String {
    parts.iter().map(ToString::to_string).collect::<Vec<_>>().join(between)
}

pub fn permissions_text(permissions: &[Permission]) -> String {
    let words: Vec<_> = permissions.iter().map(|permission| permission.as_str()).collect();
    joined(&words, ",")
}

pub fn permissions_of(text: &str) -> Result<Vec<Permission>, Damaged> {
    let words = text.split(',').filter(|word| !word.is_empty()).map(Permission::parse);
    words.collect::<Option<_>>().ok_or(Damaged("permissions"))
}

pub fn target_columns(target: &InstallTarget) -> (&'static str, &str) {
    match target {
        InstallTarget::Location(id) => ("location", id.as_str()),
        InstallTarget::Company(id) => ("company", id.as_str()),
    }
}

pub fn target_of(kind: &str, id: &str) -> Result<InstallTarget, Damaged> {
    let target = match kind {
        "location" => id.parse().ok().map(InstallTarget::Location),
        "company" => id.parse().ok().map(InstallTarget::Company),
        _ => None,
    };
    target.ok_or(Damaged("install"))
}

pub fn target_owner(target: &InstallTarget) -> Owner {
    match target {
        InstallTarget::Location(id) => Owner::Location(id.clone()),
        InstallTarget::Company(id) => Owner::Company(id.clone()),
    }
}

/// Number, reason and since when.
pub fn state_columns(state: EndpointState) -> (i64, Option<&'static str>, Timestamp) {
    match state {
        EndpointState::Enabled { since } => (0, None, since),
        EndpointState::Disabled { reason, since } => (1, Some(reason.as_str()), since),
        EndpointState::Deleted { since } => (DELETED, None, since),
    }
}

/// The number of the state of a deleted endpoint.
pub const DELETED: i64 = 2;

pub fn state_of_columns(
    number: i64,
    reason: Option<&str>,
    since: Timestamp,
) -> Result<EndpointState, Damaged> {
    match (number, reason) {
        (0, _) => Ok(EndpointState::Enabled { since }),
        (1, Some(reason)) => {
            let reason = DisabledReason::parse(reason).ok_or(Damaged("disabled reason"))?;
            Ok(EndpointState::Disabled { reason, since })
        }
        (DELETED, _) => Ok(EndpointState::Deleted { since }),
        _ => Err(Damaged("endpoint's state")),
    }
}

/// Null for all.
pub fn subscription_bytes(subscription: &Subscription) -> Option<Vec<u8>> {
    match subscription {
        Subscription::All => None,
        Subscription::Types(names) => Some(codec::texts_bytes(names.iter().map(|name| &**name))),
    }
}

pub fn subscription_of(bytes: Option<Vec<u8>>) -> Result<Subscription, Damaged> {
    let Some(bytes) = bytes else { return Ok(Subscription::All) };
    Ok(Subscription::Types(codec::texts_of(&bytes)?.into_iter().map(Arc::from).collect()))
}

pub fn schedule_text(waits_s: &[u32]) -> String {
    joined(waits_s, ",")
}

pub fn schedule_of(text: &str) -> Result<Vec<u32>, Damaged> {
    let waits_s = text.split(',').filter(|wait| !wait.is_empty()).map(str::parse).collect::<Result<_, _>>();
    waits_s.map_err(|_| Damaged("retry schedule"))
}

/// Every column of an endpoint that holds a sealed value.
pub const SEALED: [&str; 3] = ["headers", "secret", "previous_secret"];

/// A sealed value opens in its own column of its own endpoint only.
pub fn sealed_context(column: &str, id: EndpointId) -> String {
    format!("endpoints/{column}/{id}")
}

/// Seals what is under another key anew, in the order of [`SEALED`]; how many values that were.
pub fn reseal(
    vault: &Vault,
    id: EndpointId,
    values: &mut [Option<Vec<u8>>; SEALED.len()],
) -> Result<usize, VaultFault> {
    let mut resealed = 0;
    for (column, value) in SEALED.into_iter().zip(values) {
        let Some(sealed) = value.as_mut().filter(|sealed| !vault.is_present(sealed)) else { continue };
        let context = sealed_context(column, id);
        *sealed = vault.seal(&context, &vault.open(&context, sealed)?)?;
        resealed += 1;
    }
    Ok(resealed)
}

/// Kind, id and name.
pub fn actor_columns(actor: &Actor) -> (&'static str, Option<[u8; 16]>, Option<&str>) {
    match actor {
        Actor::PlatformKey => ("platform-key", None, None),
        Actor::ApiKey { id, name, .. } => ("api-key", Some(id.bits().to_be_bytes()), Some(name)),
        Actor::Session { id, .. } => ("session", Some(id.bits().to_be_bytes()), None),
        Actor::System => ("system", None, None),
    }
}

pub fn actor_of_columns(
    kind: &str,
    id: Option<[u8; 16]>,
    name: Option<String>,
    scope: Scope,
) -> Result<Actor, Damaged> {
    let actor = match (kind, id.map(u128::from_be_bytes)) {
        ("platform-key", _) => Some(Actor::PlatformKey),
        ("system", _) => Some(Actor::System),
        ("session", Some(bits)) => Some(Actor::Session { id: SessionId::from_bits(bits), scope }),
        ("api-key", Some(bits)) => {
            Some(Actor::ApiKey { id: ApiKeyId::from_bits(bits), name: name.unwrap_or_default(), scope })
        }
        _ => None,
    };
    actor.ok_or(Damaged("audit entry's actor"))
}

/// The smallest id, as bits, that anything made at `at` or later can have.
pub fn first_bits_at(at: Timestamp) -> u128 {
    (at.as_millis().max(0) as u128) << 80
}

pub fn grain_number(grain: Grain) -> i64 {
    match grain {
        Grain::Minute => 0,
        Grain::Quarter => 1,
        Grain::TwoHours => 2,
        Grain::EightHours => 3,
    }
}
