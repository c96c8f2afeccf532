//! DiffFAS's protocols with two source domains, of Tables 3 and 7.

use std::time::Instant;

use fas_metrics::ThresholdPolicy;

use crate::{Comparison, Method, StudyArguments};

/// Columns of the tables: HTER and AUC of each protocol.
pub const LIMITED_SOURCES: [&str; 4] = ["MI->C HTER", "AUC", "MI->O HTER", "AUC"];

/// Adds a row a method to a table with the columns [`LIMITED_SOURCES`], and finishes it.
///
/// # Errors
///
/// A message if the captures lack a domain, something leaks, or a training fails.
pub fn limited_sources(
    arguments: &StudyArguments,
    mut table: Comparison,
    methods: &[Method],
    started: Instant,
) -> Result<(), String> {
    let device = arguments.device.device()?;
    let captures = arguments.captures()?;
    table.rows_over_studies(
        ["MI->C", "MI->O"]
            .into_iter()
            .map(|protocol| arguments.study(&captures, protocol, true, &device)),
        methods,
        ThresholdPolicy::SourceEer,
        &arguments.seeds(),
        &device,
    )?;
    table.note(
        "Threshold of equal error on source development data. The generated attacks come from a \
         generator that has not seen the target; the bundled ones have seen one domain that is no \
         source here, whose styles are not used. With the option --generator one can name a \
         generator of the sources alone.",
    );
    arguments.finish(table, started)
}
