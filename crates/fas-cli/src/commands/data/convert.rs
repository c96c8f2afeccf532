//! `fas data convert`: lists and scores between toolkits.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use fas_data::{
    ExchangeRow, LabelMeaning, check_polarity, read_bob, read_grad_gpad_list,
    read_grad_gpad_scores, read_index, read_label_text, write_bob, write_grad_gpad_list,
    write_grad_gpad_scores, write_label_text,
};

use crate::error::CliError;
use crate::output::{check_file, emit};

const DETAILS: &str = "\
Forms: index (fas data index), bob (Bob's CSV of files or scores; a higher score is more bona fide), text
(`path label` lines, or SSDG's JSON), grad-gpad-list, grad-gpad-scores (a higher score is more of an attack).
Scores are turned so that they mean the same on both sides. --labels gives labels to scores without.
Scores that are higher for attacks than for bona fide are refused.

Examples:
  fas data convert oulu.csv --from index --to text --one bona-fide > oulu.txt
  fas data convert list.txt --from text --one attack --to bob --out train.csv
  fas data convert scores.json --from grad-gpad-scores --labels annotations.json \\
      --labels-from grad-gpad-list --to bob --out scores-dev.csv";

/// Convert lists and scores of Bob, SSDG and GRAD-GPAD.
#[derive(Debug, Args)]
#[command(after_help = DETAILS)]
pub(crate) struct Convert {
    /// File to read.
    input: PathBuf,
    /// Form of the file.
    #[arg(long, value_name = "FORM")]
    from: Form,
    /// Form to write.
    #[arg(long, value_name = "FORM")]
    to: Form,
    /// What the label 1 means in text that is read and written.
    #[arg(long, value_name = "MEANING")]
    one: Option<Meaning>,
    /// List that has the labels of scores without.
    #[arg(long, value_name = "FILE", requires = "labels_from")]
    labels: Option<PathBuf>,
    /// Form of that list.
    #[arg(long, value_name = "FORM")]
    labels_from: Option<Form>,
    /// Write to this file instead of the standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Index,
    Bob,
    Text,
    GradGpadList,
    GradGpadScores,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Meaning {
    BonaFide,
    Attack,
}

impl Convert {
    pub(crate) fn run(&self) -> Result<ExitCode, CliError> {
        check_file(self.out.as_deref())?;
        let mut rows = self.read(&self.input, self.from)?;
        if let (Some(labels), Some(form)) = (&self.labels, self.labels_from) {
            add_labels(&mut rows, self.read(labels, form)?)?;
        }
        check_polarity(&rows)?;
        let text = match self.to {
            Form::Bob => write_bob(&rows)?,
            Form::Text => {
                write_label_text(&rows, self.meaning().unwrap_or(LabelMeaning::OneIsBonaFide))?
            }
            Form::GradGpadList => write_grad_gpad_list(&rows)?,
            Form::GradGpadScores => write_grad_gpad_scores(&rows),
            Form::Index => return Err(CliError::NoIndexOfList),
        };
        emit(self.out.as_deref(), text.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }

    fn meaning(&self) -> Option<LabelMeaning> {
        self.one.map(|one| match one {
            Meaning::BonaFide => LabelMeaning::OneIsBonaFide,
            Meaning::Attack => LabelMeaning::OneIsAttack,
        })
    }

    fn read(&self, path: &Path, form: Form) -> Result<Vec<ExchangeRow>, CliError> {
        Ok(match form {
            Form::Bob => read_bob(path)?,
            Form::Text => read_label_text(path, self.meaning())?,
            Form::GradGpadList => read_grad_gpad_list(path)?,
            Form::GradGpadScores => read_grad_gpad_scores(path)?,
            Form::Index => {
                let mut rows = Vec::new();
                read_index(path, |recording| {
                    let attack_type = recording.label.species();
                    rows.push(ExchangeRow {
                        bona_fide: Some(recording.label.is_bona_fide()),
                        attack_type: attack_type
                            .map_or_else(String::new, |species| species.to_string()),
                        name: recording.path,
                        dataset: recording.domain,
                        subject: recording.subject,
                        score: None,
                    });
                    Ok(())
                })?;
                rows
            }
        })
    }
}

fn add_labels(rows: &mut [ExchangeRow], labels: Vec<ExchangeRow>) -> Result<(), CliError> {
    let labels: HashMap<String, ExchangeRow> = labels
        .into_iter()
        .map(|row| (row.name.clone(), row))
        .collect();
    for row in rows {
        let label = labels
            .get(&row.name)
            .ok_or_else(|| CliError::NotInLabels(row.name.clone()))?;
        row.bona_fide = label.bona_fide;
        row.attack_type.clone_from(&label.attack_type);
        row.subject.clone_from(&label.subject);
    }
    Ok(())
}
