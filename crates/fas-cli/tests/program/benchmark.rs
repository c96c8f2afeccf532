//! A small simulated benchmark to train on.

use std::path::Path;

use super::program::fas;

/// Makes `benchmark/` in `folder`: twelve synthetic people in two domains, pictures of 32 px.
pub(crate) fn benchmark(folder: &Path) {
    let line = "simulate --synthetic 12 --domains sim-C,sim-I --size 32 --out benchmark";
    let run = fas(folder, &line.split(' ').collect::<Vec<_>>());
    assert_eq!(run.code, 0, "{}", run.errors);
}
