//! What the CubeCL kernels share: reading and making tensors, and launching.
//!
//! One source serves every CubeCL runtime. Kernels are launched with CubeCL's bounds checks
//! (`launch`), since launching without them is `unsafe`; and they hold `f32` only, like the ones
//! of Flex.

pub(crate) mod elementwise;
pub(crate) mod reduction;

use burn::backend::TensorMetadata;
use burn::tensor::{DType, Shape};
use burn_cubecl::cubecl::client::Client;
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::cubecl::server::CubeCountSelection;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::ops::{permute_nchw_to_nhwc, permute_nchw_to_nhwc_shape, permute_nhwc_to_nchw};
use burn_cubecl::tensor::CubeTensor;

/// Units of a cube, unless the device has fewer: what WebGPU promises.
pub(crate) const UNITS: usize = 256;

/// Whether every tensor holds `f32` values, at least one.
pub(crate) fn all_f32(tensors: &[&CubeTensor]) -> bool {
    tensors
        .iter()
        .all(|tensor| tensor.dtype == DType::F32 && tensor.shape().num_elements() > 0)
}

/// A row-major tensor without values on the device of `like`.
pub(crate) fn empty(like: &CubeTensor, shape: Shape) -> CubeTensor {
    empty_device_contiguous_dtype(like.client.clone(), like.device.clone(), shape, DType::F32)
}

/// A tensor of `shape`, `[batch_size, channels, ...]`, whose channels come last in memory, without values.
pub(crate) fn empty_channels_last(like: &CubeTensor, shape: Shape) -> CubeTensor {
    permute_nhwc_to_nchw(empty(like, permute_nchw_to_nhwc_shape(shape)))
}

/// Whether the values lie as [`empty_channels_last`] has them, and not row by row of each channel too.
pub(crate) fn is_channels_last(tensor: &CubeTensor) -> bool {
    !tensor.is_contiguous() && permute_nchw_to_nhwc(tensor.clone()).is_contiguous()
}

/// `tensor` with its channels last in memory.
pub(crate) fn into_channels_last(tensor: CubeTensor) -> CubeTensor {
    permute_nhwc_to_nchw(into_contiguous(permute_nchw_to_nhwc(tensor)))
}

/// Whether the values fill their stretch of memory without gaps or repetition, in any order of
/// the axes: channels-last images, say, which Burn's convolutions return.
pub(crate) fn is_dense(tensor: &CubeTensor) -> bool {
    let mut axes: Vec<(usize, usize)> = std::iter::zip(
        tensor.meta.strides().iter().copied(),
        tensor.meta.shape().iter().copied(),
    )
    .filter(|&(_, size)| size > 1)
    .collect();
    axes.sort_unstable();
    let mut expected = 1;
    let mut dense = !tensor.meta.is_tiled();
    for (stride, size) in axes {
        dense &= stride == expected;
        expected *= size;
    }
    dense
}

/// Values of one vector: the most that the device reads at once and that divide `len`.
pub(crate) fn vector_size(client: &Client, len: usize) -> usize {
    client
        .io_optimized_vector_sizes(size_of::<f32>())
        .filter(|size| len.is_multiple_of(*size))
        .max()
        .unwrap_or(1)
}

/// Units of a cube: the largest power of two that the device and [`UNITS`] allow.
pub(crate) fn cube_units(client: &Client) -> usize {
    let most = client.properties().hardware.max_units_per_cube as usize;
    1 << most.clamp(1, UNITS).ilog2()
}

/// At least `cubes` cubes; a kernel leaves those beyond alone.
pub(crate) fn cube_count(client: &Client, cubes: usize) -> CubeCount {
    let cubes = u32::try_from(cubes).expect("a tensor has fewer than 2^32 rows");
    CubeCountSelection::new(client, cubes).cube_count()
}

/// The index type that reaches every value of the tensors.
pub(crate) fn address_type(tensors: &[&CubeTensor]) -> AddressType {
    tensors
        .iter()
        .map(|tensor| tensor.required_address_type())
        .max()
        .unwrap_or_default()
}
