//! Operations that run again in the backward pass instead of keeping their output, where the device has
//! gradient checkpointing.

use std::fmt::{self, Debug, Formatter};

use burn::backend::autodiff::{
    Autodiff, NodeId,
    checkpoint::{
        retro_forward::RetroForward, state::BackwardStates, strategy::CheckpointStrategy,
    },
};
use burn::backend::{Backend, tensor::FloatTensor};

/// An input of an operation that runs again.
#[derive(Clone)]
enum Input<T> {
    /// Burn keeps it or computes it again too.
    Tracked(NodeId),
    /// Burn knows nothing of what has no gradient.
    Constant(T),
}

/// An operation that runs again on the same inputs.
pub(crate) struct Again<B: Backend, F, const N: usize> {
    inputs: [Input<FloatTensor<B>>; N],
    operation: F,
}

impl<B: Backend, F, const N: usize> Again<B, F, N> {
    /// `operation` on these inputs.
    pub(crate) fn new<C: CheckpointStrategy>(
        inputs: [&FloatTensor<Autodiff<B, C>>; N],
        operation: F,
    ) -> Self
    where
        F: Fn([FloatTensor<B>; N]) -> FloatTensor<B>,
    {
        let inputs = inputs.map(|input| match input.is_tracked() {
            true => Input::Tracked(input.id()),
            false => Input::Constant(input.primitive().clone()),
        });
        Self { inputs, operation }
    }
}

impl<B: Backend, F, const N: usize> Debug for Again<B, F, N> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Again").finish_non_exhaustive()
    }
}

impl<B, F, const N: usize> RetroForward for Again<B, F, N>
where
    B: Backend,
    F: Fn([FloatTensor<B>; N]) -> FloatTensor<B> + Send + 'static,
{
    fn forward(&self, states: &mut BackwardStates, out_node: NodeId) {
        let inputs = self.inputs.clone().map(|input| match input {
            Input::Tracked(id) => states.get_state(&id),
            Input::Constant(tensor) => tensor,
        });
        states.save(out_node, (self.operation)(inputs));
    }
}

/// The inputs that [`Again`] finds by their node. Without any the operation has no gradient, and Burn is told
/// all of them: it then keeps the output.
pub(crate) fn parents<B: Backend, C: CheckpointStrategy, const N: usize>(
    inputs: [&FloatTensor<Autodiff<B, C>>; N],
) -> Vec<&FloatTensor<Autodiff<B, C>>> {
    let tracked: Vec<_> = inputs
        .into_iter()
        .filter(|input| input.is_tracked())
        .collect();
    if tracked.is_empty() {
        inputs.to_vec()
    } else {
        tracked
    }
}
