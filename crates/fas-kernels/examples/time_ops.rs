//! Times the kernels against Burn's own operations: `cargo run --release -p fas-kernels --features
//! flex --example time_ops`. Prints the shortest of many alternating runs, in milliseconds.

use std::time::Instant;

use burn::nn::GroupNormConfig;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Distribution, Tensor, activation, module};
use fas_kernels::{GroupNormOptions, group_norm, silu};

const RUNS: usize = 40;

/// Shortest times of `ours` and `burn`, run alternately.
fn race(ours: impl Fn(), burn: impl Fn()) -> [f64; 2] {
    let mut best = [f64::INFINITY; 2];
    for _ in 0..RUNS {
        for (best, run) in best.iter_mut().zip([&ours as &dyn Fn(), &burn]) {
            let start = Instant::now();
            run();
            *best = best.min(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    best
}

fn report(name: &str, [ours, burn]: [f64; 2]) {
    println!(
        "{name:44} {ours:8.3} ms   Burn {burn:8.3} ms   {:5.2}x",
        burn / ours
    );
}

fn conv([n, c, h, w]: [usize; 4], device: &Device) {
    let options = || ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
    let tensors = |device: &Device| {
        (
            Tensor::<4>::random([n, c, h, w], Distribution::Default, device),
            Tensor::<4>::random([c, c, 3, 3], Distribution::Default, device),
            Tensor::<1>::random([c], Distribution::Default, device),
        )
    };
    let (x, weight, bias) = tensors(device);
    report(
        &format!("conv3x3 forward {n}x{c}x{h}x{w}"),
        race(
            || {
                drop(fas_kernels::conv2d(
                    x.clone(),
                    weight.clone(),
                    Some(bias.clone()),
                    options(),
                ))
            },
            || {
                drop(module::conv2d(
                    x.clone(),
                    weight.clone(),
                    Some(bias.clone()),
                    options(),
                ))
            },
        ),
    );
    let (x, weight, bias) = tensors(&device.clone().autodiff());
    let (x, weight, bias) = (x.require_grad(), weight.require_grad(), bias.require_grad());
    report(
        &format!("conv3x3 forward + backward {n}x{c}x{h}x{w}"),
        race(
            || {
                let b = Some(bias.clone());
                let y = fas_kernels::conv2d(x.clone(), weight.clone(), b, options());
                drop(y.sum().backward());
            },
            || {
                let b = Some(bias.clone());
                let y = module::conv2d(x.clone(), weight.clone(), b, options());
                drop(y.sum().backward());
            },
        ),
    );
}

fn norm([n, c, h, w]: [usize; 4], device: &Device) {
    let groups = if c % 32 == 0 { 32 } else { 8 };
    let options = GroupNormOptions::new(groups).with_silu(true);
    for (name, device, backward) in [
        ("forward", device.clone(), false),
        ("forward + backward", device.clone().autodiff(), true),
    ] {
        let module = GroupNormConfig::new(groups, c).init(&device);
        let mut x = Tensor::<4>::random([n, c, h, w], Distribution::Default, &device);
        if backward {
            x = x.require_grad();
        }
        let finish = |y: Tensor<4>| {
            if backward {
                drop(y.sum().backward());
            }
        };
        report(
            &format!("group norm + SiLU {name} {n}x{c}x{h}x{w}"),
            race(
                || {
                    let weight = module.gamma.as_ref().unwrap().val();
                    let bias = module.beta.as_ref().unwrap().val();
                    finish(group_norm(x.clone(), weight, bias, None, options));
                },
                || finish(activation::silu(module.forward(x.clone()))),
            ),
        );
    }
}

fn sigmoid_linear_unit(len: usize, device: &Device) {
    let x = Tensor::<1>::random([len], Distribution::Normal(0.0, 3.0), device);
    report(
        &format!("SiLU forward {len}"),
        race(
            || drop(silu(x.clone())),
            || drop(activation::silu(x.clone())),
        ),
    );
    let device = device.clone().autodiff();
    let x = Tensor::<1>::random([len], Distribution::Normal(0.0, 3.0), &device).require_grad();
    report(
        &format!("SiLU forward + backward {len}"),
        race(
            || drop(silu(x.clone()).sum().backward()),
            || drop(activation::silu(x.clone()).sum().backward()),
        ),
    );
}

fn main() {
    let device = Device::flex();
    for shape in [[8, 64, 32, 32], [8, 32, 32, 32], [8, 96, 8, 8]] {
        conv(shape, &device);
        norm(shape, &device);
    }
    sigmoid_linear_unit(512 * 1024, &device);
}
