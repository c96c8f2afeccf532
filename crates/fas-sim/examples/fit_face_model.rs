//! Fits the bundled face model to aligned 128 px crops.
//!
//! ```text
//! cargo run --release -p fas-sim --features fit --example fit_face_model -- \
//!     --faces ../shared/faces --index ../shared/faces/faces128/index.csv \
//!     --out crates/fas-sim/assets/face_model.safetensors
//! ```
//!
//! Writes one file and prints its size and SHA-256, which belong into `assets/README.md`.

use std::error::Error;
use std::path::PathBuf;

use fas_sim::{FaceModel, FitConfig};
use sha2::{Digest, Sha256};

const USAGE: &str = "usage: fit_face_model --faces DIR --index CSV --out FILE [--components N]";

fn main() -> Result<(), Box<dyn Error>> {
    let (mut faces, mut index, mut out) = (None, None, None);
    let mut config = FitConfig::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(option) = arguments.next() {
        let value = arguments.next().ok_or(USAGE)?;
        match option.as_str() {
            "--faces" => faces = Some(PathBuf::from(value)),
            "--index" => index = Some(PathBuf::from(value)),
            "--out" => out = Some(PathBuf::from(value)),
            "--components" => config.components = value.parse()?,
            _ => return Err(USAGE.into()),
        }
    }
    let (faces, index, out) = (faces.ok_or(USAGE)?, index.ok_or(USAGE)?, out.ok_or(USAGE)?);
    let hex = |bytes: &[u8]| {
        Sha256::digest(bytes)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect()
    };
    let index_digest: String = hex(&std::fs::read(&index)?);
    let provenance = [
        (
            "data",
            "FairFace (Kärkkäinen and Joo, 2021) and portraits of members of the US Congress (US Government Publishing Office), split train",
        ),
        (
            "licence",
            "FairFace: CC BY 4.0; Congress: public domain; this model: CC BY 4.0",
        ),
        (
            "command",
            "cargo run --release -p fas-sim --features fit --example fit_face_model",
        ),
        ("seed", "none: the fit is deterministic"),
        ("index_sha256", &index_digest),
    ];
    let provenance = provenance.map(|(key, value)| (key.to_string(), value.to_string()));
    let start = std::time::Instant::now();
    let model = FaceModel::fit(&faces, &index, &config, provenance)?;
    model.save(&out)?;
    for (key, value) in model.provenance() {
        println!("{key}: {value}");
    }
    let bytes = std::fs::read(&out)?;
    let digest: String = hex(&bytes);
    println!("{}: {} bytes, sha256 {digest}", out.display(), bytes.len());
    println!("{:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}
