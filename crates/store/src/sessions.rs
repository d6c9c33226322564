//! Sessions. Code and token never come here, only their SHA-256.

use std::sync::Arc;

use async_trait::async_trait;
use domain::id::SessionId;
use domain::scope::Scope;
use domain::session::Session;
use domain::time::Timestamp;

use crate::StoreError;
use crate::known::Known;
use crate::once::MaybeOnce;
use crate::page::{Page, PageRequest};

/// What opens a session, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginCode {
    pub hash: [u8; 32],
    pub expires_at: Timestamp,
}

#[async_trait]
pub trait Sessions {
    /// Fails with `SessionLimit` when the owner has `limit` sessions that have not expired.
    async fn create_session(
        &self,
        scope: &Scope,
        session: Session,
        code: LoginCode,
        limit: usize,
        once: MaybeOnce<Session>,
    ) -> Result<Session, StoreError>;
    /// Redeems a code: from now on the session is found by its token. `NotFound` for a code that was never made, is used or
    /// expired, or whose session is gone. Needs no scope: who has the code is the one it was made for.
    async fn open_session(
        &self,
        code_hash: [u8; 32],
        token_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<Session, StoreError>;
    /// The session that a code would open; fails as [`open_session`](Self::open_session) does, and changes nothing.
    async fn session_of_code(&self, code_hash: [u8; 32], now: Timestamp) -> Result<Session, StoreError>;
    /// Those that have not expired at `now`, opened or not.
    async fn list_sessions(
        &self,
        scope: &Scope,
        now: Timestamp,
        page: PageRequest,
    ) -> Result<Page<Session>, StoreError>;
    /// It ceases to be valid at once.
    async fn delete_session(&self, scope: &Scope, id: SessionId) -> Result<(), StoreError>;
    /// The session with this token, from memory; coherent like the routes. Expiry is the caller's check.
    fn session_by_hash(&self, token_hash: &[u8; 32]) -> Option<Arc<Known<Session>>>;
}
