//! Samples, manifests, protocols and batches for face anti-spoofing.
//!
//! - What a sample is: [`Sample`] with its [`Label`], [`PaiSpecies`] and [`Split`]; a [`Manifest`] is
//!   a checked list of samples below one folder, read from and written to CSV.
//! - What may be used for what: a [`Protocol`] names source and target domains and held-out attacks;
//!   the [`LeakageGuard`] refuses anything else.
//! - What a generator of attacks trains on: (content, target, style) triplets of a
//!   [`TripletSampler`].
//! - Pixels: [`load_rgb`] and [`list_images`] for files of any origin, [`resize`], [`center_crop`],
//!   [`flip_horizontal`], and [`image_to_array`] to network values in `[-1, 1]` and back.
//! - Batches: [`shuffled_batches`] or a [`BalancedSampler`] pick the samples, a [`Batcher`] loads
//!   them ahead.
//! - Public data sets: [`DatasetsFile`] says where the user's copies live, a [`DatasetSource`] makes
//!   [`Recording`]s of their files, an [`OfficialProtocol`] picks the recordings of each part,
//!   [`find_leaks`] tells what the parts share, and a [`FrameReader`] reads frames by a [`FramePolicy`].
//! - Lists and scores of other toolkits: [`read_bob`], [`read_label_text`], [`read_grad_gpad_scores`].
//!
//! Everything random takes a seed and an epoch, and depends on nothing else.
//!
//! ```
//! use fas_data::{LeakageGuard, Protocol, TrainingPurpose};
//! # use fas_data::{Label, Manifest, PaiSpecies, Sample, Split};
//! # let mut samples = Vec::new();
//! # for domain in ["sim-C", "sim-I", "sim-M"] {
//! #     for split in Split::ALL {
//! #         for label in [Label::BonaFide, Label::Attack(PaiSpecies::Print)] {
//! #             samples.push(Sample {
//! #                 id: format!("{domain}/{split}/{label}"), path: "face.png".into(), label,
//! #                 domain: domain.into(), split, subject: format!("{domain}/{split}"), video: None,
//! #                 style: format!("{domain}/{label}"), synthetic: false, quality_score: None, presenter: None, crop: None,
//! #             });
//! #         }
//! #     }
//! # }
//! # let manifest = Manifest::new("", samples)?; // or `Manifest::read("manifest.csv")?`
//! let protocol = Protocol::from_name("CI->M", &["sim-C", "sim-I", "sim-M"])?;
//! let splits = protocol.select(&manifest)?;
//!
//! let guard = LeakageGuard::new(&protocol);
//! guard.check_training(TrainingPurpose::Generator, &splits.train)?;
//! let refused = guard.check_training(TrainingPurpose::Generator, &splits.test).unwrap_err();
//! assert!(refused.to_string().contains("its domain is the target"));
//! # Ok::<(), fas_data::DataError>(())
//! ```

mod batch;
mod batcher_config;
mod check;
mod crop;
mod dataset_source;
mod datasets;
mod datasets_file;
mod error;
mod exchange;
mod frames;
mod image_file;
mod image_folder;
mod label;
mod leakage;
mod leaks;
mod manifest;
mod manifest_file;
mod manifest_row;
mod near_duplicate;
mod official;
mod pair_list;
#[cfg(feature = "parquet")]
mod parquet_table;
mod protocol;
mod recording;
mod recording_error;
mod recording_index;
mod sample;
mod sampler;
mod survey;
mod table_format;
mod transform;
mod triplet;
mod walk;

pub use batch::{Batch, Batcher, Batches};
pub use batcher_config::{BatcherConfig, Fit};
pub use check::{CheckDepth, DatasetCheck};
pub use crop::{Crop, CropMatrix};
pub use dataset_source::DatasetSource;
pub use datasets::{
    CSV_TABLE_COLUMNS, CelebaBox, Dataset, DatasetCard, ExpectedCount, Layout, parse_celeba_box,
};
pub use datasets_file::{DatasetSection, DatasetsFile};
pub use error::{DataError, ManifestProblem, ProtocolProblem};
pub use exchange::{
    ExchangeRow, LabelMeaning, check_polarity, exchange_auc, read_bob, read_grad_gpad_list,
    read_grad_gpad_scores, read_label_text, write_bob, write_grad_gpad_list,
    write_grad_gpad_scores, write_label_text,
};
pub use frames::{
    Ffmpeg, FramePolicy, FrameReader, NonResponseCount, Response, count_non_responses,
};
pub use image_file::{ImageLimits, load_rgb, load_rgb_with_limits};
pub use image_folder::list_images;
pub use label::{Label, PaiSpecies};
pub use leakage::{AdmittedSamples, LeakageGuard, LeakageReason, TrainingPurpose};
pub use leaks::{Leak, LeakKind, LeakSide, find_leaks, find_manifest_leaks, find_pair_leaks};
pub use manifest::{ClassCounts, Manifest};
pub use near_duplicate::{PerceptualHash, near_duplicates};
pub use official::{
    OfficialProtocol, PartMismatch, Partition, ProtocolPart, Selection, official_protocol,
    official_protocols,
};
pub use pair_list::{Pair, PairFile, PairList, PairSet};
pub use protocol::{HeldOut, Protocol, ProtocolSplits, TargetSplits};
pub use recording::{Media, Recording, Rotation};
pub use recording_error::RecordingError;
pub use recording_index::{INDEX_COLUMNS, IndexWriter, read_index};
pub use sample::{Sample, Split};
pub use sampler::{BalancedSampler, ordered_batches, shuffled_batches};
pub use survey::{CountMismatch, Finding, Problem, Survey};
pub use transform::{
    array_to_image, center_crop, center_square, flip_horizontal, flip_landmarks, image_to_array,
    resize,
};
pub use triplet::{Triplet, TripletSampler};

/// The example of the README is compiled with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
