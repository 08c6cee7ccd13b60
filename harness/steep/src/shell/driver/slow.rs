//! A socket that takes and gives this many bytes a second and no more, as a client on a bad line does.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use steep_core::scenario::Conduct;
use steep_judge::units::Bytes;

use super::meter::Metered;

/// Bytes move in portions of this much of a second: fine enough to look like a stream, coarse for the timers.
const PORTION: Duration = Duration::from_millis(100);

/// The largest portion; with the timers' millisecond it bounds a "slow" client to 16 MB/s.
const LARGEST_PORTION: usize = 16 << 10;

/// What the kernel keeps for a slow reader, doubled by it for its own needs. Its default of 128 KiB and more would hide
/// from the service that nobody reads.
pub(super) const RECEIVE_BUFFER_BYTES: u32 = 4 << 10;

/// How fast a client reads and sends; none: as fast as it goes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rates {
    pub(super) read: Option<Bytes>,
    pub(super) send: Option<Bytes>,
}

impl Rates {
    pub(super) fn of(conduct: &Conduct) -> Self {
        Self { read: conduct.read_bytes_per_second, send: conduct.send_bytes_per_second }
    }
}

/// A socket at these rates.
pub(super) struct Slow {
    socket: Metered,
    read: Gate,
    send: Gate,
    /// Read into here: what is left of a caller's buffer may be larger than a portion.
    portion: Box<[u8]>,
}

/// Lets a portion through, and then nothing until it would have taken its time.
struct Gate {
    rate: Option<Bytes>,
    open_at: Instant,
    alarm: Pin<Box<Sleep>>,
}

impl Gate {
    fn new() -> Self {
        let now = Instant::now();
        Self { rate: None, open_at: now, alarm: Box::pin(sleep_until(now)) }
    }

    /// How many bytes may pass now.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        let Some(rate) = self.rate else { return Poll::Ready(LARGEST_PORTION) };
        if Instant::now() < self.open_at {
            self.alarm.as_mut().reset(self.open_at);
            ready!(self.alarm.as_mut().poll(cx));
        }
        let portion = (rate.as_f64() * PORTION.as_secs_f64()) as usize;
        Poll::Ready(portion.clamp(1, LARGEST_PORTION))
    }

    fn passed(&mut self, bytes: usize) {
        if let Some(rate) = self.rate {
            self.open_at = Instant::now() + Duration::from_secs_f64(bytes as f64 / rate.as_f64());
        }
    }
}

impl Slow {
    /// At full speed, for the handshake of TLS.
    pub(super) fn new(socket: Metered) -> Self {
        Self { socket, read: Gate::new(), send: Gate::new(), portion: vec![0; LARGEST_PORTION].into() }
    }

    /// From now on at these rates.
    pub(super) fn slow_down(&mut self, rates: Rates) {
        self.read.rate = rates.read;
        self.send.rate = rates.send;
    }

    pub(super) fn socket(&self) -> &TcpStream {
        self.socket.socket()
    }
}

impl AsyncRead for Slow {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let slow = self.get_mut();
        let allowed = ready!(slow.read.poll_open(cx)).min(buffer.remaining());
        let mut portion = ReadBuf::new(&mut slow.portion[..allowed]);
        ready!(Pin::new(&mut slow.socket).poll_read(cx, &mut portion))?;
        buffer.put_slice(portion.filled());
        slow.read.passed(portion.filled().len());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Slow {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let slow = self.get_mut();
        let allowed = ready!(slow.send.poll_open(cx)).min(bytes.len());
        let sent = ready!(Pin::new(&mut slow.socket).poll_write(cx, &bytes[..allowed]))?;
        slow.send.passed(sent);
        Poll::Ready(Ok(sent))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}
