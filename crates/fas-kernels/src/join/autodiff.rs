//! Backward passes of sums and concatenations.

use burn::backend::autodiff::{
    Autodiff,
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind, binary},
};
use burn::backend::{Slice, TensorMetadata, tensor::FloatTensor};

use crate::KernelOps;
use crate::recompute::{Again, parents};

#[derive(Debug)]
struct AddBackward;

impl<B: KernelOps> Backward<B, 2> for AddBackward {
    type State = ();

    fn backward(self, ops: Ops<(), 2>, grads: &mut Gradients, _saved: &mut Checkpointer) {
        binary::<B, _, _>(
            ops.parents,
            ops.node,
            grads,
            |gradient| gradient,
            |gradient| gradient,
        );
    }
}

/// See [`KernelOps::add_maps`]. The sum is kept: computed again, the sums of a chain of residual blocks would
/// all be there at once, beside what they are sums of.
pub(crate) fn add<B: KernelOps, C: CheckpointStrategy>(
    a: FloatTensor<Autodiff<B, C>>,
    b: FloatTensor<Autodiff<B, C>>,
) -> FloatTensor<Autodiff<B, C>> {
    let prep = Backward::<B, 2>::prepare::<C>(AddBackward, [a.node(), b.node()]);
    prep.compute_bound()
        .stateless(B::add_maps(a.into_primitive(), b.into_primitive()))
}

#[derive(Debug)]
struct ConcatBackward;

impl<B: KernelOps> Backward<B, 2> for ConcatBackward {
    /// Channels of the first map.
    type State = usize;

    fn backward(self, ops: Ops<usize, 2>, grads: &mut Gradients, _saved: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let shape = gradient.shape();
        let parts = [0..ops.state, ops.state..shape[1]];
        for (node, part) in ops.parents.into_iter().zip(parts) {
            if let Some(node) = node {
                let mut slices: Vec<Slice> = shape.iter().map(|&len| (0..len).into()).collect();
                slices[1] = part.into();
                grads.register::<B>(node.id, B::float_slice(gradient.clone(), &slices));
            }
        }
    }
}

/// See [`KernelOps::concat_maps`].
pub(crate) fn concat<B: KernelOps, C: CheckpointStrategy>(
    a: FloatTensor<Autodiff<B, C>>,
    b: FloatTensor<Autodiff<B, C>>,
) -> FloatTensor<Autodiff<B, C>> {
    let channels = a.shape()[1];
    match Backward::<B, 2>::prepare::<C>(ConcatBackward, [a.node(), b.node()])
        .memory_bound()
        .retro_forward(Again::new::<C>([&a, &b], |[a, b]| B::concat_maps(a, b)))
        .parents(parents::<B, C, 2>([&a, &b]))
        .stateful()
    {
        OpsKind::Tracked(prep) => {
            let output = B::concat_maps(a.into_primitive(), b.into_primitive());
            prep.finish(channels, output)
        }
        OpsKind::UnTracked(prep) => {
            prep.finish(B::concat_maps(a.into_primitive(), b.into_primitive()))
        }
    }
}
