//! From a PyTorch checkpoint, without running it.

mod cursor;
mod heap;
mod pickle;
mod problem;
mod storage;
mod zip;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

pub use problem::PyTorchProblem;

use self::cursor::Cursor;
use self::heap::{Heap, Id, Value};
use self::pickle::read_pickle;
use self::storage::Storages;
use self::zip::ZipFile;
use crate::{Weights, WeightsError};

/// A checkpoint may show a number twice, where two parameters are tied; more is an attack on memory.
const MOST_REPEATS: u128 = 2;
const SMALL_FILE: u128 = 1 << 20;
/// Dictionaries in dictionaries, and entries altogether: far more than any checkpoint has.
const DEEPEST: usize = 64;
const MOST_ENTRIES: usize = 100_000;

/// Reads the tensors of a PyTorch checkpoint, zip (PyTorch 1.6 and later) or legacy, widened to f32, in
/// row-major order.
///
/// `key` names the dictionary of weights in a checkpoint that holds more, such as `model`, `ema` or
/// `state_dict`; `None` takes the file as one. A whole module that was saved is read as its state
/// dictionary. A prefix `module.` that all names have, as `DataParallel` gives them, is left out.
///
/// The file may come from anybody: nothing in it is executed, and no more memory is taken than a small
/// multiple of its size. An object of an unknown class is read over outside of the weights, as optimisers
/// and configurations are, and refused among them.
///
/// # Errors
///
/// [`WeightsError::Io`], [`WeightsError::PyTorch`] for a damaged or hostile file,
/// [`WeightsError::NoWeights`] and [`WeightsError::NotATensor`] for another key than the file has,
/// [`WeightsError::DType`] for numbers that no f32 holds, [`WeightsError::TooLarge`].
pub fn read_pytorch(path: &Path, key: Option<&str>) -> Result<Weights, WeightsError> {
    let bytes = std::fs::read(path).map_err(|source| WeightsError::Io {
        path: path.to_owned(),
        source,
    })?;
    from_bytes(&bytes, key, path)
}

pub(crate) fn from_bytes(
    bytes: &[u8],
    key: Option<&str>,
    path: &Path,
) -> Result<Weights, WeightsError> {
    let failed = |problem| WeightsError::PyTorch {
        path: path.to_owned(),
        problem,
    };
    let (heap, outermost, storages) = open(bytes).map_err(failed)?;
    let mut keys: Vec<String> = heap
        .entries(outermost)
        .unwrap_or_default()
        .into_iter()
        .map(|(key, _)| key.to_owned())
        .collect();
    keys.sort_unstable();
    let no_weights = |found| WeightsError::NoWeights {
        path: path.to_owned(),
        key: key.unwrap_or_default().to_owned(),
        found,
    };
    let chosen = match key {
        None => outermost,
        Some(key) => match heap.field(outermost, key) {
            Some(chosen) => chosen,
            None => return Err(no_weights(keys)),
        },
    };
    let mut walk = Walk {
        heap: &heap,
        entries: 0,
        tensors: BTreeMap::new(),
    };
    match walk.visit(chosen, String::new(), 0) {
        Ok(()) => {}
        Err(Refusal::Problem(problem)) => return Err(failed(problem)),
        Err(Refusal::NotATensor { entry, found }) => {
            let parts = key.into_iter().chain([entry.as_str()]);
            let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
            return Err(WeightsError::NotATensor {
                path: path.to_owned(),
                entry: parts.join("."),
                found,
                keys,
            });
        }
    }
    let tensors = walk.tensors;
    if tensors.is_empty() {
        return Err(no_weights(keys));
    }
    let mut total = 0;
    for &tensor in tensors.values() {
        total += storages.size_of(&heap, tensor).map_err(failed)?;
    }
    if total > SMALL_FILE + MOST_REPEATS * bytes.len() as u128 {
        return Err(WeightsError::TooLarge {
            path: path.to_owned(),
            bytes: total,
            file_bytes: bytes.len() as u64,
        });
    }
    let tensors = without_prefix(tensors)
        .into_iter()
        .map(|(name, tensor)| {
            let (shape, element, bytes) = storages.read(&heap, tensor).map_err(failed)?;
            let values = element.widen(&bytes).ok_or_else(|| WeightsError::DType {
                path: path.to_owned(),
                tensor: name.clone(),
                dtype: format!("{element:?}"),
            })?;
            Ok((name, (shape, values)))
        })
        .collect::<Result<_, WeightsError>>()?;
    Ok(Weights {
        tensors,
        metadata: HashMap::new(),
    })
}

/// The pickle of a checkpoint, and where its numbers lie.
fn open(bytes: &[u8]) -> Result<(Heap, Id, Storages<'_>), PyTorchProblem> {
    if !ZipFile::is_one(bytes) {
        return open_legacy(bytes);
    }
    let file = ZipFile::open(bytes)?;
    let root = file.root().ok_or(PyTorchProblem::NoCheckpoint)?.to_owned();
    let order = format!("{root}byteorder");
    if file.has(&order) && file.read(&order)? != b"little" {
        return Err(big_endian());
    }
    let pickle = file.read(&format!("{root}data.pkl"))?;
    let (heap, outermost) = read_pickle(&mut Cursor::new(pickle, 0))?;
    Ok((heap, outermost, Storages::Zip { file, root }))
}

/// PyTorch before 1.6: five pickles (a magic number, a version, the machine, the object, the keys of its
/// storages), then the storages in the order of the keys, each after its length.
fn open_legacy(bytes: &[u8]) -> Result<(Heap, Id, Storages<'_>), PyTorchProblem> {
    /// 0x1950a86a20f9469cfc6c.
    const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
    const VERSION: i64 = 1001;
    let begins = bytes.len().min(32);
    if !bytes[..begins]
        .windows(MAGIC.len())
        .any(|window| window == MAGIC)
    {
        return Err(PyTorchProblem::NoCheckpoint);
    }
    let mut cursor = Cursor::new(bytes, 0);
    let (magic, id) = read_pickle(&mut cursor)?;
    if *magic.get(id) != Value::Large(MAGIC.to_vec()) {
        return Err(PyTorchProblem::NoCheckpoint);
    }
    let (version, id) = read_pickle(&mut cursor)?;
    if *version.get(id) != Value::Int(VERSION) {
        return Err(PyTorchProblem::NoCheckpoint);
    }
    let (machine, id) = read_pickle(&mut cursor)?;
    let little = machine.field(id, "little_endian");
    if little.is_none_or(|little| *machine.get(little) != Value::Bool(true)) {
        return Err(big_endian());
    }
    let (heap, outermost) = read_pickle(&mut cursor)?;
    let (keys, id) = read_pickle(&mut cursor)?;
    let storages = Storages::read_legacy(&mut cursor, &heap, &keys, id)?;
    Ok((heap, outermost, storages))
}

fn big_endian() -> PyTorchProblem {
    PyTorchProblem::Unsupported("a checkpoint of a big-endian machine".to_owned())
}

/// Why a walk through the weights ends.
enum Refusal {
    Problem(PyTorchProblem),
    NotATensor { entry: String, found: String },
}

/// Collects the tensors of dictionaries in dictionaries, and of modules.
struct Walk<'a> {
    heap: &'a Heap,
    entries: usize,
    tensors: BTreeMap<String, Id>,
}

impl Walk<'_> {
    fn visit(&mut self, id: Id, name: String, depth: usize) -> Result<(), Refusal> {
        self.entries += 1;
        if depth > DEEPEST || self.entries > MOST_ENTRIES {
            let what = format!("more than {DEEPEST} levels or {MOST_ENTRIES} entries of weights");
            return Err(Refusal::Problem(PyTorchProblem::Unsupported(what)));
        }
        let heap = self.heap;
        if let Value::Tensor { .. } = heap.get(id) {
            self.tensors.insert(name, id);
            return Ok(());
        }
        if let Some(entries) = heap.entries(id) {
            return entries
                .into_iter()
                .try_for_each(|(key, value)| self.visit(value, below(&name, key), depth + 1));
        }
        match heap.get(id) {
            Value::Object {
                state: Some(state), ..
            } if heap.field(*state, "_parameters").is_some() => self.module(*state, &name, depth),
            _ => Err(Refusal::NotATensor {
                found: heap.describe(id),
                entry: name,
            }),
        }
    }

    /// What `state_dict()` gives of a module: its parameters and persistent buffers, and its children's.
    fn module(&mut self, state: Id, name: &str, depth: usize) -> Result<(), Refusal> {
        let heap = self.heap;
        let transient: Vec<&str> = match heap.field(state, "_non_persistent_buffers_set") {
            Some(set) => texts(heap, set),
            None => Vec::new(),
        };
        for part in ["_parameters", "_buffers", "_modules"] {
            let Some(part_id) = heap.field(state, part) else {
                continue;
            };
            for (key, value) in heap.entries(part_id).unwrap_or_default() {
                let absent = *heap.get(value) == Value::None;
                if absent || part == "_buffers" && transient.contains(&key) {
                    continue;
                }
                self.visit(value, below(name, key), depth + 1)?;
            }
        }
        Ok(())
    }
}

fn texts(heap: &Heap, id: Id) -> Vec<&str> {
    let Value::List(items) = heap.get(id) else {
        return Vec::new();
    };
    items
        .iter()
        .filter_map(|&item| match heap.get(item) {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
        .collect()
}

fn below(name: &str, key: &str) -> String {
    if name.is_empty() {
        key.to_owned()
    } else {
        format!("{name}.{key}")
    }
}

fn without_prefix(tensors: BTreeMap<String, Id>) -> BTreeMap<String, Id> {
    const PREFIX: &str = "module.";
    let prefixed = tensors.keys().all(|name| name.starts_with(PREFIX));
    tensors
        .into_iter()
        .map(|(name, tensor)| match name.strip_prefix(PREFIX) {
            Some(rest) if prefixed => (rest.to_owned(), tensor),
            _ => (name, tensor),
        })
        .collect()
}

#[cfg(test)]
mod tests;
