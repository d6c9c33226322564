//! Marketplace apps and where they are installed.

use crate::location::{AppId, CompanyId, LocationId};

/// What the platform told us of an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    pub id: AppId,
    pub name: Option<String>,
    /// The OAuth scopes that the app holds; `None` holds all, an empty list none.
    pub scopes: Option<Vec<String>>,
}

/// Where an app is installed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum InstallTarget {
    Location(LocationId),
    Company(CompanyId),
}
