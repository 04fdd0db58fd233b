//! A clock that is quick to read and runs a little behind.
//!
//! To read the precise clock, the processor first waits for all memory that it has asked for, so
//! that a look-up that asks for the time takes as long as its cache misses one after the other. The
//! coarse clock is a number in memory that the system renews at every tick.
//!
//! It is behind by a tick of some milliseconds; on a virtual machine that was held up, by as long
//! as that took. So it serves to say that a time is far off, and never that a time has come.

#[cfg(not(target_os = "linux"))]
pub(super) use absent::Coarse;
#[cfg(target_os = "linux")]
pub(super) use linux::Coarse;

#[cfg(target_os = "linux")]
mod linux {
    use coarsetime::Instant;

    /// The coarse clock, as it was when a store began.
    #[derive(Clone, Copy, Debug)]
    pub(in crate::clock) struct Coarse {
        started: Instant,
    }

    impl Coarse {
        pub(in crate::clock) fn started() -> Self {
            Self { started: Instant::now_without_cache_update() }
        }

        /// Milliseconds since then; a little more or fewer than there were.
        #[inline]
        pub(in crate::clock) fn elapsed(self) -> Option<u64> {
            let now = Instant::now_without_cache_update();
            Some(now.duration_since(self.started).as_millis())
        }
    }
}

/// Where no coarse clock runs beside the precise one without drifting away from it.
#[cfg(not(target_os = "linux"))]
mod absent {
    #[derive(Clone, Copy, Debug)]
    pub(in crate::clock) struct Coarse;

    impl Coarse {
        pub(in crate::clock) fn started() -> Self {
            Self
        }

        #[inline]
        pub(in crate::clock) fn elapsed(self) -> Option<u64> {
            None
        }
    }
}
