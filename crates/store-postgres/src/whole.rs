//! The nodes as one looks at them: who lives, and what each counted.

use async_trait::async_trait;
use domain::limits::RATES_SECONDS;
use domain::time::Timestamp;
use store::StoreError;
use store::feed::Listener;
use store::nodes::{Counts, Node, Nodes, Step, Whole};
use tokio_postgres::Row;

use crate::PostgresStore;
use crate::fault::Fault;
use crate::session::Param;
use crate::tx::{reading, writing};

pub(crate) const TELL_STEP: &str = "insert into node_steps (at, fence, accepted, delivered, failed, in_flight) \
    values ($1, $2, $3, $4, $5, $6) on conflict (at, fence) do update set \
    accepted = node_steps.accepted + excluded.accepted, delivered = node_steps.delivered + excluded.delivered, \
    failed = node_steps.failed + excluded.failed, in_flight = excluded.in_flight";
pub(crate) const FORGET_STEPS: &str = "delete from node_steps where at <= $1";
pub(crate) const LIVING: &str =
    "select fence, name, version, started_at from nodes order by started_at, fence";
pub(crate) const STEPS: &str = "select fence, at, accepted, delivered, failed, in_flight from node_steps where at >= $1 \
    order by at, fence";

#[async_trait]
impl Nodes for PostgresStore {
    fn living(&self) -> usize {
        self.shared.follower.living()
    }

    async fn tell_step(&self, step: Step) -> Result<(), StoreError> {
        let fence = self.shared.node.fence();
        let tell = writing(move |tx| {
            Box::pin(async move {
                let counts =
                    [step.counts.accepted, step.counts.delivered, step.counts.failed, step.in_flight];
                let [accepted, delivered, failed, in_flight] = counts.map(|count| count as i64);
                let at = step.at.as_millis();
                let values: [Param<'_>; 6] = [&at, &fence, &accepted, &delivered, &failed, &in_flight];
                tx.execute(TELL_STEP, &values).await?;
                tx.execute(FORGET_STEPS, &[&step.at.plus_seconds(-RATES_SECONDS).as_millis()]).await?;
                Ok(())
            })
        });
        self.write("telling what this node counted", tell).await
    }

    async fn whole(&self, since: Timestamp) -> Result<Whole, StoreError> {
        let own_id = self.shared.node.fence().unsigned_abs();
        let look = reading(move |session| {
            Box::pin(async move {
                let nodes = session.query(LIVING, &[]).await?;
                let steps = session.query(STEPS, &[&since.as_millis()]).await?;
                let nodes = nodes.iter().map(node_of_row).collect();
                Ok::<_, Fault>(Whole { own_id, nodes, steps: steps.iter().map(step_of_row).collect() })
            })
        });
        self.read("looking at the nodes", look).await
    }

    async fn listen(&self) -> Result<Listener, StoreError> {
        self.listen_to_all().await
    }
}

fn node_of_row(row: &Row) -> Node {
    let (id, started_at) = (row.get::<_, i64>(0).unsigned_abs(), Timestamp::from_millis(row.get(3)));
    Node { id, name: row.get(1), version: row.get(2), started_at }
}

fn step_of_row(row: &Row) -> (u64, Step) {
    let count = |column| row.get::<_, i64>(column).unsigned_abs();
    let counts = Counts { accepted: count(2), delivered: count(3), failed: count(4) };
    (count(0), Step { at: Timestamp::from_millis(row.get(1)), counts, in_flight: count(5) })
}
