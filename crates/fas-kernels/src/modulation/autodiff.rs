//! Backward pass of modulation by grids.

use burn::backend::autodiff::{
    Autodiff, NodeId,
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::tensor::FloatTensor;

use crate::KernelOps;
use crate::recompute::{Again, parents};

#[derive(Debug)]
struct ModulationBackward;

/// What the backward pass needs of the forward pass.
#[derive(Clone, Debug)]
struct State<T> {
    x: NodeId,
    scale: NodeId,
    /// Of scale and shift.
    axes: [T; 2],
}

impl<B: KernelOps> Backward<B, 3> for ModulationBackward {
    type State = State<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, saved: &mut Checkpointer) {
        let State {
            x,
            scale,
            axes: [scale_axis, shift_axis],
        } = ops.state;
        let gradient = grads.consume::<B>(&ops.node);
        let [x, scale] = [x, scale].map(|id| saved.retrieve_node_output::<FloatTensor<B>>(id));
        let (d_x, d_scale, d_shift) =
            B::modulation_gradients(x, gradient, scale, scale_axis, shift_axis);
        for (node, gradient) in ops.parents.into_iter().zip([d_x, d_scale, d_shift]) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

/// See [`KernelOps::modulation_forward`].
pub(crate) fn forward<B: KernelOps, C: CheckpointStrategy>(
    inputs: [FloatTensor<Autodiff<B, C>>; 3],
    axes: [FloatTensor<Autodiff<B, C>>; 2],
) -> FloatTensor<Autodiff<B, C>> {
    let axes = axes.map(|axis| axis.into_primitive());
    let forward = |inputs: [FloatTensor<Autodiff<B, C>>; 3]| {
        let [x, scale, shift] = inputs.map(|tensor| tensor.into_primitive());
        let [scale_axis, shift_axis] = axes.clone();
        B::modulation_forward(x, scale, shift, scale_axis, shift_axis)
    };
    let constants = axes.clone();
    let again = move |[x, scale, shift]: [FloatTensor<B>; 3]| {
        let [scale_axis, shift_axis] = constants.clone();
        B::modulation_forward(x, scale, shift, scale_axis, shift_axis)
    };
    match Backward::<B, 3>::prepare::<C>(ModulationBackward, inputs.each_ref().map(|t| t.node()))
        .memory_bound()
        .retro_forward(Again::new::<C>(inputs.each_ref(), again))
        .parents(parents::<B, C, 3>(inputs.each_ref()))
        .stateful()
    {
        OpsKind::Tracked(mut prep) => {
            let [x, scale, _] = inputs.each_ref();
            let state = State {
                x: prep.checkpoint(x),
                scale: prep.checkpoint(scale),
                axes: axes.clone(),
            };
            prep.finish(state, forward(inputs))
        }
        OpsKind::UnTracked(prep) => prep.finish(forward(inputs)),
    }
}
