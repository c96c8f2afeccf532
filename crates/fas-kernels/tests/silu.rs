//! The sigmoid linear unit against the exact formula and Burn's.

mod common;

use burn::tensor::{Device, Tensor, activation};
use common::{assert_close, random, with_threads};

#[test]
fn values_and_slopes_are_exact_to_a_few_units() {
    let device = Device::flex().autodiff();
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
                relative < 4e-7,
                "silu({x}) = {y}: relative error {relative:e}"
            );
            let exact = s * (1.0 + x * (1.0 - s));
            let error = (f64::from(*slope) - exact).abs();
            assert!(error < 6e-7, "slope at {x}: {slope}, not {exact}");
        }
    }
}

#[test]
fn equals_burn_on_views_and_special_values() {
    let device = Device::flex();
    let x = random(1, [7, 9, 5], &device).permute([2, 0, 1]) * 8.0;
    assert_close(
        &fas_kernels::silu(x.clone())
            .into_data()
            .try_to_vec::<f32>()
            .unwrap(),
        &activation::silu(x).into_data().try_to_vec::<f32>().unwrap(),
        1e-6,
        "view",
    );
    let special = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, 100.0];
    let x = Tensor::<1>::from_data(special, &device);
    assert_close(
        &fas_kernels::silu(x.clone())
            .into_data()
            .try_to_vec::<f32>()
            .unwrap(),
        &activation::silu(x).into_data().try_to_vec::<f32>().unwrap(),
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
