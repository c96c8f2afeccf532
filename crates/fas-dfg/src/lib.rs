//! AG-FAS generator.
