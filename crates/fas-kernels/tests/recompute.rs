//! Gradient checkpointing: what is computed again gives the same bits.
#![cfg(any(
    feature = "flex",
    feature = "wgpu",
    feature = "vulkan",
    feature = "cuda"
))]

mod common;

use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor};
use common::{assert_close, on_every_device, random};
use fas_kernels::{
    GeluForm, GroupNormOptions, add, average_2x2, concat_channels, conv2d, gelu, group_norm,
    modulate_by_grids, nearest_2x, silu,
};

/// Everything that is cheap, between convolutions; gradients of the weights, and of the input if it is wanted.
fn gradients(device: &Device, of_input: bool) -> Vec<Vec<f32>> {
    let leaf = |t: Tensor<4>| t.require_grad();
    let x = random(1, [2, 4, 8, 8], device);
    let x = if of_input { leaf(x) } else { x };
    let weights: Vec<_> = (2..5)
        .map(|seed| leaf(random(seed, [4, 4, 3, 3], device)))
        .collect();
    let last = leaf(random(5, [2, 8, 3, 3], device));
    let conv = |x: Tensor<4>, weight: &Tensor<4>| {
        conv2d(
            x,
            weight.clone(),
            None,
            ConvOptions::new([1, 1], [1, 1], [1, 1], 1),
        )
    };
    let vector = |seed| random(seed, [4], device).require_grad();
    let (gamma, beta) = (vector(6), vector(7));
    let grids = [8, 9].map(|seed| random(seed, [2, 4, 4], device));
    let axes = [10, 11].map(|seed| random(seed, [8, 2], device));
    let options = GroupNormOptions::new(2);
    let norm =
        |x, modulation, options| group_norm(x, gamma.clone(), beta.clone(), modulation, options);

    // Constants and tracked tensors meet in all of them.
    let hidden = norm(x.clone(), None, options.with_silu(true));
    let hidden = conv(hidden, &weights[0]);
    let scale = hidden.clone().mean_dim(3).mean_dim(2).reshape([2, 4]);
    let hidden = norm(hidden, Some((scale.clone(), scale)), options);
    let hidden = average_2x2(nearest_2x(conv(silu(hidden), &weights[1])));
    let [scale_grid, shift_grid] = grids;
    let [scale_axis, shift_axis] = axes;
    let hidden = modulate_by_grids(hidden, scale_grid, shift_grid, scale_axis, shift_axis);
    let hidden = add(conv(gelu(hidden, GeluForm::Erf), &weights[2]), x.clone());
    // The same map twice, too.
    let joined = concat_channels(hidden.clone(), hidden);
    let loss = conv(gelu(joined, GeluForm::Tanh), &last)
        .powi_scalar(2)
        .sum();

    let gradients = loss.backward();
    let values = |t: Tensor<4>| t.into_data().try_to_vec::<f32>().unwrap();
    let mut found: Vec<_> = weights
        .iter()
        .chain([&last])
        .map(|weight| values(weight.grad(&gradients).unwrap()))
        .collect();
    for vector in [gamma, beta] {
        let gradient = vector.grad(&gradients).unwrap();
        found.push(gradient.into_data().try_to_vec().unwrap());
    }
    found.extend(x.grad(&gradients).map(values));
    assert_eq!(found.len(), 6 + usize::from(of_input));
    found
}

fn checkpointing_changes_no_bit(device: Device) {
    for of_input in [false, true] {
        let kept = gradients(&device.clone().autodiff(), of_input);
        let again = gradients(
            &device.clone().autodiff().gradient_checkpointing(),
            of_input,
        );
        // A GPU may choose another algorithm at the second call.
        let tolerance = if device == common::burn_device() {
            0.0
        } else {
            1e-4
        };
        for (kept, again) in kept.iter().zip(&again) {
            let what = format!("gradient of the input: {of_input}");
            assert_close(again, kept, tolerance, &what);
        }
        assert!(kept.iter().flatten().any(|value| *value != 0.0));
    }
}

on_every_device!(checkpointing_changes_no_bit);
