//! Value ranges that pretrained backbones want of a face.

use burn::config::Config;
use burn::tensor::{Tensor, TensorData};

/// How images in `[-1, 1]` are changed before they enter the backbone.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum InputRange {
    /// Not at all.
    Symmetric,
    /// To `[0, 1]`: timm's MobileViT.
    Unit,
    /// To `[0, 1]`, then less the mean and divided by the deviation of ImageNet: torchvision's ResNet.
    ImageNet,
}

impl InputRange {
    /// Changes the three face planes; further ones stay as they are.
    ///
    /// # Shapes
    ///
    /// - images: `[batch_size, channels, height, width]`, face planes in `[-1, 1]`
    pub fn apply(self, images: Tensor<4>) -> Tensor<4> {
        let (mean, std) = match self {
            Self::Symmetric => return images,
            Self::Unit => ([0.0; 3], [1.0; 3]),
            Self::ImageNet => ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        };
        let planes = images.dims()[1];
        let device = images.device();
        let column = |values: [f32; 3], rest: f32| {
            let mut values = values.to_vec();
            values.resize(planes, rest);
            Tensor::<4>::from_data(TensorData::new(values, [1, planes, 1, 1]), &device)
        };
        // (x / 2 + 1 / 2 - mean) / std
        let gain = column(std.map(|std| 0.5 / std), 1.0);
        let offset = column([0, 1, 2].map(|c| (0.5 - mean[c]) / std[c]), 0.0);
        images * gain + offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn ranges_of_torchvision_and_timm() {
        let device = Device::default();
        let images = Tensor::<4>::from_data([[[[-1.0]], [[0.0]], [[1.0]]]], &device);
        let values = |range: InputRange| -> Vec<f32> {
            range
                .apply(images.clone())
                .into_data()
                .try_to_vec()
                .unwrap()
        };
        assert_eq!(values(InputRange::Symmetric), [-1.0, 0.0, 1.0]);
        let wide = Tensor::cat(vec![images.clone(), images.clone() * 7.0], 1);
        let wide: Vec<f32> = InputRange::Unit
            .apply(wide)
            .into_data()
            .try_to_vec()
            .unwrap();
        assert_eq!(wide, [0.0, 0.5, 1.0, -7.0, 0.0, 7.0]);
        assert_eq!(values(InputRange::Unit), [0.0, 0.5, 1.0]);
        let expected: [f32; 3] = [-0.485 / 0.229, (0.5 - 0.456) / 0.224, (1.0 - 0.406) / 0.225];
        for (found, expected) in values(InputRange::ImageNet).iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6);
        }
    }
}
