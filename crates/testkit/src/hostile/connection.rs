//! One connection with bad manners, until either side has enough.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::http2::{FRAME_HEAD_BYTES, HEADERS, PREFACE_BYTES};
use super::{Manners, Then, WaitsFor};

const TRICKLE_INTERVAL: Duration = Duration::from_secs(1);
/// Repeated bytes go out in blocks of about this size.
const BLOCK_BYTES: usize = 16 * 1024;

pub(super) async fn serve(socket: TcpStream, manners: &Manners, tls: Option<TlsAcceptor>) {
    let _ = socket.set_nodelay(true);
    if matches!(manners.then, Then::Reset) {
        let _ = socket.set_zero_linger();
    }
    let Some(tls) = tls else { return act(socket, manners).await };
    if let Ok(stream) = tls.accept(socket).await {
        act(stream, manners).await;
    }
}

async fn act(mut io: impl AsyncRead + AsyncWrite + Unpin, manners: &Manners) {
    let came = match manners.waits_for {
        WaitsFor::Nothing => Some(()),
        WaitsFor::Head => head(&mut io, &mut Vec::new()).await.map(|_| ()),
        WaitsFor::Request => request(&mut io).await,
        WaitsFor::Http2Request => http2_request(&mut io).await,
    };
    let wrote = io.write_all(&manners.first).await.is_ok() && io.flush().await.is_ok();
    if came.is_none() || !wrote {
        return;
    }
    match &manners.then {
        Then::Reset => {}
        Then::Close => {
            let _ = io.shutdown().await;
        }
        Then::HalfClose => {
            let _ = io.shutdown().await;
            read_on(&mut io).await;
        }
        Then::Hang => read_on(&mut io).await,
        Then::Deaf | Then::NeverAccept => {
            let _held = io;
            std::future::pending().await
        }
        Then::Endless(bytes) => {
            let block = bytes.repeat(BLOCK_BYTES.div_ceil(bytes.len()));
            while io.write_all(&block).await.is_ok() && io.flush().await.is_ok() {}
        }
        Then::Trickle(bytes) => {
            let mut ticks = tokio::time::interval(TRICKLE_INTERVAL);
            for byte in bytes.iter().cycle() {
                ticks.tick().await;
                if io.write_all(&[*byte]).await.is_err() || io.flush().await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn read_on(io: &mut (impl AsyncRead + Unpin)) {
    let mut ignored = [0; 4096];
    while io.read(&mut ignored).await.is_ok_and(|count| count > 0) {}
}

/// Head and body.
async fn request(io: &mut (impl AsyncRead + Unpin)) -> Option<()> {
    let mut came = Vec::new();
    let head_bytes = head(io, &mut came).await?;
    let head = String::from_utf8_lossy(&came[..head_bytes]).into_owned();
    let body_bytes = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    while came.len() < head_bytes + body_bytes.unwrap_or(0) {
        some_more(io, &mut came).await?;
    }
    Some(())
}

/// How many bytes it took.
async fn head(io: &mut (impl AsyncRead + Unpin), came: &mut Vec<u8>) -> Option<usize> {
    loop {
        if let Some(at) = came.windows(4).position(|window| window == b"\r\n\r\n") {
            return Some(at + 4);
        }
        some_more(io, came).await?;
    }
}

/// Up to the first HEADERS frame.
async fn http2_request(io: &mut (impl AsyncRead + Unpin)) -> Option<()> {
    io.read_exact(&mut [0; PREFACE_BYTES]).await.ok()?;
    loop {
        let mut head = [0; FRAME_HEAD_BYTES];
        io.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        io.read_exact(&mut vec![0; length]).await.ok()?;
        if head[3] == HEADERS {
            return Some(());
        }
    }
}

async fn some_more(io: &mut (impl AsyncRead + Unpin), came: &mut Vec<u8>) -> Option<()> {
    let count = io.read_buf(came).await.ok()?;
    (count > 0).then_some(())
}
