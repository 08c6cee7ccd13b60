//! Counts what passes the sockets: heads and frames, and TLS around them, with the bodies.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Bytes of all connections of a driver.
#[derive(Debug, Default)]
pub(super) struct Meter {
    sent: Cell<u64>,
    received: Cell<u64>,
}

/// A socket whose bytes are counted.
pub(super) struct Metered {
    socket: TcpStream,
    meter: Rc<Meter>,
}

impl Meter {
    pub(super) fn sent(&self) -> u64 {
        self.sent.get()
    }

    pub(super) fn received(&self) -> u64 {
        self.received.get()
    }
}

impl Metered {
    pub(super) fn new(socket: TcpStream, meter: Rc<Meter>) -> Self {
        Self { socket, meter }
    }

    pub(super) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    fn count(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = &written {
            self.meter.sent.set(self.meter.sent.get() + *bytes as u64);
        }
        written
    }
}

impl AsyncRead for Metered {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let metered = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut metered.socket).poll_read(cx, buffer))?;
        let received = &metered.meter.received;
        received.set(received.get() + (buffer.filled().len() - before) as u64);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Metered {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let metered = self.get_mut();
        let written = Pin::new(&mut metered.socket).poll_write(cx, bytes);
        metered.count(written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let metered = self.get_mut();
        let written = Pin::new(&mut metered.socket).poll_write_vectored(cx, parts);
        metered.count(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}
