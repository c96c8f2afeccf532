//! Half types: outputs and gradients are those of `f32` on the same values, rounded.
#![cfg(any(
    feature = "flex",
    feature = "wgpu",
    feature = "vulkan",
    feature = "cuda"
))]

mod common;

use burn::tensor::{DType, Device, FloatDType, Tensor, ops::ConvOptions};
use common::{assert_close, on_every_device, random};
use fas_kernels::{GroupNormOptions, conv2d, group_norm};

const HALF_TYPES: [FloatDType; 2] = [FloatDType::F16, FloatDType::BF16];

/// Half a unit in the last place, relative.
fn rounding(half: FloatDType) -> f32 {
    match half {
        FloatDType::F16 => 2f32.powi(-11),
        _ => 2f32.powi(-8),
    }
}

/// Whether `device` computes in `half`; says so if not.
fn computes(device: &Device, half: FloatDType) -> bool {
    let supported = device.supports_dtype(half);
    if !supported {
        println!("skipped: {half:?} on {device:?}");
    }
    supported
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data_as::<f32>().try_to_vec().unwrap()
}

/// Values that `half` holds exactly, as `f32`.
fn held<const D: usize>(tensor: Tensor<D>, half: FloatDType) -> Tensor<D> {
    tensor
        .cast(half)
        .cast(FloatDType::F32)
        .detach()
        .require_grad()
}

/// Output and gradients of `operation` on `inputs`, computed in `half` or in `f32`.
fn run<const D: usize>(
    (x, weight, bias): (Tensor<4>, Tensor<D>, Tensor<1>),
    half: FloatDType,
    operation: impl Fn(Tensor<4>, Tensor<D>, Tensor<1>) -> Tensor<4>,
    factor: f64,
) -> [Vec<f32>; 4] {
    let y = operation(x.clone(), weight.clone(), bias.clone());
    let loss =
        (y.clone().cast(FloatDType::F32) * held(random(9, y.dims(), &y.device()), half)) * factor;
    let grads = loss.sum().backward();
    let d_x = x.grad(&grads).unwrap();
    // The gradient passes the cast back: parameters keep their own type.
    assert_eq!(d_x.dtype(), DType::F32);
    [
        values(y),
        values(d_x),
        values(weight.grad(&grads).unwrap()),
        values(bias.grad(&grads).unwrap()),
    ]
}

fn convolutions_are_those_of_f32_rounded(device: Device) {
    for half in HALF_TYPES
        .into_iter()
        .filter(|&half| computes(&device, half))
    {
        let device = device.clone().autodiff();
        for (channels, size, kernel, stride) in [(16, 8, 3, 1), (6, 7, 3, 2), (5, 6, 1, 1)] {
            let inputs = || {
                let sizes = [channels + 1, channels, kernel, kernel];
                (
                    held(random(1, [2, channels, size, size], &device), half),
                    held(random(2, sizes, &device), half),
                    held(random(3, [channels + 1], &device), half),
                )
            };
            let options = || ConvOptions::new([stride; 2], [kernel / 2; 2], [1, 1], 1);
            let wide = run(
                inputs(),
                half,
                |x, w, b| conv2d(x, w, Some(b), options()),
                1.0,
            );
            let narrow = |x: Tensor<4>, w: Tensor<4>, b: Tensor<1>| {
                let y = conv2d(x.cast(half), w.cast(half), Some(b.cast(half)), options());
                assert_eq!(FloatDType::from(y.dtype()), half);
                y
            };
            let found = run(inputs(), half, narrow, 1.0);
            for (name, (found, wide)) in ["y", "dx", "dw", "db"]
                .into_iter()
                .zip(found.iter().zip(&wide))
            {
                let what = format!("{half:?} {channels}x{size} {name}");
                // Burn's own direct kernel on a GPU adds up in the half type: 144 roundings here, that of
                // software Vulkan ends 8.2 half units off.
                let often = if device.clone().inner() == Device::flex() {
                    1.001
                } else {
                    32.0
                };
                assert_close(found, wide, often * rounding(half), &what);
            }
        }
    }
}

/// Squares and sums of these values are far beyond 65504, the largest of `f16`.
fn group_norm_of_large_values_is_that_of_f32(device: Device) {
    for half in HALF_TYPES
        .into_iter()
        .filter(|&half| computes(&device, half))
    {
        let device = device.clone().autodiff();
        let inputs = || {
            (
                held(random(1, [2, 8, 16, 16], &device) * 9000.0 + 20_000.0, half),
                random(2, [8], &device).require_grad(),
                random(3, [8], &device).require_grad(),
            )
        };
        let (scale, shift) = (random(4, [2, 8], &device), random(5, [2, 8], &device));
        let norm = |x: Tensor<4>, w: Tensor<1>, b: Tensor<1>| {
            let modulation = Some((scale.clone(), shift.clone()));
            let options = GroupNormOptions::new(4).with_silu(true);
            group_norm(x, w, b, modulation, options)
        };
        // The input's gradient is a ten-thousandth of the output's: it would vanish in f16.
        let factor = 4096.0;
        let wide = run(inputs(), half, norm, factor);
        let found = run(inputs(), half, |x, w, b| norm(x.cast(half), w, b), factor);
        for (name, (found, wide)) in ["y", "dx", "dw", "db"]
            .into_iter()
            .zip(found.iter().zip(&wide))
        {
            assert!(wide.iter().all(|v| v.is_finite()) && wide.iter().any(|&v| v != 0.0));
            let what = format!("{half:?} {name}");
            assert_close(found, wide, 1.1 * rounding(half), &what);
        }
    }
}

/// A whole norm in the half type, parameters included, and without modulation.
fn group_norm_with_half_parameters(device: Device) {
    for half in HALF_TYPES
        .into_iter()
        .filter(|&half| computes(&device, half))
    {
        let device = device.clone().autodiff();
        let inputs = || {
            (
                held(random(1, [2, 8, 5, 5], &device), half),
                held(random(2, [8], &device), half),
                held(random(3, [8], &device), half),
            )
        };
        let norm = |x, w, b| group_norm(x, w, b, None, GroupNormOptions::new(2));
        let wide = run(inputs(), half, norm, 1.0);
        let narrow = |x: Tensor<4>, w: Tensor<1>, b: Tensor<1>| {
            norm(x.cast(half), w.cast(half), b.cast(half))
        };
        let found = run(inputs(), half, narrow, 1.0);
        for (found, wide) in found.iter().zip(&wide) {
            // The sums of images and the two sums of a parameter's gradient are rounded apart.
            assert_close(found, wide, 4.0 * rounding(half), "half parameters");
        }
    }
}

on_every_device!(
    convolutions_are_those_of_f32_rounded,
    group_norm_of_large_values_is_that_of_f32,
    group_norm_with_half_parameters,
);
