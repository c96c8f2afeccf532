//! Modulation by grids and its gradients made of Burn operations.

use burn::backend::{Backend, TensorMetadata, tensor::FloatTensor};
use burn::tensor::Shape;

/// See [`KernelOps::modulation_forward`](crate::KernelOps::modulation_forward).
pub(crate) fn forward<B: Backend>(
    x: FloatTensor<B>,
    scale: FloatTensor<B>,
    shift: FloatTensor<B>,
    scale_axis: FloatTensor<B>,
    shift_axis: FloatTensor<B>,
) -> FloatTensor<B> {
    B::float_add(
        B::float_mul(x, up::<B>(scale, scale_axis)),
        up::<B>(shift, shift_axis),
    )
}

/// See [`KernelOps::modulation_gradients`](crate::KernelOps::modulation_gradients).
pub(crate) fn gradients<B: Backend>(
    x: FloatTensor<B>,
    gradient: FloatTensor<B>,
    scale: FloatTensor<B>,
    scale_axis: FloatTensor<B>,
    shift_axis: FloatTensor<B>,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let product = B::float_mul(x, gradient.clone());
    (
        B::float_mul(gradient.clone(), up::<B>(scale, scale_axis.clone())),
        down::<B>(product, scale_axis),
        down::<B>(gradient, shift_axis),
    )
}

/// `axis grid axis^T`: from `[batch_size, channels, side^2]` to `[batch_size, channels, size, size]`.
fn up<B: Backend>(grid: FloatTensor<B>, axis: FloatTensor<B>) -> FloatTensor<B> {
    let [batch_size, channels, _] = grid.shape().dims();
    let [size, side] = axis.shape().dims();
    let maps = batch_size * channels;
    let across = B::float_swap_dims(axis, 0, 1);
    let rows = B::float_reshape(grid, Shape::new([maps * side, side]));
    let wide = B::float_matmul(rows, across.clone());
    let wide = B::float_swap_dims(B::float_reshape(wide, Shape::new([maps, side, size])), 1, 2);
    let high = B::float_matmul(
        B::float_reshape(wide, Shape::new([maps * size, side])),
        across,
    );
    let high = B::float_swap_dims(B::float_reshape(high, Shape::new([maps, size, size])), 1, 2);
    B::float_reshape(high, Shape::new([batch_size, channels, size, size]))
}

/// `axis^T map axis`, the transpose of [`up`].
fn down<B: Backend>(map: FloatTensor<B>, axis: FloatTensor<B>) -> FloatTensor<B> {
    let [batch_size, channels, size, _] = map.shape().dims();
    let side = axis.shape().dims::<2>()[1];
    let maps = batch_size * channels;
    let rows = B::float_reshape(map, Shape::new([maps * size, size]));
    let narrow = B::float_matmul(rows, axis.clone());
    let narrow = B::float_reshape(narrow, Shape::new([maps, size, side]));
    let narrow = B::float_swap_dims(narrow, 1, 2);
    let low = B::float_matmul(
        B::float_reshape(narrow, Shape::new([maps * side, size])),
        axis,
    );
    let low = B::float_swap_dims(B::float_reshape(low, Shape::new([maps, side, side])), 1, 2);
    B::float_reshape(low, Shape::new([batch_size, channels, side * side]))
}
