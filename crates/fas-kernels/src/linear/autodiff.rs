//! Backward pass of the linear layer: Burn's products.

use burn::backend::autodiff::{
    Autodiff, NodeId,
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::tensor::FloatTensor;

use crate::KernelOps;

/// Backward step; the parents are input, weight and bias.
#[derive(Debug)]
struct LinearBackward;

/// What the backward pass needs of the forward pass.
#[derive(Clone, Debug)]
struct State {
    /// Saved for the weight's gradient.
    x: Option<NodeId>,
    /// Saved for the input's gradient.
    weight: Option<NodeId>,
}

impl<B: KernelOps> Backward<B, 3> for LinearBackward {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, grads: &mut Gradients, saved: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        // Every saved node is retrieved exactly once, used or not: Burn counts them.
        let [x, weight] = [ops.state.x, ops.state.weight]
            .map(|id| id.map(|id| saved.retrieve_node_output::<FloatTensor<B>>(id)));
        let [x_node, weight_node, bias_node] = ops.parents;
        if let (Some(node), Some(weight)) = (x_node, weight) {
            grads.register::<B>(node.id, B::linear_x_backward(weight, gradient.clone()));
        }
        if let (Some(node), Some(x)) = (weight_node, x) {
            grads.register::<B>(node.id, B::linear_weight_backward(x, gradient.clone()));
        }
        if let Some(node) = bias_node {
            grads.register::<B>(node.id, B::linear_bias_backward(gradient));
        }
    }
}

/// See [`KernelOps::linear_layer`].
pub(crate) fn linear<B: KernelOps, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    weight: FloatTensor<Autodiff<B, C>>,
    bias: FloatTensor<Autodiff<B, C>>,
) -> FloatTensor<Autodiff<B, C>> {
    // The input serves the weight's gradient only, and the other way round.
    let (save_x, save_weight) = (weight.is_tracked(), x.is_tracked());
    let nodes = [x.node(), weight.node(), bias.node()];
    match Backward::<B, 3>::prepare::<C>(LinearBackward, nodes)
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(mut prep) => {
            let state = State {
                x: save_x.then(|| prep.checkpoint(&x)),
                weight: save_weight.then(|| prep.checkpoint(&weight)),
            };
            let output = B::linear_layer(
                x.into_primitive(),
                weight.into_primitive(),
                bias.into_primitive(),
            );
            prep.finish(state, output)
        }
        OpsKind::UnTracked(prep) => prep.finish(B::linear_layer(
            x.into_primitive(),
            weight.into_primitive(),
            bias.into_primitive(),
        )),
    }
}
