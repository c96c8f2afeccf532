//! Backward pass of group normalisation.

use burn::backend::autodiff::{
    Autodiff, NodeId,
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::{TensorMetadata, tensor::FloatTensor};
use burn::tensor::Shape;

use super::GroupNormOptions;
use crate::KernelOps;
use crate::recompute::{Again, parents};

#[derive(Debug)]
struct GroupNormBackward;

impl<B: KernelOps> Backward<B, 5> for GroupNormBackward {
    /// Input, weight, bias, scale and shift, in the order of the parents.
    type State = ([NodeId; 5], GroupNormOptions);

    fn backward(self, ops: Ops<Self::State, 5>, grads: &mut Gradients, saved: &mut Checkpointer) {
        let (inputs, options) = ops.state;
        let gradient = grads.consume::<B>(&ops.node);
        let [x, weight, bias, scale, shift] =
            inputs.map(|id| saved.retrieve_node_output::<FloatTensor<B>>(id));
        let [x_node, weight_node, bias_node, scale_node, shift_node] = ops.parents;
        let [_, channels] = scale.shape().dims();
        let (d_x, gradient_sums, product_sums) = B::group_norm_gradients(
            x,
            gradient,
            weight.clone(),
            bias.clone(),
            scale.clone(),
            shift,
            options,
        );
        if let Some(node) = x_node {
            grads.register::<B>(node.id, d_x);
        }
        // With s = 1 + scale: dW = sum over n of s sum(g x_hat), db = sum over n of s sum(g).
        let factor = B::float_add_scalar(scale, 1.0.into());
        for (node, sums) in [(weight_node, &product_sums), (bias_node, &gradient_sums)] {
            if let Some(node) = node {
                let sums = B::float_sum_dim(B::float_mul(factor.clone(), sums.clone()), 0);
                grads.register::<B>(node.id, B::float_reshape(sums, Shape::new([channels])));
            }
        }
        if let Some(node) = scale_node {
            let row = |t| B::float_reshape(t, Shape::new([1, channels]));
            let d_scale = B::float_add(
                B::float_mul(row(weight), product_sums),
                B::float_mul(row(bias), gradient_sums.clone()),
            );
            grads.register::<B>(node.id, d_scale);
        }
        if let Some(node) = shift_node {
            grads.register::<B>(node.id, gradient_sums);
        }
    }
}

/// See [`KernelOps::group_norm_forward`].
pub(crate) fn forward<B: KernelOps, C: CheckpointStrategy>(
    inputs: [FloatTensor<Autodiff<B, C>>; 5],
    options: GroupNormOptions,
) -> FloatTensor<Autodiff<B, C>> {
    let forward = |inputs: [FloatTensor<Autodiff<B, C>>; 5]| {
        let [x, weight, bias, scale, shift] = inputs.map(|t| t.into_primitive());
        B::group_norm_forward(x, weight, bias, scale, shift, options)
    };
    let guards = inputs.each_ref().map(|t| t.node());
    let again = move |[x, weight, bias, scale, shift]: [FloatTensor<B>; 5]| {
        B::group_norm_forward(x, weight, bias, scale, shift, options)
    };
    match Backward::<B, 5>::prepare::<C>(GroupNormBackward, guards)
        .memory_bound()
        .retro_forward(Again::new::<C>(inputs.each_ref(), again))
        .parents(parents::<B, C, 5>(inputs.each_ref()))
        .stateful()
    {
        OpsKind::Tracked(mut prep) => {
            let state = (inputs.each_ref().map(|t| prep.checkpoint(t)), options);
            prep.finish(state, forward(inputs))
        }
        OpsKind::UnTracked(prep) => prep.finish(forward(inputs)),
    }
}
