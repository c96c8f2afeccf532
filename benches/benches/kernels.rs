//! Every kernel, forward and backward, at sizes of the small networks: `cargo bench -p fas-benches
//! --bench kernels`. `peers/kernels/` times PyTorch beside them.

use std::hint::black_box;
use std::time::Duration;

use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor, TensorData};
use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use fas_benches::tensor;
use fas_kernels::{
    GeluForm, GroupNormOptions, PatchOptions, add, attention, average_2x2, concat_channels, conv2d,
    gelu, group_norm, linear, modulate_by_grids, nearest_2x, patch_moments, silu, softmax,
};

/// Times `operation` on operands made by `operands`, forward and backward.
fn passes<const D: usize, T: Clone>(
    c: &mut Criterion,
    name: &str,
    size: &str,
    operands: impl Fn(&Device) -> T,
    operation: impl Fn(T) -> Tensor<D>,
) {
    let device = Device::flex();
    let mut group = c.benchmark_group(name);
    group.measurement_time(Duration::from_secs(2));
    group.warm_up_time(Duration::from_millis(500));
    let plain = operands(&device);
    group.bench_function(BenchmarkId::new("forward", size), |b| {
        b.iter(|| {
            let y = operation(black_box(plain.clone()));
            device.sync().expect("the CPU is there");
            y
        });
    });
    let tracked = operands(&device.clone().autodiff());
    group.bench_function(BenchmarkId::new("backward", size), |b| {
        b.iter_batched(
            || operation(tracked.clone()),
            |y| {
                let gradients = y.backward();
                device.sync().expect("the CPU is there");
                gradients
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

/// A tensor whose gradient is wanted where there is one.
fn leaf<const D: usize>(dims: [usize; D], device: &Device) -> Tensor<D> {
    let tensor = tensor(dims, device);
    if device.is_autodiff() {
        tensor.require_grad()
    } else {
        tensor
    }
}

fn convolutions(c: &mut Criterion) {
    for (name, kernel, stride, [n, channels, side]) in [
        ("conv3x3", 3, 1, [8, 32, 32]),
        ("conv3x3", 3, 1, [8, 64, 32]),
        ("conv3x3", 3, 1, [8, 256, 8]),
        ("conv3x3_stride2", 3, 2, [8, 64, 32]),
        ("conv1x1", 1, 1, [8, 128, 16]),
        ("depthwise3x3", 3, 1, [8, 128, 32]),
        ("depthwise3x3_stride2", 3, 2, [8, 128, 32]),
    ] {
        let size = format!("{n}x{channels}x{side}x{side}");
        let groups = if name.starts_with("depthwise") {
            channels
        } else {
            1
        };
        let operands = |device: &Device| {
            (
                leaf([n, channels, side, side], device),
                leaf([channels, channels / groups, kernel, kernel], device),
                leaf([channels], device),
            )
        };
        passes(c, name, &size, operands, |(x, weight, bias)| {
            let options = ConvOptions::new([stride; 2], [kernel / 2; 2], [1; 2], groups);
            conv2d(x, weight, Some(bias), options)
        });
    }
}

fn normalisation(c: &mut Criterion) {
    let operands = |device: &Device| {
        let x = leaf([8, 64, 32, 32], device);
        (x, leaf([64], device), leaf([64], device))
    };
    let options = GroupNormOptions::new(32).with_silu(true);
    passes(
        c,
        "group_norm_silu",
        "8x64x32x32",
        operands,
        |(x, weight, bias)| group_norm(x, weight, bias, None, options),
    );
}

fn elementwise(c: &mut Criterion) {
    let size = "524288";
    let operand = |device: &Device| leaf([524_288], device);
    passes(c, "silu", size, operand, silu);
    passes(c, "gelu", size, operand, |x| gelu(x, GeluForm::Erf));
    passes(c, "gelu_tanh", size, operand, |x| gelu(x, GeluForm::Tanh));
    let operand = |device: &Device| leaf([4096, 256], device);
    passes(c, "softmax", "4096x256", operand, |x| softmax(x, 1));
}

/// Layers of a transformer of width 384 for 8 images, and of a time embedding.
fn linears(c: &mut Criterion) {
    for [rows, from, to] in [[1576, 384, 1536], [1576, 1536, 384], [8, 512, 1024]] {
        let operands = |device: &Device| {
            let (x, weight) = (leaf([rows, from], device), leaf([from, to], device));
            (x, weight, leaf([to], device))
        };
        let size = format!("{rows}x{from}x{to}");
        passes(c, "linear", &size, operands, |(x, weight, bias)| {
            linear(x, weight, Some(bias))
        });
    }
}

fn attentions(c: &mut Criterion) {
    for dims in [[8, 1024, 64], [8, 26, 64]] {
        let operands = |device: &Device| [(); 3].map(|()| leaf(dims, device));
        let size = dims.map(|size| size.to_string()).join("x");
        passes(c, "attention", &size, operands, |[query, key, value]| {
            attention(query, key, value, 0.125)
        });
    }
}

fn maps(c: &mut Criterion) {
    let size = "8x64x32x32";
    let map = |device: &Device| leaf([8, 64, 32, 32], device);
    let pair = |device: &Device| (map(device), map(device));
    passes(c, "add", size, pair, |(a, b)| add(a, b));
    passes(c, "concat_channels", size, pair, |(a, b)| {
        concat_channels(a, b)
    });
    passes(c, "nearest_2x", size, map, nearest_2x);
    passes(c, "average_2x2", size, map, average_2x2);
}

/// Weights of linear interpolation from `side` places to 32 pixels.
fn linear_axis(side: usize, device: &Device) -> Tensor<2> {
    let mut weights = vec![0f32; 32 * side];
    for (pixel, row) in weights.chunks_exact_mut(side).enumerate() {
        let position = pixel as f32 * (side - 1) as f32 / 31.0;
        let left = (position as usize).min(side - 2);
        row[left + 1] = position - left as f32;
        row[left] = 1.0 - row[left + 1];
    }
    Tensor::from_data(TensorData::new(weights, [32, side]), device)
}

/// The statistics and the modulation of STFM, as the released U-Net has them at its largest map.
fn style_fusion(c: &mut Criterion) {
    let size = "1x256x32x32";
    let map = |device: &Device| leaf([1, 256, 32, 32], device);
    let options = PatchOptions {
        mean_patch: 5,
        spread_patch: 3,
        global_first: true,
    };
    passes(c, "patch_moments", size, map, |x| {
        patch_moments(x, options).spread_squares
    });
    let operands = |device: &Device| {
        let (scale, shift) = (leaf([1, 256, 100], device), leaf([1, 256, 36], device));
        (
            map(device),
            scale,
            shift,
            [10, 6].map(|side| linear_axis(side, device)),
        )
    };
    passes(c, "modulate_by_grids", size, operands, |operands| {
        let (x, scale, shift, [scale_axis, shift_axis]) = operands;
        modulate_by_grids(x, scale, shift, scale_axis, shift_axis)
    });
}

criterion_group!(
    benches,
    convolutions,
    normalisation,
    elementwise,
    linears,
    attentions,
    maps,
    style_fusion
);
criterion_main!(benches);
