//! The operations on each backend.

use burn::backend::autodiff::{Autodiff, checkpoint::strategy::CheckpointStrategy};
use burn::backend::ops::ConvOptions;
use burn::backend::tensor::FloatTensor;

use crate::KernelOps;
use crate::gelu::GeluForm;
use crate::group_norm::GroupNormOptions;
use crate::patch_moments::PatchOptions;
use crate::{
    attention, conv2d, gelu, group_norm, join, linear, modulation, patch_moments, pool, resample,
    silu, softmax,
};

/// The forward convolution is Burn's own, see `conv2d::cube`.
#[cfg(feature = "_cubecl")]
impl KernelOps for burn_cubecl::CubeBackend {
    fn convolution_weight(weight: FloatTensor<Self>) -> FloatTensor<Self> {
        conv2d::cube::weight(weight)
    }

    fn convolution_input_gradient(
        gradient: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        input_dims: [usize; 4],
        options: ConvOptions<2>,
    ) -> FloatTensor<Self> {
        conv2d::cube::input_gradient(gradient, weight, input_dims, options)
    }

    fn convolution_weight_gradient(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        weight_dims: [usize; 4],
        options: ConvOptions<2>,
    ) -> FloatTensor<Self> {
        conv2d::cube::weight_gradient(x, gradient, weight_dims, options)
    }

    fn convolution_bias_gradient(gradient: FloatTensor<Self>) -> FloatTensor<Self> {
        conv2d::cube::bias_gradient(gradient)
    }

    fn group_norm_forward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        options: GroupNormOptions,
    ) -> FloatTensor<Self> {
        group_norm::cube::forward(x, weight, bias, scale, shift, options)
    }

    fn group_norm_gradients(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        options: GroupNormOptions,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        group_norm::cube::gradients(x, gradient, weight, bias, scale, shift, options)
    }

    fn max_pool(x: FloatTensor<Self>) -> FloatTensor<Self> {
        pool::cube::forward(x)
    }

    fn double_size(x: FloatTensor<Self>, factor: f64) -> FloatTensor<Self> {
        resample::cube::double(x, factor)
    }

    fn halve_size(x: FloatTensor<Self>, factor: f64) -> FloatTensor<Self> {
        resample::cube::halve(x, factor)
    }

    fn patch_moments_forward(x: FloatTensor<Self>, options: PatchOptions) -> FloatTensor<Self> {
        patch_moments::cube::forward(x, options)
    }

    fn patch_moments_gradient(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        options: PatchOptions,
    ) -> FloatTensor<Self> {
        patch_moments::cube::gradient(x, gradient, options)
    }

    fn modulation_forward(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        scale_axis: FloatTensor<Self>,
        shift_axis: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        modulation::cube::forward(x, scale, shift, scale_axis, shift_axis)
    }

    fn modulation_gradients(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        scale_axis: FloatTensor<Self>,
        shift_axis: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        modulation::cube::gradients(x, gradient, scale, scale_axis, shift_axis)
    }

    fn concat_maps(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        join::cube::concat(a, b)
    }

    fn silu_forward(x: FloatTensor<Self>) -> FloatTensor<Self> {
        silu::cube::forward(x)
    }

    fn silu_gradient(x: FloatTensor<Self>, gradient: FloatTensor<Self>) -> FloatTensor<Self> {
        silu::cube::gradient(x, gradient)
    }

    fn gelu_forward(x: FloatTensor<Self>, form: GeluForm) -> FloatTensor<Self> {
        gelu::cube::forward(x, form)
    }

    fn gelu_gradient(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        form: GeluForm,
    ) -> FloatTensor<Self> {
        gelu::cube::gradient(x, gradient, form)
    }

    fn softmax_forward(x: FloatTensor<Self>) -> FloatTensor<Self> {
        softmax::cube::forward(x)
    }

    fn softmax_gradient(y: FloatTensor<Self>, gradient: FloatTensor<Self>) -> FloatTensor<Self> {
        softmax::cube::gradient(y, gradient)
    }

    fn attention_output(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        scale: f64,
    ) -> FloatTensor<Self> {
        attention::cube::forward(query, key, value, scale).0
    }

    fn attention_forward(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        scale: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        attention::cube::forward(query, key, value, scale)
    }

    fn attention_gradients(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        output: FloatTensor<Self>,
        log_sums: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        scale: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        attention::cube::gradients(query, key, value, output, log_sums, gradient, scale)
    }
}

#[cfg(feature = "flex")]
impl KernelOps for burn::backend::Flex {
    fn convolution(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: ConvOptions<2>,
    ) -> FloatTensor<Self> {
        conv2d::flex::forward(x, weight, bias, options)
    }

    fn convolution_input_gradient(
        gradient: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        input_dims: [usize; 4],
        options: ConvOptions<2>,
    ) -> FloatTensor<Self> {
        conv2d::flex::input_gradient(gradient, weight, input_dims, options)
    }

    fn convolution_weight_gradient(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        weight_dims: [usize; 4],
        options: ConvOptions<2>,
    ) -> FloatTensor<Self> {
        conv2d::flex::weight_gradient(x, gradient, weight_dims, options)
    }

    fn convolution_bias_gradient(gradient: FloatTensor<Self>) -> FloatTensor<Self> {
        conv2d::flex::bias_gradient(gradient)
    }

    fn group_norm_forward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        options: GroupNormOptions,
    ) -> FloatTensor<Self> {
        group_norm::flex::forward(x, weight, bias, scale, shift, options)
    }

    fn group_norm_gradients(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        options: GroupNormOptions,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        group_norm::flex::gradients(x, gradient, weight, bias, scale, shift, options)
    }

    fn max_pool(x: FloatTensor<Self>) -> FloatTensor<Self> {
        pool::flex::forward(x)
    }

    fn double_size(x: FloatTensor<Self>, factor: f64) -> FloatTensor<Self> {
        resample::flex::double(x, factor)
    }

    fn halve_size(x: FloatTensor<Self>, factor: f64) -> FloatTensor<Self> {
        resample::flex::halve(x, factor)
    }

    fn patch_moments_forward(x: FloatTensor<Self>, options: PatchOptions) -> FloatTensor<Self> {
        patch_moments::flex::forward(x, options)
    }

    fn patch_moments_gradient(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        options: PatchOptions,
    ) -> FloatTensor<Self> {
        patch_moments::flex::gradient(x, gradient, options)
    }

    fn modulation_forward(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        scale_axis: FloatTensor<Self>,
        shift_axis: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        modulation::flex::forward(x, scale, shift, scale_axis, shift_axis)
    }

    fn modulation_gradients(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        scale_axis: FloatTensor<Self>,
        shift_axis: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        modulation::flex::gradients(x, gradient, scale, scale_axis, shift_axis)
    }

    fn linear_layer(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        linear::flex::forward(x, weight, bias)
    }

    fn add_maps(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        join::flex::add(a, b)
    }

    fn concat_maps(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        join::flex::concat(a, b)
    }

    fn silu_forward(x: FloatTensor<Self>) -> FloatTensor<Self> {
        silu::flex::forward(x)
    }

    fn silu_gradient(x: FloatTensor<Self>, gradient: FloatTensor<Self>) -> FloatTensor<Self> {
        silu::flex::gradient(x, gradient)
    }

    fn gelu_forward(x: FloatTensor<Self>, form: GeluForm) -> FloatTensor<Self> {
        gelu::flex::forward(x, form)
    }

    fn gelu_gradient(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        form: GeluForm,
    ) -> FloatTensor<Self> {
        gelu::flex::gradient(x, gradient, form)
    }

    fn softmax_forward(x: FloatTensor<Self>) -> FloatTensor<Self> {
        softmax::flex::forward(x)
    }

    fn softmax_gradient(y: FloatTensor<Self>, gradient: FloatTensor<Self>) -> FloatTensor<Self> {
        softmax::flex::gradient(y, gradient)
    }

    fn attention_output(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        scale: f64,
    ) -> FloatTensor<Self> {
        attention::flex::forward(query, key, value, scale).0
    }

    fn multi_head_attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        num_heads: usize,
        scale: f64,
    ) -> FloatTensor<Self> {
        attention::flex::heads(query, key, value, num_heads, scale)
    }

    fn attention_forward(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        scale: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        attention::flex::forward(query, key, value, scale)
    }

    fn attention_gradients(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        output: FloatTensor<Self>,
        log_sums: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        scale: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        attention::flex::gradients(query, key, value, output, log_sums, gradient, scale)
    }
}

/// Gradients themselves keep the differentiable references.
impl<B: KernelOps, C: CheckpointStrategy> KernelOps for Autodiff<B, C> {
    fn convolution(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: ConvOptions<2>,
    ) -> FloatTensor<Self> {
        conv2d::autodiff::conv2d::<B, C>(x, weight, bias, options)
    }

    fn group_norm_forward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        options: GroupNormOptions,
    ) -> FloatTensor<Self> {
        group_norm::autodiff::forward::<B, C>([x, weight, bias, scale, shift], options)
    }

    fn double_size(x: FloatTensor<Self>, factor: f64) -> FloatTensor<Self> {
        resample::autodiff::double::<B, C>(x, factor)
    }

    fn halve_size(x: FloatTensor<Self>, factor: f64) -> FloatTensor<Self> {
        resample::autodiff::halve::<B, C>(x, factor)
    }

    fn linear_layer(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        linear::autodiff::linear::<B, C>(x, weight, bias)
    }

    fn add_maps(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        join::autodiff::add::<B, C>(a, b)
    }

    fn concat_maps(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        join::autodiff::concat::<B, C>(a, b)
    }

    fn patch_moments_forward(x: FloatTensor<Self>, options: PatchOptions) -> FloatTensor<Self> {
        patch_moments::autodiff::forward::<B, C>(x, options)
    }

    fn modulation_forward(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        scale_axis: FloatTensor<Self>,
        shift_axis: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        modulation::autodiff::forward::<B, C>([x, scale, shift], [scale_axis, shift_axis])
    }

    fn silu_forward(x: FloatTensor<Self>) -> FloatTensor<Self> {
        silu::autodiff::forward::<B, C>(x)
    }

    fn gelu_forward(x: FloatTensor<Self>, form: GeluForm) -> FloatTensor<Self> {
        gelu::autodiff::forward::<B, C>(x, form)
    }

    fn softmax_forward(x: FloatTensor<Self>) -> FloatTensor<Self> {
        softmax::autodiff::forward::<B, C>(x)
    }

    fn attention_output(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        scale: f64,
    ) -> FloatTensor<Self> {
        attention::autodiff::forward::<B, C>(query, key, value, scale)
    }
}
