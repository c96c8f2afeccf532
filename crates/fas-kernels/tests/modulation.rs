//! Modulation by grids against its definition.
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
use common::{assert_close, on_every_device, random};
use fas_kernels::modulate_by_grids;

/// Batch size, channels and side of the map; sides of the grids of factors and offsets.
const CASES: [([usize; 3], [usize; 2]); 6] = [
    ([1, 1, 1], [1, 1]),
    ([2, 3, 8], [4, 1]),
    ([1, 5, 17], [5, 3]),
    ([2, 2, 16], [1, 16]),
    ([2, 40, 32], [16, 5]),
    // More than one tile of columns on a GPU.
    ([1, 3, 70], [4, 9]),
];

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

/// Weights of which most are zero, as an interpolation has them.
fn axis(seed: u64, size: usize, side: usize, device: &Device) -> Tensor<2> {
    let dense = values(random(seed, [size, side], device));
    let weights: Vec<f32> = (0..size * side)
        .map(|i| {
            let centre = i / side * side / size;
            let near = (i % side).abs_diff(centre) <= 1;
            // A pixel may have no weight at all.
            if near && i / side != 3 { dense[i] } else { 0.0 }
        })
        .collect();
    Tensor::<1>::from_data(weights.as_slice(), device).reshape([size, side])
}

/// `axis grid axis^T` of each map.
fn up(grids: &[f32], axis: &[f32], size: usize, side: usize) -> Vec<f64> {
    let weight = |i: usize, j: usize| f64::from(axis[i * side + j]);
    let mut maps = Vec::new();
    for grid in grids.chunks(side * side) {
        for pixel in 0..size * size {
            let (y, x) = (pixel / size, pixel % size);
            let cells = grid.iter().enumerate();
            maps.push(
                cells
                    .map(|(cell, value)| {
                        f64::from(*value) * weight(y, cell / side) * weight(x, cell % side)
                    })
                    .sum(),
            );
        }
    }
    maps
}

/// The transpose of [`up`].
fn down(maps: &[f64], axis: &[f32], size: usize, side: usize) -> Vec<f32> {
    let weight = |i: usize, j: usize| f64::from(axis[i * side + j]);
    let mut grids = Vec::new();
    for map in maps.chunks(size * size) {
        for cell in 0..side * side {
            let pixels = map.iter().enumerate();
            let sum: f64 = pixels
                .map(|(pixel, value)| {
                    value * weight(pixel / size, cell / side) * weight(pixel % size, cell % side)
                })
                .sum();
            grids.push(sum as f32);
        }
    }
    grids
}

fn product(a: &[f64], b: &[f32]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a * f64::from(*b)).collect()
}

fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|value| *value as f32).collect()
}

fn values_and_gradients_follow_the_definition(device: Device) {
    let device = device.autodiff();
    for ([batch_size, channels, size], [scale_side, shift_side]) in CASES {
        let map = [batch_size, channels, size, size];
        let grid = |side: usize| [batch_size, channels, side * side];
        let x = random(1, map, &device).require_grad();
        let scale = random(2, grid(scale_side), &device).require_grad();
        let shift = random(3, grid(shift_side), &device).require_grad();
        let axes = [
            axis(4, size, scale_side, &device),
            axis(5, size, shift_side, &device),
        ];
        let weight = random(6, map, &device);
        let [scale_axis, shift_axis] = axes.clone();
        let y = modulate_by_grids(
            x.clone(),
            scale.clone(),
            shift.clone(),
            scale_axis,
            shift_axis,
        );
        let gradients = (y.clone() * weight.clone()).sum().backward();

        let [scale_axis, shift_axis] = axes.map(values);
        let (maps, weight) = (values(x.clone()), values(weight));
        let factors = up(&values(scale.clone()), &scale_axis, size, scale_side);
        let offsets = up(&values(shift.clone()), &shift_axis, size, shift_side);
        let modulated: Vec<f64> = product(&factors, &maps)
            .iter()
            .zip(&offsets)
            .map(|(product, offset)| product + offset)
            .collect();
        let what = format!("{map:?} {scale_side} {shift_side}");
        assert_close(&values(y), &single(&modulated), 2e-6, &what);
        let d_x = values(x.grad(&gradients).unwrap());
        assert_close(&d_x, &single(&product(&factors, &weight)), 2e-6, &what);
        let weight: Vec<f64> = weight.into_iter().map(f64::from).collect();
        let d_scale = down(&product(&weight, &maps), &scale_axis, size, scale_side);
        let d_shift = down(&weight, &shift_axis, size, shift_side);
        assert_close(
            &values(scale.grad(&gradients).unwrap()),
            &d_scale,
            2e-6,
            &what,
        );
        assert_close(
            &values(shift.grad(&gradients).unwrap()),
            &d_shift,
            2e-6,
            &what,
        );
    }
}

fn views_are_read_in_order(device: Device) {
    let whole = |t: Tensor<3>| {
        let dims = t.dims();
        Tensor::<1>::from_data(values(t).as_slice(), &device).reshape(dims)
    };
    let x = random(1, [2, 6, 8, 8], &device);
    // As they come from attention: tokens before channels, and one token more.
    let [scale, shift] = [(2, 17), (3, 5)].map(|(seed, tokens)| {
        let fused = random(seed, [2, tokens, 6], &device);
        fused.narrow(1, 0, tokens - 1).swap_dims(1, 2)
    });
    let (scale_axis, shift_axis) = (axis(4, 8, 4, &device), axis(5, 8, 2, &device));
    let run = |x, scale, shift| {
        values(modulate_by_grids(
            x,
            scale,
            shift,
            scale_axis.clone(),
            shift_axis.clone(),
        ))
    };
    let expected = run(x.clone(), whole(scale.clone()), whole(shift.clone()));
    assert_close(
        &run(x.clone(), scale.clone(), shift.clone()),
        &expected,
        0.0,
        "grids",
    );
    let turned = x.clone().swap_dims(2, 3);
    let copied = Tensor::<1>::from_data(values(turned.clone()).as_slice(), &device);
    let copied = copied.reshape([2, 6, 8, 8]);
    assert_close(
        &run(turned, scale.clone(), shift.clone()),
        &run(copied, scale, shift),
        0.0,
        "map",
    );
}

#[cfg(feature = "flex")]
#[test]
fn threads_and_batches_change_nothing() {
    let device = Device::flex();
    let run = |threads, images: usize| {
        with_threads(threads, || {
            let first = |t: Tensor<3>| t.narrow(0, 0, images);
            let y = modulate_by_grids(
                random(1, [3, 64, 32, 32], &device).narrow(0, 0, images),
                first(random(2, [3, 64, 100], &device)),
                first(random(3, [3, 64, 36], &device)),
                axis(4, 32, 10, &device),
                axis(5, 32, 6, &device),
            );
            values(y)
        })
    };
    let whole = run(1, 3);
    assert_eq!(whole, run(3, 3));
    assert_eq!(whole[..64 * 1024], run(2, 1));
}

on_every_device!(
    values_and_gradients_follow_the_definition,
    views_are_read_in_order,
);
