//! Our side of `peers/decode/compare.py`: for each line on standard input, one epoch over the images of a folder
//! through [`Batcher`], and the answer `<images> <seconds> <mean of all values>`.
//!
//! Arguments: folder, side of the square input, threads, batch size.

use std::error::Error;
use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;

use fas_benches as _;
use fas_data::{Batcher, BatcherConfig, Fit, Label, Sample, Split, list_images};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, side, threads, batch_size] = &arguments[..] else {
        return Err("arguments: folder, side, threads, batch size".into());
    };
    let root = Path::new(folder);
    let samples = list_images(root)?.into_iter().map(|path| Sample {
        id: path.display().to_string(),
        path: path.strip_prefix(root).map_or(path.clone(), Path::to_owned),
        label: Label::BonaFide,
        domain: "peer".to_owned(),
        split: Split::Train,
        subject: "peer".to_owned(),
        video: None,
        style: "peer".to_owned(),
        synthetic: false,
        quality_score: None,
        presenter: None,
        crop: None,
    });
    let config = BatcherConfig::new(side.parse()?)
        .with_batch_size(batch_size.parse()?)
        .with_workers(threads.parse()?)
        .with_fit(Fit::CenterSquare);
    let batcher = Batcher::new(root, samples.collect(), config);
    let mut answers = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        line?;
        let start = Instant::now();
        let (mut images, mut sum, mut values) = (0, 0.0, 0);
        for batch in batcher.in_order() {
            let batch = batch?;
            images += batch.labels.len();
            // One value in a hundred, as the peer does: the batch is used, and the sum costs nothing.
            for value in batch.images.iter().step_by(100) {
                sum += f64::from(*value);
                values += 1;
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        writeln!(answers, "{images} {seconds} {}", sum / f64::from(values))?;
        answers.flush()?;
    }
    Ok(())
}
