//! Backward pass of the sigmoid linear unit.

use burn::backend::autodiff::{
    Autodiff, NodeId,
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind, unary},
};
use burn::backend::tensor::FloatTensor;

use crate::KernelOps;
use crate::recompute::Again;

#[derive(Debug)]
struct SiluBackward;

impl<B: KernelOps> Backward<B, 1> for SiluBackward {
    /// The input.
    type State = NodeId;

    fn backward(self, ops: Ops<NodeId, 1>, grads: &mut Gradients, saved: &mut Checkpointer) {
        let x = saved.retrieve_node_output::<FloatTensor<B>>(ops.state);
        unary::<B, _>(ops.parents, ops.node, grads, |gradient| {
            B::silu_gradient(x, gradient)
        });
    }
}

/// See [`KernelOps::silu_forward`].
pub(crate) fn forward<B: KernelOps, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
) -> FloatTensor<Autodiff<B, C>> {
    match Backward::<B, 1>::prepare::<C>(SiluBackward, [x.node()])
        .memory_bound()
        .retro_forward(Again::new::<C>([&x], |[x]| B::silu_forward(x)))
        .parents([&x])
        .stateful()
    {
        OpsKind::Tracked(mut prep) => {
            let state = prep.checkpoint(&x);
            prep.finish(state, B::silu_forward(x.into_primitive()))
        }
        OpsKind::UnTracked(prep) => prep.finish(B::silu_forward(x.into_primitive())),
    }
}
