//! Criterion benches live in `benches/`, programs that take turns with a peer in `peers/`. All of them `use` this
//! crate for its allocator, which is that of the program and the examples too.

/// Keeps the large buffers that networks ask for again and again, where the system's gives the pages back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
