//! The real binary under real faults: killed, out of disk, beside a receiver that hangs, started wrongly.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod bench;
mod command_line;
mod disk;
mod hanging;
mod kills;
mod ledger;
mod site;
mod starts;
mod stops;
