//! DiffFAS generator.
