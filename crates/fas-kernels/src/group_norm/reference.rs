//! Group normalisation and its gradients made of Burn operations.

use burn::backend::{Backend, TensorMetadata, tensor::FloatTensor};
use burn::tensor::Shape;

use super::GroupNormOptions;
use crate::silu;

/// `x_hat` as `[batch_size, channels, pixels]`, and `1 / sqrt(var + epsilon)` as
/// `[batch_size, num_groups, 1]`.
struct Normalised<B: Backend> {
    x_hat: FloatTensor<B>,
    inverse_deviation: FloatTensor<B>,
    by_channel: Shape,
    by_group: Shape,
}

impl<B: Backend> Normalised<B> {
    fn new(x: FloatTensor<B>, options: &GroupNormOptions) -> Self {
        let shape = x.shape();
        let (batch_size, channels) = (shape[0], shape[1]);
        let pixels = shape.num_elements() / (batch_size * channels);
        let groups = options.num_groups;
        let by_channel = Shape::new([batch_size, channels, pixels]);
        let by_group = Shape::new([batch_size, groups, channels / groups * pixels]);
        let x = B::float_reshape(x, by_group.clone());
        let centred = B::float_sub(x.clone(), B::float_mean_dim(x, 2));
        let variance = B::float_mean_dim(B::float_mul(centred.clone(), centred.clone()), 2);
        let deviation = B::float_sqrt(B::float_add_scalar(variance, options.epsilon.into()));
        let inverse_deviation = B::float_recip(deviation);
        let x_hat = B::float_mul(centred, inverse_deviation.clone());
        Self {
            x_hat: B::float_reshape(x_hat, by_channel.clone()),
            inverse_deviation,
            by_channel,
            by_group,
        }
    }
}

/// Factor and offset of `x_hat`, `[batch_size, channels, 1]`.
fn affine<B: Backend>(
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    scale: FloatTensor<B>,
    shift: FloatTensor<B>,
) -> [FloatTensor<B>; 2] {
    let [batch_size, channels] = scale.shape().dims();
    let rows = |t| B::float_reshape(t, Shape::new([1, channels, 1]));
    let images = |t| B::float_reshape(t, Shape::new([batch_size, channels, 1]));
    let scale = B::float_add_scalar(images(scale), 1.0.into());
    [
        B::float_mul(scale.clone(), rows(weight)),
        B::float_add(B::float_mul(scale, rows(bias)), images(shift)),
    ]
}

/// See [`KernelOps::group_norm_forward`](crate::KernelOps::group_norm_forward).
pub(crate) fn forward<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    scale: FloatTensor<B>,
    shift: FloatTensor<B>,
    options: GroupNormOptions,
) -> FloatTensor<B> {
    let shape = x.shape();
    let x_hat = Normalised::<B>::new(x, &options).x_hat;
    let [factor, offset] = affine::<B>(weight, bias, scale, shift);
    let y = B::float_add(B::float_mul(x_hat, factor), offset);
    let y = if options.silu {
        silu::reference::forward::<B>(y)
    } else {
        y
    };
    B::float_reshape(y, shape)
}

/// See [`KernelOps::group_norm_gradients`](crate::KernelOps::group_norm_gradients).
pub(crate) fn gradients<B: Backend>(
    x: FloatTensor<B>,
    gradient: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    scale: FloatTensor<B>,
    shift: FloatTensor<B>,
    options: GroupNormOptions,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let shape = x.shape();
    let by_image = Shape::new([shape[0], shape[1]]);
    let Normalised {
        x_hat,
        inverse_deviation,
        by_channel,
        by_group,
    } = Normalised::<B>::new(x, &options);
    let [factor, offset] = affine::<B>(weight, bias, scale, shift);
    let gradient = B::float_reshape(gradient, by_channel);
    let gradient = if options.silu {
        let y = B::float_add(B::float_mul(x_hat.clone(), factor.clone()), offset);
        silu::reference::gradient::<B>(y, gradient)
    } else {
        gradient
    };
    let sums = |t| B::float_reshape(B::float_sum_dim(t, 2), by_image.clone());
    let gradient_sums = sums(gradient.clone());
    let product_sums = sums(B::float_mul(gradient.clone(), x_hat.clone()));

    let d_x_hat = B::float_reshape(B::float_mul(gradient, factor), by_group.clone());
    let x_hat = B::float_reshape(x_hat, by_group);
    let mean = B::float_mean_dim(d_x_hat.clone(), 2);
    let slope = B::float_mean_dim(B::float_mul(d_x_hat.clone(), x_hat.clone()), 2);
    let projected = B::float_sub(B::float_sub(d_x_hat, mean), B::float_mul(x_hat, slope));
    let d_x = B::float_reshape(B::float_mul(projected, inverse_deviation), shape);
    (d_x, gradient_sums, product_sums)
}
