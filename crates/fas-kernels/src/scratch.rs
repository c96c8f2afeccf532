//! Buffers kept from one call to the next.
//!
//! A training step asks for the same few sizes thousands of times. Memory that goes back to the
//! system comes again as zeroed pages, one page fault each; keeping it saves a tenth of the time of
//! a convolution. The process keeps at most [`KEPT`] buffers of [`KEPT_LEN`] floats together, those that were
//! used last.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

use crate::buffer::zeros;

/// Buffers kept: a convolution needs three at once.
const KEPT: usize = 8;
/// Floats kept, 64 MB: networks of the papers' sizes ask for a few large buffers and many sizes.
const KEPT_LEN: usize = 16 << 20;
/// A buffer serves requests down to this part of it, or it would be missed by those it was made for.
const SHARE: usize = 4;
/// Floats of a buffer that serves every request below.
const SMALL: usize = 64 << 10;

/// The one used last is at the back.
static POOL: Mutex<VecDeque<Vec<f32>>> = Mutex::new(VecDeque::new());

/// A buffer of `f32` whose values are whatever its last user left.
pub(crate) struct Scratch(Vec<f32>);

impl Scratch {
    /// A buffer of `len` arbitrary values.
    pub(crate) fn new(len: usize) -> Self {
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = len..=SMALL.max(len.saturating_mul(SHARE));
        let fitting = (0..pool.len())
            .filter(|&i| fits.contains(&pool[i].len()))
            .min_by_key(|&i| pool[i].len());
        let kept = fitting.and_then(|i| pool.remove(i));
        drop(pool);
        let buffer = kept.unwrap_or_else(|| zeros(len));
        Self(buffer)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.0.len() > KEPT_LEN {
            return;
        }
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        pool.push_back(std::mem::take(&mut self.0));
        let mut kept: usize = pool.iter().map(Vec::len).sum();
        let mut evicted = Vec::new();
        while pool.len() > KEPT || kept > KEPT_LEN {
            let Some(oldest) = pool.pop_front() else {
                break;
            };
            kept -= oldest.len();
            evicted.push(oldest);
        }
        // Pages go back to the system while others go on.
        drop(pool);
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
    fn buffers_are_long_enough_and_few() {
        for len in [10, 100_000, 50_000, 200_000, 0, KEPT_LEN + 1, KEPT_LEN - 1] {
            let (one, other) = (Scratch::new(len), Scratch::new(len / 2));
            assert!(one.len() >= len && other.len() >= len / 2);
            assert!(one.len() <= SMALL.max(SHARE * len));
            drop(one);
            drop(other);
            let pool = POOL.lock().unwrap();
            assert!(pool.len() <= KEPT);
            assert!(pool.iter().map(Vec::len).sum::<usize>() <= KEPT_LEN);
        }
    }
}
