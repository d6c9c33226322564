//! One history: processes that live and die on one store, and in the end a quiet time in which all must come right.
//!
//! A process is a runtime of its own. It dies when the runtime is dropped with everything in it; from the step at which
//! it dies, nothing that it still does has an effect.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use domain::time::Clock;
use futures::FutureExt as _;
use hoopoe_delivery::{Engine, Settings};
use store::Store;
use tokio::task::JoinSet;

use crate::people::{self, People};
use crate::plan::{Action, Plan, Rates};
use crate::receivers::Receivers;
use crate::support::{Call, FakeStore};
use crate::world::World;

/// How long attempts may take to end when the history does.
const LAST_GRACE: Duration = Duration::from_secs(20);
/// What recording at the end may take.
const FLUSH_MS: i64 = 5_000;

#[derive(Debug)]
pub(crate) struct History {
    pub(crate) world: Arc<World>,
    pub(crate) store: Arc<FakeStore>,
    pub(crate) plan: Plan,
    actions: VecDeque<(i64, Action)>,
}

/// What was seen of a whole history.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) trace: Vec<String>,
    pub(crate) faults: Vec<String>,
    /// Before everything was well again.
    pub(crate) steps: u64,
    pub(crate) generations: u32,
    pub(crate) deliveries: usize,
    pub(crate) in_flight_most: usize,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Died,
    InOrder,
    /// It came to the history's end, and all was well.
    Over,
}

pub(crate) fn run(plan: Plan) -> Told {
    run_and_die_at(plan, None)
}

/// `dies_at_step`: the first process dies there.
pub(crate) fn run_and_die_at(plan: Plan, dies_at_step: Option<u64>) -> Told {
    let world = Arc::new(World::new(&plan));
    let store = Arc::new(FakeStore::under(Arc::clone(&world) as Arc<_>));
    for n in 0..plan.endpoints {
        let endpoint = store.put_endpoint(people::endpoint(&world, n));
        world.seen().endpoints.push(endpoint.id);
    }
    world.seen().dies_at_step = dies_at_step;
    let actions = plan.actions.clone();
    let mut history = History { world, store, plan, actions };
    while history.process() != Ended::Over && history.world.seen().faults.is_empty() {}
    history.last_process();
    history.told()
}

impl History {
    fn told(self) -> Told {
        let mut seen = self.world.seen();
        Told {
            trace: std::mem::take(&mut seen.trace),
            faults: std::mem::take(&mut seen.faults),
            steps: seen.steps,
            generations: seen.generation,
            deliveries: seen.numbers.len(),
            in_flight_most: seen.in_flight_most,
        }
    }

    /// One process from its start to its end.
    fn process(&mut self) -> Ended {
        let runtime = runtime();
        let ended = runtime.block_on(async {
            let people = self.start();
            let world = Arc::clone(&self.world);
            let ended = tokio::select! {
                biased;
                () = world.died.notified() => Ended::Died,
                ended = self.live(people) => ended,
            };
            self.stop();
            // One that died while it ended anyhow must not kill the next.
            let _ = world.died.notified().now_or_never();
            ended
        });
        drop(runtime);
        ended
    }

    /// All is well from the start, and everything that is stored comes to its end.
    fn last_process(&mut self) {
        if !self.world.seen().faults.is_empty() {
            return;
        }
        self.actions.clear();
        let ended = self.process();
        let mut seen = self.world.seen();
        if ended != Ended::Over {
            seen.fault("the last process does not come to the end");
        }
        drop(seen);
        self.check_that_all_ended();
    }

    fn start(&self) -> People {
        self.world.time.start();
        let now = self.world.time.now();
        let generation = {
            let mut seen = self.world.seen();
            seen.is_dead = false;
            seen.generation += 1;
            seen.flights.clear();
            seen.answered.clear();
            seen.stranded.clear();
            seen.unheard.clear();
            seen.say("a process starts");
            seen.generation
        };
        if generation > 1 {
            self.store.change(|state| state.adopt(now));
        }
        self.bring_late_calls();
        let mut settings = Settings::new("Hoopoe/0".to_owned(), self.plan.seed + u64::from(generation));
        settings.retry_waits_s.clone_from(&self.plan.waits_s);
        let transport = Receivers { world: Arc::clone(&self.world), store: Arc::clone(&self.store) };
        let (clock, ids) = (Arc::new(self.world.time.clone()), Arc::clone(&self.world.ids));
        let engine = Engine::start_with(
            Arc::new(transport),
            Arc::clone(&self.store) as Arc<dyn Store>,
            clock as Arc<dyn Clock>,
            ids,
            settings,
        );
        let engine = engine.expect("good settings");
        People { world: Arc::clone(&self.world), store: Arc::clone(&self.store), engine }
    }

    fn stop(&self) {
        let mut seen = self.world.seen();
        seen.is_dead = true;
        seen.dies_at_step = None;
        let downtime_ms = [0, 1_000, 60_000][seen.pick(3)];
        drop(seen);
        self.world.time.stop(downtime_ms);
    }

    /// What the process before had sent to the store arrives only now, or while this one already holds the same.
    fn bring_late_calls(&self) {
        let (late, delay_ms) = {
            let mut seen = self.world.seen();
            (std::mem::take(&mut seen.on_the_way), [0, 1, 30, 2_000][seen.pick(4)])
        };
        let (world, store) = (Arc::clone(&self.world), Arc::clone(&self.store));
        tokio::spawn(async move {
            world.pause(delay_ms).await;
            world.step().await;
            late.into_values().for_each(|call| arrive_late(&world, &store, call));
        });
    }

    async fn live(&mut self, people: People) -> Ended {
        let mut busy = JoinSet::new();
        while let Some((at_ms, action)) = self.actions.pop_front() {
            let wait_ms = at_ms - self.world.time.elapsed_ms();
            self.world.pause(u64::try_from(wait_ms).unwrap_or(0)).await;
            match action {
                Action::Crash => {
                    self.world.seen().die();
                    return Ended::Died;
                }
                Action::Shutdown(grace_ms) => {
                    self.shut_down(&people, busy, Duration::from_millis(grace_ms)).await;
                    return Ended::InOrder;
                }
                action => self.set_or_do(&people, &mut busy, action),
            }
        }
        while busy.join_next().await.is_some() {}
        self.come_to_rest(&people).await;
        self.check_at_rest(&people);
        self.shut_down(&people, JoinSet::new(), LAST_GRACE).await;
        Ended::Over
    }

    fn set_or_do(&self, people: &People, busy: &mut JoinSet<()>, action: Action) {
        let mut seen = self.world.seen();
        match action {
            Action::Mood(place, mood) => {
                seen.moods[place] = mood;
                seen.say(format_args!("e{place} is {mood:?}"));
            }
            Action::Jump(ms) => {
                self.world.time.jump(ms);
                seen.set_back_ms -= ms.min(0);
                seen.say(format_args!("the clock is set by {ms} ms"));
            }
            Action::Away(ms) => {
                seen.away_until_ms = seen.elapsed_ms() + ms;
                seen.say(format_args!("the store is away for {ms} ms"));
            }
            Action::CrashSoon(steps) => seen.dies_at_step = Some(seen.steps + steps),
            action => drop(busy.spawn(people.clone().act(action))),
        }
    }

    /// Callers that are still busy may end before or meanwhile.
    async fn shut_down(&self, people: &People, mut busy: JoinSet<()>, grace: Duration) {
        let rates = self.world.seen().rates;
        let (is_calm, waits) = {
            let mut seen = self.world.seen();
            let is_calm = self.plan.calm_shutdowns;
            if is_calm {
                (seen.rates, seen.away_until_ms) = (Rates::default(), 0);
                self.world.calmed.notify_waiters();
            }
            seen.say("a shutdown begins");
            (is_calm, is_calm || seen.pick(2) == 0)
        };
        if waits {
            while busy.join_next().await.is_some() {}
        }
        let begun_ms = self.world.time.elapsed_ms();
        people.engine.shutdown(grace).await;
        let took_ms = self.world.time.elapsed_ms() - begun_ms;
        let grace_ms = i64::try_from(grace.as_millis()).expect("a short grace");
        if took_ms > grace_ms + FLUSH_MS + 10 {
            self.world.seen().fault(format_args!("the shutdown took {took_ms} ms"));
        }
        if is_calm {
            self.check_after_calm_shutdown(people);
        }
        self.world.seen().rates = rates;
    }
}

fn arrive_late(world: &World, store: &FakeStore, call: Call) {
    store.change(|state| {
        match call {
            Call::Record(records) => records.into_iter().for_each(|record| {
                state.record(record);
            }),
            Call::Release(releases) => releases.into_iter().for_each(|release| state.release(release)),
            _ => {}
        }
        let changes = std::mem::take(&mut state.changes);
        let mut seen = world.seen();
        changes.iter().for_each(|change| seen.judge(change, state));
    });
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().expect("a runtime without sockets")
}
