//! Lists and scores of other toolkits: Bob's CSV, SSDG-style label files, GRAD-GPAD's JSON.
//!
//! They disagree on what 1 means and on which side a high score is. Here a label is bona fide or attack
//! and **a higher score is more bona fide**; what a file means is written in it, or said by its reader, and
//! where both labels and scores are there, [`check_polarity`] refuses scores that stand on their head.

mod bob;
mod grad_gpad;
mod label_text;

use crate::{DataError, RecordingError};

pub use bob::{read_bob, write_bob};
pub use grad_gpad::{
    read_grad_gpad_list, read_grad_gpad_scores, write_grad_gpad_list, write_grad_gpad_scores,
};
pub use label_text::{LabelMeaning, read_label_text, write_label_text};

/// One row of a foreign list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExchangeRow {
    /// File or recording.
    pub name: String,
    /// Data set by our name, empty where the file does not say.
    pub dataset: String,
    /// Whether it is bona fide; `None` where the file does not say (GRAD-GPAD's scores).
    pub bona_fide: Option<bool>,
    /// Instrument of an attack, empty for bona fide or where the file does not say.
    pub attack_type: String,
    /// Person, empty where the file does not say.
    pub subject: String,
    /// Score, higher for bona fide.
    pub score: Option<f64>,
}

/// Area under the ROC curve of the rows that have a label and a score, ties counted half; `None` if a class
/// has none.
pub fn exchange_auc(rows: &[ExchangeRow]) -> Option<f64> {
    let mut scored: Vec<(f64, bool)> = rows
        .iter()
        .filter_map(|row| Some((row.score?, row.bona_fide?)))
        .collect();
    scored.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let bona_fide = scored.iter().filter(|(_, bona_fide)| *bona_fide).count();
    let attack = scored.len() - bona_fide;
    if bona_fide == 0 || attack == 0 {
        return None;
    }
    let (mut below, mut sum) = (0, 0.0);
    for tie in scored.chunk_by(|a, b| a.0 == b.0) {
        let bona_fide = tie.iter().filter(|(_, bona_fide)| *bona_fide).count();
        let attack = tie.len() - bona_fide;
        sum += bona_fide as f64 * (below as f64 + attack as f64 / 2.0);
        below += attack;
    }
    Some(sum / (bona_fide as f64 * attack as f64))
}

/// Refuses scores that are higher for attacks.
///
/// # Errors
///
/// [`RecordingError::InvertedScores`] if the area under the ROC curve is below one half.
pub fn check_polarity(rows: &[ExchangeRow]) -> Result<(), DataError> {
    match exchange_auc(rows) {
        Some(auc) if auc < 0.5 => Err(RecordingError::InvertedScores { auc }.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(score: f64, bona_fide: bool) -> ExchangeRow {
        ExchangeRow {
            bona_fide: Some(bona_fide),
            score: Some(score),
            ..ExchangeRow::default()
        }
    }

    #[test]
    fn scores_on_their_head_are_refused() {
        let rows = [
            row(0.9, true),
            row(0.4, true),
            row(0.4, false),
            row(0.1, false),
        ];
        // Pairs: 0.9 beats both, 0.4 beats 0.1 and ties with 0.4: 3.5 of 4.
        assert_eq!(exchange_auc(&rows), Some(0.875));
        check_polarity(&rows).unwrap();
        let inverted = rows.clone().map(|row| ExchangeRow {
            score: row.score.map(|score| 1.0 - score),
            ..row
        });
        let error = check_polarity(&inverted).unwrap_err().to_string();
        assert!(error.contains("AUC 0.125"), "{error}");
        assert_eq!(exchange_auc(&rows[..2]), None);
    }
}
