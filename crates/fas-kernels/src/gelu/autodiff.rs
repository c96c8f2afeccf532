//! Backward pass of the Gaussian error linear unit.

use burn::backend::autodiff::{
    Autodiff, NodeId,
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind, unary},
};
use burn::backend::tensor::FloatTensor;

use super::GeluForm;
use crate::KernelOps;
use crate::recompute::Again;

#[derive(Debug)]
struct GeluBackward;

impl<B: KernelOps> Backward<B, 1> for GeluBackward {
    /// The input.
    type State = (NodeId, GeluForm);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, saved: &mut Checkpointer) {
        let (x, form) = ops.state;
        let x = saved.retrieve_node_output::<FloatTensor<B>>(x);
        unary::<B, _>(ops.parents, ops.node, grads, |gradient| {
            B::gelu_gradient(x, gradient, form)
        });
    }
}

/// See [`KernelOps::gelu_forward`].
pub(crate) fn forward<B: KernelOps, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    form: GeluForm,
) -> FloatTensor<Autodiff<B, C>> {
    match Backward::<B, 1>::prepare::<C>(GeluBackward, [x.node()])
        .memory_bound()
        .retro_forward(Again::new::<C>([&x], move |[x]| B::gelu_forward(x, form)))
        .parents([&x])
        .stateful()
    {
        OpsKind::Tracked(mut prep) => {
            let state = (prep.checkpoint(&x), form);
            prep.finish(state, B::gelu_forward(x.into_primitive(), form))
        }
        OpsKind::UnTracked(prep) => prep.finish(B::gelu_forward(x.into_primitive(), form)),
    }
}
