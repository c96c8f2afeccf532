//! The procedural fill of the parity fixtures: values computed from a tensor's name.
//!
//! A tensor with full name `n` gets, at row-major index `i`, `u = splitmix64(fnv1a64(n) + i * gamma)`
//! scaled to `[0, 1)` with 24 bits, and from it a value by [`FillKind`]. All arithmetic is f64 without
//! fused multiply-add, rounded once to f32, so the fill is the same bit for bit everywhere.

use std::str::FromStr;

use crate::FixtureError;

/// How `u` in `[0, 1)` becomes a value; `c = 2u - 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FillKind {
    /// `c * sqrt(3 / fan_in)`, `fan_in` = product of all dimensions but the first.
    Weight,
    /// `c * sqrt(6 / fan_in)`.
    WeightHe,
    /// Transposed convolution `[in, out, kh, kw]`: `c * sqrt(3 / (in * kh * kw))`.
    WeightT,
    /// `1 + 0.2 c`.
    NormWeight,
    /// `0.35 (1 + 0.2 c)`.
    ResNormWeight,
    /// `0.25 + 0.1 c`.
    Prelu,
    /// `0.1 c`.
    Bias,
    /// `0.5 c`.
    Embed,
    /// `0.2 c`.
    RunningMean,
    /// `0.5 + u`.
    RunningVar,
    /// 0; an integer such as BatchNorm's `num_batches_tracked`.
    Counter,
    /// `c`.
    Input,
    /// `u`.
    InputUnit,
    /// `sqrt(3) c`, unit variance.
    Noise,
}

impl FromStr for FillKind {
    type Err = FixtureError;

    fn from_str(kind: &str) -> Result<Self, FixtureError> {
        Ok(match kind {
            "weight" => Self::Weight,
            "weight_he" => Self::WeightHe,
            "weight_t" => Self::WeightT,
            "norm_weight" => Self::NormWeight,
            "res_norm_weight" => Self::ResNormWeight,
            "prelu" => Self::Prelu,
            "bias" => Self::Bias,
            "embed" => Self::Embed,
            "running_mean" => Self::RunningMean,
            "running_var" => Self::RunningVar,
            "counter" => Self::Counter,
            "input" => Self::Input,
            "input_unit" => Self::InputUnit,
            "noise" => Self::Noise,
            other => return Err(FixtureError::UnknownKind(other.to_owned())),
        })
    }
}

impl FillKind {
    /// Half width of the uniform distribution of the weight kinds, 1 for the others.
    fn bound(self, shape: &[usize]) -> f64 {
        let product = |dims: &[usize]| dims.iter().product::<usize>().max(1) as f64;
        match self {
            Self::Weight => (3.0 / product(shape.get(1..).unwrap_or(&[]))).sqrt(),
            Self::WeightHe => (6.0 / product(shape.get(1..).unwrap_or(&[]))).sqrt(),
            Self::WeightT => {
                let input = shape.first().copied().unwrap_or(1) as f64;
                (3.0 / (input * product(shape.get(2..).unwrap_or(&[])))).sqrt()
            }
            _ => 1.0,
        }
    }

    fn value(self, u: f64, bound: f64) -> f32 {
        let c = 2.0 * u - 1.0;
        let value = match self {
            Self::Weight | Self::WeightHe | Self::WeightT => c * bound,
            Self::NormWeight => 1.0 + 0.2 * c,
            Self::ResNormWeight => 0.35 * (1.0 + 0.2 * c),
            Self::Prelu => 0.25 + 0.1 * c,
            Self::Bias => 0.1 * c,
            Self::Embed => 0.5 * c,
            Self::RunningMean => 0.2 * c,
            Self::RunningVar => 0.5 + u,
            Self::Counter => 0.0,
            Self::Input => c,
            Self::InputUnit => u,
            Self::Noise => 3.0_f64.sqrt() * c,
        };
        value as f32
    }
}

/// FNV-1a, 64 bit, of the UTF-8 bytes of `name`.
pub fn fnv1a64(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// `u` in `[0, 1)` of element `index` under the name hash `hash`: splitmix64's finaliser.
pub fn unit(hash: u64, index: u64) -> f64 {
    let mut z = hash.wrapping_add(index.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    (z >> 40) as f64 / 16_777_216.0
}

/// Value of one element.
///
/// `full_name` is the fixture's `fill_prefix` followed by the tensor's name; `index` is row-major in
/// `shape`.
pub fn procedural_weight(full_name: &str, shape: &[usize], kind: FillKind, index: u64) -> f32 {
    kind.value(unit(fnv1a64(full_name), index), kind.bound(shape))
}

/// All values of a tensor in row-major order; see [`procedural_weight`].
pub fn procedural_values(full_name: &str, shape: &[usize], kind: FillKind) -> Vec<f32> {
    let hash = fnv1a64(full_name);
    let bound = kind.bound(shape);
    let count = shape.iter().product::<usize>() as u64;
    (0..count)
        .map(|index| kind.value(unit(hash, index), bound))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fnv1a64_known_values() {
        assert_eq!(fnv1a64(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a64("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a64("conv.weight"), 0x796f_8df8_8f56_d987);
    }

    /// Name, shape, kind, index; the unit value and the bits of the result.
    type Example = (&'static str, &'static [usize], &'static str, u64, f64, u32);

    /// The worked examples of the fixture format, bit for bit.
    #[test]
    fn worked_examples() {
        let examples: [Example; 6] = [
            (
                "conv.weight",
                &[64, 64, 3, 3],
                "weight",
                0,
                0.4208184480667114,
                0xbc3b_402a,
            ),
            (
                "conv.weight",
                &[64, 64, 3, 3],
                "weight",
                12345,
                0.5437417030334473,
                0x3bce_e212,
            ),
            (
                "input_blocks.1.0.in_layers.0.weight",
                &[128],
                "norm_weight",
                5,
                0.8730767369270325,
                0x3f93_19fe,
            ),
            (
                "p1/encoder.conv_in.bias",
                &[32],
                "bias",
                31,
                0.9049291610717773,
                0x3da5_dbe6,
            ),
            (
                "bn1.running_var",
                &[64],
                "running_var",
                63,
                0.14317947626113892,
                0x3f24_a769,
            ),
            (
                "in.x_t",
                &[1, 3, 256, 256],
                "input",
                196_607,
                0.7550668120384216,
                0x3f02_981e,
            ),
        ];
        for (name, shape, kind, index, u, bits) in examples {
            let kind: FillKind = kind.parse().unwrap();
            assert_eq!(unit(fnv1a64(name), index), u, "{name}[{index}]");
            let value = procedural_weight(name, shape, kind, index);
            assert_eq!(value.to_bits(), bits, "{name}[{index}] = {value}");
            assert_eq!(
                procedural_values(name, shape, kind)[index as usize].to_bits(),
                bits
            );
        }
    }

    /// The kinds the worked examples leave out, from the table's formulas at u = 0.75, c = 0.5.
    #[test]
    fn every_kind_follows_its_formula() {
        let at = |kind: FillKind, shape: &[usize]| kind.value(0.75, kind.bound(shape));
        assert_eq!(at(FillKind::Weight, &[5, 12]), 0.25); // sqrt(3/12) = 1/2
        assert_eq!(at(FillKind::WeightHe, &[5, 24]), 0.25); // sqrt(6/24) = 1/2
        assert_eq!(at(FillKind::WeightT, &[3, 7, 2, 2]), 0.25); // sqrt(3/(3*2*2)) = 1/2
        assert_eq!(at(FillKind::ResNormWeight, &[4]), (0.35 * 1.1) as f32);
        assert_eq!(at(FillKind::Prelu, &[4]), 0.3);
        assert_eq!(at(FillKind::Embed, &[1, 2, 4]), 0.25);
        assert_eq!(at(FillKind::RunningMean, &[4]), 0.1);
        assert_eq!(at(FillKind::Counter, &[]), 0.0);
        assert_eq!(at(FillKind::InputUnit, &[4]), 0.75);
        assert_eq!(at(FillKind::Noise, &[4]), (3.0_f64.sqrt() * 0.5) as f32);
    }

    #[test]
    fn unknown_kind_is_an_error() {
        let error = "inline".parse::<FillKind>().unwrap_err();
        assert_eq!(error.to_string(), "unknown fill kind `inline`");
    }
}
