//! Runtime choice of the vector instruction set.

use pulp::{Simd, WithSimd};

/// Runs `op` compiled for the widest instruction set this processor has.
#[inline]
pub(crate) fn dispatch<O: WithSimd>(op: O) -> O::Output {
    #[cfg(target_arch = "x86_64")]
    {
        if let Some(simd) = pulp::x86::V4::try_new() {
            return Simd::vectorize(simd, op);
        }
        if let Some(simd) = pulp::x86::V3::try_new() {
            return Simd::vectorize(simd, op);
        }
        Simd::vectorize(pulp::Scalar, op)
    }
    #[cfg(not(target_arch = "x86_64"))]
    pulp::Arch::new().dispatch(op)
}

/// Widths of the chosen instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Width {
    /// `f32` values in one register.
    pub(crate) lanes: usize,
    /// Whether there are 32 registers rather than 16.
    pub(crate) many_registers: bool,
}

impl Width {
    /// Widths of the instruction set that [`dispatch`] chooses.
    pub(crate) fn detect() -> Self {
        struct Detect;
        impl WithSimd for Detect {
            type Output = Width;
            #[inline(always)]
            fn with_simd<S: Simd>(self, _simd: S) -> Width {
                Width {
                    lanes: S::F32_LANES,
                    many_registers: S::REGISTER_COUNT >= 32,
                }
            }
        }
        dispatch(Detect)
    }
}
