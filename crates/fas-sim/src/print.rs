//! Print attacks: the photo is separated into inks, screened, and laid on paper.

mod halftone;
mod ink;
mod inkjet;
mod paper;

pub use halftone::HalftonePrinter;
pub use ink::{InkSet, PrintTone};
pub use inkjet::InkjetPrinter;
pub use paper::PaperConfig;
