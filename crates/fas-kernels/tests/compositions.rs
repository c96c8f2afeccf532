//! Compositions in place of kernels.
#![cfg(any(
    feature = "flex",
    feature = "wgpu",
    feature = "vulkan",
    feature = "cuda"
))]

mod common;

use burn::tensor::{Device, Tensor, ops::ConvOptions};
use common::{assert_close, on_every_device, random};
use fas_kernels::{GeluForm, GroupNormOptions, PatchOptions, with_compositions};

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

/// Every function of the crate, and its values on the same inputs.
fn all(device: &Device) -> Vec<(&'static str, Vec<f32>)> {
    let x = random(1, [2, 8, 16, 16], device);
    let tokens = |seed: u64| random(seed, [2, 24, 8], device);
    let weight = random(2, [8, 8, 3, 3], device);
    let channels = |seed: u64| random(seed, [8], device);
    let [scale, shift] = [16, 4].map(|cells| random(3, [2, 8, cells], device));
    let [scale_axis, shift_axis] = [4, 2].map(|side| random(4, [16, side], device));
    let patches = PatchOptions {
        mean_patch: 3,
        spread_patch: 2,
        global_first: true,
    };
    let moments = fas_kernels::patch_moments(x.clone(), patches);
    let convolution = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
    let options = GroupNormOptions::new(4);
    let of_maps = |f: fn(Tensor<4>) -> Tensor<4>| values(f(x.clone()));
    vec![
        ("add", of_maps(|x| fas_kernels::add(x.clone(), x))),
        (
            "attention",
            values(fas_kernels::attention(tokens(5), tokens(6), tokens(7), 0.3)),
        ),
        (
            "multi_head_attention",
            values(fas_kernels::multi_head_attention(
                tokens(5),
                tokens(6),
                tokens(7),
                2,
                0.3,
            )),
        ),
        ("average_2x2", of_maps(fas_kernels::average_2x2)),
        (
            "concat_channels",
            of_maps(|x| fas_kernels::concat_channels(x.clone(), x)),
        ),
        (
            "conv2d",
            values(fas_kernels::conv2d(x.clone(), weight, None, convolution)),
        ),
        ("gelu", of_maps(|x| fas_kernels::gelu(x, GeluForm::Erf))),
        (
            "group_norm",
            values(fas_kernels::group_norm(
                x.clone(),
                channels(8),
                channels(9),
                None,
                options,
            )),
        ),
        (
            "linear",
            values(fas_kernels::linear(
                tokens(5),
                random(10, [8, 5], device),
                None,
            )),
        ),
        ("max_pool_3x3", of_maps(fas_kernels::max_pool_3x3)),
        (
            "modulate_by_grids",
            values(fas_kernels::modulate_by_grids(
                x.clone(),
                scale,
                shift,
                scale_axis,
                shift_axis,
            )),
        ),
        ("nearest_2x", of_maps(fas_kernels::nearest_2x)),
        ("patch_moments", values(moments.spread_squares)),
        ("silu", of_maps(fas_kernels::silu)),
        ("softmax", of_maps(|x| fas_kernels::softmax(x, 3))),
    ]
}

fn values_are_the_kernels(device: Device) {
    let kernels = all(&device);
    let compositions = with_compositions(|| all(&device));
    for ((name, kernel), (_, composition)) in kernels.iter().zip(&compositions) {
        assert_close(composition, kernel, 5e-6, name);
    }
    // Another order of sums rounds otherwise: the kernels did not run.
    assert_ne!(kernels, compositions);
    assert_eq!(all(&device), kernels, "kernels run again");
}

#[cfg(feature = "flex")]
#[test]
fn a_panic_ends_it() {
    let device = Device::flex();
    let kernels = all(&device);
    let panicked = std::panic::catch_unwind(|| with_compositions(|| panic!("for the test")));
    assert!(panicked.is_err());
    assert_eq!(all(&device), kernels);
}

on_every_device!(values_are_the_kernels);
