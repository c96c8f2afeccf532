//! Numbers outside of the pickle, and the views of them that tensors are.

use std::collections::HashMap;

use half::{bf16, f16};

use super::cursor::Cursor;
use super::heap::{Heap, Id, Value};
use super::problem::PyTorchProblem;
use super::zip::ZipFile;

/// Largest whole number up to which every one is an f32.
const EXACT: i64 = 1 << 24;

/// Type of the stored numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    F64,
    F32,
    F16,
    BF16,
    I64,
    I32,
    I16,
    I8,
    U8,
    Bool,
}

impl Element {
    fn of(kind: &str) -> Result<Self, PyTorchProblem> {
        Ok(match kind {
            "torch.DoubleStorage" => Self::F64,
            "torch.FloatStorage" => Self::F32,
            "torch.HalfStorage" => Self::F16,
            "torch.BFloat16Storage" => Self::BF16,
            "torch.LongStorage" => Self::I64,
            "torch.IntStorage" => Self::I32,
            "torch.ShortStorage" => Self::I16,
            "torch.CharStorage" => Self::I8,
            "torch.ByteStorage" => Self::U8,
            "torch.BoolStorage" => Self::Bool,
            _ => return Err(PyTorchProblem::StorageType(kind.to_owned())),
        })
    }

    fn size(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::BF16 | Self::I16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }

    /// The numbers as f32, if they are weights: floating point, or the counters of BatchNorm. A whole
    /// number that f32 would round is an index or a hash.
    pub(super) fn widen(self, bytes: &[u8]) -> Option<Vec<f32>> {
        fn each<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f32) -> Vec<f32> {
            let chunks = bytes.chunks_exact(N);
            chunks
                .map(|chunk| read(chunk.try_into().expect("chunks of N")))
                .collect()
        }
        match self {
            Self::F32 => Some(each(bytes, f32::from_le_bytes)),
            Self::F64 => Some(each(bytes, |b| f64::from_le_bytes(b) as f32)),
            Self::F16 => Some(each(bytes, |b| f16::from_le_bytes(b).to_f32())),
            Self::BF16 => Some(each(bytes, |b| bf16::from_le_bytes(b).to_f32())),
            Self::I64 => bytes
                .chunks_exact(8)
                .map(|chunk| i64::from_le_bytes(chunk.try_into().expect("chunks of 8")))
                .map(|value| (-EXACT..=EXACT).contains(&value).then_some(value as f32))
                .collect(),
            _ => None,
        }
    }
}

/// Where the numbers of a checkpoint lie.
#[derive(Debug)]
pub(super) enum Storages<'a> {
    /// One entry of the zip file each.
    Zip { file: ZipFile<'a>, root: String },
    /// One after the other.
    Legacy(HashMap<String, &'a [u8]>),
}

impl<'a> Storages<'a> {
    /// The storages at the end of a legacy file. Their types stand in the pickle alone.
    pub(super) fn read_legacy(
        cursor: &mut Cursor<'a>,
        heap: &Heap,
        keys: &Heap,
        list: Id,
    ) -> Result<Self, PyTorchProblem> {
        let mut declared = HashMap::new();
        for value in heap.values() {
            if let Value::Storage { kind, key, length } = value {
                declared.insert(key.as_str(), (Element::of(kind)?, *length));
            }
        }
        let Value::List(list) = keys.get(list) else {
            return Err(damaged("the keys of the storages are no list"));
        };
        let mut storages = HashMap::new();
        for &key in list {
            let Value::Text(key) = keys.get(key) else {
                return Err(damaged("the key of a storage is no text"));
            };
            let Some(&(element, length)) = declared.get(key.as_str()) else {
                return Err(damaged(&format!("storage {key} is not of the pickle")));
            };
            if cursor.u64()? != length as u64 {
                return Err(damaged(&format!(
                    "storage {key} has another length than announced"
                )));
            }
            let bytes = length
                .checked_mul(element.size())
                .ok_or(PyTorchProblem::BeyondEnd("a storage"))?;
            storages.insert(key.clone(), cursor.take(bytes)?);
        }
        Ok(Self::Legacy(storages))
    }

    /// Bytes that a tensor takes once its numbers are laid out.
    pub(super) fn size_of(&self, heap: &Heap, tensor: Id) -> Result<u128, PyTorchProblem> {
        let view = View::of(heap, tensor)?;
        let mut numbers = 1_u128;
        for &size in view.shape {
            numbers = numbers
                .checked_mul(size as u128)
                .ok_or_else(|| damaged("a tensor of more numbers than can be counted"))?;
        }
        Ok(numbers.saturating_mul(view.element.size() as u128))
    }

    /// Shape and numbers of a tensor in row-major order. Its size was looked at before.
    pub(super) fn read(
        &self,
        heap: &Heap,
        tensor: Id,
    ) -> Result<(Vec<usize>, Element, Vec<u8>), PyTorchProblem> {
        let view = View::of(heap, tensor)?;
        let stored = match self {
            Self::Zip { file, root } => file.read(&format!("{root}data/{}", view.key))?,
            Self::Legacy(storages) => storages
                .get(view.key)
                .ok_or_else(|| damaged(&format!("no storage {}", view.key)))?,
        };
        let width = view.element.size();
        if view.length.checked_mul(width) != Some(stored.len()) {
            return Err(damaged(&format!(
                "storage {} has {} bytes, but {} numbers of {width} bytes",
                view.key,
                stored.len(),
                view.length
            )));
        }
        let bytes = view.lay_out(stored)?;
        Ok((view.shape.to_vec(), view.element, bytes))
    }
}

/// A tensor of the pickle.
struct View<'a> {
    element: Element,
    key: &'a str,
    length: usize,
    offset: usize,
    shape: &'a [usize],
    strides: &'a [usize],
}

impl<'a> View<'a> {
    fn of(heap: &'a Heap, tensor: Id) -> Result<Self, PyTorchProblem> {
        let Value::Tensor {
            storage,
            offset,
            shape,
            strides,
        } = heap.get(tensor)
        else {
            return Err(damaged("a tensor that is none"));
        };
        let Value::Storage { kind, key, length } = heap.get(*storage) else {
            return Err(damaged("a tensor without a storage"));
        };
        Ok(Self {
            element: Element::of(kind)?,
            key,
            length: *length,
            offset: *offset,
            shape,
            strides,
        })
    }

    fn lay_out(&self, stored: &[u8]) -> Result<Vec<u8>, PyTorchProblem> {
        let numbers: usize = self.shape.iter().product();
        if numbers == 0 {
            return Ok(Vec::new());
        }
        let last = self
            .shape
            .iter()
            .zip(self.strides)
            .try_fold(self.offset, |at, (&size, &stride)| {
                at.checked_add((size - 1).checked_mul(stride)?)
            });
        if last.is_none_or(|last| last >= self.length) {
            return Err(damaged(&format!(
                "a tensor of {:?} leaves storage {} of {} numbers",
                self.shape, self.key, self.length
            )));
        }
        let width = self.element.size();
        let mut bytes = Vec::with_capacity(numbers * width);
        let mut index = vec![0; self.shape.len()];
        let mut at = self.offset;
        for _ in 0..numbers {
            bytes.extend_from_slice(&stored[at * width..(at + 1) * width]);
            // The next index in row-major order, and its place.
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                at += self.strides[axis];
                if index[axis] < self.shape[axis] {
                    break;
                }
                at -= self.shape[axis] * self.strides[axis];
                index[axis] = 0;
            }
        }
        Ok(bytes)
    }
}

fn damaged(what: &str) -> PyTorchProblem {
    PyTorchProblem::Damaged(what.to_owned())
}
