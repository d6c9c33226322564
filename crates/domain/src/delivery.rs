//! Deliveries: one event on its way to one endpoint.

use crate::endpoint::TypeName;
use crate::id::{DeliveryId, EndpointId, EventId};
use crate::location::LocationId;
use crate::time::Timestamp;

/// A delivery as the log shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub id: DeliveryId,
    pub event_id: EventId,
    pub endpoint_id: EndpointId,
    pub type_name: TypeName,
    /// The event's location.
    pub location_id: Option<LocationId>,
    pub trigger: Trigger,
    pub retry_of: Option<DeliveryId>,
    pub status: Status,
    /// Finished attempts.
    pub attempt_count: u32,
    /// `None` once finished, and while the delivery is held back without a time.
    pub next_attempt_at: Option<Timestamp>,
    pub completed_at: Option<Timestamp>,
    /// Why it failed or was cancelled.
    pub end_reason: Option<EndReason>,
}

impl Delivery {
    pub fn created_at(&self) -> Timestamp {
        self.id.created_at()
    }
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident $text:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }
        }
    )*};
}

words! {
    /// What made the delivery.
    Trigger {
        Event "event",
        Retry "retry",
        Replay "replay",
        Test "test",
    }
    /// Where a delivery stands. The last three are final.
    Status {
        /// No attempt yet.
        Pending "pending",
        /// Claimed: its attempt is running or next in its lane.
        Delivering "delivering",
        /// At least one attempt failed; the next has a time.
        Retrying "retrying",
        /// Held back by us without using an attempt: the endpoint is disabled by hand, or fails and its circuit is open.
        Waiting "waiting",
        Succeeded "succeeded",
        Failed "failed",
        Cancelled "cancelled",
    }
    /// Why a delivery ended without success.
    EndReason {
        /// The last scheduled attempt failed.
        Exhausted "exhausted",
        /// The receiver answered 410 Gone.
        Gone "gone",
        /// The endpoint was disabled because everything failed for days.
        EndpointFailing "endpoint-failing",
        /// The address may not be dialled, and no other can take its place.
        AddressRefused "address-refused",
        /// A person cancelled it.
        ByHand "by-hand",
        EndpointDeleted "endpoint-deleted",
    }
}

impl Status {
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

impl EndReason {
    /// The final status that goes with the reason.
    pub fn status(self) -> Status {
        match self {
            Self::ByHand | Self::EndpointDeleted => Status::Cancelled,
            _ => Status::Failed,
        }
    }
}
