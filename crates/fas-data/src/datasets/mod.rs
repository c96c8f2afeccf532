//! Adapters of the public data sets: one file each, from a file's name to a
//! [`Recording`](crate::Recording).
//!
//! An adapter knows the publisher's names and nothing else. A name that fits no rule is listed with
//! the reason; nothing is guessed. Counts, layouts, licences and where to ask are on the
//! [`DatasetCard`] of each set.

mod adapter;
mod card;
mod casia_fasd;
mod celeba_spoof;
mod csv_table;
mod folder;
mod hkbu_mars;
mod msu_mfsd;
mod name;
mod oulu_npu;
mod padisi;
mod replay_attack;
mod rose_youtu;
mod siw;
mod table;
mod wffd;
mod wmca;

pub(crate) use adapter::{Adapter, Verdict};
pub use card::{Dataset, DatasetCard, ExpectedCount, Layout};
pub use celeba_spoof::{CelebaBox, parse_celeba_box};
pub use csv_table::CSV_TABLE_COLUMNS;
pub(crate) use csv_table::{CsvTable as CsvTableAdapter, label_of};
pub(crate) use folder::Folder as FolderAdapter;
pub(crate) use name::{is_image, is_media};
pub(crate) use table::Table;
