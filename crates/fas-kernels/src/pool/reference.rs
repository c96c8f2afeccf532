//! Max-pooling as Burn's operation.

use burn::backend::ops::ModuleOps;
use burn::backend::{Backend, tensor::FloatTensor};

/// See [`crate::max_pool_3x3`].
pub(crate) fn forward<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    <B as ModuleOps<B>>::max_pool2d(x, [3, 3], [2, 2], [1, 1], [1, 1], false)
}
