//! Ctrl-C during a training: the first ends it after its step, the second at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::SIGINT;
use signal_hook::flag::{register, register_conditional_shutdown};

/// Exit code of a program that was interrupted.
pub(crate) const INTERRUPTED: u8 = 130;

/// Watches for an interrupt until it is dropped; from then on an interrupt ends the program again.
pub(crate) struct Interrupt {
    asked: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
}

impl Interrupt {
    pub(crate) fn watch() -> io::Result<Self> {
        let (asked, over) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        // In this order, so that the first one does not see its own mark.
        for flag in [&asked, &over] {
            register_conditional_shutdown(SIGINT, i32::from(INTERRUPTED), Arc::clone(flag))?;
        }
        register(SIGINT, Arc::clone(&asked))?;
        Ok(Self { asked, over })
    }

    /// Whether someone asked for the end.
    pub(crate) fn is_asked_for(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}
