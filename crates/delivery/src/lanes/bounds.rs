//! How much the lanes hold and send at once.

use domain::limits;

/// Bounds of the engine; `Default` is what `domain::limits` says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) in_flight: usize,
    pub(crate) in_flight_per_lane: usize,
    pub(crate) lane_deliveries: usize,
    pub(crate) claimed: usize,
    pub(crate) claimed_bytes: usize,
    /// So many places and bytes no burst takes.
    pub(crate) spare: usize,
    pub(crate) spare_bytes: usize,
    /// While more outcomes than this wait to be recorded, no new attempt starts.
    pub(crate) unrecorded: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            in_flight: limits::IN_FLIGHT_MAX,
            in_flight_per_lane: limits::IN_FLIGHT_PER_ENDPOINT,
            lane_deliveries: limits::LANE_DELIVERIES_MAX,
            claimed: limits::CLAIMED_MAX,
            claimed_bytes: limits::CLAIMED_BYTES_MAX,
            spare: limits::CLAIMED_SPARE,
            spare_bytes: limits::CLAIMED_SPARE_BYTES,
            unrecorded: 4 * limits::RECORD_BATCH_MAX,
        }
    }
}
