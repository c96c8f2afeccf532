//! Group normalisation on the Flex backend.
//!
//! One task is one group of one image. It stays in cache between the passes over it: mean,
//! variance, and the output; or for the gradients mean, variance, sums, and the output.

use burn::backend::TensorMetadata;
use burn::backend::flex::{Flex, FlexTensor};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{GroupNormOptions, reference};
use crate::buffer::{all_f32, output, overwrite, read, tensor, tensor_of};
use crate::half::half_type;
use crate::silu::vector::{silu, silu_slope};
use crate::simd;

/// Floats a rayon job should have at least.
const JOB: usize = 8 * 1024;
/// Floats that stay in the first-level cache.
const BLOCK: usize = 4 * 1024;
/// Floats from which an output is not worth filling twice, with a copy first.
const FRESH: usize = 1024 * 1024;

/// Sizes of the groups.
#[derive(Clone, Copy, Debug)]
struct Groups {
    channels: usize,
    /// Channels of a group.
    channels_each: usize,
    pixels: usize,
}

impl Groups {
    fn new(x: &FlexTensor, options: &GroupNormOptions) -> Self {
        let shape = x.shape();
        Self {
            channels: shape[1],
            channels_each: shape[1] / options.num_groups,
            pixels: shape[2..].iter().product(),
        }
    }

    fn len(&self) -> usize {
        self.channels_each * self.pixels
    }

    fn min_job(&self) -> usize {
        JOB.div_ceil(self.len())
    }
}

/// What the channels of a group are multiplied by and what is added.
#[derive(Clone, Copy)]
struct Affine<'a> {
    weight: &'a [f32],
    bias: &'a [f32],
    scale: &'a [f32],
    shift: &'a [f32],
}

impl Affine<'_> {
    /// Of group `g` of all images, from `weight` and `bias` of all channels and `scale` and `shift` of those of
    /// all images.
    fn of_group(self, groups: &Groups, g: usize) -> Self {
        let each = groups.channels_each;
        let first = g * each % groups.channels;
        Self {
            weight: &self.weight[first..][..each],
            bias: &self.bias[first..][..each],
            scale: &self.scale[g * each..][..each],
            shift: &self.shift[g * each..][..each],
        }
    }

    /// `[factor, offset]` of `x_hat` of a channel. Not a closure: that would be compiled apart from the vector
    /// code, and its multiply-add would be a call.
    #[inline(always)]
    fn at(&self, c: usize) -> [f32; 2] {
        let scale = 1.0 + self.scale[c];
        let offset = scale.mul_add(self.bias[c], self.shift[c]);
        [scale * self.weight[c], offset]
    }
}

/// See [`KernelOps::group_norm_forward`](crate::KernelOps::group_norm_forward).
pub(crate) fn forward(
    x: FlexTensor,
    weight: FlexTensor,
    bias: FlexTensor,
    scale: FlexTensor,
    shift: FlexTensor,
    options: GroupNormOptions,
) -> FlexTensor {
    if let Some(half) = half_type(&x) {
        return super::half::forward::<Flex>([x, weight, bias, scale, shift], options, half);
    }
    if !all_f32(&[&x, &weight, &bias, &scale, &shift]) || x.shape().num_elements() == 0 {
        return reference::forward::<Flex>(x, weight, bias, scale, shift, options);
    }
    let groups = Groups::new(&x, &options);
    let (weight, bias, scale, shift) = (read(&weight), read(&bias), read(&scale), read(&shift));
    let affine = Affine {
        weight: &weight,
        bias: &bias,
        scale: &scale,
        shift: &shift,
    };
    let shape = x.shape();
    if !x.is_unique() && shape.num_elements() >= FRESH {
        let source = read(&x);
        let mut output = output(source.len());
        output
            .par_chunks_mut(groups.len())
            .zip(source.par_chunks(groups.len()))
            .enumerate()
            .for_each(|(g, (values, source))| {
                simd::dispatch(Forward {
                    source: Some(source),
                    values,
                    pixels: groups.pixels,
                    affine: affine.of_group(&groups, g),
                    options,
                });
            });
        return tensor_of(output, shape);
    }
    let mut none = vec![(); shape[0] * options.num_groups];
    overwrite(
        x,
        groups.len(),
        groups.min_job(),
        (&mut none, 1),
        |g, values, _| {
            simd::dispatch(Forward {
                source: None,
                values,
                pixels: groups.pixels,
                affine: affine.of_group(&groups, g),
                options,
            });
        },
    )
}

/// See [`KernelOps::group_norm_gradients`](crate::KernelOps::group_norm_gradients).
pub(crate) fn gradients(
    x: FlexTensor,
    gradient: FlexTensor,
    weight: FlexTensor,
    bias: FlexTensor,
    scale: FlexTensor,
    shift: FlexTensor,
    options: GroupNormOptions,
) -> (FlexTensor, FlexTensor, FlexTensor) {
    if let Some(half) = half_type(&x) {
        let inputs = [x, gradient, weight, bias, scale, shift];
        return super::half::gradients::<Flex>(inputs, options, half);
    }
    if !all_f32(&[&x, &gradient, &weight, &bias, &scale, &shift]) || x.shape().num_elements() == 0 {
        return reference::gradients::<Flex>(x, gradient, weight, bias, scale, shift, options);
    }
    let groups = Groups::new(&x, &options);
    let values = read(&x);
    let images = [x.shape()[0], x.shape()[1]];
    let (weight, bias, scale, shift) = (read(&weight), read(&bias), read(&scale), read(&shift));
    let affine = Affine {
        weight: &weight,
        bias: &bias,
        scale: &scale,
        shift: &shift,
    };
    let mut sums = vec![[0.0; 2]; images[0] * images[1]];
    let side = (&mut sums[..], groups.channels_each);
    let output = overwrite(
        gradient,
        groups.len(),
        groups.min_job(),
        side,
        |g, gradient, sums| {
            simd::dispatch(Gradients {
                x: &values[g * groups.len()..][..groups.len()],
                gradient,
                sums,
                pixels: groups.pixels,
                affine: affine.of_group(&groups, g),
                options,
            });
        },
    );
    let column = |i: usize| tensor(sums.iter().map(|pair| pair[i]).collect(), images);
    (output, column(0), column(1))
}

/// Mean of a group and `1 / sqrt(var + epsilon)`.
///
/// A block stays in the first-level cache between its mean and its squares, so a large group is read once:
/// T. Chan, G. Golub, R. LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample
/// Variances", 1979, equation 2.1.
#[inline(always)]
fn statistics<S: Simd>(simd: S, x: &[f32], epsilon: f64) -> (f32, f32) {
    let (mut count, mut mean, mut squares) = (0.0_f64, 0.0_f64, 0.0_f64);
    for block in x.chunks(BLOCK) {
        let len = block.len() as f64;
        let (block_mean, block_squares) = block_statistics(simd, block);
        let distance = block_mean - mean;
        squares += block_squares + distance * distance * (count * len / (count + len));
        count += len;
        mean += distance * (len / count);
    }
    let variance = squares / count;
    (mean as f32, (1.0 / (variance + epsilon).sqrt()) as f32)
}

/// Mean of a block, and the sum of the squared distances from it.
#[inline(always)]
fn block_statistics<S: Simd>(simd: S, x: &[f32]) -> (f64, f64) {
    let zero = simd.splat_f32s(0.0);
    let (vectors, tail) = S::as_simd_f32s(x);
    let (fours, rest) = vectors.as_chunks::<4>();
    let mut sums = [zero; 4];
    for four in fours {
        for (sum, x) in sums.iter_mut().zip(four) {
            *sum = simd.add_f32s(*sum, *x);
        }
    }
    for x in rest {
        sums[0] = simd.add_f32s(sums[0], *x);
    }
    let total = reduce(simd, sums) + tail.iter().sum::<f32>();
    let mean = total / x.len() as f32;

    let centre = simd.splat_f32s(mean);
    let mut sums = [zero; 4];
    for four in fours {
        for (sum, x) in sums.iter_mut().zip(four) {
            let x = simd.sub_f32s(*x, centre);
            *sum = simd.mul_add_e_f32s(x, x, *sum);
        }
    }
    for x in rest {
        let x = simd.sub_f32s(*x, centre);
        sums[0] = simd.mul_add_e_f32s(x, x, sums[0]);
    }
    let total = reduce(simd, sums) + tail.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>();
    (f64::from(mean), f64::from(total))
}

#[inline(always)]
fn reduce<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> f32 {
    simd.reduce_sum_f32s(simd.add_f32s(simd.add_f32s(a, b), simd.add_f32s(c, d)))
}

/// Normalises one group.
struct Forward<'a> {
    /// The group, or none if it already stands in `values`.
    source: Option<&'a [f32]>,
    values: &'a mut [f32],
    pixels: usize,
    affine: Affine<'a>,
    options: GroupNormOptions,
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            source,
            values,
            pixels,
            affine,
            options,
        } = self;
        let group = source.unwrap_or(values);
        let (mean, inverse_deviation) = statistics(simd, group, options.epsilon);
        let mean = simd.splat_f32s(mean);
        for (c, values) in values.chunks_exact_mut(pixels).enumerate() {
            let [factor, offset] = affine.at(c);
            let factor = simd.splat_f32s(factor * inverse_deviation);
            let offset = simd.splat_f32s(offset);
            let line = Line {
                mean,
                factor,
                offset,
                silu: options.silu,
            };
            for (b, values) in values.chunks_mut(BLOCK).enumerate() {
                if let Some(source) = source {
                    values.copy_from_slice(&source[c * pixels + b * BLOCK..][..values.len()]);
                }
                let (vectors, tail) = S::as_mut_simd_f32s(values);
                for value in vectors {
                    *value = line.at(simd, *value);
                }
                if !tail.is_empty() {
                    let last = line.at(simd, simd.partial_load_f32s(tail));
                    simd.partial_store_f32s(tail, last);
                }
            }
        }
    }
}

/// `factor (x - mean) + offset`, and the activation.
#[derive(Clone, Copy)]
struct Line<V> {
    mean: V,
    factor: V,
    offset: V,
    silu: bool,
}

impl<V> Line<V> {
    #[inline(always)]
    fn at<S: Simd<f32s = V>>(self, simd: S, x: V) -> V {
        let y = simd.mul_add_e_f32s(simd.sub_f32s(x, self.mean), self.factor, self.offset);
        if self.silu { silu(simd, y) } else { y }
    }
}

/// Replaces the gradient of one group's output by that of its input, and makes the sums
/// `[g, g x_hat]` of its channels, where `g` is the gradient before the activation.
struct Gradients<'a> {
    x: &'a [f32],
    gradient: &'a mut [f32],
    sums: &'a mut [[f32; 2]],
    pixels: usize,
    affine: Affine<'a>,
    options: GroupNormOptions,
}

impl WithSimd for Gradients<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (mean, inverse_deviation) = statistics(simd, self.x, self.options.epsilon);
        let centre = simd.splat_f32s(mean);
        let images = self.x.chunks_exact(self.pixels);

        // First pass: the gradient before the activation, in place, and its sums.
        let mut group_sums = [0.0_f64; 2];
        let gradients = self.gradient.chunks_exact_mut(self.pixels);
        let channels = images.clone().zip(gradients).zip(self.sums);
        for (c, ((x, gradient), sums)) in channels.enumerate() {
            let [factor, offset] = self.affine.at(c);
            let line = [factor * inverse_deviation, offset];
            let silu = self.options.silu;
            let [sum, product] = before_activation(simd, x, gradient, centre, line, silu);
            *sums = [sum, product * inverse_deviation];
            group_sums[0] += f64::from(factor) * f64::from(sums[0]);
            group_sums[1] += f64::from(factor) * f64::from(sums[1]);
        }

        // Second pass: inverse_deviation (factor g - mean(factor g) - x_hat mean(factor g x_hat)).
        let [mean_gradient, mean_product] = group_sums.map(|sum| sum / self.x.len() as f64);
        let inverse = f64::from(inverse_deviation);
        let offset = simd.splat_f32s((-mean_gradient * inverse) as f32);
        let slope = simd.splat_f32s((-mean_product * inverse * inverse) as f32);
        let gradients = self.gradient.chunks_exact_mut(self.pixels);
        for (c, (x, gradient)) in images.zip(gradients).enumerate() {
            let factor = simd.splat_f32s(self.affine.at(c)[0] * inverse_deviation);
            let (x, x_tail) = S::as_simd_f32s(x);
            let (gradient, gradient_tail) = S::as_mut_simd_f32s(gradient);
            for (gradient, x) in gradient.iter_mut().zip(x) {
                let line = simd.mul_add_e_f32s(simd.sub_f32s(*x, centre), slope, offset);
                *gradient = simd.mul_add_e_f32s(*gradient, factor, line);
            }
            if !x_tail.is_empty() {
                let x = simd.sub_f32s(simd.partial_load_f32s(x_tail), centre);
                let g = simd.partial_load_f32s(gradient_tail);
                let line = simd.mul_add_e_f32s(x, slope, offset);
                simd.partial_store_f32s(gradient_tail, simd.mul_add_e_f32s(g, factor, line));
            }
        }
    }
}

/// Turns one channel's gradient into `g`; returns the sums of `g` and of `g (x - mean)`.
#[inline(always)]
fn before_activation<S: Simd>(
    simd: S,
    x: &[f32],
    gradient: &mut [f32],
    mean: S::f32s,
    [slope, offset]: [f32; 2],
    silu: bool,
) -> [f32; 2] {
    let slope = simd.splat_f32s(slope);
    let offset = simd.splat_f32s(offset);
    let (x, x_tail) = S::as_simd_f32s(x);
    let (gradient, gradient_tail) = S::as_mut_simd_f32s(gradient);
    let mut totals = [[simd.splat_f32s(0.0); 2]; 2];
    for (i, (gradient, x)) in gradient.iter_mut().zip(x).enumerate() {
        let x = simd.sub_f32s(*x, mean);
        if silu {
            let y = simd.mul_add_e_f32s(x, slope, offset);
            *gradient = simd.mul_f32s(*gradient, silu_slope(simd, y));
        }
        let [sum, product] = &mut totals[i % 2];
        *sum = simd.add_f32s(*sum, *gradient);
        *product = simd.mul_add_e_f32s(*gradient, x, *product);
    }
    if !x_tail.is_empty() {
        let x = simd.sub_f32s(simd.partial_load_f32s(x_tail), mean);
        let mut g = simd.partial_load_f32s(gradient_tail);
        if silu {
            let y = simd.mul_add_e_f32s(x, slope, offset);
            g = simd.mul_f32s(g, silu_slope(simd, y));
        }
        simd.partial_store_f32s(gradient_tail, g);
        // The missing gradients are zero, and so are their terms.
        let [sum, product] = &mut totals[0];
        *sum = simd.add_f32s(*sum, g);
        *product = simd.mul_add_e_f32s(g, x, *product);
    }
    let [even, odd] = totals;
    let sum = simd.reduce_sum_f32s(simd.add_f32s(even[0], odd[0]));
    let product = simd.reduce_sum_f32s(simd.add_f32s(even[1], odd[1]));
    [sum, product]
}
