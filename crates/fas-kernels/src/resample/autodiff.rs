//! Backward passes of doubling and halving: each is the other's transpose.

use burn::backend::autodiff::{
    Autodiff,
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind, unary},
};
use burn::backend::tensor::FloatTensor;

use crate::KernelOps;
use crate::recompute::Again;

#[derive(Debug)]
struct DoubleBackward;

impl<B: KernelOps> Backward<B, 1> for DoubleBackward {
    /// The factor.
    type State = f64;

    fn backward(self, ops: Ops<f64, 1>, grads: &mut Gradients, _saved: &mut Checkpointer) {
        unary::<B, _>(ops.parents, ops.node, grads, |gradient| {
            B::halve_size(gradient, ops.state)
        });
    }
}

#[derive(Debug)]
struct HalveBackward;

impl<B: KernelOps> Backward<B, 1> for HalveBackward {
    /// The factor.
    type State = f64;

    fn backward(self, ops: Ops<f64, 1>, grads: &mut Gradients, _saved: &mut Checkpointer) {
        unary::<B, _>(ops.parents, ops.node, grads, |gradient| {
            B::double_size(gradient, ops.state)
        });
    }
}

/// See [`KernelOps::double_size`].
pub(crate) fn double<B: KernelOps, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    factor: f64,
) -> FloatTensor<Autodiff<B, C>> {
    match Backward::<B, 1>::prepare::<C>(DoubleBackward, [x.node()])
        .memory_bound()
        .retro_forward(Again::new::<C>([&x], move |[x]| B::double_size(x, factor)))
        .parents([&x])
        .stateful()
    {
        OpsKind::Tracked(prep) => prep.finish(factor, B::double_size(x.into_primitive(), factor)),
        OpsKind::UnTracked(prep) => prep.finish(B::double_size(x.into_primitive(), factor)),
    }
}

/// See [`KernelOps::halve_size`].
pub(crate) fn halve<B: KernelOps, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    factor: f64,
) -> FloatTensor<Autodiff<B, C>> {
    match Backward::<B, 1>::prepare::<C>(HalveBackward, [x.node()])
        .memory_bound()
        .retro_forward(Again::new::<C>([&x], move |[x]| B::halve_size(x, factor)))
        .parents([&x])
        .stateful()
    {
        OpsKind::Tracked(prep) => prep.finish(factor, B::halve_size(x.into_primitive(), factor)),
        OpsKind::UnTracked(prep) => prep.finish(B::halve_size(x.into_primitive(), factor)),
    }
}
