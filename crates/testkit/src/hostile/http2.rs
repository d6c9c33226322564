//! HTTP/2 frames by hand (RFC 9113 §4.1, §6), well-formed or not.

pub(super) const PREFACE_BYTES: usize = 24;
pub(super) const FRAME_HEAD_BYTES: usize = 9;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;
/// A type that nobody has given a meaning; to be ignored.
pub(super) const UNHEARD_OF: u8 = 0xfa;

pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

pub(super) const MAX_CONCURRENT_STREAMS: u16 = 3;
pub(super) const INITIAL_WINDOW_SIZE: u16 = 4;

/// `kind` and `flags` as RFC 9113 numbers them.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame is short").to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A SETTINGS frame, which must be the first.
pub fn settings(settings: &[(u16, u32)]) -> Vec<u8> {
    let payload: Vec<u8> = settings
        .iter()
        .flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat())
        .collect();
    frame(SETTINGS, 0, 0, &payload)
}

/// HEADERS of the first request's stream with this status (RFC 7541 §6.2.2).
pub fn answer_head(status: u16, flags: u8) -> Vec<u8> {
    let block = [&[8, 3], status.to_string().as_bytes()].concat();
    frame(HEADERS, flags | END_HEADERS, 1, &block)
}
