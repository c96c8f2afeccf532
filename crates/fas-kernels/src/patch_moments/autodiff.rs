//! Backward pass of patch moments.

use burn::backend::autodiff::{
    Autodiff, NodeId,
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind, unary},
};
use burn::backend::tensor::FloatTensor;

use super::PatchOptions;
use crate::KernelOps;

#[derive(Debug)]
struct PatchMomentsBackward;

impl<B: KernelOps> Backward<B, 1> for PatchMomentsBackward {
    /// The input.
    type State = (NodeId, PatchOptions);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, saved: &mut Checkpointer) {
        let (x, options) = ops.state;
        let x = saved.retrieve_node_output::<FloatTensor<B>>(x);
        unary::<B, _>(ops.parents, ops.node, grads, |gradient| {
            B::patch_moments_gradient(x, gradient, options)
        });
    }
}

/// See [`KernelOps::patch_moments_forward`].
pub(crate) fn forward<B: KernelOps, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    options: PatchOptions,
) -> FloatTensor<Autodiff<B, C>> {
    match Backward::<B, 1>::prepare::<C>(PatchMomentsBackward, [x.node()])
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(mut prep) => {
            let state = (prep.checkpoint(&x), options);
            prep.finish(state, B::patch_moments_forward(x.into_primitive(), options))
        }
        OpsKind::UnTracked(prep) => {
            prep.finish(B::patch_moments_forward(x.into_primitive(), options))
        }
    }
}
