//! Optimisers and learning rates: those of the papers, and one for short trainings of small networks.

use burn::config::Config;
use burn::grad_clipping::GradientClippingConfig;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, AdamWConfig, ModuleOptimizer, SgdConfig};

/// Rule of an update.
#[derive(Config, Debug)]
pub enum OptimiserKind {
    /// Stochastic gradient descent with momentum (without PyTorch's dampening, as its default is).
    Sgd {
        /// Momentum.
        momentum: f32,
        /// L2 penalty, added to the gradient.
        weight_decay: f32,
    },
    /// Adam with betas 0.9 and 0.999, epsilon 1e-8.
    Adam {
        /// L2 penalty, added to the gradient.
        weight_decay: f32,
    },
    /// AdamW with betas 0.9 and 0.999, epsilon 1e-8.
    AdamW {
        /// Share of a weight that each step takes off, times the learning rate.
        weight_decay: f32,
    },
}

/// Learning rate over the steps.
#[derive(Config, Debug)]
pub enum LearningRateSchedule {
    /// Always the same.
    Constant,
    /// Rises over the first tenth of the steps, from 4 %, and falls as a cosine.
    OneCycle,
    /// A tenth from this step on: SSDG's code, with 1500 steps for the targets M and O, 500 for C and I.
    Drop {
        /// First step with the lower rate.
        at: usize,
    },
    /// Rises linearly and falls as a cosine: AG-FAS's code, with 400 steps.
    WarmUpCosine {
        /// Steps of the rise.
        warm_up_steps: usize,
    },
}

/// Optimiser and learning rate.
#[derive(Config, Debug)]
pub struct OptimiserConfig {
    /// Rule of an update.
    pub kind: OptimiserKind,
    /// Largest learning rate.
    pub learning_rate: f64,
    /// Learning rate over the steps. Default: constant
    #[config(default = "LearningRateSchedule::Constant")]
    pub schedule: LearningRateSchedule,
    /// Largest norm of a parameter's gradient. Default: no limit
    #[config(default = "None")]
    pub max_gradient_norm: Option<f32>,
}

impl OptimiserConfig {
    /// SGD with learning rate 2e-3 (DiffFAS, section 4.2), momentum 0.9 and weight decay 5e-4, which the
    /// paper does not give.
    pub fn sgd() -> Self {
        let kind = OptimiserKind::Sgd {
            momentum: 0.9,
            weight_decay: 5e-4,
        };
        Self::new(kind, 2e-3)
    }

    /// Adam with learning rate 1e-4: DiffFAS's choice for WMCA, PADISI and the target O.
    pub fn adam() -> Self {
        Self::new(OptimiserKind::Adam { weight_decay: 0.0 }, 1e-4)
    }

    /// SSDG's code: SGD from 1e-3, a tenth of it from step 1500 on.
    pub fn ssdg() -> Self {
        let kind = OptimiserKind::Sgd {
            momentum: 0.9,
            weight_decay: 5e-4,
        };
        Self::new(kind, 1e-3).with_schedule(LearningRateSchedule::Drop { at: 1500 })
    }

    /// AdamW up to 2e-3 in one cycle: short trainings of small networks from random weights.
    pub fn small() -> Self {
        Self::new(OptimiserKind::AdamW { weight_decay: 1e-2 }, 2e-3)
            .with_schedule(LearningRateSchedule::OneCycle)
    }

    /// Learning rate of `step` of `steps`.
    pub fn learning_rate_at(&self, step: usize, steps: usize) -> f64 {
        let cosine = |progress: f64| {
            self.learning_rate * (0.5 + 0.5 * (std::f64::consts::PI * progress).cos())
        };
        match self.schedule {
            LearningRateSchedule::Constant => self.learning_rate,
            LearningRateSchedule::OneCycle => {
                let progress = step as f64 / steps as f64;
                if progress < 0.1 {
                    return self.learning_rate * (progress / 0.1).max(0.04);
                }
                cosine((progress - 0.1) / 0.9)
            }
            LearningRateSchedule::Drop { at } if step >= at => 0.1 * self.learning_rate,
            LearningRateSchedule::Drop { .. } => self.learning_rate,
            LearningRateSchedule::WarmUpCosine { warm_up_steps } => {
                if step < warm_up_steps {
                    return self.learning_rate * (step + 1) as f64 / warm_up_steps as f64;
                }
                let rest = steps.saturating_sub(warm_up_steps).max(1);
                cosine((step - warm_up_steps) as f64 / rest as f64)
            }
        }
    }

    /// The optimiser of this configuration.
    pub(super) fn init(&self) -> ModuleOptimizer {
        let clipping = self.max_gradient_norm.map(GradientClippingConfig::Norm);
        let decay = |rate: f32| (rate > 0.0).then(|| WeightDecayConfig::new(rate));
        match self.kind {
            // Burn's momentum has dampening 0.1 unless told otherwise; PyTorch's has none.
            OptimiserKind::Sgd {
                momentum,
                weight_decay,
            } => SgdConfig::new()
                .with_momentum(Some(
                    MomentumConfig::new()
                        .with_momentum(momentum.into())
                        .with_dampening(0.0),
                ))
                .with_weight_decay(decay(weight_decay))
                .with_gradient_clipping(clipping)
                .init(),
            OptimiserKind::Adam { weight_decay } => AdamConfig::new()
                .with_epsilon(1e-8)
                .with_weight_decay(decay(weight_decay))
                .with_grad_clipping(clipping)
                .init(),
            OptimiserKind::AdamW { weight_decay } => AdamWConfig::new()
                .with_epsilon(1e-8)
                .with_weight_decay(weight_decay)
                .with_grad_clipping(clipping)
                .init(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::{Module, Param};
    use burn::optim::GradientsParams;
    use burn::tensor::{Device, Tensor};

    #[derive(Module, Debug)]
    struct Point {
        x: Param<Tensor<1>>,
    }

    /// Ten steps down `x^2` from 1 with a constant rate of 0.01, by Burn.
    fn descend(config: &OptimiserConfig) -> f32 {
        let device = Device::default().autodiff();
        let mut point = Point {
            x: Param::from_tensor(Tensor::<1>::from_data([1.0], &device)),
        };
        let mut optimiser = config.init();
        for _ in 0..10 {
            let gradients = point.x.val().square().sum().backward();
            let gradients = GradientsParams::from_grads(gradients, &point);
            point = optimiser.step(0.01, point, gradients);
        }
        point.x.val().into_scalar()
    }

    #[test]
    fn updates_are_pytorch_s() {
        // The same ten steps in f64, by the equations of PyTorch's documentation.
        let (mut x, mut velocity) = (1f64, None);
        for _ in 0..10 {
            let gradient = 2.0 * x + 5e-4 * x;
            let v = velocity.map_or(gradient, |v| 0.9 * v + gradient);
            velocity = Some(v);
            x -= 0.01 * v;
        }
        let found = f64::from(descend(&OptimiserConfig::sgd()));
        assert!((found - x).abs() < 1e-6, "SGD: {found} {x}");

        for (config, decoupled) in [
            (OptimiserConfig::adam(), 0.0),
            (OptimiserConfig::small(), 1e-2),
        ] {
            let (mut x, mut m, mut v) = (1f64, 0f64, 0f64);
            for step in 1..=10 {
                x -= 0.01 * decoupled * x;
                let gradient = 2.0 * (x / (1.0 - 0.01 * decoupled));
                m = 0.9 * m + 0.1 * gradient;
                v = 0.999 * v + 0.001 * gradient * gradient;
                let (m, v) = (
                    m / (1.0 - 0.9f64.powi(step)),
                    v / (1.0 - 0.999f64.powi(step)),
                );
                x -= 0.01 * m / (v.sqrt() + 1e-8);
            }
            let found = f64::from(descend(&config));
            assert!((found - x).abs() < 1e-5, "{config}: {found} {x}");
        }
    }

    #[test]
    fn learning_rates_over_the_steps() {
        let rate = |config: &OptimiserConfig, step| config.learning_rate_at(step, 4000);
        let sgd = OptimiserConfig::sgd();
        assert_eq!((rate(&sgd, 0), rate(&sgd, 3999)), (2e-3, 2e-3));
        let ssdg = OptimiserConfig::ssdg();
        assert_eq!(rate(&ssdg, 1499), 1e-3);
        assert!((rate(&ssdg, 1500) - 1e-4).abs() < 1e-18);
        let small = OptimiserConfig::small();
        assert_eq!(rate(&small, 0), 0.04 * 2e-3);
        assert!((rate(&small, 400) - 2e-3).abs() < 1e-12 && rate(&small, 3999) < 1e-8);
        let warm = sgd.with_schedule(LearningRateSchedule::WarmUpCosine { warm_up_steps: 400 });
        assert_eq!((rate(&warm, 0), rate(&warm, 399)), (2e-3 / 400.0, 2e-3));
        assert!((rate(&warm, 2200) - 1e-3).abs() < 1e-12);
    }
}
