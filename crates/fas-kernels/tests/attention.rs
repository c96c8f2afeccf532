//! Attention against its definition made of Burn operations, forward and every gradient.
#![cfg(any(
    feature = "flex",
    feature = "wgpu",
    feature = "vulkan",
    feature = "cuda"
))]

mod common;

use burn::tensor::{Device, Tensor, activation};
#[cfg(feature = "flex")]
use common::with_threads;
use common::{assert_close, burn_device, on_every_device, random};
use fas_kernels::{attention, multi_head_attention};

/// Sizes of one comparison.
#[derive(Clone, Copy, Debug)]
struct Case {
    batch_size: usize,
    queries: usize,
    keys: usize,
    channels: usize,
    channels_out: usize,
}

/// Batch 1, single tokens, sizes around vectors, panels, blocks and tiles.
fn cases() -> Vec<Case> {
    [
        [1, 1, 1, 1, 1],
        [2, 5, 3, 7, 4],
        [1, 48, 96, 16, 16],
        [3, 49, 97, 17, 33],
        [1, 26, 26, 64, 64],
        [2, 100, 300, 32, 48],
        [1, 7, 1000, 24, 80],
        [9, 60, 10, 8, 130],
    ]
    .map(|[batch_size, queries, keys, channels, channels_out]| Case {
        batch_size,
        queries,
        keys,
        channels,
        channels_out,
    })
    .into()
}

impl Case {
    fn inputs(&self, device: &Device) -> [Tensor<3>; 3] {
        let n = self.batch_size;
        [
            random(1, [n, self.queries, self.channels], device),
            random(2, [n, self.keys, self.channels], device),
            random(3, [n, self.keys, self.channels_out], device),
        ]
        // Scores of both signs up to about 10.
        .map(|t| t.detach() * 2.0)
    }

    fn scale(&self) -> f64 {
        1.0 / (self.channels as f64).sqrt()
    }
}

type Attention = fn(Tensor<3>, Tensor<3>, Tensor<3>, f64) -> Tensor<3>;

fn defined(query: Tensor<3>, key: Tensor<3>, value: Tensor<3>, scale: f64) -> Tensor<3> {
    activation::softmax(query.matmul(key.swap_dims(1, 2)) * scale, 2).matmul(value)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

/// Output and gradients of a weighted sum.
fn run(inputs: [Tensor<3>; 3], scale: f64, attention: Attention) -> Vec<(&'static str, Vec<f32>)> {
    let [query, key, value] = inputs.map(|t| t.detach().require_grad());
    let y = attention(query.clone(), key.clone(), value.clone(), scale);
    let factor = random(4, y.dims(), &y.device());
    let gradients = (y.clone() * factor).sum().backward();
    vec![
        ("output", values(y)),
        ("query gradient", values(query.grad(&gradients).unwrap())),
        ("key gradient", values(key.grad(&gradients).unwrap())),
        ("value gradient", values(value.grad(&gradients).unwrap())),
    ]
}

fn equals_the_definition_forward_and_backward(device: Device) {
    let device = device.autodiff();
    for case in cases() {
        let ours = run(case.inputs(&device), case.scale(), attention);
        let inputs = case.inputs(&burn_device().autodiff());
        let burn = run(inputs, case.scale(), defined);
        for ((name, ours), (_, burn)) in ours.iter().zip(&burn) {
            // Exponentials of scores of about 10, whose rounding errors are some 1e-6.
            assert_close(ours, burn, 5e-6, &format!("{name} of {case:?}"));
        }
    }
}

fn heads_are_a_leading_axis(device: Device) {
    let [query, key, value] = [1, 2, 3].map(|seed| random(seed, [2, 3, 10, 8], &device));
    let flat = |t: Tensor<4>| t.reshape([6, 10, 8]);
    let ours = attention(query.clone(), key.clone(), value.clone(), 0.3);
    let cpu = |t| flat(t).to_device(&burn_device());
    let burn = defined(cpu(query), cpu(key), cpu(value), 0.3);
    assert_eq!(ours.dims(), [2, 3, 10, 8]);
    assert_close(&values(ours), &values(burn), 1e-6, "heads");
}

fn views_are_read_in_order(device: Device) {
    // As a network makes them: `[batch_size, channels, tokens]` with heads split off.
    let make = |seed| random(seed, [2, 24, 30], &device).swap_dims(1, 2);
    let [query, key, value] = [make(1), make(2), make(3)];
    let ours = attention(query.clone(), key.clone(), value.clone(), 0.3);
    let cpu = |t: Tensor<3>| t.to_device(&burn_device());
    let burn = defined(cpu(query.clone()), cpu(key), cpu(value), 0.3);
    assert_close(&values(ours), &values(burn), 1e-6, "views");
    let shared = random(4, [1, 9, 24], &device).expand([2, 9, 24]);
    let ours = attention(query.clone(), shared.clone(), shared.clone(), 0.3);
    let burn = defined(cpu(query), cpu(shared.clone()), cpu(shared), 0.3);
    assert_close(&values(ours), &values(burn), 1e-6, "broadcast");
}

fn large_scores_do_not_overflow(device: Device) {
    let device = device.autodiff();
    // Later tiles have far larger scores than the first.
    let ramp: Vec<f32> = (0..200).map(|i| i as f32).collect();
    let key = Tensor::<1>::from_data(ramp.as_slice(), &device).reshape([1, 200, 1]);
    let query = Tensor::<3>::from_data([[[10.0], [-10.0]]], &device);
    let y = attention(query, key.clone(), key, 1.0);
    // The last key for the first query, the first for the second, but for e^-10 or less.
    let y = values(y);
    assert!((y[0] - 199.0).abs() < 1e-3 && y[1].abs() < 1e-3, "{y:?}");
}

fn gradients_equal_finite_differences(device: Device) {
    let device = device.autodiff();
    let case = cases()[3];
    let gradients = run(case.inputs(&device), case.scale(), attention);
    for (operand, (name, gradient)) in gradients[1..].iter().enumerate() {
        let direction = random(7, case.inputs(&device)[operand].dims(), &device);
        let loss = |step: f32| {
            let mut inputs = case.inputs(&device);
            inputs[operand] = inputs[operand].clone() + direction.clone() * step;
            let [query, key, value] = inputs;
            let y = attention(query, key, value, case.scale());
            let factor = random(4, y.dims(), &device);
            values(y * factor)
                .iter()
                .map(|v| f64::from(*v))
                .sum::<f64>()
        };
        let step = 1e-2;
        let difference = (loss(step) - loss(-step)) / (2.0 * f64::from(step));
        let slope: f64 = values(direction.clone())
            .iter()
            .zip(gradient)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum();
        assert!(
            (difference - slope).abs() < 5e-3 * slope.abs().max(1.0),
            "{name}: {difference} against {slope}"
        );
    }
}

fn special_values_spoil_the_queries_that_see_them(device: Device) {
    let case = cases()[3];
    for special in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for operand in 0..3 {
            let make = || {
                let mut inputs = case.inputs(&device);
                let dims = inputs[operand].dims();
                let mut data = values(inputs[operand].clone());
                data[dims[1] * dims[2] + 3] = special;
                inputs[operand] = Tensor::<1>::from_data(data.as_slice(), &device).reshape(dims);
                inputs
            };
            let [query, key, value] = make();
            let ours = values(attention(query, key, value, case.scale()));
            let [query, key, value] = make().map(|t| t.to_device(&burn_device()));
            let burn = values(defined(query, key, value, case.scale()));
            let what = format!("{special} in operand {operand}");
            let finite = |v: &[f32]| v.iter().map(|v| v.is_finite()).collect::<Vec<_>>();
            assert_eq!(finite(&ours), finite(&burn), "{what}");
        }
    }
}

fn a_tile_of_minus_infinities_weighs_nothing(device: Device) {
    // The first hundred scores are minus infinity, and for the second query all of them.
    let data: Vec<f32> = (0..120)
        .map(|i| if i < 100 { f32::NEG_INFINITY } else { 1.0 })
        .collect();
    let key = Tensor::<1>::from_data(data.as_slice(), &device).reshape([1, 120, 1]);
    let data: Vec<f32> = (0..120).map(|i| i as f32).collect();
    let value = Tensor::<1>::from_data(data.as_slice(), &device).reshape([1, 120, 1]);
    let query = Tensor::<3>::ones([1, 1, 1], &device);
    let y = values(attention(query.clone(), key.clone(), value.clone(), 1.0));
    assert!((y[0] - 109.5).abs() < 1e-4, "{y:?}");
    let hidden = key.slice([0..1, 0..100, 0..1]);
    let y = attention(query, hidden, value.slice([0..1, 0..100, 0..1]), 1.0);
    assert!(values(y)[0].is_nan());
}

#[test]
#[should_panic(expected = "do not fit each other")]
fn misshapen_keys_are_refused() {
    let device = burn_device();
    let make = |tokens, channels| Tensor::<3>::zeros([1, tokens, channels], &device);
    drop(attention(make(4, 8), make(5, 8), make(4, 8), 1.0));
}

#[cfg(feature = "flex")]
#[test]
fn threads_do_not_change_a_bit() {
    let device = Device::flex().autodiff();
    for case in [cases()[5], cases()[6]] {
        let run = |threads| {
            with_threads(threads, || {
                let results = run(case.inputs(&device), case.scale(), attention);
                let bits = |v: Vec<f32>| v.into_iter().map(f32::to_bits).collect::<Vec<_>>();
                results
                    .into_iter()
                    .map(|(_, v)| bits(v))
                    .collect::<Vec<_>>()
            })
        };
        let one = run(1);
        assert!(one == run(2) && one == run(5), "{case:?}");
    }
}

/// Against [`attention`] of heads that are taken apart, forward and backward.
fn heads_side_by_side_are_heads_apart(device: Device) {
    for (heads, case) in [1, 2, 3]
        .into_iter()
        .flat_map(|heads| cases().into_iter().map(move |case| (heads, case)))
    {
        let wide = Case {
            channels: heads * case.channels,
            channels_out: heads * case.channels_out,
            ..case
        };
        let run = |apart: bool| {
            let device = device.clone().autodiff();
            let inputs = wide.inputs(&device).map(|t| t.require_grad());
            let [query, key, value] = inputs.clone();
            let attend = |query: Tensor<3>, key: Tensor<3>, value: Tensor<3>| {
                if !apart {
                    return multi_head_attention(query, key, value, heads, 0.3);
                }
                let split = |t: Tensor<3>| {
                    let [n, count, width] = t.dims();
                    t.reshape([n, count, heads, width / heads]).swap_dims(1, 2)
                };
                let joined = attention(split(query), split(key), split(value), 0.3);
                joined
                    .swap_dims(1, 2)
                    .reshape([case.batch_size, case.queries, wide.channels_out])
            };
            // Without gradients another kernel may run.
            let plain = inputs.clone().map(|t| t.inner());
            let [plain_query, plain_key, plain_value] = plain;
            let plain = attend(plain_query, plain_key, plain_value);
            let y = attend(query, key, value);
            let gradients = (y.clone() * random(4, y.dims(), &device)).sum().backward();
            let mut all = vec![plain.into_data().try_to_vec::<f32>().unwrap()];
            all.push(y.into_data().try_to_vec().unwrap());
            all.extend(inputs.map(|t| {
                t.grad(&gradients)
                    .unwrap()
                    .into_data()
                    .try_to_vec()
                    .unwrap()
            }));
            all
        };
        for (together, apart) in run(false).iter().zip(&run(true)) {
            assert_close(together, apart, 2e-6, &format!("{heads} heads, {case:?}"));
        }
    }
}

#[cfg(feature = "flex")]
#[test]
#[should_panic(expected = "3 heads do not divide the channels")]
fn heads_divide_the_channels() {
    let tokens = Tensor::<3>::zeros([1, 2, 4], &Device::flex());
    multi_head_attention(tokens.clone(), tokens.clone(), tokens, 3, 1.0);
}

on_every_device!(
    heads_side_by_side_are_heads_apart,
    equals_the_definition_forward_and_backward,
    heads_are_a_leading_axis,
    views_are_read_in_order,
    large_scores_do_not_overflow,
    gradients_equal_finite_differences,
    special_values_spoil_the_queries_that_see_them,
    a_tile_of_minus_infinities_weighs_nothing,
);
