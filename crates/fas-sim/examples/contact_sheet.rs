//! Draws a contact sheet: one block a domain, one row a person, one column a presentation.
//!
//! `cargo run --release -p fas-sim --example contact_sheet -- FACES_DIR OUT.png [PEOPLE] [SIZE] [ZOOM]`
//!
//! `FACES_DIR` holds square face crops (eyes at 31 % and 67 % of the width, 31 % of the height).
//! Expected: live face and eight attacks in each row; domains differ in colour, devices and noise.

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use fas_sim::{Domain, Face, Presentation};
use image::imageops;

fn main() -> Result<(), Box<dyn Error>> {
    let usage = "usage: contact_sheet FACES_DIR OUT.png [PEOPLE] [SIZE] [ZOOM]";
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or(usage)?);
    let output = PathBuf::from(arguments.next().ok_or(usage)?);
    let people: usize = arguments.next().map_or(Ok(3), |text| text.parse())?;
    let size: u32 = arguments.next().map_or(Ok(64), |text| text.parse())?;
    let zoom: u32 = arguments.next().map_or(Ok(1), |text| text.parse())?;

    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<_>>()?;
    files.sort();
    let step = (files.len() / people.max(1)).max(1);
    let mut faces = Vec::new();
    for path in files.iter().step_by(step).take(people) {
        faces.push(Face::from_aligned(
            image::open(path)?.into_rgb8(),
            path.display().to_string(),
        ));
    }

    let presentations: Vec<Presentation> = Presentation::all().collect();
    let domains = Domain::all();
    let rows = (domains.len() * faces.len()) as u32;
    let mut sheet = image::RgbImage::new(size * presentations.len() as u32, size * rows);
    let mut row = 0;
    for domain in &domains {
        let start = Instant::now();
        for face in &faces {
            for (column, &presentation) in presentations.iter().enumerate() {
                let id = format!("{}/{}", domain.style_label(presentation), face.subject);
                let picture = domain.capture(face, presentation, size, 1, &id)?;
                let (x, y) = (column as i64 * i64::from(size), row * i64::from(size));
                imageops::replace(&mut sheet, &picture, x, y);
            }
            row += 1;
        }
        let captures = faces.len() * presentations.len();
        let milliseconds = start.elapsed().as_secs_f64() * 1e3 / captures as f64;
        println!(
            "{}: {milliseconds:.2} ms a capture on one thread",
            domain.name
        );
    }
    let (width, height) = (sheet.width() * zoom, sheet.height() * zoom);
    imageops::resize(&sheet, width, height, imageops::FilterType::Nearest).save(&output)?;
    println!("{}", output.display());
    Ok(())
}
