//! Wakes the pacer: on the runtime's tick of a millisecond, or at the very moment by a timer of the kernel.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

use steep_core::scenario::Pacing;

/// An alarm that can be set again and again.
pub(super) enum Alarm {
    /// By the runtime's timers: rounded up to the millisecond, and cheap.
    Tick(Pin<Box<Sleep>>),
    /// By a timer of the kernel.
    #[cfg(target_os = "linux")]
    Exact(exact::Timer),
}

impl Alarm {
    /// An alarm that is not set. Within a runtime.
    pub(super) fn new(pacing: Pacing) -> io::Result<Self> {
        match pacing {
            Pacing::Tick => Ok(Self::Tick(Box::pin(tokio::time::sleep(Duration::ZERO)))),
            #[cfg(target_os = "linux")]
            Pacing::Exact => exact::Timer::new().map(Self::Exact),
            #[cfg(not(target_os = "linux"))]
            Pacing::Exact => Err(io::Error::new(io::ErrorKind::Unsupported, "pacing = \"exact\" needs Linux")),
        }
    }

    /// Rings at `moment`, or at once if that has passed.
    pub(super) fn set(&mut self, moment: Instant) -> io::Result<()> {
        match self {
            Self::Tick(sleep) => sleep.as_mut().reset(moment.into()),
            #[cfg(target_os = "linux")]
            Self::Exact(timer) => timer.set(moment)?,
        }
        Ok(())
    }

    /// Ready when it rings. An alarm that cannot be read rings: the pacer then looks, and sets it again.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Tick(sleep) => sleep.as_mut().poll(cx),
            #[cfg(target_os = "linux")]
            Self::Exact(timer) => timer.poll(cx),
        }
    }
}

#[cfg(target_os = "linux")]
mod exact {
    use std::io;
    use std::os::fd::OwnedFd;
    use std::task::{Context, Poll, ready};
    use std::time::{Duration, Instant};

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
    };
    use tokio::io::unix::AsyncFd;

    /// A timer of 0 would be none.
    const SOON: Duration = Duration::from_nanos(1);

    /// A `timerfd`: no slack, and it rings through the same `epoll` that the sockets are watched by.
    pub(in super::super) struct Timer(AsyncFd<OwnedFd>);

    impl Timer {
        #[expect(unsafe_code, reason = "the runtime has no other way to watch a descriptor that it does not know")]
        pub(super) fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            // SAFETY: an `OwnedFd` is the same open descriptor from here to its drop, and nothing takes it out.
            let watched = unsafe { AsyncFd::register(timer) };
            watched.map(Self).map_err(io::Error::from)
        }

        pub(super) fn set(&mut self, moment: Instant) -> io::Result<()> {
            let within = moment.saturating_duration_since(Instant::now()).max(SOON);
            let it_value = Timespec::try_from(within).map_err(io::Error::other)?;
            let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value };
            timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &once)?;
            Ok(())
        }

        pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
            loop {
                let Ok(mut guard) = ready!(self.0.poll_read_ready(cx)) else { return Poll::Ready(()) };
                match rustix::io::read(self.0.get_ref(), &mut [0; 8]) {
                    Err(rustix::io::Errno::AGAIN) => guard.clear_ready(),
                    _ => return Poll::Ready(()),
                }
            }
        }
    }
}
