//! The convolution against Burn's own, forward and every gradient.
#![cfg(any(
    feature = "flex",
    feature = "wgpu",
    feature = "vulkan",
    feature = "cuda"
))]

#[path = "../common/mod.rs"]
mod common;
#[cfg(feature = "flex")]
mod flex_only;

use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor, module};
use common::{assert_close, burn_device, on_every_device, random};

/// Sizes of one comparison.
#[derive(Clone, Copy, Debug)]
struct Case {
    batch_size: usize,
    channels: [usize; 2],
    size: [usize; 2],
    kernel: usize,
    stride: usize,
    bias: bool,
    /// Each channel has a kernel of its own.
    depthwise: bool,
}

impl Case {
    fn options(&self) -> ConvOptions<2> {
        let padding = self.kernel / 2;
        let groups = if self.depthwise { self.channels[0] } else { 1 };
        ConvOptions::new([self.stride; 2], [padding; 2], [1; 2], groups)
    }

    fn inputs(&self, device: &Device) -> (Tensor<4>, Tensor<4>, Option<Tensor<1>>) {
        let [channels_in, channels_out] = self.channels;
        let [height, width] = self.size;
        let kernel = self.kernel;
        let seen = if self.depthwise { 1 } else { channels_in };
        (
            random(1, [self.batch_size, channels_in, height, width], device),
            random(2, [channels_out, seen, kernel, kernel], device),
            self.bias.then(|| random(3, [channels_out], device)),
        )
    }
}

/// Odd sizes, batch 1, single pixels, channels around the register widths, several bands and tiles.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let sizes = [
        (1, [3, 5], [7, 5]),
        (2, [1, 1], [1, 1]),
        (3, [8, 24], [8, 8]),
        (1, [17, 33], [16, 12]),
        (2, [33, 40], [9, 31]),
        (1, [5, 3], [1, 9]),
        (1, [9, 16], [40, 64]),
        (2, [16, 8], [2, 2]),
        (1, [260, 9], [24, 24]),
    ];
    for (batch_size, channels, size) in sizes {
        for (kernel, stride) in [(3, 1), (3, 2), (1, 1), (1, 2), (7, 1), (7, 2)] {
            // Kernels of first layers; more channels than theirs have sums too long for the tolerance.
            if kernel > 3 && channels[0] > 17 {
                continue;
            }
            for bias in [true, false] {
                cases.push(Case {
                    batch_size,
                    channels,
                    size,
                    kernel,
                    stride,
                    bias,
                    depthwise: false,
                });
            }
        }
    }
    let depthwise = [
        (2, 5, [7, 5]),
        (1, 2, [1, 1]),
        (3, 33, [8, 8]),
        (1, 17, [16, 12]),
        (2, 40, [9, 31]),
        (1, 3, [1, 9]),
        (1, 4, [90, 64]),
        (2, 16, [2, 2]),
    ];
    for (batch_size, channels, size) in depthwise {
        for (stride, bias) in [(1, true), (2, true), (1, false), (2, false)] {
            cases.push(Case {
                batch_size,
                channels: [channels; 2],
                size,
                kernel: 3,
                stride,
                bias,
                depthwise: true,
            });
        }
    }
    cases
}

/// Output and gradients of input, weight and bias of the scalar `sum(conv * cos-like weights)`.
fn run(
    (x, weight, bias): (Tensor<4>, Tensor<4>, Option<Tensor<1>>),
    options: ConvOptions<2>,
    conv: fn(Tensor<4>, Tensor<4>, Option<Tensor<1>>, ConvOptions<2>) -> Tensor<4>,
) -> Vec<(&'static str, Vec<f32>)> {
    let x = x.require_grad();
    let weight = weight.require_grad();
    let bias = bias.map(Tensor::require_grad);
    let y = conv(x.clone(), weight.clone(), bias.clone(), options);
    let device = y.device();
    let loss = (y.clone() * random(4, y.dims(), &device)).sum();
    let grads = loss.backward();
    let values = |t: Tensor<4>| t.into_data().try_to_vec::<f32>().unwrap();
    let mut out = vec![
        ("output", values(y)),
        ("input gradient", values(x.grad(&grads).unwrap())),
        ("weight gradient", values(weight.grad(&grads).unwrap())),
    ];
    if let Some(bias) = bias {
        let gradient = bias.grad(&grads).unwrap().into_data();
        out.push(("bias gradient", gradient.try_to_vec::<f32>().unwrap()));
    }
    out
}

fn burn_conv(x: Tensor<4>, w: Tensor<4>, b: Option<Tensor<1>>, o: ConvOptions<2>) -> Tensor<4> {
    module::conv2d(x, w, b, o)
}

fn fast_conv(x: Tensor<4>, w: Tensor<4>, b: Option<Tensor<1>>, o: ConvOptions<2>) -> Tensor<4> {
    fas_kernels::conv2d(x, w, b, o)
}

/// Compares output and gradients with Burn's own convolution on `burn`.
fn assert_equals_burn(case: &Case, [ours, burn]: [&Device; 2], tolerance: f32) {
    let ours = run(case.inputs(ours), case.options(), fast_conv);
    let burn = run(case.inputs(burn), case.options(), burn_conv);
    for ((name, ours), (_, burn)) in ours.iter().zip(&burn) {
        assert_close(ours, burn, tolerance, &format!("{name} of {case:?}"));
    }
}

fn equals_burn_forward_and_backward(device: Device) {
    let (device, burn) = (device.autodiff(), burn_device().autodiff());
    for case in cases() {
        // Sums of up to 2340 products of values in [-1, 1], in another order.
        assert_equals_burn(&case, [&device, &burn], 2e-5);
    }
}

fn other_options_run_the_reference(device: Device) {
    let device = device.autodiff();
    let case = |channels, kernel| Case {
        batch_size: 2,
        channels,
        size: [9, 8],
        kernel,
        stride: 1,
        bias: true,
        depthwise: false,
    };
    for (case, options) in [
        (case([4, 6], 5), ConvOptions::new([1, 1], [2, 2], [1, 1], 1)),
        (case([4, 6], 3), ConvOptions::new([1, 1], [2, 2], [2, 2], 1)),
        (case([4, 6], 3), ConvOptions::new([1, 2], [1, 1], [1, 1], 1)),
        (case([4, 6], 3), ConvOptions::new([3, 3], [1, 1], [1, 1], 1)),
        (case([4, 6], 3), ConvOptions::new([1, 1], [0, 0], [1, 1], 1)),
        (
            Case {
                depthwise: true,
                ..case([4, 8], 3)
            },
            ConvOptions::new([1, 1], [1, 1], [1, 1], 4),
        ),
        (
            Case {
                depthwise: true,
                ..case([4, 4], 5)
            },
            ConvOptions::new([1, 1], [2, 2], [1, 1], 4),
        ),
    ] {
        let ours = run(case.inputs(&device), options.clone(), fast_conv);
        let burn = run(case.inputs(&burn_device().autodiff()), options, burn_conv);
        for ((name, ours), (_, burn)) in ours.iter().zip(&burn) {
            assert_close(ours, burn, 1e-6, &format!("{name} of {case:?}"));
        }
    }
}

fn known_values(device: Device) {
    let x = Tensor::<4>::from_data([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]], &device);
    let weight = Tensor::<4>::from_data(
        [[[[1.0, 10.0, 100.0], [0.0, 1000.0, 0.0], [0.0, 0.0, 0.5]]]],
        &device,
    );
    let bias = Some(Tensor::<1>::from_data([0.25], &device));
    let y = fas_kernels::conv2d(x, weight, bias, ConvOptions::new([1, 1], [1, 1], [1, 1], 1));
    let y = y.into_data().try_to_vec::<f32>().unwrap();
    let expected = [
        1000.0 + 2.5 + 0.25,
        2000.0 + 3.0 + 0.25,
        3000.0 + 0.25,
        4000.0 + 10.0 + 200.0 + 0.25,
        5000.0 + 1.0 + 20.0 + 300.0 + 0.25,
        6000.0 + 2.0 + 30.0 + 0.25,
    ];
    assert_eq!(y, expected);
}

fn strided_views_are_read_in_order(device: Device) {
    let options = ConvOptions::new([2, 2], [1, 1], [1, 1], 1);
    let inputs = |device: &Device| {
        let x = random(1, [6, 2, 7, 5], device).swap_dims(0, 1);
        let weight = random(2, [3, 3, 8, 4], device).permute([2, 3, 1, 0]);
        (x.slice([0..2, 1..5, 0..7, 0..5]), weight)
    };
    let (x, weight) = inputs(&device);
    let ours = fas_kernels::conv2d(x, weight, None, options.clone());
    let (x, weight) = inputs(&burn_device());
    let burn = module::conv2d(x, weight, None, options);
    assert_close(
        &ours.into_data().try_to_vec::<f32>().unwrap(),
        &burn.into_data().try_to_vec::<f32>().unwrap(),
        1e-6,
        "views",
    );
}

fn gradients_equal_finite_differences(device: Device) {
    let device = device.autodiff();
    for (kernel, stride, depthwise) in [
        (3, 1, false),
        (3, 2, false),
        (1, 1, false),
        (1, 2, false),
        (3, 1, true),
        (3, 2, true),
    ] {
        let case = Case {
            batch_size: 2,
            channels: if depthwise { [4, 4] } else { [3, 4] },
            size: [5, 6],
            kernel,
            stride,
            bias: true,
            depthwise,
        };
        let gradients = run(case.inputs(&device), case.options(), fast_conv);
        let loss = |inputs: (Tensor<4>, Tensor<4>, Option<Tensor<1>>)| {
            let y = fas_kernels::conv2d(inputs.0, inputs.1, inputs.2, case.options());
            let factor = random(4, y.dims(), &device);
            f64::from((y * factor).sum().into_scalar::<f32>())
        };
        // The convolution is linear in each operand: any step is exact but for rounding.
        for (operand, (name, gradient)) in gradients[1..].iter().enumerate() {
            let (x, weight, bias) = case.inputs(&device);
            let bias = bias.unwrap();
            let step_x = random(5, x.dims(), &device);
            let step_weight = random(6, weight.dims(), &device);
            let step_bias = random(7, bias.dims(), &device);
            let (moved, step) = match operand {
                0 => (
                    (
                        x.clone() + step_x.clone(),
                        weight.clone(),
                        Some(bias.clone()),
                    ),
                    step_x.into_data(),
                ),
                1 => (
                    (
                        x.clone(),
                        weight.clone() + step_weight.clone(),
                        Some(bias.clone()),
                    ),
                    step_weight.into_data(),
                ),
                _ => (
                    (
                        x.clone(),
                        weight.clone(),
                        Some(bias.clone() + step_bias.clone()),
                    ),
                    step_bias.into_data(),
                ),
            };
            let difference = loss(moved) - loss((x, weight, Some(bias)));
            let slope: f64 = step
                .try_to_vec::<f32>()
                .unwrap()
                .iter()
                .zip(gradient)
                .map(|(a, b)| f64::from(*a) * f64::from(*b))
                .sum();
            assert!(
                (difference - slope).abs() < 2e-4,
                "{name} of {case:?}: {difference} against {slope}"
            );
        }
    }
}

fn only_wanted_gradients_are_made(device: Device) {
    let device = device.autodiff();
    let case = cases()[16];
    let (x, weight, bias) = case.inputs(&device);
    let x = x.require_grad();
    let y = fas_kernels::conv2d(x.clone(), weight.clone(), bias.clone(), case.options());
    let grads = y.sum().backward();
    assert!(x.grad(&grads).is_some());
    assert!(weight.grad(&grads).is_none());

    let (x, weight, bias) = case.inputs(&device);
    let weight = weight.require_grad();
    let y = fas_kernels::conv2d(x.clone(), weight.clone(), bias, case.options());
    let grads = y.sum().backward();
    assert!(x.grad(&grads).is_none());
    assert!(weight.grad(&grads).is_some());
}

fn not_a_number_and_infinity_reach_exactly_the_outputs_that_see_them(device: Device) {
    let mut values = vec![1.0_f32; 2 * 6 * 6];
    values[2 * 6 + 3] = f32::NAN;
    values[36 + 5 * 6 + 5] = f32::INFINITY;
    let x = Tensor::<1>::from_data(values.as_slice(), &device).reshape([1, 2, 6, 6]);
    let weight = Tensor::<4>::ones([9, 2, 3, 3], &device);
    let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
    let y = fas_kernels::conv2d(x.clone(), weight, None, options);
    let y = y.into_data().try_to_vec::<f32>().unwrap();
    for (i, value) in y.iter().enumerate() {
        let (row, column) = (i / 6 % 6, i % 6);
        let near_nan = (1..=3).contains(&row) && (2..=4).contains(&column);
        let near_infinity = row >= 4 && column >= 4;
        match (near_nan, near_infinity) {
            (true, _) => assert!(value.is_nan(), "{row} {column}: {value}"),
            (_, true) => assert_eq!(*value, f32::INFINITY, "{row} {column}"),
            _ => assert!(value.is_finite(), "{row} {column}: {value}"),
        }
    }

    // Each channel for itself, and its kernel's gradient.
    let device = device.autodiff();
    let x = Tensor::from_data(x.into_data(), &device);
    let weight = Tensor::<4>::ones([2, 1, 3, 3], &device).require_grad();
    let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 2);
    let y = fas_kernels::conv2d(x, weight.clone(), None, options);
    let gradient = weight.grad(&y.clone().sum().backward()).unwrap();
    let y = y.into_data().try_to_vec::<f32>().unwrap();
    for (i, value) in y.iter().enumerate() {
        let (channel, row, column) = (i / 36, i / 6 % 6, i % 6);
        let near_nan = (1..=3).contains(&row) && (2..=4).contains(&column);
        let near_infinity = row >= 4 && column >= 4;
        match (channel, near_nan, near_infinity) {
            (0, true, _) => assert!(value.is_nan(), "{row} {column}: {value}"),
            (1, _, true) => assert_eq!(*value, f32::INFINITY, "{row} {column}"),
            _ => assert!(value.is_finite(), "{channel} {row} {column}: {value}"),
        }
    }
    let gradient = gradient.into_data().try_to_vec::<f32>().unwrap();
    for (tap, value) in gradient[9..].iter().enumerate() {
        // The last pixel is above or left of no output.
        if tap / 3 == 0 || tap % 3 == 0 {
            assert!(value.is_finite(), "tap {tap}: {value}");
        } else {
            assert_eq!(*value, f32::INFINITY, "tap {tap}");
        }
    }
}

#[test]
#[should_panic(expected = "has 3 channels")]
fn wrong_channels_panic() {
    let device = burn_device();
    let x = Tensor::<4>::zeros([1, 3, 4, 4], &device);
    let weight = Tensor::<4>::zeros([1, 2, 3, 3], &device);
    fas_kernels::conv2d(x, weight, None, ConvOptions::new([1, 1], [1, 1], [1, 1], 1));
}

/// Maps larger and smaller than the weight, in one group and in many.
fn convolutions_take_over_their_norm(device: Device) {
    for (channels, size, stride, depthwise) in [
        ([5, 7], [16, 16], 1, false),
        ([5, 7], [16, 15], 2, false),
        ([20, 7], [5, 5], 1, false),
        ([6, 6], [9, 9], 2, true),
    ] {
        let case = Case {
            batch_size: 2,
            channels,
            size,
            kernel: 3,
            stride,
            bias: false,
            depthwise,
        };
        let (x, weight, _) = case.inputs(&device);
        let [gamma, beta, mean, variance] =
            [1, 2, 3, 4].map(|seed| random::<1>(seed, [channels[1]], &device));
        let variance = variance.powi_scalar(2) + 0.5;
        let norm = [gamma, beta, mean, variance];
        let [gamma, beta, mean, variance] = norm.clone();
        let y = fas_kernels::conv2d(x.clone(), weight.clone(), None, case.options());
        let along = |t: Tensor<1>| t.reshape([1, channels[1], 1, 1]);
        let deviation = (along(variance) + 1e-3).sqrt();
        let expected = (y - along(mean)) / deviation * along(gamma) + along(beta);
        let ours = fas_kernels::conv2d_batch_norm(x, weight, norm, 1e-3, case.options());
        let [ours, expected] = [ours, expected].map(|t| t.into_data().try_to_vec::<f32>().unwrap());
        assert_close(&ours, &expected, 2e-5, &format!("{case:?}"));
    }
}

on_every_device!(
    equals_burn_forward_and_backward,
    other_options_run_the_reference,
    convolutions_take_over_their_norm,
    known_values,
    strided_views_are_read_in_order,
    gradients_equal_finite_differences,
    only_wanted_gradients_are_made,
    not_a_number_and_infinity_reach_exactly_the_outputs_that_see_them,
);
