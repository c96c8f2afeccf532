//! What the examples share: the choice of a device, folders of faces, captures, generated attacks,
//! studies of detectors and their tables.

mod agfas;
mod agfas_table;
mod bona_fide;
mod bundled_dfg;
mod bundled_generator;
mod captures;
mod comparison;
mod cost;
mod cue_source;
mod cue_study;
mod cues;
mod edit_figures;
mod edit_pairs;
mod edits;
mod faces;
mod generation;
mod generator_study;
mod instruments;
mod judge;
mod limited_sources;
mod people;
mod probe;
mod progress;
mod samples;
mod study;
mod study_arguments;
mod style_training;
mod triplet_pool;

pub use agfas::{AgfasArguments, CueSourceChoice, Strategy, small_training};
pub use agfas_table::{PaperRow, TableText, leave_one_out_table, target_rows};
pub use bona_fide::{BonaFideView, GENERIC_FACES, bona_fide_views, mirrored};
pub use bundled_dfg::{bundled_despoofing, bundled_despoofing_generator};
pub use bundled_generator::{Bundled, BundledGenerator, Pair, bundled_sampler};
pub use captures::Captures;
pub use comparison::{Comparison, Entry, t_interval};
pub use cost::{cost, peak_memory, reset_peak_memory};
pub use cue_source::{CueSource, CueTraining, Despoofer, RealFaces};
pub use cue_study::{CueDetector, CueMethod, CueStudy};
pub use cues::{Cues, HEAT_MAP_TOP};
pub use edit_figures::Figures;
pub use edit_pairs::{EditPair, edit, edit_pairs, pixel_distance};
pub use edits::{Edit, EditSettings, edited, edits, style_labels};
pub use faces::{FaceFolder, FaceSplit};
pub use fas_jobs::{
    DeviceChoice, PrecisionChoice, image_values, images_to_tensor, tensor_to_images,
    timestep_interval,
};
pub use generation::EditSampler;
pub use generator_study::{GeneratorStudyArguments, GeneratorVariant, compare_generators};
pub use instruments::{Instruments, Measured, embed_faces, load_recogniser};
pub use judge::{JudgeSettings, train_judge};
pub use limited_sources::{LIMITED_SOURCES, limited_sources};
pub use people::People;
pub use probe::{attack_auc, block_statistics, probe_aucs};
pub use progress::progress;
pub use samples::{
    CaptureSettings, FaceCapture, capture_faces, domains_by_name, guard_of_sources,
    presentation_name, training_sample,
};
pub use study::{LabelledImages, Method, MethodRuns, Run, RunErrors, Study, mean_and_deviation};
pub use study_arguments::{StudyArguments, cross_entropy, relative_quality};
pub use style_training::train_style_encoder;
pub use triplet_pool::{TripletPool, TripletSettings};

/// Keeps the large buffers that networks ask for again and again, where the system's gives the pages back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
