//! What the frames of an HTTP/2 connection cost beyond their bytes.
//!
//! Each that waits to be taken is an object of hundreds of bytes, also where it is nothing but its head of nine: a receiver
//! that sends only such would have us keep twenty times of what was read. So each is charged as what it becomes.

use std::io;
use std::sync::Arc;

use super::socket::{Meter, Misconduct};
use super::watched::Watch;

/// RFC 9113 §4.1: the length in three bytes, and six more.
const HEAD_BYTES: u8 = 9;
const LENGTH_BYTES: u8 = 3;
/// An event that waits in the HTTP/2 library, measured.
const COST_BYTES: u64 = 256;

/// What comes in is frames, and each is put on the meter.
pub(super) struct Frames {
    meter: Arc<Meter>,
    place: Place,
}

/// Where in a frame the next byte stands.
#[derive(Default)]
struct Place {
    head_seen: u8,
    /// As far as it is known, or what is left of it once the head is over.
    payload_left: usize,
}

impl Frames {
    pub(super) fn new(meter: Arc<Meter>) -> Self {
        Self { meter, place: Place::default() }
    }
}

impl Place {
    /// How many frames begin in `bytes`, counted where their head is complete.
    fn pass(&mut self, mut bytes: &[u8]) -> u64 {
        let mut frames = 0;
        while let Some((&byte, rest)) = bytes.split_first() {
            if self.head_seen == HEAD_BYTES {
                let skipped = self.payload_left.min(bytes.len());
                self.payload_left -= skipped;
                bytes = &bytes[skipped..];
            } else {
                if self.head_seen < LENGTH_BYTES {
                    self.payload_left = self.payload_left << 8 | usize::from(byte);
                }
                self.head_seen += 1;
                frames += u64::from(self.head_seen == HEAD_BYTES);
                bytes = rest;
            }
            if self.head_seen == HEAD_BYTES && self.payload_left == 0 {
                self.head_seen = 0;
            }
        }
        frames
    }
}

impl Watch for Frames {
    /// The socket would say so as well, but below it may lie a whole TLS record that was read before.
    fn may_read(&self) -> io::Result<()> {
        if self.meter.is_exhausted() { Err(io::Error::other(Misconduct::TooMuch)) } else { Ok(()) }
    }

    fn came(&mut self, bytes: &[u8]) {
        self.meter.charge(self.place.pass(bytes) * COST_BYTES);
    }
}

#[cfg(test)]
mod tests {
    use testkit::hostile::{frame, settings};
    use tokio::io::AsyncReadExt;

    use super::super::socket::READ_BYTES_MAX;
    use super::super::watched::Watched;
    use super::*;

    /// How much of it is let through.
    async fn read(bytes: &[u8]) -> usize {
        let mut charged = Watched::new(bytes, Frames::new(Arc::new(Meter::new())));
        let (mut space, mut read) = ([0; 512], 0);
        while let Ok(more @ 1..) = charged.read(&mut space).await {
            read += more;
        }
        read
    }

    #[tokio::test]
    async fn frames_of_nothing_use_up_what_may_be_read() {
        let nothing = frame(0, 0, 1, &[]);
        let frames = read(&nothing.repeat(20_000)).await / nothing.len();
        assert!((500..700).contains(&frames), "{frames} frames");
        let whole = frame(0, 0, 1, &[7; 16_000]).repeat(9);
        assert_eq!(read(&whole).await, whole.len(), "an answer of {READ_BYTES_MAX} bytes at most");
    }

    #[test]
    fn every_frame_counts_once_however_the_bytes_are_cut() {
        let frames = [settings(&[]), frame(0, 0, 1, &[7; 700]), frame(6, 0, 0, &[7; 8]), frame(0, 1, 1, &[])];
        let bytes = frames.concat();
        for size in 1..=bytes.len() {
            let mut place = Place::default();
            let counted: u64 = bytes.chunks(size).map(|piece| place.pass(piece)).sum();
            assert_eq!(counted, 4, "in pieces of {size}");
            assert_eq!((place.head_seen, place.payload_left), (0, 0), "in pieces of {size}");
        }
        assert_eq!(Place::default().pass(&bytes[..8]), 0, "a head that is not complete");
    }
}
