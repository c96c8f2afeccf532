//! The demo page: a quickstart-like report on invented, seeded data.

use std::time::Duration;

use fas_report::{
    DetPlot, Figure, Grid, GridRow, HistogramPlot, LineChart, LineSeries, Measure, RateCurve,
    Report, ReportError, RocPlot, RunRecord, Section, Table, Unit,
};
use image::{Rgb, RgbImage};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const CONFIGURATION: &str = r#"target = "sim-C"
seeds = [0, 1, 2]
image_size = 64

[generator]
num_timesteps = 1000
sampling_steps = 25
guidance_scale = 2.0
start_step = 700

[detector]
backbone = "resnet18"
width = 16
epochs = 12
relative_quality = { enabled = true, margin = 0.3, quality = "brisque" }
threshold_policy = "source-validation-eer" # chosen before the target domain is read
"#;

const STYLES: [&str; 4] = ["print", "replay", "mask", "partial"];

/// Invented results of four training variants on one left-out domain.
pub(crate) fn demo_report() -> Result<Report, ReportError> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let run = RunRecord::new("fas quickstart --target sim-C --seed 0 --out report")
        .with_fact("Version", "fas 0.1.0")
        .with_fact("Device", "flex, 2 threads")
        .with_seeds(&[0, 1, 2])
        .with_run_time(Duration::from_millis(284_300))
        .with_peak_memory(1_932_735_283)
        .with_configuration("quickstart.toml", CONFIGURATION);
    Ok(Report::new("Leave sim-C out: does generated data help?")
        .with_summary(
            "A detector trained on three simulated domains with generated attacks and the relative-quality \
             loss rejects more attacks on the fourth than one trained with cross-entropy alone.",
        )
        .with_key_figure(
            "HTER on sim-C",
            Measure::percent(0.142).with_interval(0.118, 0.169),
            "both additions; threshold from source validation",
        )
        .with_key_figure("AUC on sim-C", Measure::plain(0.931).with_spread(0.008), "mean of 3 seeds")
        .with_key_figure("Style accuracy", Measure::percent(0.826), "generated images, 4 styles")
        .with_key_figure("Identity kept", Measure::plain(0.61).with_decimals(2), "the simulator keeps 0.64")
        .with_section(results(&mut rng)?)
        .with_section(generator(&mut rng)?)
        .with_section(quality(&mut rng)?)
        .with_run(run))
}

fn results(rng: &mut ChaCha8Rng) -> Result<Section, ReportError> {
    let row = |name: &str, hter: f64, eer: f64, auc: f64| {
        [
            name.into(),
            Measure::percent(hter)
                .with_interval(hter - 0.024, hter + 0.027)
                .with_spread(0.011)
                .into(),
            Measure::percent(hter + 0.031)
                .with_interval(hter, hter + 0.066)
                .with_spread(0.019)
                .into(),
            Measure::percent(hter - 0.02)
                .with_interval(hter - 0.05, hter + 0.015)
                .with_spread(0.014)
                .into(),
            Measure::percent(eer).with_spread(0.009).into(),
            Measure::plain(auc)
                .with_interval(auc - 0.018, auc + 0.015)
                .with_spread(0.008)
                .into(),
        ]
    };
    let columns = [
        "Training",
        "HTER",
        "APCER, worst species",
        "BPCER",
        "EER (oracle)",
        "AUC",
    ];
    let table = Table::new("Four trainings on sim-C", columns)
        .with_caption("480 bona fide and 960 attack videos. Mean ± standard deviation of 3 seeds; \
         [95 % subject-clustered bootstrap interval, 2000 resamples]. HTER, APCER and BPCER at the threshold of \
         source validation; the oracle EER reads the target's labels and cannot be deployed.",
        )
    .with_row(row("Cross-entropy", 0.231, 0.212, 0.857))
    .with_row(row("+ relative quality", 0.204, 0.190, 0.881))
    .with_row(row("+ generated", 0.171, 0.158, 0.912))
    .with_row(row("+ both", 0.142, 0.129, 0.931));

    let mut roc = RocPlot::new("ROC on sim-C");
    let mut det = DetPlot::new("DET on sim-C");
    for (name, distance) in [
        ("Cross-entropy", 1.6),
        ("+ relative quality", 1.95),
        ("+ generated", 2.2),
        ("+ both", 2.5),
    ] {
        let bona_fide = normal_values(rng, 480, distance, 1.0);
        let attack = normal_values(rng, 960, 0.0, 1.0);
        let curve = RateCurve::new(name, sweep(&bona_fide, &attack))?;
        roc = roc.with_curve(curve.clone());
        det = det.with_curve(curve);
    }
    let logistic = |values: Vec<f64>| {
        values
            .into_iter()
            .map(|v| 1.0 / (1.0 + (-1.7 * v).exp()))
            .collect()
    };
    let scores = |title: &str,
                  rng: &mut ChaCha8Rng,
                  distance: f64,
                  threshold: f64|
     -> Result<Figure, ReportError> {
        HistogramPlot::new(title, "liveness score")
            .with_series(
                "bona fide",
                logistic(normal_values(rng, 480, distance, 0.9)),
            )
            .with_series("print", logistic(normal_values(rng, 480, -1.4, 1.0)))
            .with_series("replay", logistic(normal_values(rng, 480, -0.8, 0.8)))
            .with_threshold("source EER", threshold)
            .with_threshold("oracle EER", threshold + 0.06)
            .figure()
    };
    Ok(Section::new("Detection")
        .with_note(
            "Simulated data.",
            "Faces and attacks are synthetic. The numbers compare trainings with each other; they are not \
             error rates of a deployed system.",
        )
        .with_note(
            "Threshold policy.",
            "The threshold is that of equal errors on the validation split of the source domains. The target \
             domain is never used to choose it.",
        )
        .with_table(table)
        .with_figures([
            roc.figure()?,
            det.figure()?.with_caption("All attacks pooled."),
            scores("Scores, cross-entropy", rng, 0.6, 0.42)?,
            scores("Scores, both", rng, 1.4, 0.44)?,
        ]))
}

fn generator(rng: &mut ChaCha8Rng) -> Result<Section, ReportError> {
    let mut rows = Vec::new();
    for (index, style) in STYLES.iter().enumerate() {
        let skin = 60 * index as u8 / 4 + 150;
        let content = face(rng, skin, None);
        let reference = face(rng, 175, Some(index));
        let mut images = vec![content, reference];
        for _ in 0..3 {
            images.push(face(rng, skin, Some(index)));
        }
        let captions = ["", "", "BRISQUE 38", "BRISQUE 41", "BRISQUE 47"]
            .map(str::to_owned)
            .to_vec();
        rows.push(GridRow::new(style, images).with_captions(captions));
    }
    let grid = Grid::new(rows)
        .with_title("Live face, style reference, and the generated attack at three guidance scales; start step 700.")
        .with_columns(["live", "style", "generated, s = 1", "generated, s = 2", "generated, s = 4"]);
    let scales = [1.0, 1.5, 2.0, 3.0, 4.0];
    let steps = [400.0, 500.0, 600.0, 700.0, 800.0];
    let accuracy =
        |index: usize, effort: f64| 1.0 - 0.75 * (-effort * (1.3 - 0.2 * index as f64)).exp();
    let identity = |index: usize, effort: f64| 0.78 - 0.06 * index as f64 - 0.10 * effort;
    let chart =
        |title: &str, x_label: &str, xs: &[f64], effort: &dyn Fn(f64) -> f64, of_style: bool| {
            let mut chart = if of_style {
                LineChart::new(title, x_label, "style accuracy")
                    .with_unit(Unit::Percent)
                    .with_reference("aim", 0.8)
            } else {
                LineChart::new(title, x_label, "identity (cosine)")
                    .with_reference("different people", 0.18)
            };
            for (index, style) in STYLES.iter().enumerate() {
                let value = |x: f64| {
                    if of_style {
                        accuracy(index, effort(x))
                    } else {
                        identity(index, effort(x))
                    }
                };
                let half = if of_style { 0.03 } else { 0.02 };
                let points: Vec<_> = xs.iter().map(|x| (*x, value(*x))).collect();
                let intervals = points
                    .iter()
                    .map(|(_, y)| (y - half, (y + half).min(1.0)))
                    .collect();
                chart = chart.with_series(LineSeries::new(style, points).with_intervals(intervals));
            }
            chart.figure()
        };
    let by_scale = |scale: f64| scale * 0.7;
    let by_step = |step: f64| step / 350.0;
    let interval = "Error bars: 95 % intervals.";
    Ok(Section::new("Generator")
        .with_text("Judged on identities it never saw; the style classifier was trained on simulated attacks only.")
        .with_grid(grid)
        .with_figures([
            chart("Style over guidance scale", "guidance scale", &scales, &by_scale, true)?.with_caption(interval),
            chart("Identity over guidance scale", "guidance scale", &scales, &by_scale, false)?.with_caption(interval),
            chart("Style over start step", "start step", &steps, &by_step, true)?.with_caption(interval),
            chart("Identity over start step", "start step", &steps, &by_step, false)?.with_caption(interval),
        ]))
}

fn quality(rng: &mut ChaCha8Rng) -> Result<Section, ReportError> {
    let figure = HistogramPlot::new("BRISQUE", "BRISQUE (lower is better)")
        .with_series("live", normal_values(rng, 600, 27.0, 7.0))
        .with_series("simulated attacks", normal_values(rng, 900, 44.0, 9.0))
        .with_series("generated", normal_values(rng, 500, 46.5, 8.0))
        .figure()?
        .with_caption(
            "Generated images should lie where the simulated attacks of the same style lie.",
        );
    let table = Table::new("BRISQUE by group", ["Group", "Images", "BRISQUE"])
        .with_caption("Median and [10th, 90th percentile].")
        .with_row(quality_row("live", 600, 27.1, 18.0, 36.2))
        .with_row(quality_row("simulated attacks", 900, 44.3, 32.6, 55.4))
        .with_row(quality_row("generated", 500, 46.4, 36.2, 56.9));
    Ok(Section::new("Image quality")
        .with_table(table)
        .with_figures([figure]))
}

fn quality_row(name: &str, count: u32, median: f64, low: f64, high: f64) -> [fas_report::Cell; 3] {
    let measure = Measure::plain(median)
        .with_interval(low, high)
        .with_decimals(1);
    [
        name.into(),
        Measure::plain(f64::from(count)).with_decimals(0).into(),
        measure.into(),
    ]
}

/// Normal values by the sum of twelve uniform ones.
fn normal_values(rng: &mut ChaCha8Rng, count: usize, mean: f64, deviation: f64) -> Vec<f64> {
    let mut standard = || (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
    (0..count).map(|_| mean + deviation * standard()).collect()
}

/// `(APCER, BPCER)` at every score.
fn sweep(bona_fide: &[f64], attack: &[f64]) -> Vec<(f64, f64)> {
    let share = |values: &[f64], keep: &dyn Fn(f64) -> bool| {
        values.iter().filter(|value| keep(**value)).count() as f64 / values.len() as f64
    };
    let at = |threshold: f64| {
        (
            share(attack, &|s| s >= threshold),
            share(bona_fide, &|s| s < threshold),
        )
    };
    bona_fide
        .iter()
        .chain(attack)
        .chain([&f64::INFINITY])
        .map(|threshold| at(*threshold))
        .collect()
}

/// A schematic face of 64 pixels, with the look of an attack style.
fn face(rng: &mut ChaCha8Rng, skin: u8, style: Option<usize>) -> RgbImage {
    RgbImage::from_fn(64, 64, |x, y| {
        let (dx, dy) = ((f64::from(x) - 31.5) / 22.0, (f64::from(y) - 33.0) / 28.0);
        let in_eye = (dx.abs() - 0.42).powi(2) * 6.0 + (dy + 0.15).powi(2) * 14.0 < 0.14;
        let in_mouth = dx.abs() < 0.4 && (dy - 0.5 - 0.1 * dx * dx).abs() < 0.06;
        let inside = dx * dx + dy * dy < 1.0;
        let light = 1.0 - 0.35 * (dx * dx + dy * dy) + 0.12 * dx;
        let mut color = if inside {
            let skin = f64::from(skin) * light;
            [skin * 1.1, skin * 0.86, skin * 0.72]
        } else {
            [92.0, 104.0 + f64::from(y), 120.0 + f64::from(y)]
        };
        if inside && (in_eye || in_mouth) {
            color = if in_eye {
                [40.0, 34.0, 32.0]
            } else {
                [150.0, 62.0, 60.0]
            };
        }
        match style {
            Some(0) => {
                color = color.map(|c| c * 0.7 + 60.0 + if (x + y) % 3 == 0 { 14.0 } else { -6.0 })
            }
            Some(1) => color[(x % 3) as usize] *= 1.35,
            Some(2) if inside && !in_eye => color = color.map(|c| (c - 140.0) * 0.35 + 176.0),
            Some(3) if (dy + 0.15).abs() < 0.22 && inside && !in_eye => {
                color = [232.0, 228.0, 214.0]
            }
            _ => {}
        }
        let noise = (rng.random::<f64>() - 0.5) * 8.0;
        Rgb(color.map(|c| (c + noise).clamp(0.0, 255.0) as u8))
    })
}
