//! What other nodes found out about receivers: their circuits open and close here too, so that all send to one as one.

use std::sync::Arc;

use domain::health::Receiver;

use crate::claim::Standing;
use crate::engine::Core;

/// The task that hears of it.
pub(crate) async fn run(core: Arc<Core>) {
    let healths = core.store.healths();
    while let Some(changed) = core.stop.run_until_cancelled(healths.changed_elsewhere()).await {
        let now = core.clock.now();
        for id in changed {
            let Standing::Enabled(endpoint) = core.standing(id) else { continue };
            let Some(receiver) = Receiver::of(&endpoint) else { continue };
            let standing = (receiver, healths.of(&endpoint));
            let jitter = core.jitter();
            let waiting = core.with_lanes(|lanes| lanes.heard(id, standing, now, jitter));
            core.release_waiting(waiting, now);
            core.due(id, now);
        }
        core.pump();
    }
}
