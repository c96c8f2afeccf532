//! Backward pass of the convolution.

use burn::backend::autodiff::{
    Autodiff, NodeId,
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::{TensorMetadata, tensor::FloatTensor};
use burn::tensor::ops::ConvOptions;

use crate::KernelOps;

/// Backward step; the parents are input, weight and bias.
#[derive(Debug)]
struct ConvBackward;

/// What the backward pass needs of the forward pass.
#[derive(Clone, Debug)]
struct State {
    /// Saved for the weight's gradient.
    x: Option<NodeId>,
    /// Saved for the input's gradient.
    weight: Option<NodeId>,
    x_dims: [usize; 4],
    weight_dims: [usize; 4],
    options: ConvOptions<2>,
}

impl<B: KernelOps> Backward<B, 3> for ConvBackward {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, grads: &mut Gradients, saved: &mut Checkpointer) {
        let state = ops.state;
        let gradient = grads.consume::<B>(&ops.node);
        // Every saved node is retrieved exactly once, used or not: Burn counts them.
        let x = state
            .x
            .map(|id| saved.retrieve_node_output::<FloatTensor<B>>(id));
        let weight = state
            .weight
            .map(|id| saved.retrieve_node_output::<FloatTensor<B>>(id));
        let [x_node, weight_node, bias_node] = ops.parents;
        if let (Some(node), Some(weight)) = (x_node, weight) {
            let options = state.options.clone();
            let gradient =
                B::convolution_input_gradient(gradient.clone(), weight, state.x_dims, options);
            grads.register::<B>(node.id, gradient);
        }
        if let (Some(node), Some(x)) = (weight_node, x) {
            let (dims, options) = (state.weight_dims, state.options);
            let gradient = B::convolution_weight_gradient(x, gradient.clone(), dims, options);
            grads.register::<B>(node.id, gradient);
        }
        if let Some(node) = bias_node {
            grads.register::<B>(node.id, B::convolution_bias_gradient(gradient));
        }
    }
}

/// See [`KernelOps::convolution`].
pub(crate) fn conv2d<B: KernelOps, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    weight: FloatTensor<Autodiff<B, C>>,
    bias: FloatTensor<Autodiff<B, C>>,
    options: ConvOptions<2>,
) -> FloatTensor<Autodiff<B, C>> {
    // The input serves the weight's gradient only, and the other way round.
    let (save_x, save_weight) = (weight.is_tracked(), x.is_tracked());
    let (x_dims, weight_dims) = (x.shape().dims(), weight.shape().dims());
    match Backward::<B, 3>::prepare::<C>(ConvBackward, [x.node(), weight.node(), bias.node()])
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(mut prep) => {
            let state = State {
                x: save_x.then(|| prep.checkpoint(&x)),
                weight: save_weight.then(|| prep.checkpoint(&weight)),
                x_dims,
                weight_dims,
                options: options.clone(),
            };
            let output = B::convolution(
                x.into_primitive(),
                weight.into_primitive(),
                bias.into_primitive(),
                options,
            );
            prep.finish(state, output)
        }
        OpsKind::UnTracked(prep) => prep.finish(B::convolution(
            x.into_primitive(),
            weight.into_primitive(),
            bias.into_primitive(),
            options,
        )),
    }
}
