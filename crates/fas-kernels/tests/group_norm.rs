//! Group normalisation against Burn's operations, forward and every gradient.
#![cfg(any(
    feature = "flex",
    feature = "wgpu",
    feature = "vulkan",
    feature = "cuda"
))]

mod common;

use burn::nn::GroupNormConfig;
use burn::tensor::{Device, Tensor, activation};
#[cfg(feature = "flex")]
use common::with_threads;
use common::{assert_close, burn_device, channels_last, on_every_device, random};
use fas_kernels::{GroupNormOptions, group_norm};

/// Inputs: x, weight, bias, and scale and shift if modulated.
struct Inputs {
    x: Tensor<4>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    modulation: Option<(Tensor<2>, Tensor<2>)>,
}

fn inputs(dims: [usize; 4], modulated: bool, device: &Device) -> Inputs {
    let [batch_size, channels, ..] = dims;
    let track = |t: Tensor<2>| t.require_grad();
    Inputs {
        // Away from zero mean: a one-pass variance would show.
        x: (random(1, dims, device) * 2.0 + 5.0)
            .detach()
            .require_grad(),
        weight: random(2, [channels], device).require_grad(),
        bias: random(3, [channels], device).require_grad(),
        modulation: modulated.then(|| {
            let images = [batch_size, channels];
            (
                track(random(4, images, device)),
                track(random(5, images, device)),
            )
        }),
    }
}

/// The formula in Burn's operations.
fn burn_norm(inputs: &Inputs, options: GroupNormOptions) -> Tensor<4> {
    let x = inputs.x.clone();
    let [batch_size, channels, height, width] = x.dims();
    let groups = options.num_groups;
    let x = x.reshape([batch_size, groups, channels / groups * height * width]);
    let centred = x.clone() - x.mean_dim(2);
    let variance = (centred.clone() * centred.clone()).mean_dim(2);
    let x_hat = centred / (variance + options.epsilon).sqrt();
    let y = x_hat.reshape([batch_size, channels, height, width]);
    let y = y * inputs.weight.clone().reshape([1, channels, 1, 1])
        + inputs.bias.clone().reshape([1, channels, 1, 1]);
    let y = match &inputs.modulation {
        None => y,
        Some((scale, shift)) => {
            let images = [batch_size, channels, 1, 1];
            y * (scale.clone().reshape(images) + 1.0) + shift.clone().reshape(images)
        }
    };
    if options.silu { activation::silu(y) } else { y }
}

fn fast_norm(inputs: &Inputs, options: GroupNormOptions) -> Tensor<4> {
    group_norm(
        inputs.x.clone(),
        inputs.weight.clone(),
        inputs.bias.clone(),
        inputs.modulation.clone(),
        options,
    )
}

/// Output and all gradients.
fn run(
    inputs: Inputs,
    options: GroupNormOptions,
    norm: fn(&Inputs, GroupNormOptions) -> Tensor<4>,
) -> Vec<(&'static str, Vec<f32>)> {
    let y = norm(&inputs, options);
    let device = y.device();
    let grads = (y.clone() * random(6, y.dims(), &device)).sum().backward();
    let values = |t: Tensor<1>| t.into_data().try_to_vec::<f32>().unwrap();
    let mut out = vec![
        ("output", values(y.flatten(0, 3))),
        (
            "input",
            values(inputs.x.grad(&grads).unwrap().flatten(0, 3)),
        ),
        ("weight", values(inputs.weight.grad(&grads).unwrap())),
        ("bias", values(inputs.bias.grad(&grads).unwrap())),
    ];
    if let Some((scale, shift)) = inputs.modulation {
        out.push(("scale", values(scale.grad(&grads).unwrap().flatten(0, 1))));
        out.push(("shift", values(shift.grad(&grads).unwrap().flatten(0, 1))));
    }
    out
}

/// Dimensions and groups: odd ones, single pixels, more channels or pixels than a cube has units.
const SHAPES: [([usize; 4], usize); 9] = [
    ([1, 4, 3, 5], 2),
    ([2, 6, 8, 8], 6),
    ([3, 6, 1, 1], 2),
    ([2, 32, 17, 9], 1),
    ([1, 64, 32, 32], 32),
    ([2, 5, 7, 1], 5),
    ([8, 24, 4, 4], 8),
    ([2, 600, 1, 3], 1),
    ([1, 3, 61, 29], 3),
];

fn equals_burn_forward_and_backward(device: Device) {
    let device = device.autodiff();
    for (dims, groups) in SHAPES {
        for (modulated, silu) in [(false, false), (false, true), (true, false), (true, true)] {
            let options = GroupNormOptions::new(groups)
                .with_silu(silu)
                .with_epsilon(1e-4);
            let ours = run(inputs(dims, modulated, &device), options, fast_norm);
            let burn = inputs(dims, modulated, &burn_device().autodiff());
            let burn = run(burn, options, burn_norm);
            assert_eq!(ours.len(), burn.len());
            for ((name, ours), (_, burn)) in ours.iter().zip(&burn) {
                let what = format!("{name} of {dims:?}, {options:?}, modulated {modulated}");
                assert_close(ours, burn, 2e-5, &what);
            }
        }
    }
}

fn equals_the_module(device: Device) {
    let x = |device: &Device| random(1, [2, 12, 5, 5], device);
    let module = GroupNormConfig::new(4, 12).init(&burn_device());
    let burn = module.forward(x(&burn_device()));
    let ours = group_norm(
        x(&device),
        Tensor::ones([12], &device),
        Tensor::zeros([12], &device),
        None,
        GroupNormOptions::new(4),
    );
    assert_close(
        &ours.into_data().try_to_vec::<f32>().unwrap(),
        &burn.into_data().try_to_vec::<f32>().unwrap(),
        2e-6,
        "module",
    );
}

fn input_gradient_equals_finite_differences(device: Device) {
    let device = device.autodiff();
    let options = GroupNormOptions::new(2).with_silu(true);
    let dims = [2, 4, 3, 3];
    let gradients = run(inputs(dims, true, &device), options, fast_norm);
    let step = 1e-2_f32;
    let direction = random(7, dims, &device);
    let loss = |sign: f32| {
        let mut inputs = inputs(dims, true, &device);
        inputs.x = inputs.x + direction.clone() * (sign * step);
        let y = fast_norm(&inputs, options);
        f64::from((y * random(6, dims, &device)).sum().into_scalar::<f32>())
    };
    let slope = (loss(1.0) - loss(-1.0)) / f64::from(2.0 * step);
    let expected: f64 = direction
        .clone()
        .into_data()
        .try_to_vec::<f32>()
        .unwrap()
        .iter()
        .zip(&gradients[1].1)
        .map(|(a, b)| f64::from(*a) * f64::from(*b))
        .sum();
    // Third-order error of the difference, and rounding of the loss over the step.
    assert!(
        (slope - expected).abs() < 1e-3,
        "{slope} against {expected}"
    );
}

/// Views in other orders than memory's, and tensors that repeat one stretch of it.
fn views_and_broadcasts_are_read_in_order(device: Device) {
    let views = |device: &Device| {
        let device = device.clone().autodiff();
        let tensors = [
            random(1, [5, 3, 8, 2], &device).permute([3, 2, 1, 0]),
            random(2, [1, 8, 3, 1], &device).expand([2, 8, 3, 5]),
            random(3, [2, 16, 3, 5], &device).slice([0..2, 5..13]),
        ];
        tensors.map(|x| Inputs {
            x: x.detach().require_grad(),
            weight: random(4, [16], &device)
                .slice(4..12)
                .detach()
                .require_grad(),
            bias: random(5, [1], &device).expand([8]).detach().require_grad(),
            modulation: Some((
                random(6, [8, 2], &device)
                    .transpose()
                    .detach()
                    .require_grad(),
                random(7, [2, 1], &device)
                    .expand([2, 8])
                    .detach()
                    .require_grad(),
            )),
        })
    };
    let options = GroupNormOptions::new(4).with_silu(true);
    for (ours, burn) in views(&device).into_iter().zip(views(&burn_device())) {
        let ours = run(ours, options, fast_norm);
        let burn = run(burn, options, burn_norm);
        for ((name, ours), (_, burn)) in ours.iter().zip(&burn) {
            assert_close(ours, burn, 2e-5, name);
        }
    }
}

/// In one or more blocks of pixels and chunks of groups, with groups of one vector, of many and of more than a
/// cube has units.
fn channels_last_maps_are_normed_as_they_lie(device: Device) {
    for (dims, groups) in [
        ([1, 64, 32, 32], 32),
        ([2, 6, 5, 7], 3),
        ([1, 2048, 4, 4], 32),
        ([3, 40, 9, 9], 1),
        ([1, 8, 70, 70], 4),
        ([2, 7, 130, 130], 7),
        ([1, 4096, 2, 2], 1),
        // A last chunk that is not full, and blocks of statistics that are larger than those normalised.
        ([1, 1280, 35, 35], 32),
        ([5, 96, 1, 2], 32),
    ] {
        for silu in [false, true] {
            let options = GroupNormOptions::new(groups).with_silu(silu);
            let device = device.clone().autodiff();
            let norm = |last: bool| {
                let mut inputs = inputs(dims, true, &device);
                if last {
                    inputs.x = channels_last(inputs.x).require_grad();
                }
                run(inputs, options, fast_norm)
            };
            for ((name, last), (_, planes)) in norm(true).iter().zip(&norm(false)) {
                let what = format!("{name} of {dims:?} in {groups}");
                assert_close(last, planes, 1e-5, &what);
            }
        }
    }
}

fn not_a_number_stays_in_its_group(device: Device) {
    let mut values = vec![0.5_f32; 2 * 4 * 20];
    values[3] = f32::NAN;
    values[80 + 45] = f32::INFINITY;
    let x = Tensor::<1>::from_data(values.as_slice(), &device).reshape([2, 4, 20]);
    let options = GroupNormOptions::new(2).with_silu(true);
    let y = group_norm(
        x,
        Tensor::ones([4], &device),
        Tensor::ones([4], &device),
        None,
        options,
    );
    let y = y.into_data().try_to_vec::<f32>().unwrap();
    for (i, value) in y.iter().enumerate() {
        assert_eq!(value.is_nan(), matches!(i / 40, 0 | 3), "{i}: {value}");
    }
}

#[cfg(feature = "flex")]
#[test]
fn threads_do_not_change_a_bit() {
    let device = Device::flex().autodiff();
    let options = GroupNormOptions::new(8).with_silu(true);
    let run = |threads| {
        with_threads(threads, || {
            run(inputs([5, 40, 13, 11], true, &device), options, fast_norm)
        })
    };
    let one = run(1);
    for threads in [2, 3, 8] {
        for ((name, one), (_, many)) in one.iter().zip(run(threads)) {
            let bits = |v: &[f32]| v.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert!(bits(one) == bits(&many), "{name}, {threads} threads");
        }
    }
}

#[test]
#[should_panic(expected = "5 groups do not divide the 12 channels")]
fn uneven_groups_panic() {
    let device = burn_device();
    let x = Tensor::<3>::zeros([1, 12, 4], &device);
    let (weight, bias) = (Tensor::ones([12], &device), Tensor::zeros([12], &device));
    group_norm(x, weight, bias, None, GroupNormOptions::new(5));
}

on_every_device!(
    equals_burn_forward_and_backward,
    equals_the_module,
    input_gradient_equals_finite_differences,
    views_and_broadcasts_are_read_in_order,
    channels_last_maps_are_normed_as_they_lie,
    not_a_number_stays_in_its_group,
);
