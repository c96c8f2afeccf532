//! Bytes in order, with every length checked against what is left.

use super::problem::PyTorchProblem;

/// A place in bytes that somebody else wrote.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn left(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], PyTorchProblem> {
        let end = self.at.checked_add(length);
        let taken = end.and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or(PyTorchProblem::BeyondEnd("something that is announced"))?;
        self.at += length;
        Ok(taken)
    }

    pub(super) fn skip(&mut self, length: usize) -> Result<(), PyTorchProblem> {
        self.take(length).map(|_| ())
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], PyTorchProblem> {
        Ok(self.take(N)?.try_into().expect("as many as asked for"))
    }

    pub(super) fn u8(&mut self) -> Result<u8, PyTorchProblem> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u16(&mut self) -> Result<u16, PyTorchProblem> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, PyTorchProblem> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, PyTorchProblem> {
        self.array().map(u64::from_le_bytes)
    }

    /// Up to a line feed, which is left out.
    pub(super) fn line(&mut self) -> Result<&'a [u8], PyTorchProblem> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|&byte| byte == b'\n');
        let line = self.take(length.ok_or(PyTorchProblem::BeyondEnd("the end of a line"))?)?;
        self.skip(1)?;
        Ok(line)
    }
}
