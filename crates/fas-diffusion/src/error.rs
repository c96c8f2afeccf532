//! Errors of this crate.

use std::path::PathBuf;

use fas_weights::WeightsError;

/// What can go wrong when a generator is loaded, trained or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiffusionError {
    /// A weight file could not be used.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A range of timesteps that cannot be drawn from.
    #[error(
        "a rate of {rate} for the timesteps {from} to {to}: give a rate from 0 to 1 and a range, not empty, \
         within the schedule's {num_timesteps} steps"
    )]
    TimestepFocus {
        /// First timestep.
        from: usize,
        /// The one after the last.
        to: usize,
        /// Part of the samples.
        rate: f64,
        /// Steps of the schedule.
        num_timesteps: usize,
    },
    /// Parts of a network that the released code lacks cannot be written under its names.
    #[error("the released code has no counterpart of {parameters:?}")]
    NoReference {
        /// Paths of the parameters.
        parameters: Vec<String>,
    },
    /// A weight file says nothing, or nothing readable, of its configuration.
    #[error("{path}: no generator configuration in the header; was it written by this crate?")]
    Configuration {
        /// File in question.
        path: PathBuf,
    },
    /// Samples that must not be trained on.
    #[cfg(feature = "train")]
    #[error(transparent)]
    Data(#[from] fas_data::DataError),
    /// A checkpoint could not be written or read.
    #[error("checkpoint {path}: {reason}")]
    Checkpoint {
        /// Folder or file in question.
        path: PathBuf,
        /// What the file system or the record reader said.
        reason: String,
    },
    /// A checkpoint is of a run with another configuration.
    #[error(
        "checkpoint {path} is of another run: {field} is {stored} there and {asked} here; go on with \
         the old value or start in another folder"
    )]
    CheckpointConfiguration {
        /// Folder in question.
        path: PathBuf,
        /// The first field that differs, as a path into the configuration.
        field: String,
        /// Its value in the checkpoint.
        stored: String,
        /// Its value in the run that was to go on.
        asked: String,
    },
    /// The loss or a gradient is not a number.
    #[error(
        "the {quantity} of step {step} is {value}, on the batch of {batch}; weights and the last \
         checkpoint are untouched: lower the learning rate or look at those samples{}", precision_remedy(*.precision)
    )]
    Diverged {
        /// Training step, counted from 0.
        step: usize,
        /// The type that the network computed in.
        precision: crate::Precision,
        /// What is not finite: the loss or the norm of the gradient.
        quantity: &'static str,
        /// Its value.
        value: f32,
        /// Names of the batch's samples.
        batch: String,
    },
    /// A style label that the encoder has no output for.
    #[error("style label {label}, but the style encoder knows {num_styles} styles, 0 to {}", .num_styles - 1)]
    UnknownStyle {
        /// The label.
        label: i64,
        /// Labels of the encoder.
        num_styles: usize,
    },
    /// A device without the type that a network was to compute in.
    #[error(
        "{device} does not compute in {}; choose {} or another backend",
        .precision.name(),
        names(supported)
    )]
    UnsupportedPrecision {
        /// What was asked for.
        precision: crate::Precision,
        /// The device.
        device: String,
        /// What the device computes in.
        supported: Vec<crate::Precision>,
    },
    /// Content, style and noise batches differ in size.
    #[error(
        "{content} content images, {style} style images and {ids} sample ids; give one of each"
    )]
    BatchSizes {
        /// Content images.
        content: usize,
        /// Style images.
        style: usize,
        /// Sample ids.
        ids: usize,
    },
    /// A square that has no middle pixel, or no other.
    #[error(
        "guidance towards the live face blurs it over {side} px: give an odd number, 3 or more"
    )]
    ContentBlur {
        /// Side of the square.
        side: usize,
    },
    /// Guidance away from a generator that is not there.
    #[error(
        "guidance of {scale} away from a weaker generator, but there is none: give one with `with_weaker`, before \
         styles are prepared"
    )]
    NoWeakerGenerator {
        /// Scale of that guidance.
        scale: f64,
    },
    /// A weaker generator whose predictions cannot be compared.
    #[error(
        "the weaker generator has {other}, this one {own}: give one of the same size and schedule"
    )]
    WeakerGenerator {
        /// Size and schedule of the generator.
        own: String,
        /// Those of the weaker one.
        other: String,
    },
    /// Timesteps of guidance in the wrong order or outside the schedule.
    #[error(
        "guidance from step {low} to step {high}: give the lower one first, both below {num_timesteps}"
    )]
    GuidanceInterval {
        /// Lowest timestep.
        low: usize,
        /// Highest timestep.
        high: usize,
        /// Length of the schedule.
        num_timesteps: usize,
    },
}

fn names(precisions: &[crate::Precision]) -> String {
    let names: Vec<&str> = precisions
        .iter()
        .map(|precision| precision.name())
        .collect();
    names.join(", ")
}

/// What else helps in a half type.
fn precision_remedy(precision: crate::Precision) -> &'static str {
    match precision {
        crate::Precision::Full => "",
        crate::Precision::F16 => ", or train in bf16 or in full precision",
        crate::Precision::Bf16 => ", or train in full precision",
    }
}
