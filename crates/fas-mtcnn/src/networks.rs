//! The three networks: Zhang et al. 2016, figure 2, in the form of `facenet-pytorch`.
//!
//! Fields are named as in the released weights. Input is RGB, `(v - 127.5) / 128`.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, assert_shape};

use crate::layers::{Dense, PRelu, conv, convolve, flatten, pool};

/// Proposal network: for every 12 x 12 window, two pixels apart, whether it holds a face, and how
/// the window should move.
#[derive(Module, Debug)]
pub struct PNet {
    conv1: Conv2d,
    prelu1: PRelu,
    conv2: Conv2d,
    prelu2: PRelu,
    conv3: Conv2d,
    prelu3: PRelu,
    conv4_1: Conv2d,
    conv4_2: Conv2d,
}

impl PNet {
    pub(crate) fn new(device: &Device) -> Self {
        Self {
            conv1: conv([3, 10], 3, device),
            prelu1: PRelu::new(10, device),
            conv2: conv([10, 16], 3, device),
            prelu2: PRelu::new(16, device),
            conv3: conv([16, 32], 3, device),
            prelu3: PRelu::new(32, device),
            conv4_1: conv([32, 2], 1, device),
            conv4_2: conv([32, 4], 1, device),
        }
    }

    /// Regression offsets and probabilities.
    ///
    /// # Shapes
    ///
    /// - x: `[batch_size, 3, height, width]`, both at least 12
    /// - offsets: `[batch_size, 4, rows, columns]`: left, top, right, bottom in widths and heights
    /// - probabilities: `[batch_size, 2, rows, columns]`: no face, face
    ///
    /// # Panics
    ///
    /// Panics if the input is smaller or has not three channels.
    pub fn forward(&self, x: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        assert_shape!(x, [_, 3, _, _]);
        let x = self.prelu1.forward(convolve(&self.conv1, x));
        let x = pool(x, 2);
        let x = self.prelu2.forward(convolve(&self.conv2, x));
        let x = self.prelu3.forward(convolve(&self.conv3, x));
        let probabilities = softmax(convolve(&self.conv4_1, x.clone()), 1);
        (convolve(&self.conv4_2, x), probabilities)
    }
}

/// Refinement network: looks at a proposal in 24 x 24 pixels.
#[derive(Module, Debug)]
pub struct RNet {
    conv1: Conv2d,
    prelu1: PRelu,
    conv2: Conv2d,
    prelu2: PRelu,
    conv3: Conv2d,
    prelu3: PRelu,
    dense4: Dense,
    prelu4: PRelu,
    dense5_1: Dense,
    dense5_2: Dense,
}

impl RNet {
    pub(crate) fn new(device: &Device) -> Self {
        Self {
            conv1: conv([3, 28], 3, device),
            prelu1: PRelu::new(28, device),
            conv2: conv([28, 48], 3, device),
            prelu2: PRelu::new(48, device),
            conv3: conv([48, 64], 2, device),
            prelu3: PRelu::new(64, device),
            dense4: Dense::new(576, 128, device),
            prelu4: PRelu::new(128, device),
            dense5_1: Dense::new(128, 2, device),
            dense5_2: Dense::new(128, 4, device),
        }
    }

    /// Regression offsets and probabilities.
    ///
    /// # Shapes
    ///
    /// - x: `[batch_size, 3, 24, 24]`
    /// - offsets: `[batch_size, 4]`
    /// - probabilities: `[batch_size, 2]`: no face, face
    ///
    /// # Panics
    ///
    /// Panics if the input has another shape.
    pub fn forward(&self, x: Tensor<4>) -> (Tensor<2>, Tensor<2>) {
        assert_shape!(x, [_, 3, 24, 24]);
        let x = pool(self.prelu1.forward(convolve(&self.conv1, x)), 3);
        let x = pool(self.prelu2.forward(convolve(&self.conv2, x)), 3);
        let x = self.prelu3.forward(convolve(&self.conv3, x));
        let x = self.prelu4.forward(self.dense4.forward(flatten(x)));
        let probabilities = softmax(self.dense5_1.forward(x.clone()), 1);
        (self.dense5_2.forward(x), probabilities)
    }
}

/// Output network: looks at a refined proposal in 48 x 48 pixels, and finds the landmarks.
#[derive(Module, Debug)]
pub struct ONet {
    conv1: Conv2d,
    prelu1: PRelu,
    conv2: Conv2d,
    prelu2: PRelu,
    conv3: Conv2d,
    prelu3: PRelu,
    conv4: Conv2d,
    prelu4: PRelu,
    dense5: Dense,
    prelu5: PRelu,
    dense6_1: Dense,
    dense6_2: Dense,
    dense6_3: Dense,
}

impl ONet {
    pub(crate) fn new(device: &Device) -> Self {
        Self {
            conv1: conv([3, 32], 3, device),
            prelu1: PRelu::new(32, device),
            conv2: conv([32, 64], 3, device),
            prelu2: PRelu::new(64, device),
            conv3: conv([64, 64], 3, device),
            prelu3: PRelu::new(64, device),
            conv4: conv([64, 128], 2, device),
            prelu4: PRelu::new(128, device),
            dense5: Dense::new(1152, 256, device),
            prelu5: PRelu::new(256, device),
            dense6_1: Dense::new(256, 2, device),
            dense6_2: Dense::new(256, 4, device),
            dense6_3: Dense::new(256, 10, device),
        }
    }

    /// Regression offsets, landmarks and probabilities.
    ///
    /// # Shapes
    ///
    /// - x: `[batch_size, 3, 48, 48]`
    /// - offsets: `[batch_size, 4]`
    /// - landmarks: `[batch_size, 10]`: five x, then five y, in widths and heights of the box
    /// - probabilities: `[batch_size, 2]`: no face, face
    ///
    /// # Panics
    ///
    /// Panics if the input has another shape.
    pub fn forward(&self, x: Tensor<4>) -> (Tensor<2>, Tensor<2>, Tensor<2>) {
        assert_shape!(x, [_, 3, 48, 48]);
        let x = pool(self.prelu1.forward(convolve(&self.conv1, x)), 3);
        let x = pool(self.prelu2.forward(convolve(&self.conv2, x)), 3);
        let x = pool(self.prelu3.forward(convolve(&self.conv3, x)), 2);
        let x = self.prelu4.forward(convolve(&self.conv4, x));
        let x = self.prelu5.forward(self.dense5.forward(flatten(x)));
        let probabilities = softmax(self.dense6_1.forward(x.clone()), 1);
        let offsets = self.dense6_2.forward(x.clone());
        (offsets, self.dense6_3.forward(x), probabilities)
    }
}
