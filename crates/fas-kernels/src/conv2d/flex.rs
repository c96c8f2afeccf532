//! Convolution on the Flex backend.

use burn::backend::flex::{Flex, FlexTensor};
use burn::backend::ops::{FloatTensorOps, ModuleOps};
use burn::tensor::ops::ConvOptions;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::depthwise::{Depthwise, DepthwiseWeightGradient};
use super::few::Few;
use super::gather::{Gather, PackedWeight, Pass, Source, Target};
use super::layout::PaddedLayout;
use super::pointwise::Pointwise;
use super::weight_gradient::WeightGradient;
use super::winograd::{KernelGradient, Weight, Winograd};
use crate::buffer::{all_f32, dims, output, read, recycle, tensor};
use crate::half::{half_type, widened};
use crate::scratch::Scratch;
use crate::simd;

/// Sizes of a convolution that the kernels compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Case {
    batch_size: usize,
    /// Of one output channel.
    channels_in: usize,
    channels_out: usize,
    /// Whether each channel has a kernel of its own.
    depthwise: bool,
    input: [usize; 2],
    output: [usize; 2],
    /// 1, 3 or 7, padded by half of it.
    kernel: usize,
    /// 1 or 2.
    stride: usize,
}

impl Case {
    /// `None` if Burn's own operation must serve.
    fn new(x: [usize; 4], weight: [usize; 4], options: &ConvOptions<2>) -> Option<Self> {
        let stride = options.stride[0];
        let kernel = weight[2];
        if ![1, 3, 7].contains(&kernel) {
            return None;
        }
        let depthwise = options.groups > 1
            && options.groups == x[1]
            && options.groups == weight[0]
            && kernel == 3;
        let supported = (options.groups == 1 || depthwise)
            && options.dilation == [1, 1]
            && options.padding == [(kernel / 2, kernel / 2); 2]
            && options.stride == [stride, stride]
            && stride <= 2
            && weight[3] == kernel
            && x.iter().chain(&weight).all(|&size| size > 0);
        let mut input = [x[2], x[3]];
        // A 1x1 kernel sees no neighbours: any shape of the same pixels serves, and rows of whole
        // vectors need no padding.
        if supported && kernel == 1 && stride == 1 && (input[0] * input[1]).is_multiple_of(64) {
            input = [input[0] * input[1] / 64, 64];
        }
        supported.then(|| Self {
            batch_size: x[0],
            channels_in: weight[1],
            channels_out: weight[0],
            depthwise,
            input,
            output: input.map(|size| (size - 1) / stride + 1),
            kernel,
            stride,
        })
    }

    /// Whether the kernels compute the gradients too: those of the first layers' large kernels Burn does.
    fn has_gradients(&self) -> bool {
        self.kernel <= 3
    }

    fn taps(&self) -> usize {
        self.kernel * self.kernel
    }

    /// Whether Winograd's transform pays: enough channels to hide the transforms of maps, enough
    /// pixels to hide that of the weights. The pixels are those of one image, although a batch shares
    /// the weights' transform: else the last bits of an image would hang on the batch it is in.
    fn suits_winograd(&self) -> bool {
        self.kernel == 3
            && self.stride == 1
            && self.channels_in.min(self.channels_out) >= 16
            && self.input[0] * self.input[1] >= 64
    }

    /// Whether planes are so large that channels are better gathered first. The batch has no say here
    /// either.
    fn suits_pointwise(&self) -> bool {
        self.kernel == 1 && self.stride == 1 && self.input[0] * self.input[1] >= 2048
    }

    /// Whether there are so few pixels that packed weights do not pay. The batch has a say: an image's bits do not
    /// depend on it.
    fn is_few(&self) -> bool {
        !self.depthwise && self.batch_size * self.output[0] * self.output[1] <= 64
    }

    /// The convolution.
    fn forward(&self, x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
        if self.suits_winograd() {
            let weight = Weight {
                values: weight,
                size: [self.channels_out, self.channels_in],
                turned: false,
            };
            if let Some(output) = self.winograd(x, weight, Some(bias)) {
                return output;
            }
        }
        if self.suits_pointwise() {
            let pixels = self.input[0] * self.input[1];
            let mut output = output(self.batch_size * self.channels_out * pixels);
            Pointwise {
                source: x,
                weight,
                bias,
                pixels,
            }
            .run(&mut output);
            return output;
        }
        let layout = PaddedLayout::input(self.input, self.kernel, self.stride);
        let taps: Vec<usize> = (0..self.taps()).collect();
        if self.depthwise {
            let pass = Pass {
                target: Target::dense(self.output),
                taps: layout.taps.clone(),
                weight_taps: taps,
            };
            return self.depthwise(x, weight, Some(bias), &layout, &[pass]);
        }
        if self.is_few() {
            let pixels = self.output[0] * self.output[1];
            let mut output = output(self.batch_size * self.channels_out * pixels);
            Few {
                source: x,
                layout: &layout,
                weight,
                bias,
                size: self.output,
            }
            .run(&mut output);
            return output;
        }
        let packed = PackedWeight::new(
            weight,
            [self.channels_out, self.channels_in],
            [self.channels_in * taps.len(), taps.len()],
            &taps,
        );
        let target = Target::dense(self.output);
        let mut output = output(self.batch_size * self.channels_out * target.plane);
        Gather {
            source: if needs_no_padding(self.input, &layout) {
                Source::Padded(x)
            } else {
                Source::Plain(x)
            },
            layout: &layout,
            channels_in: self.channels_in,
            channels_out: self.channels_out,
            taps: &layout.taps,
            weight: &packed,
            bias: Some(bias),
            target,
        }
        .run(&mut output);
        output
    }

    /// Convolution of stride 1 of maps in `source`; `None` if a result is not finite, for then one
    /// value may have spoilt others of its tile.
    fn winograd(
        &self,
        source: &[f32],
        weight: Weight<'_>,
        bias: Option<&[f32]>,
    ) -> Option<Vec<f32>> {
        let pixels = self.input[0] * self.input[1];
        let [channels, _] = weight.channels();
        let mut output = output(self.batch_size * channels * pixels);
        let finite = Winograd {
            source,
            size: self.input,
            weight,
            bias,
        }
        .run(&mut output);
        finite.then_some(output)
    }

    /// What `passes` compute of every plane of `source`.
    fn depthwise(
        &self,
        source: &[f32],
        weight: &[f32],
        bias: Option<&[f32]>,
        layout: &PaddedLayout,
        passes: &[Pass],
    ) -> Vec<f32> {
        let plane = passes[0].target.plane;
        let mut output = output(self.batch_size * self.channels_out * plane);
        Depthwise {
            source,
            layout,
            weight,
            bias,
            passes,
        }
        .run(&mut output);
        output
    }
}

/// Planes in `layout`: borrowed when the source already is in it.
enum Padded<'a> {
    Source(&'a [f32]),
    Copy(Scratch),
}

impl<'a> Padded<'a> {
    fn new(source: &'a [f32], size: [usize; 2], layout: &PaddedLayout) -> Self {
        if needs_no_padding(size, layout) {
            return Self::Source(source);
        }
        Self::Copy(layout.pad(source, true))
    }

    fn as_slice(&self) -> &[f32] {
        match self {
            Self::Source(source) => source,
            Self::Copy(copy) => copy,
        }
    }
}

/// Whether planes already are in `layout`, with room for the last vector.
fn needs_no_padding(size: [usize; 2], layout: &PaddedLayout) -> bool {
    layout.is_source() && size[1].is_multiple_of(64)
}

/// See [`KernelOps::convolution`](crate::KernelOps::convolution).
pub(crate) fn forward(
    x: FlexTensor,
    weight: FlexTensor,
    bias: FlexTensor,
    options: ConvOptions<2>,
) -> FlexTensor {
    if let Some(half) = half_type(&x) {
        let [x, weight, bias] = widened::<Flex, 3>([x, weight, bias]);
        return Flex::float_cast(forward(x, weight, bias, options), half);
    }
    let (x_dims, weight_dims) = (dims(&x), dims(&weight));
    let same_type = all_f32(&[&x, &weight, &bias]);
    let Some(case) = Case::new(x_dims, weight_dims, &options).filter(|_| same_type) else {
        return Flex::conv2d(x, weight, Some(bias), options);
    };
    let output = case.forward(&read(&x), &read(&weight), &read(&bias));
    recycle(x);
    let size = |axis: usize| (x_dims[axis] - 1) / case.stride + 1;
    tensor(
        output,
        [case.batch_size, case.channels_out, size(2), size(3)],
    )
}

/// See [`KernelOps::convolution_input_gradient`](crate::KernelOps::convolution_input_gradient).
pub(crate) fn input_gradient(
    gradient: FlexTensor,
    weight: FlexTensor,
    input_dims: [usize; 4],
    options: ConvOptions<2>,
) -> FlexTensor {
    if let Some(half) = half_type(&gradient) {
        let [gradient, weight] = widened::<Flex, 2>([gradient, weight]);
        return Flex::float_cast(input_gradient(gradient, weight, input_dims, options), half);
    }
    let same_type = all_f32(&[&gradient, &weight]);
    let Some(case) = Case::new(input_dims, dims(&weight), &options)
        .filter(|case| same_type && case.has_gradients())
    else {
        return super::reference::input_gradient::<Flex>(gradient, weight, input_dims, options);
    };
    let (gradient, weight) = (read(&gradient), read(&weight));
    if case.suits_winograd() {
        let weight = Weight {
            values: &weight,
            size: [case.channels_out, case.channels_in],
            turned: true,
        };
        if let Some(output) = case.winograd(&gradient, weight, None) {
            return tensor(output, input_dims);
        }
    }
    let target = Target::dense(case.input);
    let layout = match (case.kernel, case.stride) {
        (3, 2) => PaddedLayout::strided_gradient(case.output),
        (kernel, _) => PaddedLayout::input(case.output, kernel, 1),
    };
    let passes = passes(&case, &layout, target);
    if case.depthwise {
        let output = case.depthwise(&gradient, &weight, None, &layout, &passes);
        return tensor(output, input_dims);
    }
    let mut output = vec![0.0; case.batch_size * case.channels_in * target.plane];
    let source = Padded::new(&gradient, case.output, &layout);
    for pass in passes {
        let packed = PackedWeight::new(
            &weight,
            [case.channels_in, case.channels_out],
            [case.taps(), case.channels_in * case.taps()],
            &pass.weight_taps,
        );
        Gather {
            source: Source::Padded(source.as_slice()),
            layout: &layout,
            channels_in: case.channels_out,
            channels_out: case.channels_in,
            taps: &pass.taps,
            weight: &packed,
            bias: None,
            target: pass.target,
        }
        .run(&mut output);
    }
    tensor(output, input_dims)
}

/// Passes of an input gradient: for stride 2 the pixels of each parity, which different taps reach.
fn passes(case: &Case, layout: &PaddedLayout, dense: Target) -> Vec<Pass> {
    if case.stride == 1 {
        // The transposed convolution is a convolution with the kernel turned by half.
        return vec![Pass {
            target: dense,
            taps: layout.taps.clone(),
            weight_taps: (0..case.taps()).rev().collect(),
        }];
    }
    let [height, width] = case.input;
    let grid = |y: usize, x: usize| Target {
        rows: (height - y).div_ceil(2),
        columns: (width - x).div_ceil(2),
        start: y * width + x,
        row_step: 2 * width,
        column_step: 2,
        ..dense
    };
    if case.kernel == 1 {
        // The skipped pixels keep their zero.
        return vec![Pass {
            target: grid(0, 0),
            taps: layout.taps.clone(),
            weight_taps: vec![0],
        }];
    }
    // `y + 1 - ky` must be even: even rows meet ky = 1 only; odd rows meet ky = 0 one row below
    // and ky = 2 in their own row.
    let pairs = |parity: usize| -> &[(usize, usize)] {
        if parity == 0 {
            &[(0, 1)]
        } else {
            &[(0, 2), (1, 0)]
        }
    };
    [(0, 0), (0, 1), (1, 0), (1, 1)]
        .into_iter()
        .filter(|&(y, x)| y < height && x < width)
        .map(|(y, x)| {
            let (taps, weight_taps) = pairs(y)
                .iter()
                .flat_map(|&(dy, ky)| {
                    pairs(x)
                        .iter()
                        .map(move |&(dx, kx)| (layout.taps[2 * dy + dx], 3 * ky + kx))
                })
                .unzip();
            Pass {
                target: grid(y, x),
                taps,
                weight_taps,
            }
        })
        .collect()
}

/// See [`KernelOps::convolution_weight_gradient`](crate::KernelOps::convolution_weight_gradient).
pub(crate) fn weight_gradient(
    x: FlexTensor,
    gradient: FlexTensor,
    weight_dims: [usize; 4],
    options: ConvOptions<2>,
) -> FlexTensor {
    if let Some(half) = half_type(&gradient) {
        let [x, gradient] = widened::<Flex, 2>([x, gradient]);
        return Flex::float_cast(weight_gradient(x, gradient, weight_dims, options), half);
    }
    let same_type = all_f32(&[&x, &gradient]);
    let Some(case) =
        Case::new(dims(&x), weight_dims, &options).filter(|case| same_type && case.has_gradients())
    else {
        return super::reference::weight_gradient::<Flex>(x, gradient, weight_dims, options);
    };
    let (x, gradient) = (read(&x), read(&gradient));
    let layout = PaddedLayout::input(case.input, case.kernel, case.stride);
    if case.depthwise {
        let output = DepthwiseWeightGradient {
            source: &x,
            layout: &layout,
            gradient: &gradient,
            channels: case.channels_out,
            size: case.output,
        }
        .run();
        return tensor(output, weight_dims);
    }
    if case.suits_winograd() {
        let gradient = KernelGradient {
            source: &x,
            gradient: &gradient,
            channels_in: case.channels_in,
            channels_out: case.channels_out,
            size: case.input,
        };
        if let Some(output) = gradient.run() {
            return tensor(output, weight_dims);
        }
    }
    let source = Padded::new(&x, case.input, &layout);
    let output = WeightGradient {
        source: source.as_slice(),
        gradient: &gradient,
        batch_size: case.batch_size,
        channels_in: case.channels_in,
        channels_out: case.channels_out,
        size: case.output,
        plane: layout.plane,
        row: layout.row,
        taps: &layout.taps,
    }
    .run();
    tensor(output, weight_dims)
}

/// See [`KernelOps::convolution_bias_gradient`](crate::KernelOps::convolution_bias_gradient).
pub(crate) fn bias_gradient(gradient: FlexTensor) -> FlexTensor {
    if let Some(half) = half_type(&gradient) {
        let [gradient] = widened::<Flex, 1>([gradient]);
        return Flex::float_cast(bias_gradient(gradient), half);
    }
    let [batch_size, channels, height, width] = dims(&gradient);
    let pixels = height * width;
    if !all_f32(&[&gradient]) || pixels == 0 {
        return super::reference::bias_gradient::<Flex>(gradient);
    }
    let gradient = read(&gradient);
    let mut output = vec![0.0; channels];
    output
        .par_iter_mut()
        .with_min_len(4)
        .enumerate()
        .for_each(|(c, output)| {
            *output = (0..batch_size)
                .map(|n| simd::dispatch(Sum(&gradient[(n * channels + c) * pixels..][..pixels])))
                .sum();
        });
    tensor(output, [channels])
}

/// Sum of a slice.
struct Sum<'a>(&'a [f32]);

impl WithSimd for Sum<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let (vectors, tail) = S::as_simd_f32s(self.0);
        let (fours, rest) = vectors.as_chunks::<4>();
        let mut sums = [simd.splat_f32s(0.0); 4];
        for four in fours {
            for (sum, value) in sums.iter_mut().zip(four) {
                *sum = simd.add_f32s(*sum, *value);
            }
        }
        for value in rest {
            sums[0] = simd.add_f32s(sums[0], *value);
        }
        let [a, b, c, d] = sums;
        let sum = simd.add_f32s(simd.add_f32s(a, b), simd.add_f32s(c, d));
        simd.reduce_sum_f32s(sum) + tail.iter().sum::<f32>()
    }
}
