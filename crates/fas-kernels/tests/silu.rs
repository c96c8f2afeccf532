//! The sigmoid linear unit against the exact formula and Burn's.
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

fn values_and_slopes_are_exact_to_a_few_units(device: Device) {
    let device = device.autodiff();
    for len in [1, 15, 16, 17, 20_000] {
        let x = (random(1, [len], &device) * 20.0).detach().require_grad();
        let y = fas_kernels::silu(x.clone());
        let grads = y.clone().sum().backward();
        let slopes = x
            .grad(&grads)
            .unwrap()
            .into_data()
            .try_to_vec::<f32>()
            .unwrap();
        let values = y.into_data().try_to_vec::<f32>().unwrap();
        let x = x.into_data().try_to_vec::<f32>().unwrap();
        for ((x, y), slope) in x.iter().zip(&values).zip(&slopes) {
            let x = f64::from(*x);
            let s = 1.0 / (1.0 + (-x).exp());
            let relative = (f64::from(*y) - x * s).abs() / (x * s).abs().max(1e-30);
            assert!(
                relative < 4e-7 + exp_error(&device, x),
                "silu({x}) = {y}: relative error {relative:e}"
            );
            let exact = s * (1.0 + x * (1.0 - s));
            let error = (f64::from(*slope) - exact).abs();
            let bound = 6e-7 + s.min(1.0 - s) * (1.0 + x.abs()) * exp_error(&device, x);
            assert!(error < bound, "slope at {x}: {slope}, not {exact}");
        }
    }
}

fn equals_burn_on_views_and_special_values(device: Device) {
    let values = |t: Tensor<3>| t.into_data().try_to_vec::<f32>().unwrap();
    let x = |device: &Device| random(1, [7, 9, 5], device).permute([2, 0, 1]) * 8.0;
    let row = |device: &Device| random(2, [7, 1, 5], device).expand([7, 9, 5]);
    for (name, x) in [("view", &x as &dyn Fn(&Device) -> _), ("broadcast", &row)] {
        let ours = values(fas_kernels::silu(x(&device)));
        let burn = values(activation::silu(x(&burn_device())));
        assert_close(&ours, &burn, 1e-6, name);
    }
    let special = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, 100.0];
    let x = Tensor::<1>::from_data(special, &device);
    let burn = activation::silu(Tensor::<1>::from_data(special, &burn_device()));
    assert_close(
        &fas_kernels::silu(x)
            .into_data()
            .try_to_vec::<f32>()
            .unwrap(),
        &burn.into_data().try_to_vec::<f32>().unwrap(),
        0.0,
        "special values",
    );
    let far = Tensor::<1>::from_data([-100.0, -1e30], &device);
    for value in fas_kernels::silu(far)
        .into_data()
        .try_to_vec::<f32>()
        .unwrap()
    {
        assert_eq!(value, 0.0);
    }
}

fn gradients_of_views_equal_burn(device: Device) {
    let gradient = |device: &Device, silu: fn(Tensor<3>) -> Tensor<3>, order: [usize; 3]| {
        let device = device.clone().autodiff();
        let x = random(1, [6, 7, 8], &device).permute([2, 0, 1]) * 4.0;
        let x = x.detach().require_grad();
        // The output's gradient is this factor, in one or another order of memory.
        let dims = order.map(|axis| [6, 7, 8][axis]);
        let mut back = [0; 3];
        for (i, axis) in order.into_iter().enumerate() {
            back[axis] = i;
        }
        let factor = random(2, dims, &device).permute(back.map(|i| i as isize));
        let grads = (silu(x.clone()) * factor.permute([2, 0, 1]))
            .sum()
            .backward();
        let gradient = x.grad(&grads).unwrap();
        gradient.into_data().try_to_vec::<f32>().unwrap()
    };
    for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
        let ours = gradient(&device, fas_kernels::silu, order);
        let burn = gradient(&burn_device(), activation::silu, order);
        assert_close(&ours, &burn, 1e-6, &format!("gradient in order {order:?}"));
    }
}

#[cfg(feature = "flex")]
#[test]
fn threads_do_not_change_a_bit() {
    let device = Device::flex();
    let run = |threads| {
        with_threads(threads, || {
            let y = fas_kernels::silu(random(1, [100_003], &device) * 9.0);
            let y = y.into_data().try_to_vec::<f32>().unwrap();
            y.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        })
    };
    let one = run(1);
    assert!(one == run(2) && one == run(5));
}

on_every_device!(
    values_and_slopes_are_exact_to_a_few_units,
    equals_burn_on_views_and_special_values,
    gradients_of_views_equal_burn,
);
