//! Backward pass of attention.

use burn::backend::autodiff::{
    Autodiff, NodeId,
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::tensor::FloatTensor;

use crate::KernelOps;

#[derive(Debug)]
struct AttentionBackward;

/// What the backward pass needs of the forward pass.
#[derive(Clone, Debug)]
struct State<T> {
    /// Query, key and value, in the order of the parents.
    inputs: [NodeId; 3],
    output: T,
    log_sums: T,
    scale: f64,
}

impl<B: KernelOps> Backward<B, 3> for AttentionBackward {
    type State = State<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, saved: &mut Checkpointer) {
        let state = ops.state;
        let gradient = grads.consume::<B>(&ops.node);
        let [query, key, value] = state
            .inputs
            .map(|id| saved.retrieve_node_output::<FloatTensor<B>>(id));
        let (d_query, d_key, d_value) = B::attention_gradients(
            query,
            key,
            value,
            state.output,
            state.log_sums,
            gradient,
            state.scale,
        );
        for (node, gradient) in ops.parents.into_iter().zip([d_query, d_key, d_value]) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

/// See [`KernelOps::attention_output`].
pub(crate) fn forward<B: KernelOps, C: CheckpointStrategy>(
    query: FloatTensor<Autodiff<B, C>>,
    key: FloatTensor<Autodiff<B, C>>,
    value: FloatTensor<Autodiff<B, C>>,
    scale: f64,
) -> FloatTensor<Autodiff<B, C>> {
    match Backward::<B, 3>::prepare::<C>(
        AttentionBackward,
        [query.node(), key.node(), value.node()],
    )
    .compute_bound()
    .stateful()
    {
        OpsKind::Tracked(mut prep) => {
            let inputs = [&query, &key, &value].map(|t| prep.checkpoint(t));
            let (output, log_sums) = B::attention_forward(
                query.into_primitive(),
                key.into_primitive(),
                value.into_primitive(),
                scale,
            );
            let state = State {
                inputs,
                output: output.clone(),
                log_sums,
                scale,
            };
            prep.finish(state, output)
        }
        OpsKind::UnTracked(prep) => prep.finish(B::attention_output(
            query.into_primitive(),
            key.into_primitive(),
            value.into_primitive(),
            scale,
        )),
    }
}
