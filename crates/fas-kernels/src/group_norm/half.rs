//! Group normalisation of half types: mean and variance of what fills a half type need more than its range.

use burn::backend::{TensorMetadata, tensor::FloatTensor};
use burn::tensor::FloatDType;

use super::GroupNormOptions;
use crate::KernelOps;
use crate::half::widened;

/// The output, as `half`, through the backend's kernel for `f32`.
pub(crate) fn forward<B: KernelOps>(
    inputs: [FloatTensor<B>; 5],
    options: GroupNormOptions,
    half: FloatDType,
) -> FloatTensor<B> {
    let [x, weight, bias, scale, shift] = widened::<B, 5>(inputs);
    B::float_cast(
        B::group_norm_forward(x, weight, bias, scale, shift, options),
        half,
    )
}

/// The input's gradient as `half`, the sums in the type of the parameters.
pub(crate) fn gradients<B: KernelOps>(
    [x, gradient, weight, bias, scale, shift]: [FloatTensor<B>; 6],
    options: GroupNormOptions,
    half: FloatDType,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let parameters = FloatDType::from(scale.dtype());
    let [x, gradient, weight, bias, scale, shift] =
        widened::<B, 6>([x, gradient, weight, bias, scale, shift]);
    let (d_x, sums, products) =
        B::group_norm_gradients(x, gradient, weight, bias, scale, shift, options);
    let [sums, products] = [sums, products].map(|sums| match parameters {
        FloatDType::F32 => sums,
        other => B::float_cast(sums, other),
    });
    (B::float_cast(d_x, half), sums, products)
}
