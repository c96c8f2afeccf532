//! The evaluation as a table for people: rates in percent, with both kinds of intervals.

use std::fmt::Write;
use std::path::Path;

use fas_metrics::{CountedRate, Evaluation, Interval};

/// Lines of text, the last one ended too.
pub(crate) fn render(test: &Path, evaluation: &Evaluation) -> String {
    let mut text = String::new();
    heading(&mut text, test, evaluation).expect("writing to a string");
    rates(&mut text, evaluation).expect("writing to a string");
    threshold_free(&mut text, evaluation).expect("writing to a string");
    footer(&mut text, evaluation).expect("writing to a string");
    text
}

fn heading(text: &mut String, test: &Path, evaluation: &Evaluation) -> std::fmt::Result {
    let Evaluation {
        counts,
        unit,
        threshold,
        ..
    } = evaluation;
    let total = counts.bona_fide + counts.attacks;
    write!(text, "scores      {}: {total} {unit}s", test.display())?;
    write!(
        text,
        ", {} bona fide, {} attacks",
        counts.bona_fide, counts.attacks
    )?;
    match counts.subjects {
        Some(subjects) => writeln!(text, ", {subjects} subjects")?,
        None => writeln!(text)?,
    }
    write!(
        text,
        "threshold   {} ({}, {}",
        threshold.value, threshold.policy, threshold.convention
    )?;
    writeln!(text, ", from: {} scores)", threshold.source)?;
    if let Some(achieved) = &threshold.achieved {
        writeln!(
            text,
            "            reached there, by {}: APCER {}, BPCER {} ({} of {})",
            threshold.unit,
            percent(achieved.apcer),
            percent(achieved.bpcer.rate()),
            achieved.bpcer.errors,
            achieved.bpcer.trials,
        )?;
    }
    Ok(())
}

fn rates(text: &mut String, evaluation: &Evaluation) -> std::fmt::Result {
    let level = (evaluation.config.level * 1e4).round() / 100.0;
    let bootstrap = evaluation.bootstrap.as_ref();
    let drawn = bootstrap.map(|_| format!("{level} % bootstrap"));
    let exact = format!("{level} % exact");
    let columns = format!(
        "{:<26}{:>9}   {exact:<19}{}",
        "",
        "value",
        drawn.unwrap_or_default()
    );
    writeln!(text, "\n{}", columns.trim_end())?;
    let counted = |text: &mut String, name: &str, rate: &CountedRate, drawn: Option<Interval>| {
        line(text, name, rate.value, Some(rate.exact), drawn)
    };
    for (species, rate) in &evaluation.apcer_by_species {
        counted(text, &format!("APCER {species}"), rate, None)?;
    }
    let worst = format!("APCER, max ({})", evaluation.worst_species);
    line(
        text,
        &worst,
        evaluation.apcer,
        None,
        bootstrap.map(|b| b.apcer),
    )?;
    let pooled = bootstrap.map(|b| b.apcer_pooled);
    counted(text, "APCER, pooled", &evaluation.apcer_pooled, pooled)?;
    counted(text, "BPCER", &evaluation.bpcer, bootstrap.map(|b| b.bpcer))?;
    line(
        text,
        "ACER, max",
        evaluation.acer_max,
        None,
        bootstrap.map(|b| b.acer_max),
    )?;
    line(
        text,
        "ACER, pooled = HTER",
        evaluation.hter,
        None,
        bootstrap.map(|b| b.acer_pooled),
    )?;
    line(text, "accuracy", evaluation.accuracy, None, None)
}

fn threshold_free(text: &mut String, evaluation: &Evaluation) -> std::fmt::Result {
    let bootstrap = evaluation.bootstrap.as_ref();
    writeln!(text, "\nwhatever the threshold")?;
    line(
        text,
        "EER",
        evaluation.eer.rate,
        None,
        bootstrap.map(|b| b.eer),
    )?;
    line(text, "AUC", evaluation.auc, None, bootstrap.map(|b| b.auc))?;
    for (n, bpcer) in [
        (10, evaluation.bpcer10),
        (20, evaluation.bpcer20),
        (100, evaluation.bpcer100),
    ] {
        if let Some(bpcer) = bpcer {
            line(text, &format!("BPCER{n} (APCER 1/{n})"), bpcer, None, None)?;
        }
    }
    for point in &evaluation.tpr_at_fpr {
        line(
            text,
            &format!("TPR at FPR {} %", point.fpr * 100.0),
            point.tpr,
            None,
            None,
        )?;
    }
    Ok(())
}

fn footer(text: &mut String, evaluation: &Evaluation) -> std::fmt::Result {
    if let Some(frames) = &evaluation.per_frame {
        writeln!(
            text,
            "\nframe by frame, threshold {}",
            frames.threshold.value
        )?;
        line(text, "APCER, max", frames.apcer, None, None)?;
        line(text, "BPCER", frames.bpcer, None, None)?;
        line(text, "ACER, max", frames.acer_max, None, None)?;
        line(text, "HTER", frames.hter, None, None)?;
        line(text, "EER", frames.eer, None, None)?;
        line(text, "AUC", frames.auc, None, None)?;
    }
    if let Some(missing) = &evaluation.non_response {
        writeln!(text, "\nwithout a score")?;
        for (species, share) in &missing.apnrr_by_species {
            line(text, &format!("APNRR {species}"), share.rate(), None, None)?;
        }
        line(text, "BPNRR", missing.bpnrr.rate(), None, None)?;
        line(
            text,
            "HTER, counted as rejected",
            missing.corrected.hter,
            None,
            None,
        )?;
    }
    if let Some(bootstrap) = &evaluation.bootstrap {
        writeln!(
            text,
            "\nexact: Clopper-Pearson, decisions taken as independent. bootstrap: {} replicates of \
             {} bona fide and\n{} attack {}s, seed {}, threshold {}.",
            bootstrap.replicates,
            bootstrap.bona_fide_clusters,
            bootstrap.attack_clusters,
            cluster_name(bootstrap.cluster),
            bootstrap.seed,
            if bootstrap.threshold_reestimated {
                "chosen anew in each"
            } else {
                "kept"
            },
        )?;
    }
    Ok(())
}

fn cluster_name(cluster: fas_metrics::Cluster) -> &'static str {
    match cluster {
        fas_metrics::Cluster::Subject => "subject",
        fas_metrics::Cluster::Video => "video",
        fas_metrics::Cluster::Sample => "sample",
    }
}

fn line(
    text: &mut String,
    name: &str,
    value: f64,
    exact: Option<Interval>,
    bootstrap: Option<Interval>,
) -> std::fmt::Result {
    let range = |interval: Option<Interval>| {
        interval.map_or_else(String::new, |interval| {
            format!(
                "{:.2} to {:.2}",
                interval.lower * 100.0,
                interval.upper * 100.0
            )
        })
    };
    let row = format!(
        "{name:<26}{:>9}   {:<19}{}",
        percent(value),
        range(exact),
        range(bootstrap)
    );
    writeln!(text, "{}", row.trim_end())
}

fn percent(rate: f64) -> String {
    format!("{:.2} %", rate * 100.0)
}
