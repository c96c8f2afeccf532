//! Our process of `peers/full_scale/compare.py`: `peer-full-scale <row> <folder>`.
//!
//! Reads the weights and inputs that the peer wrote into the folder, writes the output there as
//! `ours.safetensors`, says `ready`, and then answers each number of calls on standard input with the
//! mean seconds of a call.

mod rows;
mod training;

use std::collections::BTreeMap;
use std::error::Error;
use std::io::BufRead;
use std::path::PathBuf;
use std::time::Instant;

use fas_benches as _;
use fas_weights::{StoredFloat, Weights};
use rows::Folder;

fn main() -> Result<(), Box<dyn Error>> {
    // The calling thread works too, as OpenMP's does, instead of sleeping while two others work.
    rayon::ThreadPoolBuilder::new()
        .use_current_thread()
        .build_global()?;
    let mut arguments = std::env::args().skip(1);
    let (Some(row), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("wanted: a row and a folder".into());
    };
    let path = PathBuf::from(folder);
    let mut call = rows::row(&row, &Folder::read(&path)?)?;
    let output: Vec<f32> = call().into_data().try_to_vec()?;
    let tensors = BTreeMap::from([("out".to_owned(), (vec![output.len()], output))]);
    Weights {
        tensors,
        ..Weights::default()
    }
    .save(&path.join("ours.safetensors"), StoredFloat::F32)?;
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        let calls: u32 = line?.parse()?;
        let start = Instant::now();
        for _ in 0..calls {
            call();
        }
        println!("{:e}", start.elapsed().as_secs_f64() / f64::from(calls));
    }
    Ok(())
}
