//! A process that shares its storage with no other: all the nodes there are, with its steps in memory.

use std::collections::VecDeque;

use domain::limits::RATES_SECONDS;
use domain::time::Timestamp;
use parking_lot::Mutex;

use crate::nodes::{Node, Step, Whole};

#[derive(Debug)]
pub struct Alone {
    name: String,
    version: &'static str,
    started_at: Timestamp,
    steps: Mutex<VecDeque<Step>>,
}

impl Alone {
    pub fn new(name: String, version: &'static str, started_at: Timestamp) -> Self {
        Self { name, version, started_at, steps: Mutex::default() }
    }

    /// The start tells this process from those before it.
    fn id(&self) -> u64 {
        self.started_at.as_millis().unsigned_abs()
    }

    pub fn tell_step(&self, step: Step) {
        let mut steps = self.steps.lock();
        steps.push_back(step);
        let kept_from = step.at.plus_seconds(-RATES_SECONDS);
        while steps.front().is_some_and(|oldest| oldest.at <= kept_from) {
            steps.pop_front();
        }
    }

    pub fn whole(&self, since: Timestamp) -> Whole {
        let node = Node {
            id: self.id(),
            name: self.name.clone(),
            version: self.version.to_owned(),
            started_at: self.started_at,
        };
        let steps = self.steps.lock();
        let steps = steps.iter().filter(|step| step.at >= since).map(|step| (node.id, *step)).collect();
        Whole { own_id: node.id, nodes: vec![node], steps }
    }
}
