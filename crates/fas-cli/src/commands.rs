//! The commands of the program, one file each.

mod evaluate;
mod quality;
mod simulate;

pub(crate) use evaluate::Evaluate;
pub(crate) use quality::Quality;
pub(crate) use simulate::Simulate;
