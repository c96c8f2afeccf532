//! Patch moments against their definition.
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
use fas_kernels::{PatchMoments, PatchOptions, patch_moments};

/// Batch size, channels, height and width, and the two patches.
const CASES: [([usize; 4], [usize; 2]); 7] = [
    ([1, 1, 1, 1], [1, 1]),
    ([2, 3, 8, 8], [6, 2]),
    ([1, 5, 16, 16], [5, 3]),
    // Patches larger than the map, or than one side of it.
    ([2, 2, 4, 4], [6, 5]),
    ([1, 3, 2, 9], [3, 2]),
    ([1, 2, 33, 20], [7, 1]),
    ([2, 40, 32, 32], [6, 2]),
];

fn options([mean_patch, spread_patch]: [usize; 2], global_first: bool) -> PatchOptions {
    PatchOptions {
        mean_patch,
        spread_patch,
        global_first,
    }
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

/// The pixels of each patch, and of the map, in the order of the tokens.
fn members(height: usize, width: usize, patch: usize, global_first: bool) -> Vec<Vec<usize>> {
    let (rows, columns) = ((height / patch).max(1), (width / patch).max(1));
    let mut patches: Vec<Vec<usize>> = (0..rows * columns)
        .map(|cell| {
            let (top, left) = (cell / columns * patch, cell % columns * patch);
            let (bottom, right) = ((top + patch).min(height), (left + patch).min(width));
            let line = |y: usize| (left..right).map(move |x| y * width + x);
            (top..bottom).flat_map(line).collect()
        })
        .collect();
    let place = if global_first { 0 } else { patches.len() };
    patches.insert(place, (0..height * width).collect());
    patches
}

/// Means of `power` over each patch of each map.
fn expected(maps: &[f32], members: &[Vec<usize>], pixels: usize, power: i32) -> Vec<f32> {
    let mean = |map: &[f32], patch: &Vec<usize>| {
        let sum: f64 = patch.iter().map(|&i| f64::from(map[i]).powi(power)).sum();
        (sum / patch.len() as f64) as f32
    };
    maps.chunks(pixels)
        .flat_map(|map| members.iter().map(move |patch| mean(map, patch)))
        .collect()
}

fn values_follow_the_definition(device: Device) {
    for (size, patches) in CASES {
        for global_first in [false, true] {
            let [_, _, height, width] = size;
            let x = random(1, size, &device);
            let [mean, spread] = patches.map(|patch| members(height, width, patch, global_first));
            let maps = values(x.clone());
            let of = |members, power| expected(&maps, members, height * width, power);
            let PatchMoments {
                means,
                spread_means,
                spread_squares,
            } = patch_moments(x, options(patches, global_first));
            assert_eq!(means.dims(), [size[0], size[1], mean.len()]);
            assert_eq!(spread_squares.dims(), [size[0], size[1], spread.len()]);
            let what = format!("{size:?} {patches:?} {global_first}");
            assert_close(&values(means), &of(&mean, 1), 1e-6, &what);
            assert_close(&values(spread_means), &of(&spread, 1), 1e-6, &what);
            assert_close(&values(spread_squares), &of(&spread, 2), 1e-6, &what);
        }
    }
}

fn gradients_follow_the_definition(device: Device) {
    let device = device.autodiff();
    for (size, patches) in CASES {
        for global_first in [false, true] {
            let [batch_size, channels, height, width] = size;
            let pixels = height * width;
            let [mean, spread] = patches.map(|patch| members(height, width, patch, global_first));
            let tokens = |n: usize| [batch_size, channels, n];
            let weights = [
                random(2, tokens(mean.len()), &device),
                random(3, tokens(spread.len()), &device),
                random(4, tokens(spread.len()), &device),
            ];
            let x = random(1, size, &device).require_grad();
            let moments = patch_moments(x.clone(), options(patches, global_first));
            let [a, b, c] = weights.clone();
            let loss = (moments.means * a).sum()
                + (moments.spread_means * b).sum()
                + (moments.spread_squares * c).sum();
            let gradients = loss.backward();

            let maps = values(x.clone());
            let [a, b, c] = weights.map(values);
            let mut sums = vec![0f64; maps.len()];
            for map in 0..batch_size * channels {
                for (members, weights, power) in
                    [(&mean, &a, 1), (&spread, &b, 1), (&spread, &c, 2)]
                {
                    for (token, patch) in members.iter().enumerate() {
                        let weight = f64::from(weights[map * members.len() + token]);
                        for &i in patch {
                            let i = map * pixels + i;
                            let slope = if power == 1 {
                                1.0
                            } else {
                                2.0 * f64::from(maps[i])
                            };
                            sums[i] += weight * slope / patch.len() as f64;
                        }
                    }
                }
            }
            let sums: Vec<f32> = sums.into_iter().map(|sum| sum as f32).collect();
            let what = format!("{size:?} {patches:?} {global_first}");
            assert_close(&values(x.grad(&gradients).unwrap()), &sums, 1e-6, &what);
        }
    }
}

fn views_are_read_in_order(device: Device) {
    let view = random(3, [4, 6, 2, 3], &device).permute([3, 2, 1, 0]);
    let whole =
        Tensor::<1>::from_data(values(view.clone()).as_slice(), &device).reshape([3, 2, 6, 4]);
    let run = |x| values(patch_moments(x, options([2, 3], false)).spread_squares);
    assert_close(&run(view), &run(whole), 0.0, "view");
}

#[cfg(feature = "flex")]
#[test]
fn threads_and_batches_change_nothing() {
    let run = |threads, images: usize| {
        with_threads(threads, || {
            let x = random(5, [3, 64, 32, 32], &Device::flex()).narrow(0, 0, images);
            values(patch_moments(x, options([5, 3], true)).means)
        })
    };
    let whole = run(1, 3);
    assert_eq!(whole, run(3, 3));
    assert_eq!(whole[..64 * 37], run(2, 1));
}

#[test]
#[should_panic(expected = "a patch has no pixel")]
fn patches_have_pixels() {
    let x = Tensor::<4>::zeros([1, 1, 2, 2], &common::burn_device());
    patch_moments(x, options([0, 1], false));
}

on_every_device!(
    values_follow_the_definition,
    gradients_follow_the_definition,
    views_are_read_in_order,
);
