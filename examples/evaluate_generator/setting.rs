//! How attacks are generated, and which ways are compared.

use fas_diffusion::{DdimConfig, GenerationConfig};
use fas_examples::EditSampler;

use crate::arguments::Arguments;

/// One way of generating.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Setting {
    pub(crate) start: usize,
    pub(crate) guidance: f64,
    pub(crate) temperature: f64,
    /// Lowest and highest timestep that guidance acts at, if not all.
    pub(crate) guidance_interval: Option<[usize; 2]>,
    /// Of halftone prints and displays, if another.
    pub(crate) regular_temperature: Option<f64>,
}

impl Setting {
    /// The first value of each list, and beside it every other value of one list at a time.
    pub(crate) fn all(arguments: &Arguments) -> Vec<Self> {
        let reference = Self {
            start: arguments.start_steps[0],
            guidance: arguments.guidance[0],
            temperature: arguments.temperature[0],
            guidance_interval: arguments.guidance_interval,
            regular_temperature: arguments.regular_temperature,
        };
        let mut settings = vec![reference];
        settings.extend(
            arguments.start_steps[1..]
                .iter()
                .map(|&start| Self { start, ..reference }),
        );
        settings.extend(arguments.guidance[1..].iter().map(|&guidance| Self {
            guidance,
            ..reference
        }));
        settings.extend(arguments.temperature[1..].iter().map(|&temperature| Self {
            temperature,
            ..reference
        }));
        settings
    }

    pub(crate) fn name(&self) -> String {
        let regular = match self.regular_temperature {
            Some(temperature) => format!(" ({temperature} for regular structures)"),
            None => String::new(),
        };
        let interval = match self.guidance_interval {
            Some([low, high]) => format!(" at {low} to {high}"),
            None => String::new(),
        };
        format!(
            "start {}, guidance {}{interval}, temperature {}{regular}",
            self.start, self.guidance, self.temperature
        )
    }

    pub(crate) fn sampler(&self, arguments: &Arguments) -> EditSampler {
        let sampler = DdimConfig::new(self.start)
            .with_sampling_steps(arguments.sampling_steps)
            .with_spacing_power(arguments.spacing_power)
            .with_eta(arguments.eta)
            .with_stop_step(arguments.stop_step.min(self.start));
        EditSampler {
            config: GenerationConfig::new(sampler.into())
                .with_guidance_scale(self.guidance)
                .with_guidance_interval(self.guidance_interval)
                .with_temperature(self.temperature),
            regular_temperature: self.regular_temperature,
        }
    }
}

/// What a curve runs over.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Axis {
    Start,
    Guidance,
    Temperature,
}

impl Axis {
    pub(crate) const ALL: [Self; 3] = [Self::Start, Self::Guidance, Self::Temperature];

    /// Axis label, and with `_` for spaces part of a file name.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Start => "start step",
            Self::Guidance => "guidance scale",
            Self::Temperature => "temperature",
        }
    }

    /// Value of `setting`, if it is `reference` but for this axis.
    pub(crate) fn value(self, setting: &Setting, reference: &Setting) -> Option<f64> {
        let mut moved = *reference;
        let value = match self {
            Self::Start => {
                moved.start = setting.start;
                setting.start as f64
            }
            Self::Guidance => {
                moved.guidance = setting.guidance;
                setting.guidance
            }
            Self::Temperature => {
                moved.temperature = setting.temperature;
                setting.temperature
            }
        };
        (moved == *setting).then_some(value)
    }
}
