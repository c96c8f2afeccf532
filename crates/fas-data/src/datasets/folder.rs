//! Any data set by its folders: `[{split}/]{bona_fide or species}/{subject}/…/{file}`.
//!
//! `train/bona_fide/anna/001.png`, `test/paper_mask/bert/clip.mp4`. Folders below the subject become
//! the session. No other arrangement is guessed; a table ([`csv_table`](super::csv_table)) says
//! everything else.

use super::adapter::{Adapter, Verdict};
use super::name::{media_of, split_path};
use crate::{Label, PaiSpecies, Recording, Split};

/// Reads a data set by its folders.
pub(crate) struct Folder {
    domain: String,
}

impl Folder {
    pub(crate) fn new(domain: &str) -> Self {
        Self {
            domain: domain.to_owned(),
        }
    }
}

impl Adapter for Folder {
    fn classify(&self, path: &str) -> Verdict {
        let (folder, stem, extension) = split_path(path);
        let Some(media) = media_of(extension) else {
            return Verdict::unfit("no image, video, .hdf5 or .npz file");
        };
        let mut folders = folder.split('/').peekable();
        let split = folders.peek().and_then(|first| first.parse::<Split>().ok());
        if split.is_some() {
            folders.next();
        }
        let label = match folders.next() {
            Some("bona_fide") => Label::BonaFide,
            other => match other.unwrap_or_default().parse::<PaiSpecies>() {
                Ok(species) => Label::Attack(species),
                Err(_) => {
                    return Verdict::unfit(
                        "the folder is neither `bona_fide` nor the name of a species, such as `print`",
                    );
                }
            },
        };
        let Some(subject) = folders.next().filter(|subject| !subject.is_empty()) else {
            return Verdict::unfit("no folder of a person: write {label}/{subject}/{file}");
        };
        let session: Vec<&str> = folders.collect();
        let name = format!("{folder}/{stem}");
        let mut recording = Recording::new(&self.domain, &name, path, media, label)
            .of_subject(subject)
            .in_split(split)
            .with_instrument(label.to_string());
        recording.session = (!session.is_empty()).then(|| session.join("/"));
        Verdict::recording(recording, true)
    }
}
