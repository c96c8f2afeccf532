//! How attacks are generated, and which ways are compared.

use fas_diffusion::{DdimConfig, GenerationConfig};
use fas_examples::EditSampler;

use crate::arguments::Arguments;

/// One way of generating: what differs between the ways that are compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Setting {
    pub(crate) start: usize,
    pub(crate) guidance: f64,
    pub(crate) content_guidance: f64,
    pub(crate) weaker_guidance: f64,
    pub(crate) temperature: f64,
}

impl Setting {
    /// The first value of each list, and beside it every other value of one list at a time.
    pub(crate) fn all(arguments: &Arguments) -> Vec<Self> {
        let reference = Self {
            start: arguments.start_steps[0],
            guidance: arguments.guidance[0],
            content_guidance: arguments.content_guidance[0],
            weaker_guidance: arguments.weaker_guidance[0],
            temperature: arguments.temperature[0],
        };
        let mut settings = vec![reference];
        for axis in Axis::ALL {
            settings.extend(axis.others(arguments).into_iter().map(|value| {
                let mut moved = reference;
                axis.set(&mut moved, value);
                moved
            }));
        }
        settings
    }

    /// Title of its column; what all columns share stands above them.
    pub(crate) fn name(&self) -> String {
        let mut name = format!("start {}, guidance {}", self.start, self.guidance);
        if self.content_guidance != 1.0 {
            name += &format!(", content {}", self.content_guidance);
        }
        if self.weaker_guidance != 1.0 {
            name += &format!(", weaker {}", self.weaker_guidance);
        }
        name + &format!(", temperature {}", self.temperature)
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
                .with_guidance_interval(arguments.guidance_interval)
                .with_content_guidance(self.content_guidance)
                .with_content_blur(arguments.content_blur)
                .with_weaker_guidance(self.weaker_guidance)
                .with_temperature(self.temperature),
            regular_temperature: arguments.regular_temperature,
        }
    }
}

/// What a curve runs over.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Axis {
    Start,
    Guidance,
    ContentGuidance,
    WeakerGuidance,
    Temperature,
}

impl Axis {
    pub(crate) const ALL: [Self; 5] = [
        Self::Start,
        Self::Guidance,
        Self::ContentGuidance,
        Self::WeakerGuidance,
        Self::Temperature,
    ];

    /// Axis label, and with `_` for spaces part of a file name.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Start => "start step",
            Self::Guidance => "guidance scale",
            Self::ContentGuidance => "content guidance",
            Self::WeakerGuidance => "weaker guidance",
            Self::Temperature => "temperature",
        }
    }

    /// All values but the first.
    fn others(self, arguments: &Arguments) -> Vec<f64> {
        match self {
            Self::Start => {
                let steps = &arguments.start_steps[1..];
                steps.iter().map(|&step| step as f64).collect()
            }
            Self::Guidance => arguments.guidance[1..].to_vec(),
            Self::ContentGuidance => arguments.content_guidance[1..].to_vec(),
            Self::WeakerGuidance => arguments.weaker_guidance[1..].to_vec(),
            Self::Temperature => arguments.temperature[1..].to_vec(),
        }
    }

    fn get(self, setting: &Setting) -> f64 {
        match self {
            Self::Start => setting.start as f64,
            Self::Guidance => setting.guidance,
            Self::ContentGuidance => setting.content_guidance,
            Self::WeakerGuidance => setting.weaker_guidance,
            Self::Temperature => setting.temperature,
        }
    }

    fn set(self, setting: &mut Setting, value: f64) {
        match self {
            Self::Start => setting.start = value as usize,
            Self::Guidance => setting.guidance = value,
            Self::ContentGuidance => setting.content_guidance = value,
            Self::WeakerGuidance => setting.weaker_guidance = value,
            Self::Temperature => setting.temperature = value,
        }
    }

    /// Value of `setting`, if it is `reference` but for this axis.
    pub(crate) fn value(self, setting: &Setting, reference: &Setting) -> Option<f64> {
        let mut moved = *reference;
        let value = self.get(setting);
        self.set(&mut moved, value);
        (moved == *setting).then_some(value)
    }
}
