//! The bytes of a connection: of a socket, with or without TLS, at full speed or slowly.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::net::sockopt::set_socket_linger;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::meter::Metered;
use super::slow::Slow;

/// The bytes of a connection. Plain ones have no dispatch behind a pointer: most loads are plain.
pub(super) enum Stream {
    Plain(Metered),
    Other(Box<dyn Duplex>),
}

/// Bytes that come from a socket in the end.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Unpin {
    /// That socket.
    fn socket(&self) -> &TcpStream;
}

impl Duplex for Slow {
    fn socket(&self) -> &TcpStream {
        self.socket()
    }
}

impl Duplex for TlsStream<Metered> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0.socket()
    }
}

impl Duplex for TlsStream<Slow> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0.socket()
    }
}

impl Stream {
    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(metered) => metered.socket(),
            Self::Other(bytes) => bytes.socket(),
        }
    }

    /// A handle to its socket, which outlives it.
    pub(super) fn descriptor(&self) -> io::Result<OwnedFd> {
        self.socket().as_fd().try_clone_to_owned()
    }

    /// That closing it throws it away: RST, whatever is on its way.
    pub(super) fn reset_at_close(&self) {
        // A socket that does not let itself be reset is closed as any other.
        let _ = set_socket_linger(self.socket(), Some(std::time::Duration::ZERO));
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_read(cx, buffer),
            Self::Other(bytes) => Pin::new(bytes).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
            Self::Other(other) => Pin::new(other).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write_vectored(cx, parts),
            Self::Other(other) => Pin::new(other).poll_write_vectored(cx, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(socket) => socket.is_write_vectored(),
            Self::Other(other) => other.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Self::Other(other) => Pin::new(other).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Other(other) => Pin::new(other).poll_shutdown(cx),
        }
    }
}
