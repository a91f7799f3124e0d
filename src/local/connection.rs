//! A TCP connection that can slow down, stall or break a response at any byte, status line and headers included.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// A fault in the transmission of a response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectionFault {
    /// The number of bytes after which nothing more is sent; `None` for no limit.
    pub ends_after: Option<usize>,
    /// How long the connection then stays open without sending, before it is closed.
    pub stays_open: Duration,
    /// Whether it is then closed with a TCP reset rather than normally.
    pub reset: bool,
    /// The most bytes sent at a time, and the pause between two writes.
    pub drip: Option<(usize, Duration)>,
}

/// The fault that applies to the next response on a connection.
pub(super) type NextFault = Arc<Mutex<ConnectionFault>>;

/// Sets the fault for the next response.
pub(super) fn set(next: &NextFault, fault: ConnectionFault) {
    *next.lock().unwrap_or_else(PoisonError::into_inner) = fault;
}

/// A connection, with the fault that applies to its next response.
pub(super) struct Connection {
    stream: TcpStream,
    next: NextFault,
    pause: Option<Pin<Box<Sleep>>>,
    stalled: bool,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, next: NextFault::default(), pause: None, stalled: false }
    }

    pub(super) fn next(&self) -> NextFault {
        Arc::clone(&self.next)
    }

    fn broken(&self, reset: bool) -> io::Error {
        if reset {
            // If linger cannot be set, the connection closes normally, which still truncates the response.
            let _ = self.stream.set_zero_linger();
        }
        io::ErrorKind::ConnectionReset.into()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(context));
            self.pause = None;
        }
        let next = self.next();
        let mut fault = next.lock().unwrap_or_else(PoisonError::into_inner);
        let mut most = bytes.len();
        if let Some(left) = fault.ends_after {
            if left == 0 {
                if self.stalled || fault.stays_open.is_zero() {
                    return Poll::Ready(Err(self.broken(fault.reset)));
                }
                self.stalled = true;
                let mut pause = Box::pin(sleep(fault.stays_open));
                // Polled once now, to register the waker of this task.
                if pause.as_mut().poll(context).is_ready() {
                    return Poll::Ready(Err(self.broken(fault.reset)));
                }
                self.pause = Some(pause);
                return Poll::Pending;
            }
            most = most.min(left);
        }
        if let Some((at_a_time, _)) = fault.drip {
            most = most.min(at_a_time.max(1));
        }
        let part = bytes.get(..most).unwrap_or(bytes);
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, part))?;
        if let Some(left) = &mut fault.ends_after {
            *left = left.saturating_sub(written);
        }
        if let Some((_, between)) = fault.drip {
            self.pause = Some(Box::pin(sleep(between)));
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
