//! Errors of a generation job.

use std::io;
use std::path::PathBuf;

use fas_data::DataError;
use fas_dfg::DfgError;
use fas_diffusion::DiffusionError;

/// What can end a generation job. After any of them it can be run again and goes on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobError {
    /// A manifest, an image, or the leakage guard.
    #[error("{0}")]
    Data(Box<DataError>),
    /// The generator.
    #[error("{0}")]
    Generator(Box<DiffusionError>),
    /// The identity encoder.
    #[error("{0}")]
    Identity(Box<DfgError>),
    /// A file of the job cannot be read or written; a full disk ends here.
    #[error("cannot {action} {}: {source}; run the same command again to go on", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// Cause.
        source: io::Error,
    },
    /// No face meets any style.
    #[error(
        "nothing to generate: {faces} live faces of the domains {face_domains:?} and {styles} attack \
         images of {style_domains:?}, all of the training split, make no {pairing:?} pair"
    )]
    NoPairs {
        /// Which pairs were asked for.
        pairing: super::Pairing,
        /// Live faces.
        faces: usize,
        /// Their domains.
        face_domains: Vec<String>,
        /// Attack images.
        styles: usize,
        /// Their domains.
        style_domains: Vec<String>,
    },
    /// A style that no attack image of the manifest has.
    #[error("no training attack has the style {style:?}; there are {known:?}")]
    UnknownStyle {
        /// The style asked for.
        style: String,
        /// Styles of the manifest.
        known: Vec<String>,
    },
    /// The generator was trained on the target domain.
    #[error(
        "{} was trained on the target domain {target}: its attacks would leak it; train one on other \
         domains",
        checkpoint.display()
    )]
    TargetSeen {
        /// The generator.
        checkpoint: PathBuf,
        /// The domain.
        target: String,
    },
    /// It is not known what the generator was trained on.
    #[error(
        "{} names no training_domains in its header, so nobody can tell whether it has seen {target}",
        checkpoint.display()
    )]
    UnknownTraining {
        /// The generator.
        checkpoint: PathBuf,
        /// The domain.
        target: String,
    },
    /// The folder holds another job.
    #[error(
        "{} holds a job with another {setting}: {found} there, {asked} now; choose another folder, or \
         go on with the settings of job.json",
        folder.display()
    )]
    OtherJob {
        /// The folder.
        folder: PathBuf,
        /// What differs.
        setting: String,
        /// Value of the job there.
        found: String,
        /// Value asked for.
        asked: String,
    },
    /// The folder is in use or holds something else.
    #[error("{}: {reason}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why it cannot be used, and the remedy.
        reason: &'static str,
    },
    /// The list of finished pictures is not as the job left it.
    #[error(
        "{} line {line}: {reason}; remove the line and those below it, and run the job again",
        path.display()
    )]
    Journal {
        /// The list.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// The generator made something that is no picture.
    #[error("the generator gives numbers that are not finite for {id}; its weights are broken")]
    NotFinite {
        /// The pair.
        id: String,
    },
}

impl From<DataError> for JobError {
    fn from(error: DataError) -> Self {
        Self::Data(Box::new(error))
    }
}

impl From<DiffusionError> for JobError {
    fn from(error: DiffusionError) -> Self {
        Self::Generator(Box::new(error))
    }
}

impl From<DfgError> for JobError {
    fn from(error: DfgError) -> Self {
        Self::Identity(Box::new(error))
    }
}
