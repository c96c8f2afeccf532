//! Buffers kept from one call to the next.
//!
//! A training step asks for the same few sizes thousands of times. Memory that goes back to the
//! system comes again as zeroed pages, one page fault each; keeping it saves a tenth of the time of
//! a convolution. The process keeps at most [`KEPT`] buffers.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

/// Buffers kept: a convolution needs three at once.
const KEPT: usize = 8;

static POOL: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());

/// A buffer of `f32` whose values are whatever its last user left.
pub(crate) struct Scratch(Vec<f32>);

impl Scratch {
    /// A buffer of `len` arbitrary values.
    pub(crate) fn new(len: usize) -> Self {
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        // The smallest that is large enough, else the largest.
        let fitting = (0..pool.len()).min_by_key(|&i| {
            let size = pool[i].len();
            if size >= len {
                (0, size)
            } else {
                (1, usize::MAX - size)
            }
        });
        let mut buffer = fitting.map_or_else(Vec::new, |i| pool.swap_remove(i));
        drop(pool);
        if buffer.len() < len {
            // Not `resize`: nothing is worth copying.
            buffer = vec![0.0; len];
        }
        Self(buffer)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.len() < KEPT {
            pool.push(std::mem::take(&mut self.0));
        }
    }
}

impl Deref for Scratch {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.0
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_long_enough() {
        let small = Scratch::new(10);
        let large = Scratch::new(100_000);
        assert!(small.len() >= 10 && large.len() >= 100_000);
        drop(large);
        drop(small);
        assert!(Scratch::new(50_000).len() >= 50_000);
        assert!(Scratch::new(200_000).len() >= 200_000);
        assert!(POOL.lock().unwrap().len() <= KEPT);
    }
}
