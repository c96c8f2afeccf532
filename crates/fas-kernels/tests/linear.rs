//! Linear layers against Burn's, which adds in another order.
#![cfg(any(
    feature = "flex",
    feature = "wgpu",
    feature = "vulkan",
    feature = "cuda"
))]

mod common;

use burn::tensor::module::linear as burn_linear;
use burn::tensor::{Device, Tensor};
#[cfg(feature = "flex")]
use common::with_threads;
use common::{assert_close, burn_device, on_every_device, random};
use fas_kernels::linear;

/// Rows, inner values and columns: whole blocks of all three, one more and one less, few rows, one row.
const SIZES: [[usize; 3]; 11] = [
    [396, 128, 256],
    [397, 129, 257],
    [395, 127, 255],
    [16, 384, 64],
    [17, 1, 1],
    [50, 130, 7],
    [801, 20, 90],
    [15, 40, 33],
    [24, 300, 192],
    [7, 129, 64],
    [1, 5, 300],
];

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

fn operands([rows, from, to]: [usize; 3], device: &Device) -> (Tensor<2>, Tensor<2>, Tensor<1>) {
    (
        random(1, [rows, from], device),
        random(2, [from, to], device),
        random(3, [to], device),
    )
}

fn equals_burn_at_every_size(device: Device) {
    for size in SIZES {
        let (x, weight, bias) = operands(size, &device);
        let ours = linear(x, weight.clone(), Some(bias));
        let (x, weight, bias) = operands(size, &burn_device());
        let expected = burn_linear(x.clone(), weight.clone(), Some(bias));
        assert_close(&values(ours), &values(expected), 2e-6, &format!("{size:?}"));
        let (x, weight, _) = operands(size, &device);
        let ours = linear(x, weight, None);
        let (x, weight, _) = operands(size, &burn_device());
        let what = format!("{size:?} without bias");
        let expected = burn_linear(x, weight, None);
        assert_close(&values(ours), &values(expected), 2e-6, &what);
    }
}

fn gradients_of_views_equal_burn(device: Device) {
    let device = device.autodiff();
    let gradients = |layer: fn(Tensor<3>, Tensor<2>, Option<Tensor<1>>) -> Tensor<3>,
                     device: &Device| {
        let x = random(1, [5, 40, 7], device)
            .swap_dims(1, 2)
            .detach()
            .require_grad();
        let weight = random(2, [9, 40], device)
            .swap_dims(0, 1)
            .detach()
            .require_grad();
        let bias = random(3, [9], device).require_grad();
        let y = layer(x.clone(), weight.clone(), Some(bias.clone()));
        let grads = (y * random(4, [5, 7, 9], device)).sum().backward();
        [
            values(x.grad(&grads).unwrap()),
            values(weight.grad(&grads).unwrap()),
            values(bias.grad(&grads).unwrap()),
        ]
    };
    let ours = gradients(linear, &device);
    let burn = gradients(burn_linear, &burn_device().autodiff());
    for ((ours, burn), what) in ours.iter().zip(&burn).zip(["input", "weight", "bias"]) {
        assert_close(ours, burn, 2e-6, what);
    }
}

/// An input whose gradient nobody asks for, and a frozen weight.
fn gradients_of_one_operand_alone(device: Device) {
    let device = device.autodiff();
    let (x, weight, bias) = operands([20, 6, 4], &device);
    let sums = |tensor: Tensor<2>, axis| values(tensor.sum_dim(axis));
    let tracked = x.clone().require_grad();
    let grads = linear(tracked.clone(), weight.clone(), Some(bias.clone()))
        .sum()
        .backward();
    let row = sums(weight.clone(), 1);
    let gradient = values(tracked.grad(&grads).unwrap());
    for line in gradient.chunks(6) {
        assert_close(line, &row, 2e-6, "input");
    }
    let tracked = weight.require_grad();
    let grads = linear(x.clone(), tracked.clone(), Some(bias))
        .sum()
        .backward();
    let column = sums(x, 0);
    let gradient = values(tracked.grad(&grads).unwrap());
    for (line, expected) in gradient.chunks(4).zip(column) {
        assert_close(line, &[expected; 4], 2e-6, "weight");
    }
}

#[cfg(feature = "flex")]
#[test]
fn not_a_number_stays_in_its_row_and_column() {
    let device = Device::flex();
    let (x, weight, bias) = operands([40, 200, 70], &device);
    let mut x = values(x);
    x[7 * 200 + 150] = f32::NAN;
    let mut bias = values(bias);
    bias[69] = f32::INFINITY;
    let x = Tensor::<1>::from_data(&x[..], &device).reshape([40, 200]);
    let y = values(linear(
        x,
        weight,
        Some(Tensor::from_data(&bias[..], &device)),
    ));
    for (i, value) in y.iter().enumerate() {
        let (row, column) = (i / 70, i % 70);
        assert_eq!(value.is_nan(), row == 7, "row {row}, column {column}");
        assert_eq!(*value == f32::INFINITY, row != 7 && column == 69);
    }
}

/// A row alone, with others, in another number of threads: the same bits.
#[cfg(feature = "flex")]
#[test]
fn threads_and_other_rows_do_not_change_a_bit() {
    let device = Device::flex();
    let (x, weight, bias) = operands([900, 260, 300], &device);
    let run = |threads, rows| {
        with_threads(threads, || {
            let x = x.clone().narrow(0, 0, rows);
            let y = values(linear(x, weight.clone(), Some(bias.clone())));
            y.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        })
    };
    let all = run(1, 900);
    assert!(all == run(2, 900) && all == run(5, 900));
    assert!(all[..100 * 300] == run(2, 100));
    assert!(all[..17 * 300] == run(1, 17));
    // A weight of whole blocks is read in place for few rows.
    let (x, weight, bias) = operands([25, 260, 128], &device);
    let layer = |rows| {
        let x = x.clone().narrow(0, 0, rows);
        values(linear(x, weight.clone(), Some(bias.clone())))
    };
    assert!(layer(25)[..24 * 128] == layer(24));
}

/// Memory of the input serves a later output: neither may show in the other.
#[cfg(feature = "flex")]
#[test]
fn consumed_inputs_leave_no_trace() {
    let device = Device::flex();
    let size = [1050, 1000, 1001];
    let layer = |keep: bool| {
        let (x, weight, bias) = operands(size, &device);
        let kept = keep.then(|| x.clone());
        let y = linear(x, weight, Some(bias));
        (values(y), kept.map(values))
    };
    let (expected, kept) = layer(true);
    assert_eq!(kept, Some(values(operands(size, &device).0)));
    for _ in 0..3 {
        assert!(layer(false).0 == expected);
    }
}

#[test]
#[should_panic(expected = "linear: input [2, 3], weight [4, 5] and bias None do not fit")]
fn shapes_must_fit() {
    let device = burn_device();
    linear(
        Tensor::<2>::zeros([2, 3], &device),
        Tensor::zeros([4, 5], &device),
        None,
    );
}

on_every_device!(
    equals_burn_at_every_size,
    gradients_of_views_equal_burn,
    gradients_of_one_operand_alone,
);
