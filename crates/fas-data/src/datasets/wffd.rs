//! WFFD, wax figures (Jia et al. 2019): `Protocol{1,2,3}/{Train,Dev,Test}` with images of real and wax
//! faces. **Experimental**: how files are named inside is not public, so a table of the user's says
//! what each file is (columns of [`csv_table`](super::csv_table); species `fake_head`). It is the key
//! `mapping` of the section `[wffd]`, or `mapping.csv` in the root.

use std::path::Path;

use super::adapter::{Adapter, Verdict};
use super::card::{DatasetCard, ExpectedCount, Layout};
use super::csv_table::CsvTable;
use crate::{DataError, RecordingError, Split};

pub(super) const CARD: DatasetCard = DatasetCard {
    name: "wffd",
    title: "WFFD",
    letter: None,
    layouts: &[Layout::Original],
    licence: "academic use only, password by e-mail",
    apply: "authors of the Wax Figure Face Database, by e-mail",
    // Protocol 3, which joins the pairs of the other two.
    expected: &[
        ExpectedCount::classes(Some(Split::Train), 1320, 1320),
        ExpectedCount::classes(Some(Split::Development), 440, 440),
        ExpectedCount::classes(Some(Split::Test), 440, 440),
    ],
    marker: "Protocol3",
    experimental: true,
};

/// Reads WFFD by a mapping file.
pub(super) struct Wffd(CsvTable);

impl Wffd {
    pub(super) fn read(root: &Path, mapping: Option<&Path>) -> Result<Self, DataError> {
        let default = root.join("mapping.csv");
        let mapping = mapping.unwrap_or(&default);
        if !mapping.is_file() {
            return Err(RecordingError::MissingTable {
                dataset: CARD.name.to_owned(),
                path: mapping.to_owned(),
                remedy: "the names in WFFD are not public, so write a CSV table with the columns path, label, \
                         species, subject, split and set `mapping` in `[wffd]`",
            }
            .into());
        }
        CsvTable::read(CARD.name, root, mapping).map(Self)
    }
}

impl Adapter for Wffd {
    fn classify(&self, path: &str) -> Verdict {
        self.0.classify(path)
    }

    fn complete(&self) -> Vec<String> {
        self.0.complete()
    }
}
