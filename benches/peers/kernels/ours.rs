//! Our side of `peers/kernels/compare.py`: reads `<calls> <operation> <sizes> <pass>` on standard
//! input, one a line, and answers each with `<seconds> <sum>`: the mean time of a call, and the sum
//! of the absolute values of what it computes, for the peer to compare.
//!
//! Pass `forward` runs without a graph; `backward` times the gradients of all operands alone.

mod cases;
mod network;

use std::error::Error;
use std::io::{BufRead, Write};
use std::time::Instant;

use cases::{Case, Results};
use fas_benches as _;

fn main() -> Result<(), Box<dyn Error>> {
    // The calling thread works too, as OpenMP's does, instead of sleeping while two others work.
    rayon::ThreadPoolBuilder::new()
        .use_current_thread()
        .build_global()?;
    let mut last: Option<(String, Case)> = None;
    let mut answers = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (calls, name) = line
            .split_once(' ')
            .ok_or("a number of calls, then a case")?;
        let calls: u32 = calls.parse()?;
        if last.as_ref().is_none_or(|(known, _)| known != name) {
            last = Some((name.to_owned(), Case::new(name)?));
        }
        let Some((_, case)) = &mut last else { continue };
        let mut seconds = 0.0;
        let mut results = None;
        for _ in 0..calls {
            // The last call's results go first, as they do in a program's loop.
            drop(results.take());
            let prepared = case.prepare();
            let start = Instant::now();
            results = Some(case.run(prepared));
            seconds += start.elapsed().as_secs_f64();
        }
        let sum = results.map_or(0.0, Results::sum);
        writeln!(answers, "{:e} {sum:e}", seconds / f64::from(calls))?;
        answers.flush()?;
    }
    Ok(())
}
