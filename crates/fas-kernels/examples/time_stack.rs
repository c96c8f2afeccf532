//! Times eight layers of conv3x3, group norm and SiLU, 64 channels at 32x32, batch 8, forward and
//! backward, against Burn's operations: `cargo run --release -p fas-kernels --features flex
//! --example time_stack`. Prints the shortest of many alternating runs, in milliseconds.

use std::time::Instant;

use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Distribution, Tensor, activation, module};
use fas_kernels::{GroupNormOptions, conv2d, group_norm};

const LAYERS: usize = 8;
const GROUPS: usize = 32;
const RUNS: usize = 20;

/// Parameters of one layer.
struct Layer {
    weight: Tensor<4>,
    conv_bias: Tensor<1>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
}

/// A parameter, where gradients exist.
fn tracked<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    if tensor.device().is_autodiff() {
        tensor.require_grad()
    } else {
        tensor
    }
}

fn layers(channels: usize, device: &Device) -> Vec<Layer> {
    let normal = Distribution::Normal(0.0, 0.04);
    (0..LAYERS)
        .map(|_| Layer {
            weight: tracked(Tensor::random([channels, channels, 3, 3], normal, device)),
            conv_bias: tracked(Tensor::zeros([channels], device)),
            gamma: tracked(Tensor::ones([channels], device)),
            beta: tracked(Tensor::zeros([channels], device)),
        })
        .collect()
}

fn options() -> ConvOptions<2> {
    ConvOptions::new([1, 1], [1, 1], [1, 1], 1)
}

fn ours(x: Tensor<4>, layer: &Layer) -> Tensor<4> {
    let bias = Some(layer.conv_bias.clone());
    let y = conv2d(x, layer.weight.clone(), bias, options());
    let options = GroupNormOptions::new(GROUPS).with_silu(true);
    group_norm(y, layer.gamma.clone(), layer.beta.clone(), None, options)
}

fn burn(x: Tensor<4>, layer: &Layer) -> Tensor<4> {
    let bias = Some(layer.conv_bias.clone());
    let y = module::conv2d(x, layer.weight.clone(), bias, options());
    let [n, c, h, w] = y.dims();
    let y = y.reshape([n, GROUPS, c / GROUPS * h * w]);
    let centred = y.clone() - y.mean_dim(2);
    let variance = (centred.clone() * centred.clone()).mean_dim(2);
    let y = (centred / (variance + 1e-5).sqrt()).reshape([n, c, h, w]);
    let y =
        y * layer.gamma.clone().reshape([1, c, 1, 1]) + layer.beta.clone().reshape([1, c, 1, 1]);
    activation::silu(y)
}

fn main() {
    // `ours` as argument: ours alone, for a profiler.
    let raced = if std::env::args().any(|argument| argument == "ours") {
        1
    } else {
        2
    };
    let plain = Device::flex();
    for (name, device, backward) in [
        ("forward", plain.clone(), false),
        ("forward + backward", plain.autodiff(), true),
    ] {
        let layers = layers(64, &device);
        let x = Tensor::<4>::random([8, 64, 32, 32], Distribution::Normal(0.0, 1.0), &device);
        let mut best = [f64::INFINITY; 2];
        for _ in 0..RUNS {
            let both = [ours as fn(_, &_) -> _, burn];
            for (best, layer) in best.iter_mut().zip(&both[..raced]) {
                let start = Instant::now();
                let y = layers.iter().fold(x.clone(), layer);
                if backward {
                    drop(y.mean().backward());
                }
                *best = best.min(start.elapsed().as_secs_f64() * 1e3);
            }
        }
        let [ours, burn] = best;
        println!(
            "8 layers {name:20} {ours:8.2} ms   Burn {burn:8.2} ms   {:5.2}x",
            burn / ours
        );
    }
}
