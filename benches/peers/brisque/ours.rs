//! Our side of `peers/brisque/compare.py`: reads image paths on standard input, one a line, and
//! answers each with `<seconds> <score>`, the time of one score without decoding the file.
//!
//! Repeating a path times it again; the image last read stays decoded.

use std::error::Error;
use std::io::{BufRead, Write};
use std::time::Instant;

use fas_benches as _;
use fas_quality::Brisque;
use image::RgbImage;

fn main() -> Result<(), Box<dyn Error>> {
    let brisque = Brisque::new();
    let mut loaded: Option<(String, RgbImage)> = None;
    let mut answers = std::io::stdout().lock();
    for path in std::io::stdin().lock().lines() {
        let path = path?;
        if loaded.as_ref().is_none_or(|(name, _)| *name != path) {
            let image = image::open(&path)?.to_rgb8();
            loaded = Some((path.clone(), image));
        }
        let Some((_, image)) = &loaded else { continue };
        let start = Instant::now();
        let score = brisque.score(std::hint::black_box(image))?;
        let seconds = start.elapsed().as_secs_f64();
        writeln!(answers, "{seconds:e} {score}")?;
        answers.flush()?;
    }
    Ok(())
}
