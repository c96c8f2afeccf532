//! Types that a network computes in: Micikevicius et al. 2018, "Mixed Precision Training"
//! (<https://arxiv.org/abs/1710.03740>).

use burn::config::Config;
use burn::tensor::{Device, FloatDType, Tensor};

use crate::DiffusionError;

/// Floating-point type of convolutions and of the maps between them.
///
/// Weights stay as they are and are rounded for each use. What a half type is too coarse or too narrow for
/// is computed in `f32` in each case: norms, timestep embedding, STFM's statistics and attention, and the
/// last layer.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum Precision {
    /// That of the weights, `f32`.
    Full,
    /// 11 significant bits, up to 65504.
    F16,
    /// 8 significant bits, the range of `f32`.
    Bf16,
}

impl Precision {
    /// Every choice.
    const ALL: [Self; 3] = [Self::Full, Self::F16, Self::Bf16];

    /// In messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Full => "full precision",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        }
    }

    /// The half type; `None` for full precision.
    pub fn half(self) -> Option<FloatDType> {
        match self {
            Self::Full => None,
            Self::F16 => Some(FloatDType::F16),
            Self::Bf16 => Some(FloatDType::BF16),
        }
    }

    /// Whether `device` says that it computes in this type.
    pub fn is_supported(self, device: &Device) -> bool {
        self.half().is_none_or(|half| device.supports_dtype(half))
    }

    /// Refuses a device that does not compute in this type.
    ///
    /// # Errors
    ///
    /// [`DiffusionError::UnsupportedPrecision`], which names what the device does compute in.
    pub fn check(self, device: &Device) -> Result<(), DiffusionError> {
        if self.is_supported(device) {
            return Ok(());
        }
        Err(DiffusionError::UnsupportedPrecision {
            precision: self,
            device: format!("{device:?}"),
            supported: Self::ALL
                .into_iter()
                .filter(|other| other.is_supported(device))
                .collect(),
        })
    }

    /// `tensor` as a network of this precision takes it.
    pub(crate) fn enter<const D: usize>(self, tensor: Tensor<D>) -> Tensor<D> {
        match self.half() {
            Some(half) => tensor.cast(half),
            None => tensor,
        }
    }
}

/// `tensor` for what a half type is too coarse or too narrow for: `f32` if it is of one.
pub(crate) fn widened<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    match FloatDType::from(tensor.dtype()) {
        FloatDType::F16 | FloatDType::BF16 => tensor.cast(FloatDType::F32),
        _ => tensor,
    }
}

/// `tensor` in the type of `like`.
pub(crate) fn like<const D: usize, const E: usize>(
    tensor: Tensor<D>,
    like: &Tensor<E>,
) -> Tensor<D> {
    tensor.cast(FloatDType::from(like.dtype()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{StyleFusionConfig, StyleFusionForm};
    use burn::tensor::Distribution;

    /// A small spread around a large mean, and a sum of squares beyond the range: neither survives statistics
    /// in `f16`.
    #[test]
    fn style_fusion_keeps_its_statistics() {
        let device = Device::flex();
        device.seed(4);
        let form = StyleFusionForm::paper().with_zero_init(false);
        let fusion = StyleFusionConfig::paper(8, 8)
            .with_num_groups(4)
            .with_form(form)
            .init(&device);
        for (mean, deviation) in [(50.0, 0.5), (0.0, 100.0)] {
            let map = || {
                let map = Tensor::<4>::random([2, 8, 8, 8], Distribution::Default, &device);
                map * deviation + mean
            };
            let (x, style) = (map().cast(FloatDType::F16), map().cast(FloatDType::F16));
            let fuse = |x: Tensor<4>, style: Tensor<4>| {
                let fused = fusion.forward(x.clone(), &fusion.style_tokens(style));
                fused.cast(FloatDType::F32) - x.cast(FloatDType::F32)
            };
            let wanted = fuse(widened(x.clone()), widened(style.clone()));
            let found = fuse(x, style);
            let largest: f32 = wanted.clone().abs().max().into_scalar();
            let error: f32 = (found - wanted).abs().max().into_scalar();
            // Rounded before the convolution, after it and after the sum with `x`.
            let bound = (4.0 * largest + mean as f32 + deviation as f32) * 2f32.powi(-11);
            assert!(largest > 1.0, "an output of nothing: {largest}");
            assert!(
                error < bound,
                "{mean}: {error}, not below {bound} of {largest}"
            );
        }
    }

    #[test]
    fn the_cpu_computes_in_every_type() {
        for precision in Precision::ALL {
            precision.check(&Device::flex()).unwrap();
        }
    }

    #[test]
    fn a_refusal_names_what_is_left() {
        let error = DiffusionError::UnsupportedPrecision {
            precision: Precision::Bf16,
            device: "Wgpu".to_owned(),
            supported: vec![Precision::Full, Precision::F16],
        };
        let text = error.to_string();
        assert!(text.contains("Wgpu does not compute in bf16"), "{text}");
        assert!(
            text.contains("choose full precision, f16 or another backend"),
            "{text}"
        );
    }
}
