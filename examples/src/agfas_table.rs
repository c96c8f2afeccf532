//! The leave-one-out tables of AG-FAS: the paper's rows, and ours.

use std::time::Instant;

use burn::tensor::Device;
use fas_data::Protocol;
use fas_metrics::ThresholdPolicy;

use crate::{AgfasArguments, Captures, Comparison, CueMethod, Entry, RealFaces};

/// HTER and AUC of a row of the paper for the targets M, C, I, O and their mean, as printed.
pub type PaperRow = (&'static str, [[&'static str; 2]; 5]);

/// What stands in a table beside our figures.
#[derive(Debug, Clone, Copy)]
pub struct TableText<'a> {
    /// Title.
    pub title: &'a str,
    /// The paper's rows.
    pub paper: &'a [PaperRow],
    /// Remarks under the tables.
    pub notes: &'a [String],
}

/// A table over leave-one-out protocols: the paper's rows beside ours.
///
/// # Errors
///
/// A message if a target is unknown, or a training fails.
pub fn leave_one_out_table(
    arguments: &AgfasArguments,
    text: TableText<'_>,
    data: &(Captures, RealFaces),
    methods: &[CueMethod<'_>],
    started: Instant,
    device: &Device,
) -> Result<(), String> {
    let domains = data.0.manifest().domains();
    let domains: Vec<&str> = domains.iter().map(String::as_str).collect();
    let mut columns = Vec::new();
    let mut chosen = Vec::new();
    for target in &arguments.targets {
        let letter = target.chars().last().unwrap_or('?');
        let place = "MCIO".find(letter);
        chosen.push(place.ok_or_else(|| format!("no domain {target:?} in the paper's table"))?);
        columns.push(format!("->{letter} HTER"));
        columns.push("AUC".to_owned());
    }
    columns.push("mean HTER".to_owned());
    columns.push("AUC".to_owned());
    let all = chosen.len() == 4;
    let names: Vec<&str> = columns.iter().map(String::as_str).collect();
    let mut table = Comparison::new(text.title, &names);
    for (name, row) in text.paper {
        let mut cells: Vec<&str> = chosen.iter().flat_map(|&at| row[at]).collect();
        // The mean of fewer targets is not printed in the paper.
        cells.extend(if all { row[4] } else { ["-"; 2] });
        table = table.paper(name, &cells);
    }
    let mut protocols = Vec::new();
    for target in &arguments.targets {
        let protocol = Protocol::leave_one_out(&domains, target);
        protocols.push(protocol.map_err(|error| error.to_string())?);
    }
    target_rows(
        &mut table, arguments, data, &protocols, methods, started, device,
    )?;
    for note in text.notes {
        table.note(note);
    }
    table.note(
        "Threshold of equal error on source development data; the paper's is that of the target itself.",
    );
    arguments.finish(table, started)
}

/// Adds a row a method to `table`: HTER and AUC of each of `protocols`, and their means over the
/// protocols.
///
/// # Errors
///
/// A message if a protocol leaks, or a training fails.
pub fn target_rows(
    table: &mut Comparison,
    arguments: &AgfasArguments,
    (captures, faces): &(Captures, RealFaces),
    protocols: &[Protocol],
    methods: &[CueMethod<'_>],
    started: Instant,
    device: &Device,
) -> Result<(), String> {
    let methods = &arguments.chosen(methods)?;
    let (head, training) = (arguments.head(), arguments.training());
    let mut rows: Vec<Vec<[Vec<f64>; 2]>> = vec![Vec::new(); methods.len()];
    for protocol in protocols {
        let study = arguments.study(captures, faces, protocol)?;
        let runs = study.run(methods, &head, &training, &arguments.seeds(), device)?;
        for (row, method) in rows.iter_mut().zip(runs) {
            let errors = method.errors(0, ThresholdPolicy::SourceEer)?;
            let hter = errors.iter().map(|run| run.hter).collect();
            row.push([hter, errors.iter().map(|run| run.auc).collect()]);
        }
        println!(
            "{}: {:.0} s",
            protocol.name,
            started.elapsed().as_secs_f64()
        );
    }
    for (method, row) in methods.iter().zip(rows) {
        let mean = |which: usize| -> Vec<f64> {
            (0..arguments.runs as usize)
                .map(|run| row.iter().map(|cell| cell[which][run]).sum::<f64>() / row.len() as f64)
                .collect()
        };
        let means = [mean(0), mean(1)];
        let cells = row
            .iter()
            .flatten()
            .cloned()
            .chain(means)
            .map(Entry::Percent);
        table.ours(&method.name, cells);
    }
    Ok(())
}
