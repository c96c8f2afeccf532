//! Errors of this crate. Each names the file, row, sample or value at fault, and what to do.

use std::path::PathBuf;

use crate::leakage::{LeakageReason, TrainingPurpose};
use crate::{Label, PaiSpecies, Split};

/// What can go wrong with samples, manifests, protocols, images and batches.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A name that is no PAI species.
    #[error("unknown PAI species `{0}`; known are the names of `PaiSpecies::ALL`, such as `print`")]
    UnknownSpecies(String),

    /// A name that is no split.
    #[error("unknown split `{0}`; write `train`, `development` or `test`")]
    UnknownSplit(String),

    /// A file or folder could not be read or written.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What was tried, for instance `read the manifest`.
        action: &'static str,
        /// Underlying cause.
        source: std::io::Error,
    },

    /// A line of a manifest file is wrong.
    #[error("{}, line {line}: {source}", path.display())]
    ManifestLine {
        /// Manifest file.
        path: PathBuf,
        /// Line in the file, counted from 1; the header is line 1. Of a Parquet file: the row, counted
        /// from 1.
        line: u64,
        /// What is wrong with it.
        source: ManifestProblem,
    },

    /// A sample that is in memory breaks a rule of manifests.
    #[error("sample {index} (id `{id}`): {source}")]
    InvalidSample {
        /// Position among the samples.
        index: usize,
        /// Its id.
        id: String,
        /// What is wrong with it.
        source: ManifestProblem,
    },

    /// A protocol names a domain that the manifest does not have.
    #[error(
        "protocol {protocol}: no domain `{domain}`; there are: {}. Correct the name, or add the domain's samples",
        list(known)
    )]
    UnknownDomain {
        /// Name of the protocol.
        protocol: String,
        /// Domain that was asked for.
        domain: String,
        /// Domains that exist.
        known: Vec<String>,
    },

    /// A protocol contradicts itself.
    #[error("protocol {protocol}: {reason}")]
    InvalidProtocol {
        /// Name of the protocol, as far as it is known.
        protocol: String,
        /// The contradiction and its remedy.
        reason: ProtocolProblem,
    },

    /// A part of a protocol has no sample of a class.
    #[error(
        "protocol {protocol}: its {split} part has no {class} sample; add some to the manifest{}",
        hint(*split)
    )]
    EmptyPart {
        /// Name of the protocol.
        protocol: String,
        /// Part that lacks samples.
        split: Split,
        /// `bona_fide` or `attack`.
        class: &'static str,
    },

    /// Samples were about to be used for something that would spoil the evaluation.
    #[error(
        "leakage: sample `{id}` (domain {domain}, {split} split) must not be used for {purpose} in protocol \
         {protocol}: {reason}. {count} such sample(s) in all; pass only `ProtocolSplits::{}`",
        purpose.allowed_part()
    )]
    Leakage {
        /// First offending sample.
        id: String,
        /// Its domain.
        domain: String,
        /// Its split.
        split: Split,
        /// What it was about to be used for.
        purpose: TrainingPurpose,
        /// Protocol that forbids it.
        protocol: String,
        /// Why it is forbidden.
        reason: LeakageReason,
        /// Number of offending samples.
        count: usize,
    },
    /// Samples admitted for one purpose are used for another.
    #[error(
        "leakage: these samples were admitted for {admitted}, not for {asked}, in protocol {protocol}; \
         ask the guard again, with that purpose"
    )]
    OtherPurpose {
        /// What they were admitted for.
        admitted: TrainingPurpose,
        /// What they are used for.
        asked: TrainingPurpose,
        /// Protocol in force.
        protocol: String,
    },

    /// One person is in two parts that must not share people.
    #[error(
        "leakage: subject `{subject}` is both in {first_part} (sample `{first_id}`) and in {second_part} (sample \
         `{second_id}`); {count} shared subject(s) in all. Move each person to one part, or, where two people \
         share a name, prefix the names with the domain"
    )]
    SubjectOverlap {
        /// Person in both parts.
        subject: String,
        /// First part.
        first_part: Split,
        /// A sample of the person in the first part.
        first_id: String,
        /// Second part.
        second_part: Split,
        /// A sample of the person in the second part.
        second_id: String,
        /// Number of people in both parts.
        count: usize,
    },

    /// One image file is in two parts.
    #[error(
        "leakage: file {} is both in {first_part} (sample `{first_id}`) and in {second_part} (sample \
         `{second_id}`); remove one of the two rows",
        path.display()
    )]
    FileOverlap {
        /// File, relative to the root of the manifest.
        path: PathBuf,
        /// First part.
        first_part: Split,
        /// Sample of the first part.
        first_id: String,
        /// Second part.
        second_part: Split,
        /// Sample of the second part.
        second_id: String,
    },

    /// An attack has no bona fide image of its subject and domain to pair with.
    #[error(
        "attack `{id}` has no content: no bona fide sample of subject `{subject}` in domain {domain}; {count} such \
         attack(s) in all. Add one, or use `TripletSampler::pairable`, which leaves these attacks out"
    )]
    NoContent {
        /// First attack without content.
        id: String,
        /// Its subject.
        subject: String,
        /// Its domain.
        domain: String,
        /// Number of attacks without content.
        count: usize,
    },

    /// There is nothing to draw from.
    #[error("no {what} among the {count} samples given; {remedy}")]
    NothingToDraw {
        /// What is missing.
        what: &'static str,
        /// Samples that were given.
        count: usize,
        /// What to do.
        remedy: &'static str,
    },

    /// A path that is neither a file nor a link to one.
    #[error("{}: not a regular file; give the path of an image", .0.display())]
    NotAFile(PathBuf),

    /// A file of zero bytes.
    #[error("{}: the file is empty (0 bytes); copy or download it again", .0.display())]
    EmptyFile(PathBuf),

    /// Content that is in none of the formats that are read.
    #[error(
        "{}: the content is no BMP, JPEG, PNG, TIFF or WebP image, whatever its name says; convert it to one of these",
        .0.display()
    )]
    UnknownImageFormat(PathBuf),

    /// A pixel format without a defined conversion to 8-bit RGB.
    #[error("{}: pixel format {format} has no defined conversion to 8-bit RGB; convert it to 8 or 16 bits a channel", path.display())]
    UnsupportedPixelFormat {
        /// Image file.
        path: PathBuf,
        /// The decoder's name of the pixel format.
        format: String,
    },

    /// An image whose header promises more than is accepted.
    #[error(
        "{}: {width} x {height} pixels would need {bytes} bytes; accepted are sides up to {max_side} and \
         {max_decoded_bytes} bytes. Scale the image down, or raise `ImageLimits`",
        path.display()
    )]
    ImageTooLarge {
        /// Image file.
        path: PathBuf,
        /// Width by the header, pixels.
        width: u32,
        /// Height by the header, pixels.
        height: u32,
        /// Decoded size, bytes.
        bytes: u64,
        /// Longest accepted side, pixels.
        max_side: u32,
        /// Largest accepted decoded size, bytes.
        max_decoded_bytes: u64,
    },

    /// A file with more bytes than is accepted.
    #[error("{}: {bytes} bytes, accepted are {max_bytes}; re-encode the image, or raise `ImageLimits`", path.display())]
    FileTooLarge {
        /// Image file.
        path: PathBuf,
        /// Size of the file.
        bytes: u64,
        /// Largest accepted size.
        max_bytes: u64,
    },

    /// An image that ends before its last pixel.
    #[error("{}: the image is truncated: its end marker is missing; copy or download it again", .0.display())]
    TruncatedImage(PathBuf),

    /// An image that the decoder refuses.
    #[error("{}: cannot decode the image: {source}; copy it again or convert it", path.display())]
    ImageDecode {
        /// Image file.
        path: PathBuf,
        /// What the decoder says.
        source: image::ImageError,
    },

    /// A folder without any image.
    #[error("{}: no image in this folder or below it; give a folder that has BMP, JPEG, PNG, TIFF or WebP files", .0.display())]
    NoImages(PathBuf),

    /// A crop that is larger than its image.
    #[error(
        "cannot crop {width} x {height} from an image of {image_width} x {image_height}; resize it first"
    )]
    CropTooLarge {
        /// Width asked for, pixels.
        width: u32,
        /// Height asked for, pixels.
        height: u32,
        /// Width of the image, pixels.
        image_width: u32,
        /// Height of the image, pixels.
        image_height: u32,
    },

    /// An array that is no image.
    #[error(
        "an image array has the shape [3, height, width] with sides of at least 1, this one {shape:?}"
    )]
    NotAnImageArray {
        /// Shape of the array.
        shape: Vec<usize>,
    },

    /// A pixel that is NaN or infinite.
    #[error(
        "pixel value {value} at channel {channel}, row {row}, column {column}; the network that made it diverged"
    )]
    NonFinitePixel {
        /// The value.
        value: f32,
        /// Channel, 0 to 2.
        channel: usize,
        /// Row.
        row: usize,
        /// Column.
        column: usize,
    },

    /// A thread that loads images ended without a message.
    #[error("a loading thread stopped before batch {batch} was complete: the loader panicked")]
    LoaderStopped {
        /// Number of the batch in its epoch.
        batch: usize,
    },

    /// Recordings of data sets, official protocols, frames and exchange files.
    #[error(transparent)]
    Recording(#[from] crate::RecordingError),

    /// `datasets.toml`, or the TOML file of a protocol, could not be understood.
    #[error("{}: {source}", path.display())]
    DatasetsFile {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        source: toml::de::Error,
    },

    /// A data set that is not in `datasets.toml`, or has no root there.
    #[error("{}: data set `{name}` has no root; set `root` in its section `[{name}]`", path.display())]
    NoDatasetRoot {
        /// The file.
        path: PathBuf,
        /// Name of the data set.
        name: String,
    },
}

/// What can be wrong with a manifest: its header, a row, or a sample in memory.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ManifestProblem {
    /// The header lacks a column.
    #[error("column `{0}` is missing; the header is `{header}`", header = crate::manifest::HEADER.join(","))]
    MissingColumn(&'static str),
    /// The header has a column that no manifest has.
    #[error("unknown column `{0}`; the header is `{header}`", header = crate::manifest::HEADER.join(","))]
    UnknownColumn(String),
    /// The header has a column twice.
    #[error("column `{0}` appears twice; remove one")]
    DuplicateColumn(String),
    /// A row has too few or too many fields.
    #[error("{found} fields, the header has {expected}; quote fields that contain a comma")]
    FieldCount {
        /// Fields in the row.
        found: usize,
        /// Columns in the header.
        expected: usize,
    },
    /// A row that is not UTF-8 text.
    #[error("not UTF-8 text; save the file as UTF-8")]
    NotUtf8,
    /// A field that must not be empty is.
    #[error("`{0}` is empty; give it a value")]
    EmptyField(&'static str),
    /// An optional field that is present but empty, which a file cannot tell from absent.
    #[error("`{0}` is an empty text; use `None`")]
    EmptyOption(&'static str),
    /// A label that is no label.
    #[error("label `{0}`; write `bona_fide` or `attack`")]
    BadLabel(String),
    /// An attack whose species is empty or unknown.
    #[error("species `{found}`; write one of {known}", known = species_names())]
    BadSpecies {
        /// What the row says.
        found: String,
    },
    /// A bona fide row that names a species.
    #[error("a bona fide sample has no species, but this row says `{0}`; leave the field empty")]
    SpeciesOfBonaFide(String),
    /// A split that is no split.
    #[error("split `{0}`; write `train`, `development` or `test`")]
    BadSplit(String),
    /// A truth value that is none.
    #[error("synthetic `{0}`; write `true` or `false`")]
    BadSynthetic(String),
    /// A quality score that is no finite number.
    #[error("quality_score `{0}`; write a finite number, or nothing")]
    BadQualityScore(String),
    /// Something of a crop that is no number, or not enough of them.
    #[error(
        "{column} `{found}`; write a positive number as crop_scale and six numbers, with one space between, as \
         crop_matrix"
    )]
    BadCrop {
        /// Its column.
        column: &'static str,
        /// What is there.
        found: String,
    },
    /// Only some of the columns of a crop.
    #[error("crop_detector, crop_scale and crop_matrix belong together; write all three, or none")]
    HalfCrop,
    /// An id that an earlier row has.
    #[error("id `{id}` is already used by {first}; ids are unique")]
    DuplicateId {
        /// The id.
        id: String,
        /// Where it was first used, for instance `line 2`.
        first: String,
    },
    /// A style label that bona fide samples and attacks, or attacks of two species, share.
    #[error(
        "style `{style}` stands for {first_label} at {first}, here for {label}; a style label has one label"
    )]
    StyleOfTwoLabels {
        /// The style label.
        style: String,
        /// Label of the first sample of the style.
        first_label: Label,
        /// Where the style was first used.
        first: String,
        /// Label of this sample.
        label: Label,
    },
    /// A path that could lead out of the manifest's root.
    #[error("path `{path}` {why}; write it relative to the root, with `/`, without `..`")]
    PathLeavesRoot {
        /// The path.
        path: String,
        /// How it leaves, for instance `is absolute`.
        why: &'static str,
    },
    /// A path that is not Unicode, which a manifest file cannot hold.
    #[error("path `{0}` is not Unicode; rename the file")]
    PathNotUnicode(String),
    /// An image file that is not there.
    #[error("file {} is missing; copy it there, or remove the row", .0.display())]
    MissingFile(PathBuf),
    /// A path that is a folder or device.
    #[error("{} is not a file; name the image itself", .0.display())]
    NotAFile(PathBuf),
}

/// What can be wrong with a protocol by itself.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolProblem {
    /// No source domain.
    #[error("it has no source domain; name at least one")]
    NoSource,
    /// A domain named twice.
    #[error("domain `{0}` is named twice; name it once")]
    DomainTwice(String),
    /// The target is one of several sources.
    #[error(
        "the target `{0}` is also a source; leave it out of the sources, or use `Protocol::intra`"
    )]
    TargetIsSource(String),
    /// A name that cannot be read as `SOURCES->TARGET`.
    #[error(
        "the name is not of the form `OCI->M`; write the sources' letters (or names joined by `+`), `->`, the target"
    )]
    BadName,
    /// A short name that fits two domains.
    #[error("`{0}` stands for more than one domain; write the full name")]
    AmbiguousDomain(String),
    /// An intra-domain protocol that would test on its training samples.
    #[error("an intra-domain protocol tests on the test split only; use `TargetSplits::Test`")]
    IntraNeedsTestSplit,
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

fn species_names() -> String {
    PaiSpecies::ALL.map(PaiSpecies::name).join(", ")
}

fn hint(split: Split) -> &'static str {
    match split {
        Split::Development => {
            ", or move some training people there (`fas data frames --carve-development 0.2`; in code \
             `Manifest::carve_development`)"
        }
        Split::Train | Split::Test => "",
    }
}
