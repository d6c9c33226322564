//! Whose world a caller may see, and who owns an endpoint.

use crate::location::{AppId, CompanyId, LocationId};

/// Every method of the store that touches a tenant's object takes one of these, so that a forgotten check does not compile.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The operator: everything.
    Platform,
    /// A company's own objects and those of the locations registered under it.
    Company(CompanyId),
    Location(LocationId),
    /// An app's own endpoints and their deliveries.
    App(AppId),
}

/// Who owns an endpoint: exactly one location, company or app.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Owner {
    Location(LocationId),
    Company(CompanyId),
    App(AppId),
}

impl Owner {
    /// `location`, `company` or `app`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Location(_) => "location",
            Self::Company(_) => "company",
            Self::App(_) => "app",
        }
    }

    pub fn id(&self) -> &str {
        match self {
            Self::Location(id) => id.as_str(),
            Self::Company(id) => id.as_str(),
            Self::App(id) => id.as_str(),
        }
    }

    /// The owner again, from what [`kind`](Self::kind) and [`id`](Self::id) gave.
    pub fn from_parts(kind: &str, id: &str) -> Option<Self> {
        match kind {
            "location" => id.parse().ok().map(Self::Location),
            "company" => id.parse().ok().map(Self::Company),
            "app" => id.parse().ok().map(Self::App),
            _ => None,
        }
    }
}

impl Scope {
    /// Whose world it is; `None` is the platform's.
    pub fn owner(&self) -> Option<Owner> {
        match self {
            Self::Platform => None,
            Self::Company(id) => Some(Owner::Company(id.clone())),
            Self::Location(id) => Some(Owner::Location(id.clone())),
            Self::App(id) => Some(Owner::App(id.clone())),
        }
    }

    /// The world of `owner`; the platform's for `None`.
    pub fn of(owner: Option<Owner>) -> Self {
        match owner {
            None => Self::Platform,
            Some(Owner::Company(id)) => Self::Company(id),
            Some(Owner::Location(id)) => Self::Location(id),
            Some(Owner::App(id)) => Self::App(id),
        }
    }

    /// Whether an object of `owner` is in this world. `company_of`: the company that a location is registered under.
    pub fn sees(&self, owner: &Owner, company_of: impl FnOnce(&LocationId) -> Option<CompanyId>) -> bool {
        match (self, owner) {
            (Self::Platform, _) => true,
            (Self::Location(mine), Owner::Location(theirs)) => mine == theirs,
            (Self::App(mine), Owner::App(theirs)) => mine == theirs,
            (Self::Company(mine), Owner::Company(theirs)) => mine == theirs,
            (Self::Company(mine), Owner::Location(location)) => company_of(location).as_ref() == Some(mine),
            _ => false,
        }
    }
}
