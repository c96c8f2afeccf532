//! Means and mean squares of square patches, in one reading of the map: the statistics that STFM attends
//! with (DiffFAS, section 3.2).

pub(crate) mod autodiff;
#[cfg(feature = "_cubecl")]
pub(crate) mod cube;
#[cfg(feature = "flex")]
pub(crate) mod flex;
pub(crate) mod reference;

use burn::backend::Dispatch;
use burn::tensor::{Tensor, s};

use crate::compositions::dispatch;

/// Which patches [`patch_moments`] looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatchOptions {
    /// Side of the patches of the means, in pixels.
    pub mean_patch: usize,
    /// Side of the patches that have a mean and a mean square, in pixels.
    pub spread_patch: usize,
    /// Whether the whole map stands before its patches instead of after them.
    pub global_first: bool,
}

/// What [`patch_moments`] gives, each `[batch_size, channels, patches + 1]`: patches row by row, and the whole
/// map as one more.
#[derive(Clone, Debug)]
pub struct PatchMoments {
    /// Means of the patches of the means.
    pub means: Tensor<3>,
    /// Means of the patches of the spread.
    pub spread_means: Tensor<3>,
    /// Means of the squares in the patches of the spread.
    pub spread_squares: Tensor<3>,
}

/// Means of patches of one size, and means and mean squares of patches of another.
///
/// Pixels that fill no whole patch, on the right and at the bottom, count in the whole map only. Along an axis
/// that is shorter than a patch there is one patch, as long as the axis.
///
/// # Shapes
///
/// - x: `[batch_size, channels, height, width]`
///
/// # Panics
///
/// If a patch has no pixel.
///
/// # Example
///
/// ```
/// # #[cfg(feature = "flex")]
/// # {
/// use burn::tensor::{Device, Tensor};
/// use fas_kernels::{PatchOptions, patch_moments};
///
/// let x = Tensor::<4>::from_data([[[[1.0, 3.0], [5.0, 7.0]]]], &Device::flex());
/// let options = PatchOptions { mean_patch: 2, spread_patch: 1, global_first: false };
/// let moments = patch_moments(x, options);
/// let values = |t: Tensor<3>| t.into_data().try_to_vec::<f32>().unwrap();
/// assert_eq!(values(moments.means), [4.0, 4.0]);
/// assert_eq!(values(moments.spread_squares), [1.0, 9.0, 25.0, 49.0, 21.0]);
/// # }
/// ```
pub fn patch_moments(x: Tensor<4>, options: PatchOptions) -> PatchMoments {
    assert!(
        options.mean_patch > 0 && options.spread_patch > 0,
        "patch_moments: a patch has no pixel: {options:?}"
    );
    let [_, _, height, width] = x.dims();
    let [mean, spread] = options.grids(height, width).map(|grid| grid.cells() + 1);
    let moments: Tensor<3> = Tensor::from_dispatch(dispatch!(
        patch_moments_forward or reference::forward::<Dispatch>;
        x.into_dispatch(), options
    ));
    PatchMoments {
        means: moments.clone().slice(s![.., .., ..mean]),
        spread_means: moments.clone().slice(s![.., .., mean..mean + spread]),
        spread_squares: moments.slice(s![.., .., mean + spread..]),
    }
}

/// Whole patches on a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    /// Patches from top to bottom, and from left to right.
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// Pixels of a patch.
    pub(crate) height: usize,
    pub(crate) width: usize,
}

impl Grid {
    fn new(patch: usize, height: usize, width: usize) -> Self {
        Self {
            rows: (height / patch).max(1),
            columns: (width / patch).max(1),
            height: patch.min(height),
            width: patch.min(width),
        }
    }

    /// Patches.
    pub(crate) fn cells(&self) -> usize {
        self.rows * self.columns
    }

    /// One over the pixels of a patch.
    #[cfg(any(feature = "_cubecl", feature = "flex"))]
    pub(crate) fn share(&self) -> f32 {
        1.0 / (self.height * self.width) as f32
    }
}

impl PatchOptions {
    /// Patches of the means and of the spread on a map.
    pub(crate) fn grids(&self, height: usize, width: usize) -> [Grid; 2] {
        [self.mean_patch, self.spread_patch].map(|patch| Grid::new(patch, height, width))
    }

    /// Values of a channel: means, means of the spread's patches and mean squares.
    #[cfg(any(feature = "_cubecl", feature = "flex", feature = "fusion"))]
    pub(crate) fn values(&self, height: usize, width: usize) -> usize {
        let [mean, spread] = self.grids(height, width);
        mean.cells() + 1 + 2 * (spread.cells() + 1)
    }

    /// Where the whole map and the first patch are among the values of `grid`.
    pub(crate) fn places(&self, grid: &Grid) -> (usize, usize) {
        if self.global_first {
            (0, 1)
        } else {
            (grid.cells(), 0)
        }
    }
}
