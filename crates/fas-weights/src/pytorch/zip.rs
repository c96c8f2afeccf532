//! The zip files that PyTorch writes: entries that are stored, not compressed, and may be large.
//!
//! Of the format (PKWARE's APPNOTE 6.3) only what such files use is read: the end record, its 64-bit form,
//! and the central directory, which is believed over the headers before each entry.

use std::collections::BTreeMap;
use std::ops::Range;

use super::cursor::Cursor;
use super::problem::PyTorchProblem;

const END: &[u8] = b"PK\x05\x06";
const END_64: &[u8] = b"PK\x06\x06";
const LOCATOR_64: &[u8] = b"PK\x06\x07";
const ENTRY: &[u8] = b"PK\x01\x02";
const LOCAL: &[u8] = b"PK\x03\x04";
const END_LENGTH: usize = 22;
const LOCATOR_LENGTH: usize = 20;
const LONGEST_COMMENT: usize = 0xffff;

/// An entry's bytes in the file, and their checksum.
#[derive(Debug, Clone)]
struct Entry {
    at: Range<usize>,
    checksum: u32,
}

/// The entries of a zip file in memory.
#[derive(Debug)]
pub(super) struct ZipFile<'a> {
    bytes: &'a [u8],
    entries: BTreeMap<String, Entry>,
}

impl<'a> ZipFile<'a> {
    /// Whether the bytes begin as a zip file does.
    pub(super) fn is_one(bytes: &[u8]) -> bool {
        bytes.starts_with(LOCAL)
    }

    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, PyTorchProblem> {
        let first = bytes.len().saturating_sub(END_LENGTH + LONGEST_COMMENT);
        let end = bytes[first..]
            .windows(END.len())
            .rposition(|window| window == END)
            .map(|at| first + at)
            .ok_or(PyTorchProblem::BeyondEnd("the directory of the zip file"))?;
        let mut cursor = Cursor::new(bytes, end + 10);
        let mut count = u64::from(cursor.u16()?);
        let _size = cursor.u32()?;
        let mut start = u64::from(cursor.u32()?);
        let comment = usize::from(cursor.u16()?);
        if cursor.left() != comment {
            return Err(PyTorchProblem::BeyondEnd("the comment of the zip file"));
        }
        if let Some(locator) = end.checked_sub(LOCATOR_LENGTH)
            && bytes[locator..].starts_with(LOCATOR_64)
        {
            let end_64 = place(Cursor::new(bytes, locator + 8).u64()?)?;
            let mut cursor = Cursor::new(bytes, end_64);
            if cursor.take(4)? != END_64 {
                return Err(damaged("the 64-bit end record is missing"));
            }
            cursor.skip(28)?;
            count = cursor.u64()?;
            let _size = cursor.u64()?;
            start = cursor.u64()?;
        }
        let mut cursor = Cursor::new(bytes, place(start)?);
        let mut entries = BTreeMap::new();
        for _ in 0..count {
            let (name, entry) = entry(bytes, &mut cursor)?;
            if entries.insert(name.clone(), entry).is_some() {
                return Err(damaged(&format!("two entries are called {name}")));
            }
        }
        Ok(Self { bytes, entries })
    }

    /// Name of the folder that holds `data.pkl`, with its slash.
    pub(super) fn root(&self) -> Option<&str> {
        self.entries
            .keys()
            .filter_map(|name| name.strip_suffix("data.pkl"))
            .find(|root| root.is_empty() || root.ends_with('/'))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// Bytes of an entry, after a look at their checksum.
    pub(super) fn read(&self, name: &str) -> Result<&'a [u8], PyTorchProblem> {
        let entry = self
            .entries
            .get(name)
            .ok_or_else(|| damaged(&format!("no entry {name}")))?;
        let bytes = &self.bytes[entry.at.clone()];
        // Zero where PyTorch was told to leave checksums out.
        if entry.checksum != 0 && crc32fast::hash(bytes) != entry.checksum {
            return Err(damaged(&format!("the checksum of {name} is wrong")));
        }
        Ok(bytes)
    }
}

/// One entry of the central directory.
fn entry(bytes: &[u8], cursor: &mut Cursor<'_>) -> Result<(String, Entry), PyTorchProblem> {
    if cursor.take(4)? != ENTRY {
        return Err(damaged("the directory of the zip file"));
    }
    cursor.skip(6)?;
    let method = cursor.u16()?;
    cursor.skip(4)?;
    let checksum = cursor.u32()?;
    let mut stored = u64::from(cursor.u32()?);
    let mut size = u64::from(cursor.u32()?);
    let name_length = usize::from(cursor.u16()?);
    let extra_length = usize::from(cursor.u16()?);
    let comment_length = usize::from(cursor.u16()?);
    cursor.skip(8)?;
    let mut start = u64::from(cursor.u32()?);
    let name = String::from_utf8(cursor.take(name_length)?.to_vec())
        .map_err(|_| damaged("the name of an entry is no UTF-8"))?;
    let mut extra = Cursor::new(cursor.take(extra_length)?, 0);
    cursor.skip(comment_length)?;
    while extra.left() >= 4 {
        let (kind, length) = (extra.u16()?, usize::from(extra.u16()?));
        let mut field = Cursor::new(extra.take(length)?, 0);
        if kind == 1 {
            for value in [&mut size, &mut stored, &mut start] {
                if *value == 0xffff_ffff {
                    *value = field.u64()?;
                }
            }
        }
    }
    if method != 0 || size != stored {
        return Err(PyTorchProblem::Unsupported(format!(
            "the compressed entry {name}, which PyTorch does not write,"
        )));
    }
    let mut local = Cursor::new(bytes, place(start)?);
    if local.take(4)? != LOCAL {
        return Err(damaged(&format!(
            "the entry {name} is not where it should be"
        )));
    }
    local.skip(22)?;
    let before = usize::from(local.u16()?) + usize::from(local.u16()?);
    local.skip(before)?;
    let begin = local.at();
    local.skip(place(size)?)?;
    let at = begin..local.at();
    Ok((name, Entry { at, checksum }))
}

fn place(value: u64) -> Result<usize, PyTorchProblem> {
    usize::try_from(value).map_err(|_| PyTorchProblem::BeyondEnd("an offset of the zip file"))
}

fn damaged(what: &str) -> PyTorchProblem {
    PyTorchProblem::Damaged(what.to_owned())
}
