//! Operations this crate adds to a Burn backend.

use burn::backend::ops::{ConvOptions, ModuleOps};
use burn::backend::{Backend, backend_extension, tensor::FloatTensor};

use crate::gelu::GeluForm;
use crate::group_norm::GroupNormOptions;
use crate::patch_moments::PatchOptions;
use crate::{
    attention, conv2d, gelu, group_norm, modulation, patch_moments, pool, resample, silu, softmax,
};

/// Operations this crate adds to a backend, and their gradients.
///
/// Every default body is the reference made of Burn operations, so any backend can implement the
/// trait with an empty `impl`. Call the functions of the crate root, not these methods.
///
/// With Burn's fusion a method describes its output, and the kernel of the backend below runs when the
/// queue of operations is worked off: the numbers are the same with fusion and without. Only the convolution
/// keeps its default body, an operation that Burn's fusion knows.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    Cube: cfg(feature = "_cubecl"),
    Fusion: cfg(feature = "fusion"),
    Autodiff,
)]
pub trait KernelOps: Backend {
    /// Convolution, see [`crate::conv2d()`]; a missing bias is zeros.
    #[allow(unused_variables)] // no backend feature, no caller
    #[fusion(default)]
    fn convolution(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: ConvOptions<2>,
    ) -> FloatTensor<Self> {
        <Self as ModuleOps<Self>>::conv2d(x, weight, Some(bias), options)
    }

    /// A convolution's weight in the order in which the convolution reads it, see
    /// [`crate::lay_out_convolutions()`].
    #[fusion(dtype = weight, shape = weight)]
    fn convolution_weight(weight: FloatTensor<Self>) -> FloatTensor<Self> {
        weight
    }

    /// Gradient of the input, of shape `input_dims`, from the output's gradient.
    #[allow(unused_variables)]
    #[fusion(dtype = gradient, shape = burn::tensor::Shape::from(*input_dims))]
    fn convolution_input_gradient(
        gradient: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        input_dims: [usize; 4],
        options: ConvOptions<2>,
    ) -> FloatTensor<Self> {
        conv2d::reference::input_gradient::<Self>(gradient, weight, input_dims, options)
    }

    /// Gradient of the weight, of shape `weight_dims`, from the output's gradient.
    #[allow(unused_variables)]
    #[fusion(dtype = gradient, shape = burn::tensor::Shape::from(*weight_dims))]
    fn convolution_weight_gradient(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        weight_dims: [usize; 4],
        options: ConvOptions<2>,
    ) -> FloatTensor<Self> {
        conv2d::reference::weight_gradient::<Self>(x, gradient, weight_dims, options)
    }

    /// Gradient of the bias, `[channels_out]`, from the output's gradient.
    #[allow(unused_variables)]
    #[fusion(dtype = gradient, shape = burn::tensor::Shape::new([gradient[1]]))]
    fn convolution_bias_gradient(gradient: FloatTensor<Self>) -> FloatTensor<Self> {
        conv2d::reference::bias_gradient::<Self>(gradient)
    }

    /// Group normalisation, see [`crate::group_norm()`]; a missing modulation is zeros.
    #[allow(unused_variables)]
    #[fusion(dtype = x, shape = x)]
    fn group_norm_forward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        options: GroupNormOptions,
    ) -> FloatTensor<Self> {
        group_norm::reference::forward::<Self>(x, weight, bias, scale, shift, options)
    }

    /// Gradient of the input, and per image and channel the sums of `g` and of `g x_hat`, both
    /// `[batch_size, channels]`, where `g` is the gradient before the activation.
    #[allow(unused_variables)]
    #[allow(clippy::too_many_arguments)]
    #[fusion(meta = |x, _gradient, _weight, _bias, scale, _shift, _options| {
        (x.clone(), scale.clone(), scale.clone())
    })]
    fn group_norm_gradients(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        options: GroupNormOptions,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        group_norm::reference::gradients::<Self>(x, gradient, weight, bias, scale, shift, options)
    }

    /// Maxima of 3x3 pixels, see [`crate::max_pool_3x3()`].
    #[allow(unused_variables)]
    #[fusion(dtype = x, shape = burn::tensor::Shape::new([x[0], x[1], x[2].div_ceil(2), x[3].div_ceil(2)]))]
    fn max_pool(x: FloatTensor<Self>) -> FloatTensor<Self> {
        pool::reference::forward::<Self>(x)
    }

    /// `factor` times each pixel as a square of 2x2, see [`crate::nearest_2x()`].
    #[allow(unused_variables)]
    #[fusion(dtype = x, shape = burn::tensor::Shape::new([x[0], x[1], 2 * x[2], 2 * x[3]]))]
    fn double_size(x: FloatTensor<Self>, factor: f64) -> FloatTensor<Self> {
        resample::reference::double::<Self>(x, factor)
    }

    /// `factor` times the sum of each square of 2x2 pixels, see [`crate::average_2x2()`].
    #[allow(unused_variables)]
    #[fusion(dtype = x, shape = burn::tensor::Shape::new([x[0], x[1], x[2] / 2, x[3] / 2]))]
    fn halve_size(x: FloatTensor<Self>, factor: f64) -> FloatTensor<Self> {
        resample::reference::halve::<Self>(x, factor)
    }

    /// Means, means of the spread's patches and mean squares, `[batch_size, channels, values]`, see
    /// [`crate::patch_moments()`].
    #[allow(unused_variables)]
    #[fusion(dtype = x, shape = burn::tensor::Shape::new([x[0], x[1], options.values(x[2], x[3])]))]
    fn patch_moments_forward(x: FloatTensor<Self>, options: PatchOptions) -> FloatTensor<Self> {
        patch_moments::reference::forward::<Self>(x, options)
    }

    /// Gradient of the input of [`patch_moments_forward`](Self::patch_moments_forward), from its output's
    /// gradient.
    #[allow(unused_variables)]
    #[fusion(dtype = x, shape = x)]
    fn patch_moments_gradient(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        options: PatchOptions,
    ) -> FloatTensor<Self> {
        patch_moments::reference::gradient::<Self>(x, gradient, options)
    }

    /// Modulation by grids, see [`crate::modulate_by_grids()`].
    #[allow(unused_variables)]
    #[fusion(dtype = x, shape = x)]
    fn modulation_forward(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        scale_axis: FloatTensor<Self>,
        shift_axis: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        modulation::reference::forward::<Self>(x, scale, shift, scale_axis, shift_axis)
    }

    /// Gradients of the map, of the factors and of the offsets, from the output's gradient.
    #[allow(unused_variables)]
    #[fusion(meta = |x, _gradient, scale, _scale_axis, shift_axis| {
        let side = shift_axis.shape[1];
        let shift = burn::tensor::Shape::new([x.shape[0], x.shape[1], side * side]);
        let shift = burn::backend::fusion::custom::TensorSpec::new(shift, x.dtype);
        (x.clone(), scale.clone(), shift)
    })]
    fn modulation_gradients(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        scale_axis: FloatTensor<Self>,
        shift_axis: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        modulation::reference::gradients::<Self>(x, gradient, scale, scale_axis, shift_axis)
    }

    /// Linear layer, see [`crate::linear()`]; the input has one axis of rows, a missing bias is zeros.
    #[allow(unused_variables)]
    #[fusion(default)]
    fn linear_layer(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        <Self as ModuleOps<Self>>::linear(x, weight, Some(bias))
    }

    /// Sum of two tensors of one shape, see [`crate::add()`].
    #[allow(unused_variables)]
    #[fusion(default)]
    fn add_maps(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_add(a, b)
    }

    /// Channels of both, see [`crate::concat_channels()`].
    #[allow(unused_variables)]
    #[fusion(dtype = a, shape = burn::tensor::Shape::new([a[0], a[1] + b[1], a[2], a[3]]))]
    fn concat_maps(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_cat(vec![a, b], 1)
    }

    /// Sigmoid linear unit, see [`crate::silu()`].
    #[allow(unused_variables)]
    #[fusion(dtype = x, shape = x)]
    fn silu_forward(x: FloatTensor<Self>) -> FloatTensor<Self> {
        silu::reference::forward::<Self>(x)
    }

    /// Gradient of the sigmoid linear unit's input, from its output's gradient.
    #[allow(unused_variables)]
    #[fusion(dtype = x, shape = x)]
    fn silu_gradient(x: FloatTensor<Self>, gradient: FloatTensor<Self>) -> FloatTensor<Self> {
        silu::reference::gradient::<Self>(x, gradient)
    }

    /// Gaussian error linear unit, see [`crate::gelu()`].
    #[allow(unused_variables)]
    #[fusion(dtype = x, shape = x)]
    fn gelu_forward(x: FloatTensor<Self>, form: GeluForm) -> FloatTensor<Self> {
        gelu::reference::forward::<Self>(x, form)
    }

    /// Gradient of the Gaussian error linear unit's input, from its output's gradient.
    #[allow(unused_variables)]
    #[fusion(dtype = x, shape = x)]
    fn gelu_gradient(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        form: GeluForm,
    ) -> FloatTensor<Self> {
        gelu::reference::gradient::<Self>(x, gradient, form)
    }

    /// Softmax along the last axis, see [`crate::softmax()`].
    #[allow(unused_variables)]
    #[fusion(dtype = x, shape = x)]
    fn softmax_forward(x: FloatTensor<Self>) -> FloatTensor<Self> {
        softmax::reference::forward::<Self>(x)
    }

    /// Gradient of softmax's input along the last axis, from its output `y` and the output's
    /// gradient.
    #[allow(unused_variables)]
    #[fusion(dtype = y, shape = y)]
    fn softmax_gradient(y: FloatTensor<Self>, gradient: FloatTensor<Self>) -> FloatTensor<Self> {
        softmax::reference::gradient::<Self>(y, gradient)
    }

    /// Attention, see [`crate::attention()`], over one batch axis.
    #[allow(unused_variables)]
    #[fusion(dtype = query, shape = burn::tensor::Shape::new([query[0], query[1], value[2]]))]
    fn attention_output(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        scale: f64,
    ) -> FloatTensor<Self> {
        attention::reference::forward::<Self>(query, key, value, scale).0
    }

    /// Attention of heads side by side, see [`crate::multi_head_attention()`].
    #[allow(unused_variables)]
    #[fusion(default)]
    fn multi_head_attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        num_heads: usize,
        scale: f64,
    ) -> FloatTensor<Self> {
        attention::reference::heads::<Self>(query, key, value, num_heads, |query, key, value| {
            Self::attention_output(query, key, value, scale)
        })
    }

    /// The output of [`attention_output`](Self::attention_output), and the logarithm of each query's sum of
    /// exponentials, `[batch_size, queries]`.
    #[allow(unused_variables)]
    #[fusion(meta = |query, _key, value, _scale| {
        let (batch_size, queries) = (query.shape[0], query.shape[1]);
        let spec = |shape| burn::backend::fusion::custom::TensorSpec::new(shape, query.dtype);
        (
            spec(burn::tensor::Shape::new([batch_size, queries, value.shape[2]])),
            spec(burn::tensor::Shape::new([batch_size, queries])),
        )
    })]
    fn attention_forward(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        scale: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        attention::reference::forward::<Self>(query, key, value, scale)
    }

    /// Gradients of query, key and value, from what
    /// [`attention_forward`](Self::attention_forward) gave and the output's gradient.
    #[allow(unused_variables)]
    #[allow(clippy::too_many_arguments)]
    #[fusion(meta = |query, key, value, _output, _log_sums, _gradient, _scale| {
        (query.clone(), key.clone(), value.clone())
    })]
    fn attention_gradients(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        output: FloatTensor<Self>,
        log_sums: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        scale: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        attention::reference::gradients::<Self>(
            query, key, value, output, log_sums, gradient, scale,
        )
    }
}
