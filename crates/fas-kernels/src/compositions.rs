//! Compositions of Burn operations in place of the kernels.

use std::cell::Cell;

thread_local! {
    static PREFERRED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `f` with every function of this crate as a composition of Burn operations, on whatever backend: to see
/// what a kernel saves there, or whether one is at fault. Holds for calls on this thread; gradients are Burn's own
/// too.
///
/// # Example
///
/// ```
/// # #[cfg(feature = "flex")]
/// # {
/// use burn::tensor::{Device, Tensor};
///
/// let x = Tensor::<1>::from_data([-1.0, 0.5, 2.0], &Device::flex());
/// let kernel = fas_kernels::silu(x.clone());
/// let composition = fas_kernels::with_compositions(|| fas_kernels::silu(x));
/// assert!((kernel - composition).abs().max().into_scalar::<f32>() < 1e-6);
/// # }
/// ```
pub fn with_compositions<R>(f: impl FnOnce() -> R) -> R {
    /// Also where `f` panics.
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            PREFERRED.set(self.0);
        }
    }
    let _restore = Restore(PREFERRED.replace(true));
    f()
}

/// Whether this thread is inside [`with_compositions`].
pub(crate) fn preferred() -> bool {
    PREFERRED.get()
}

/// A method of [`KernelOps`](crate::KernelOps) on the device of its tensors, or its composition where that is
/// preferred.
macro_rules! dispatch {
    ($kernel:ident or $composition:expr; $($argument:expr),+ $(,)?) => {
        if crate::compositions::preferred() {
            ($composition)($($argument),+)
        } else {
            <burn::backend::Dispatch as crate::KernelOps>::$kernel($($argument),+)
        }
    };
}
pub(crate) use dispatch;
