//! Doubling and halving against their definitions.
#![cfg(any(
    feature = "flex",
    feature = "wgpu",
    feature = "vulkan",
    feature = "cuda"
))]

mod common;

use burn::tensor::{Device, Tensor};
#[cfg(feature = "flex")]
use common::with_threads;
use common::{assert_close, channels_last, on_every_device, random};

/// Batch size, channels, height and width of the smaller map.
const SIZES: [[usize; 4]; 5] = [
    [1, 1, 1, 1],
    [2, 3, 5, 7],
    [1, 2, 9, 33],
    [3, 1, 1, 40],
    [2, 5, 64, 64],
];

fn values(tensor: Tensor<4>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

/// Where the pixel `i` of a map twice as large lies in the smaller one.
fn source(i: usize, [_, _, height, width]: [usize; 4]) -> usize {
    let (x, y) = (i % (2 * width) / 2, i / (2 * width) % (2 * height) / 2);
    let plane = i / (4 * width * height);
    (plane * height + y) * width + x
}

fn values_and_gradients_follow_the_definition(device: Device) {
    let device = device.autodiff();
    for size in SIZES {
        let [batch_size, channels, height, width] = size;
        let large = [batch_size, channels, 2 * height, 2 * width];
        let small_values = values(random(1, size, &device));
        let large_values = values(random(2, large, &device));
        let doubled: Vec<f32> = (0..large_values.len())
            .map(|i| small_values[source(i, size)])
            .collect();
        let mut sums = vec![0.0; small_values.len()];
        for (i, value) in large_values.iter().enumerate() {
            sums[source(i, size)] += value;
        }

        let x = random(1, size, &device).require_grad();
        let weight = random(2, large, &device);
        let y = fas_kernels::nearest_2x(x.clone());
        assert_eq!(y.dims(), large);
        let gradients = (y.clone() * weight.clone()).sum().backward();
        assert_close(&values(y), &doubled, 0.0, "doubled");
        assert_close(
            &values(x.grad(&gradients).unwrap()),
            &sums,
            1e-6,
            "its gradient",
        );

        let x = weight.require_grad();
        let y = fas_kernels::average_2x2(x.clone());
        assert_eq!(y.dims(), size);
        let gradients = (y.clone() * random(1, size, &device)).sum().backward();
        let means: Vec<f32> = sums.iter().map(|sum| sum / 4.0).collect();
        let quarters: Vec<f32> = doubled.iter().map(|value| value / 4.0).collect();
        assert_close(&values(y), &means, 1e-6, "halved");
        assert_close(
            &values(x.grad(&gradients).unwrap()),
            &quarters,
            0.0,
            "its gradient",
        );
    }
}

fn views_are_read_in_order(device: Device) {
    let view = random(3, [4, 6, 2, 3], &device).permute([3, 2, 1, 0]);
    let whole =
        Tensor::<1>::from_data(values(view.clone()).as_slice(), &device).reshape([3, 2, 6, 4]);
    for (f, name) in [
        (fas_kernels::nearest_2x as fn(Tensor<4>) -> _, "doubled"),
        (fas_kernels::average_2x2, "halved"),
    ] {
        assert_close(
            &values(f(view.clone())),
            &values(f(whole.clone())),
            0.0,
            name,
        );
    }
}

fn channels_last_maps_are_read_in_order(device: Device) {
    for dims in [[1, 1, 2, 2], [2, 3, 6, 4], [1, 32, 8, 2]] {
        let x = random(6, dims, &device);
        for f in [
            fas_kernels::nearest_2x as fn(Tensor<4>) -> _,
            fas_kernels::average_2x2,
        ] {
            let expected = values(f(x.clone()));
            assert_close(&values(f(channels_last(x.clone()))), &expected, 0.0, "map");
        }
    }
}

fn odd_sizes_cannot_be_halved(device: Device) {
    let x = random(4, [1, 1, 3, 2], &device);
    let result = std::panic::catch_unwind(move || fas_kernels::average_2x2(x));
    assert!(result.is_err());
}

#[cfg(feature = "flex")]
#[test]
fn threads_change_nothing() {
    let run = |threads| {
        with_threads(threads, || {
            let x = random(5, [2, 8, 128, 128], &Device::flex());
            values(fas_kernels::average_2x2(fas_kernels::nearest_2x(x)))
        })
    };
    assert_eq!(run(1), run(3));
}

on_every_device!(
    values_and_gradients_follow_the_definition,
    views_are_read_in_order,
    channels_last_maps_are_read_in_order,
    odd_sizes_cannot_be_halved,
);
