//! Softmax against exact values and Burn's, forward and backward.
#![cfg(any(
    feature = "flex",
    feature = "wgpu",
    feature = "vulkan",
    feature = "cuda"
))]

mod common;

use burn::tensor::{Device, Tensor, activation};
#[cfg(feature = "flex")]
use common::with_threads;
use common::{assert_close, burn_device, exp_error, on_every_device, random};
use fas_kernels::softmax;

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

/// Output, and the input's gradient of a weighted sum.
fn run(x: Tensor<3>, axis: usize, f: impl Fn(Tensor<3>, usize) -> Tensor<3>) -> [Vec<f32>; 2] {
    let x = x.require_grad();
    let y = f(x.clone(), axis);
    let factor = random(9, y.dims(), &y.device());
    let gradients = (y.clone() * factor).sum().backward();
    [values(y), values(x.grad(&gradients).unwrap())]
}

fn equals_burn_on_every_axis_and_length(device: Device) {
    let device = device.autodiff();
    for dims in [
        [1, 1, 1],
        [2, 3, 15],
        [1, 5, 16],
        [3, 2, 17],
        [2, 7, 64],
        [1, 4, 131],
        [2, 1, 4096],
        [1, 1, 20_011],
    ] {
        for axis in 0..3 {
            let x = |device: &Device| (random(1, dims, device).detach() * 8.0).detach();
            let ours = run(x(&device), axis, softmax::<3>);
            let burn = x(&burn_device().autodiff());
            let burn = run(burn, axis, activation::softmax);
            for ((ours, burn), name) in ours.iter().zip(&burn).zip(["output", "gradient"]) {
                assert_close(
                    ours,
                    burn,
                    1e-6,
                    &format!("{name} of {dims:?}, axis {axis}"),
                );
            }
        }
    }
}

fn values_are_exact_to_a_few_units(device: Device) {
    for len in [3, 100, 4096] {
        let x = random(3, [len], &device) * 10.0;
        let y = values(softmax(x.clone(), 0));
        let x = values(x);
        let e: Vec<f64> = x.iter().map(|x| f64::from(*x).exp()).collect();
        let sum: f64 = e.iter().sum();
        for (y, e) in y.iter().zip(e) {
            let error = (f64::from(*y) * sum / e - 1.0).abs();
            let bound = 2e-6 + exp_error(&device, 20.0);
            assert!(error < bound, "{y}: relative error {error:e}");
        }
    }
}

fn views_and_broadcasts_are_read_in_order(device: Device) {
    let x = random(1, [6, 5, 7], &device).permute([2, 0, 1]) * 4.0;
    let burn = activation::softmax(x.clone().to_device(&burn_device()), 2);
    assert_close(&values(softmax(x, 2)), &values(burn), 1e-6, "view");
    let x = random(2, [1, 1, 9], &device).expand([4, 3, 9]);
    let burn = activation::softmax(x.clone().to_device(&burn_device()), 2);
    assert_close(&values(softmax(x, 2)), &values(burn), 1e-6, "broadcast");
}

fn gradients_equal_finite_differences(device: Device) {
    let device = device.autodiff();
    let x = random(5, [3, 2, 19], &device).detach() * 2.0;
    let [_, gradient] = run(x.clone().detach(), 2, softmax::<3>);
    let direction = random(6, [3, 2, 19], &device);
    let loss = |step: f32| {
        let y = softmax(x.clone() + direction.clone() * step, 2);
        let factor = random(9, y.dims(), &device);
        f64::from((y * factor).sum().into_scalar::<f32>())
    };
    let step = 1e-2;
    let difference = (loss(step) - loss(-step)) / (2.0 * f64::from(step));
    let slope: f64 = values(direction)
        .iter()
        .zip(&gradient)
        .map(|(a, b)| f64::from(*a) * f64::from(*b))
        .sum();
    assert!(
        (difference - slope).abs() < 1e-4,
        "{difference} against {slope}"
    );
}

fn rows_with_special_values_are_as_in_burn(device: Device) {
    let inf = f32::INFINITY;
    for row in [
        [0.0, f32::NAN, 2.0],
        [f32::NAN, 5.0, 400.0],
        [1.0, inf, 0.0],
        [-inf, 0.0, 1.0],
        [-inf, -inf, -inf],
        [inf, -inf, 0.0],
        [-200.0, 0.0, 200.0],
        [3e38, 3e38, -3e38],
    ] {
        // Once in the tail of a vector, once in whole vectors.
        for copies in [1, 32] {
            let x = Tensor::<1>::from_data(row, &device).repeat(&[copies]);
            let burn = x.clone().to_device(&burn_device());
            let burn = values(activation::softmax(burn, 0));
            assert_close(&values(softmax(x, 0)), &burn, 1e-6, &format!("{row:?}"));
        }
    }
}

#[test]
#[should_panic(expected = "softmax: axis 2 of a tensor of 2 axes")]
fn an_axis_too_many_is_refused() {
    drop(softmax(Tensor::<2>::zeros([2, 2], &burn_device()), 2));
}

#[cfg(feature = "flex")]
#[test]
fn threads_do_not_change_a_bit() {
    let device = Device::flex();
    let run = |threads| {
        with_threads(threads, || {
            let y = values(softmax(random(1, [300, 333], &device) * 9.0, 1));
            y.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        })
    };
    let one = run(1);
    assert!(one == run(2) && one == run(5));
}

on_every_device!(
    equals_burn_on_every_axis_and_length,
    values_are_exact_to_a_few_units,
    views_and_broadcasts_are_read_in_order,
    gradients_equal_finite_differences,
    rows_with_special_values_are_as_in_burn,
);
