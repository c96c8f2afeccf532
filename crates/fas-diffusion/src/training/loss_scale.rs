//! Dynamic loss scaling: Micikevicius et al. 2018 (<https://arxiv.org/abs/1710.03740>), section 3.2.
//!
//! The smallest normal number of `f16` is 6e-5, above most gradients; the loss times a large factor lifts them into
//! its range, and they are divided by it as soon as they are `f32` again.

use burn::config::Config;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use serde_json::{Value, json};

use crate::Precision;

/// How the factor of the loss follows the gradients; of use with [`Precision::F16`] alone.
#[derive(Config, Debug, PartialEq)]
pub struct LossScaleConfig {
    /// Factor of the first step, a power of two, so that it rounds nothing. Default: 65536
    #[config(default = 65536.0)]
    pub initial: f32,
    /// Steps without overflow after which the factor is doubled. Default: 2000
    #[config(default = 2000)]
    pub growth_interval: usize,
}

/// The largest factor: far above what any gradient needs, far below what `f32` holds.
const LARGEST: f32 = 16_777_216.0;

/// The factor of the loss, and how long it has been good.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LossScale {
    factor: f32,
    good_steps: usize,
    growth_interval: usize,
}

impl LossScale {
    /// `None` for a type that needs no factor.
    ///
    /// # Panics
    ///
    /// Panics if the factor is no power of two from 1 to 2^24, or the interval is 0.
    pub(super) fn new(config: &LossScaleConfig, precision: Precision) -> Option<Self> {
        let exponent = config.initial.log2();
        assert!(
            (1.0..=LARGEST).contains(&config.initial) && exponent.fract() == 0.0,
            "a loss scale is a power of two from 1 to 2^24, got {}",
            config.initial
        );
        assert!(config.growth_interval > 0, "loss scale: growth interval 0");
        (precision == Precision::F16).then_some(Self {
            factor: config.initial,
            good_steps: 0,
            growth_interval: config.growth_interval,
        })
    }

    pub(super) fn factor(&self) -> f32 {
        self.factor
    }

    /// Gradients of the loss, from those of the scaled loss.
    pub(super) fn unscaled<M: Module>(
        &self,
        module: &M,
        gradients: GradientsParams,
    ) -> GradientsParams {
        let mut unscale = Unscale {
            gradients,
            factor: self.factor,
        };
        module.visit(&mut unscale);
        unscale.gradients
    }

    /// After a step that was taken.
    pub(super) fn succeeded(&mut self) {
        self.good_steps += 1;
        if self.good_steps >= self.growth_interval {
            self.factor = (2.0 * self.factor).min(LARGEST);
            self.good_steps = 0;
        }
    }

    /// After gradients that were not finite; whether a smaller factor is left to try.
    pub(super) fn overflowed(&mut self) -> bool {
        self.good_steps = 0;
        let left = self.factor > 1.0;
        if left {
            self.factor /= 2.0;
        }
        left
    }

    /// For a checkpoint.
    pub(super) fn state(&self) -> Value {
        json!({"factor": self.factor, "good_steps": self.good_steps})
    }

    /// With the [`state`](Self::state) of a checkpoint; `None` if it is no such thing.
    pub(super) fn restored(self, state: &Value) -> Option<Self> {
        let factor = state["factor"].as_f64()? as f32;
        let good_steps = usize::try_from(state["good_steps"].as_u64()?).ok()?;
        (1.0..=LARGEST).contains(&factor).then_some(Self {
            factor,
            good_steps,
            ..self
        })
    }
}

struct Unscale {
    gradients: GradientsParams,
    factor: f32,
}

impl ModuleVisitor for Unscale {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            self.gradients.register(param.id, gradient / self.factor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale() -> LossScale {
        let config = LossScaleConfig::new()
            .with_initial(4.0)
            .with_growth_interval(2);
        LossScale::new(&config, Precision::F16).unwrap()
    }

    #[test]
    fn good_steps_double_and_an_overflow_halves() {
        let mut scale = scale();
        let mut factors = Vec::new();
        for good in [true, true, true, false, true, true, false, false, false] {
            if good {
                scale.succeeded();
            } else {
                assert!(scale.overflowed());
            }
            factors.push(scale.factor());
        }
        // The good step before the first overflow does not count towards the next doubling.
        assert_eq!(factors, [4.0, 8.0, 8.0, 4.0, 4.0, 8.0, 4.0, 2.0, 1.0]);
        assert!(!scale.overflowed(), "nothing is left below 1");
        assert_eq!(scale.factor(), 1.0);
    }

    #[test]
    fn it_stops_at_the_largest() {
        let config = LossScaleConfig::new()
            .with_initial(LARGEST)
            .with_growth_interval(1);
        let mut scale = LossScale::new(&config, Precision::F16).unwrap();
        scale.succeeded();
        assert_eq!(scale.factor(), LARGEST);
    }

    #[test]
    fn a_state_comes_back() {
        let mut before = scale();
        for _ in 0..3 {
            before.succeeded();
        }
        assert_eq!(scale().restored(&before.state()), Some(before));
        for damaged in [json!(null), json!({"factor": 0.0, "good_steps": 1})] {
            assert_eq!(scale().restored(&damaged), None);
        }
    }

    #[test]
    fn types_with_the_range_of_f32_need_none() {
        for precision in [Precision::Full, Precision::Bf16] {
            assert_eq!(LossScale::new(&LossScaleConfig::new(), precision), None);
        }
    }

    #[test]
    #[should_panic(expected = "a power of two from 1 to 2^24, got 1000")]
    fn a_factor_that_rounds_is_rejected() {
        let config = LossScaleConfig::new().with_initial(1000.0);
        LossScale::new(&config, Precision::F16);
    }
}
