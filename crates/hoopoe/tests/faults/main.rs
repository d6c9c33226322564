//! The real binary under real faults: killed, out of disk, beside receivers that hang or mean harm, started wrongly.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod bench;
mod bounds;
mod canary;
#[cfg(target_os = "linux")]
mod cluster;
mod command_line;
mod database;
mod disk;
mod encrypted;
#[cfg(target_os = "linux")]
mod footprint;
mod hanging;
#[cfg(target_os = "linux")]
mod hostile;
mod kills;
mod ledger;
mod nodes;
mod rolling;
mod rotating;
mod shared;
mod site;
mod starts;
mod stops;
mod street;
mod whole;
mod wire;
