//! The engine in simulated worlds: virtual time, scripted receivers, a store in memory, and everything that can go wrong,
//! by seeds.
//!
//! What one seed does is the same in every run. A history that breaks a promise is printed with the command that runs
//! it again. `HOOPOE_SOAK=1` runs a hundred times as many.

mod checks;
mod conformance;
mod history;
mod people;
mod plan;
mod receivers;
#[path = "../support/mod.rs"]
mod support;
mod time;
mod weather;
mod world;

use crate::history::{Told, run, run_and_die_at};
use crate::plan::{Action, Mood, Plan, Rates};

const SEEDS: u64 = 1_000;
const SOAK_SEEDS: u64 = 100_000;
/// Enough to see a pattern.
const FAILED_MAX: usize = 1_000;

#[test]
fn any_history_keeps_the_promises() {
    if let Some(seed) = variable("HOOPOE_SIM_SEED") {
        let told = run(Plan::of(seed));
        println!("{}", told.trace.join("\n"));
        assert_eq!(told.faults, Vec::<String>::new(), "seed {seed}");
        return;
    }
    let seeds = if variable("HOOPOE_SOAK") == Some(1) { SOAK_SEEDS } else { SEEDS };
    let mut failed: Vec<(u64, Told)> = Vec::new();
    let (mut deliveries, mut processes, mut steps) = (0, 0, 0);
    for seed in 0..seeds {
        let told = run(Plan::of(seed));
        (deliveries, processes) = (deliveries + told.deliveries, processes + told.generations);
        steps += told.steps;
        if !told.faults.is_empty() {
            failed.push((seed, told));
        }
        if failed.len() == FAILED_MAX {
            break;
        }
    }
    println!("{seeds} histories: {deliveries} deliveries, {processes} processes, {steps} steps");
    if let Some((seed, told)) = failed.first() {
        let others: Vec<String> =
            failed.iter().map(|(seed, told)| format!("{seed}: {}", told.faults.join("; "))).collect();
        panic!(
            "{}\n\nseed {seed} breaks a promise: {}\nagain: HOOPOE_SIM_SEED={seed} cargo nextest run \
             -p hoopoe-delivery --test sim --no-capture any_history\n{} seeds of {seeds} fail:\n{}",
            told.trace.join("\n"),
            told.faults.join("; "),
            failed.len(),
            others.join("\n"),
        );
    }
}

#[test]
fn one_seed_is_one_history() {
    for seed in 0..50 {
        let (first, second) = (run(Plan::of(seed)), run(Plan::of(seed)));
        assert!(first.trace.len() > 20, "seed {seed} tells too little");
        let differs = first.trace.iter().zip(&second.trace).find(|(a, b)| a != b);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(first.trace.len(), second.trace.len(), "seed {seed}");
    }
}

/// More endpoints than there are slots, and none of them answers.
#[test]
fn however_many_hang_no_more_than_the_limit_are_in_flight() {
    let endpoints = 1_200;
    let moods = (0..endpoints).map(|place| (0, Action::Mood(place, Mood::Hanging)));
    let plan = Plan {
        seed: 1,
        endpoints,
        actions: moods.chain([(1, Action::Publish(255, 2))]).collect(),
        waits_s: vec![5],
        rates: Rates::default(),
        last_moods: vec![Mood::Hanging; endpoints],
        calm_shutdowns: true,
    };
    let told = run(plan);
    assert_eq!(told.faults, Vec::<String>::new());
    assert_eq!(told.in_flight_most, domain::limits::IN_FLIGHT_MAX);
}

/// A history without chance: three endpoints of which one fails and one hangs, a cancellation, a retry.
#[test]
fn a_process_may_die_at_any_step() {
    let plan = Plan {
        seed: 1,
        endpoints: plan::ENDPOINTS,
        actions: [
            (0, Action::Mood(1, Mood::Failing)),
            (0, Action::Mood(2, Mood::Hanging)),
            (10, Action::Publish(7, 2)),
            (300, Action::Cancel),
            (400, Action::Retry),
            (6_000, Action::Disable(1)),
            (7_000, Action::Enable(1)),
            (8_000, Action::Mood(2, Mood::Gone)),
            (30_000, Action::Publish(3, 1)),
        ]
        .into(),
        waits_s: vec![5, 5],
        rates: Rates::default(),
        last_moods: vec![Mood::Healthy; plan::ENDPOINTS],
        calm_shutdowns: true,
    };
    let whole = run(plan.clone());
    assert_eq!(whole.faults, Vec::<String>::new(), "{}", whole.trace.join("\n"));
    assert_eq!(whole.generations, 2);
    let mut died = 0;
    for step in 1.. {
        let told = run_and_die_at(plan.clone(), Some(step));
        let trace = told.trace.join("\n");
        assert_eq!(told.faults, Vec::<String>::new(), "{trace}\ndead at step {step}");
        if told.generations == 2 {
            break;
        }
        died += 1;
    }
    assert!(died > 100, "it died {died} times");
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
