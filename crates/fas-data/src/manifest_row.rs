//! A sample as a row of texts, one a column.

use crate::manifest::{HEADER, REQUIRED};
use crate::{Crop, Label, ManifestProblem, PaiSpecies, Sample};

/// The texts of a sample, in the order of [`HEADER`].
pub(crate) fn row(sample: &Sample) -> [String; HEADER.len()] {
    let crop = sample.crop.as_ref();
    let text_of = |part: fn(&Crop) -> String| crop.map_or_else(String::new, part);
    [
        sample.id.clone(),
        sample.path.to_string_lossy().into_owned(),
        sample.label.class_name().to_owned(),
        sample
            .label
            .species()
            .map_or_else(String::new, |species| species.name().to_owned()),
        sample.domain.clone(),
        sample.split.name().to_owned(),
        sample.subject.clone(),
        sample.video.clone().unwrap_or_default(),
        sample.style.clone(),
        sample.synthetic.to_string(),
        // `{:?}` is the shortest text that parses back to the same number.
        sample
            .quality_score
            .map_or_else(String::new, |score| format!("{score:?}")),
        sample.presenter.clone().unwrap_or_default(),
        text_of(|crop| crop.detector.clone()),
        text_of(|crop| format!("{:?}", crop.scale)),
        text_of(|crop| crop.to_crop.to_string()),
    ]
}

/// Where the columns are in a file.
pub(crate) struct Columns {
    /// Position in the file of each column of [`HEADER`]; `None` of an optional one that is absent.
    positions: [Option<usize>; HEADER.len()],
    /// Columns in the file.
    count: usize,
}

/// Where the columns of a header are.
pub(crate) fn find_columns(header: &[&str]) -> Result<Columns, ManifestProblem> {
    for (index, name) in header.iter().enumerate() {
        if !HEADER.contains(name) {
            return Err(ManifestProblem::UnknownColumn((*name).to_owned()));
        }
        if header[..index].contains(name) {
            return Err(ManifestProblem::DuplicateColumn((*name).to_owned()));
        }
    }
    let positions = HEADER.map(|name| header.iter().position(|found| *found == name));
    let missing = positions[..REQUIRED].iter().position(Option::is_none);
    if let Some(missing) = missing {
        return Err(ManifestProblem::MissingColumn(HEADER[missing]));
    }
    Ok(Columns {
        positions,
        count: header.len(),
    })
}

/// The sample of a row.
pub(crate) fn parse_row(fields: &[&str], columns: &Columns) -> Result<Sample, ManifestProblem> {
    if fields.len() != columns.count {
        return Err(ManifestProblem::FieldCount {
            found: fields.len(),
            expected: columns.count,
        });
    }
    let [
        id,
        path,
        label,
        species,
        domain,
        split,
        subject,
        video,
        style,
        synthetic,
        quality_score,
        presenter,
        crop_detector,
        crop_scale,
        crop_matrix,
    ] = columns
        .positions
        .map(|column| column.map_or("", |column| fields[column]));
    let optional = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let label = match label {
        "bona_fide" if species.is_empty() => Label::BonaFide,
        "bona_fide" => return Err(ManifestProblem::SpeciesOfBonaFide(species.to_owned())),
        "attack" => Label::Attack(species.parse::<PaiSpecies>().map_err(|_| {
            ManifestProblem::BadSpecies {
                found: species.to_owned(),
            }
        })?),
        other => return Err(ManifestProblem::BadLabel(other.to_owned())),
    };
    Ok(Sample {
        id: id.to_owned(),
        path: path.into(),
        label,
        domain: domain.to_owned(),
        split: split
            .parse()
            .map_err(|_| ManifestProblem::BadSplit(split.to_owned()))?,
        subject: subject.to_owned(),
        video: optional(video),
        style: style.to_owned(),
        synthetic: synthetic
            .parse()
            .map_err(|_| ManifestProblem::BadSynthetic(synthetic.to_owned()))?,
        quality_score: parse_quality_score(quality_score)?,
        presenter: optional(presenter),
        crop: parse_crop(crop_detector, crop_scale, crop_matrix)?,
    })
}

fn parse_crop(detector: &str, scale: &str, matrix: &str) -> Result<Option<Crop>, ManifestProblem> {
    let fields = [detector, scale, matrix];
    if fields.iter().all(|field| field.is_empty()) {
        return Ok(None);
    }
    if fields.iter().any(|field| field.is_empty()) {
        return Err(ManifestProblem::HalfCrop);
    }
    let bad_scale = |_| ManifestProblem::BadCrop {
        column: "crop_scale",
        found: scale.to_owned(),
    };
    Ok(Some(Crop {
        detector: detector.to_owned(),
        scale: scale.parse().map_err(bad_scale)?,
        to_crop: matrix.parse()?,
    }))
}

fn parse_quality_score(text: &str) -> Result<Option<f64>, ManifestProblem> {
    if text.is_empty() {
        return Ok(None);
    }
    match text.parse::<f64>() {
        Ok(score) if score.is_finite() => Ok(Some(score)),
        _ => Err(ManifestProblem::BadQualityScore(text.to_owned())),
    }
}
