//! The audit log: an entry is stored in the transaction of the change that it tells of.
//!
//! A store that was given a note ([`Store::audited`](crate::Store::audited)) writes it down with the first change that is made
//! through it. One note is one entry.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use domain::api_key::ApiKey;
use domain::app::{App, InstallTarget};
use domain::audit::{Action, Actor, AuditEntry, Object};
use domain::delivery::Delivery;
use domain::endpoint::Endpoint;
use domain::id::AuditId;
use domain::location::{AppId, Location};
use domain::scope::{Owner, Scope};
use domain::session::Session;
use domain::time::Timestamp;

use crate::StoreError;
use crate::maintenance::Swept;
use crate::page::{Page, PageRequest, Span};

/// What an entry shows before and after.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    Endpoint(&'a Endpoint),
    Location(&'a Location),
    App(&'a App),
    Install(&'a AppId, &'a InstallTarget),
    ApiKey(&'a ApiKey),
    Session(&'a Session),
    Delivery(&'a Delivery),
}

/// Makes JSON of a subject, without secrets.
pub type Show = fn(Subject<'_>) -> Bytes;

/// Who is about to change something, and from where.
#[derive(Debug, Clone)]
pub struct AuditNote {
    /// Of the entry; also says when.
    pub id: AuditId,
    pub actor: Actor,
    pub address: Option<IpAddr>,
    pub request_id: Arc<str>,
    /// `None` leaves before and after out.
    pub show: Option<Show>,
}

/// Which entries to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    pub owner: Option<Owner>,
    pub action: Option<Action>,
    pub object_id: Option<String>,
    pub span: Span,
}

#[async_trait]
pub trait Audit {
    /// Of what changes no row: a secret that was read, a test that was sent. Does nothing on a store without a note.
    async fn note(&self, action: Action, owner: Option<Owner>, object: Object) -> Result<(), StoreError>;
    /// Newest first.
    async fn list_audit(
        &self,
        scope: &Scope,
        filter: AuditFilter,
        page: PageRequest,
    ) -> Result<Page<AuditEntry>, StoreError>;
    /// Removes one bounded slice of what is older than `horizon`. Nothing else ever removes an entry.
    async fn sweep_audit(&self, horizon: Timestamp) -> Result<Swept, StoreError>;
}
