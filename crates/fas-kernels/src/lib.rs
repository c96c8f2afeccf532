//! Fast tensor operations.
