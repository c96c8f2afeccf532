//! A pickle as data: Python's pickle protocols 0 to 5, as far as PyTorch's checkpoints use them.
//!
//! A pickle is a program for a stack machine whose instructions may call any function. Here no
//! instruction calls anything: containers and plain values are built, the few calls that rebuild tensors
//! are understood by name, and any other object is kept as the name of its class alone.

use std::collections::HashMap;

use super::cursor::Cursor;
use super::heap::{Heap, Id, Value};
use super::problem::PyTorchProblem;

/// Reads one pickle; gives its values and the number of the outermost one.
pub(super) fn read_pickle(cursor: &mut Cursor<'_>) -> Result<(Heap, Id), PyTorchProblem> {
    let mut machine = Machine::default();
    loop {
        let at = cursor.at();
        let opcode = cursor.u8()?;
        if opcode == b'.' {
            let outermost = machine.pop()?;
            return Ok((machine.heap, outermost));
        }
        machine.step(opcode, at, cursor)?;
    }
}

#[derive(Default)]
struct Machine {
    heap: Heap,
    stack: Vec<Id>,
    /// Heights of the stack at the open marks.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl Machine {
    fn push(&mut self, value: Value) {
        let id = self.heap.add(value);
        self.stack.push(id);
    }

    fn pop(&mut self) -> Result<Id, PyTorchProblem> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err(damaged("the pickle takes more values than it has"));
        }
        Ok(self.stack.pop().expect("above the floor"))
    }

    fn top(&mut self) -> Result<Id, PyTorchProblem> {
        let top = self.pop()?;
        self.stack.push(top);
        Ok(top)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>, PyTorchProblem> {
        let mark = self
            .marks
            .pop()
            .ok_or_else(|| damaged("the pickle closes what it did not open"))?;
        if mark > self.stack.len() {
            return Err(damaged("the pickle takes more values than it has"));
        }
        Ok(self.stack.split_off(mark))
    }

    fn step(
        &mut self,
        opcode: u8,
        at: usize,
        cursor: &mut Cursor<'_>,
    ) -> Result<(), PyTorchProblem> {
        match opcode {
            // PROTO, FRAME: no values.
            0x80 => cursor.skip(1)?,
            0x95 => cursor.skip(8)?,
            b'(' => self.marks.push(self.stack.len()),
            b'0' => {
                self.pop()?;
            }
            b'1' => {
                self.pop_to_mark()?;
            }
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }
            b'N' => self.push(Value::None),
            0x88 => self.push(Value::Bool(true)),
            0x89 => self.push(Value::Bool(false)),
            b'J' => {
                let value = i32::from_le_bytes(cursor.array()?);
                self.push(Value::Int(value.into()));
            }
            b'K' => {
                let value = cursor.u8()?;
                self.push(Value::Int(value.into()));
            }
            b'M' => {
                let value = cursor.u16()?;
                self.push(Value::Int(value.into()));
            }
            0x8a => {
                let length = cursor.u8()?;
                let bytes = cursor.take(length.into())?;
                self.push(integer(bytes));
            }
            0x8b => {
                let length = size(cursor.u32()?.into())?;
                let bytes = cursor.take(length)?;
                self.push(integer(bytes));
            }
            b'I' | b'L' => {
                let line = cursor.line()?;
                self.push(number(line)?);
            }
            b'G' => {
                cursor.skip(8)?;
                self.push(Value::Float);
            }
            b'F' => {
                cursor.line()?;
                self.push(Value::Float);
            }
            b'X' | 0x8c | 0x8d => {
                let length = match opcode {
                    b'X' => u64::from(cursor.u32()?),
                    0x8c => u64::from(cursor.u8()?),
                    _ => cursor.u64()?,
                };
                let bytes = cursor.take(size(length)?)?;
                self.push(text(bytes)?);
            }
            // Strings of Python 2 hold text here: legacy checkpoints.
            b'T' | b'U' => {
                let length = match opcode {
                    b'T' => u64::from(cursor.u32()?),
                    _ => u64::from(cursor.u8()?),
                };
                let bytes = cursor.take(size(length)?)?;
                self.push(text(bytes)?);
            }
            b'B' | b'C' | 0x8e | 0x96 => {
                let length = match opcode {
                    b'B' => u64::from(cursor.u32()?),
                    b'C' => u64::from(cursor.u8()?),
                    _ => cursor.u64()?,
                };
                cursor.skip(size(length)?)?;
                self.push(Value::Bytes);
            }
            b']' | 0x8f => self.push(Value::List(Vec::new())),
            b')' => self.push(Value::Tuple(Vec::new())),
            b'}' => self.push(Value::Dict(Vec::new())),
            b't' => {
                let items = self.pop_to_mark()?;
                self.push(Value::Tuple(items));
            }
            0x85..=0x87 => {
                let mut items = Vec::new();
                for _ in 0x84..opcode {
                    items.push(self.pop()?);
                }
                items.reverse();
                self.push(Value::Tuple(items));
            }
            b'l' | 0x91 => {
                let items = self.pop_to_mark()?;
                self.push(Value::List(items));
            }
            b'd' => {
                let items = self.pop_to_mark()?;
                self.push(Value::Dict(Vec::new()));
                self.set_items(&items)?;
            }
            b'a' => {
                let item = self.pop()?;
                self.append(&[item])?;
            }
            b'e' | 0x90 => {
                let items = self.pop_to_mark()?;
                self.append(&items)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set_items(&[key, value])?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set_items(&items)?;
            }
            b'q' | b'r' | 0x94 => {
                let index = match opcode {
                    b'q' => cursor.u8()?.into(),
                    b'r' => cursor.u32()?,
                    _ => self.memo.len() as u32,
                };
                let top = self.top()?;
                self.memo.insert(index, top);
            }
            b'h' | b'j' => {
                let index = match opcode {
                    b'h' => cursor.u8()?.into(),
                    _ => cursor.u32()?,
                };
                let known = self.memo.get(&index).copied();
                let known =
                    known.ok_or_else(|| damaged("the pickle recalls what it did not keep"))?;
                self.stack.push(known);
            }
            b'c' => {
                let (module, name) = (cursor.line()?, cursor.line()?);
                let name = [module, name].map(String::from_utf8_lossy).join(".");
                self.push(Value::Global(name));
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(module), Value::Text(name)) =
                    (self.heap.get(module), self.heap.get(name))
                else {
                    return Err(damaged("the name of a class is no text"));
                };
                let name = format!("{module}.{name}");
                self.push(Value::Global(name));
            }
            b'Q' => {
                let id = self.pop()?;
                let outside = self.outside(id)?;
                self.push(outside);
            }
            b'R' | 0x81 => {
                let (arguments, class) = (self.pop()?, self.pop()?);
                let value = self.call(class, arguments)?;
                self.stack.push(value);
            }
            0x92 => {
                let (_named, arguments, class) = (self.pop()?, self.pop()?, self.pop()?);
                let value = self.call(class, arguments)?;
                self.stack.push(value);
            }
            b'b' => {
                let (state, object) = (self.pop()?, self.top()?);
                // What a dictionary carries beside its entries, such as `_metadata`, is nothing to us.
                if let Value::Object { state: known, .. } = self.heap.get_mut(object) {
                    *known = Some(state);
                }
            }
            _ => return Err(PyTorchProblem::Opcode { opcode, at }),
        }
        Ok(())
    }

    fn append(&mut self, items: &[Id]) -> Result<(), PyTorchProblem> {
        let target = self.top()?;
        match self.heap.get_mut(target) {
            Value::List(known) => known.extend(items),
            // A subclass of list: its items are its own affair.
            Value::Object { .. } => {}
            _ => return Err(damaged("the pickle appends to no list")),
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[Id]) -> Result<(), PyTorchProblem> {
        let target = self.top()?;
        if !items.len().is_multiple_of(2) {
            return Err(damaged("a key of a dictionary has no value"));
        }
        let pairs = items.chunks_exact(2).map(|pair| (pair[0], pair[1]));
        match self.heap.get_mut(target) {
            Value::Dict(known) => known.extend(pairs),
            Value::Object { .. } => {}
            _ => return Err(damaged("the pickle sets items of no dictionary")),
        }
        Ok(())
    }

    /// What a call gives. Nothing is called: the allowed few are known by name.
    fn call(&mut self, class: Id, arguments: Id) -> Result<Id, PyTorchProblem> {
        let Value::Global(name) = self.heap.get(class) else {
            let what = self.heap.describe(class);
            return Err(damaged(&format!("the pickle calls {what}")));
        };
        let name = name.clone();
        let given = match self.heap.get(arguments) {
            Value::Tuple(given) => given.clone(),
            _ => return Err(damaged("the arguments of a call are no tuple")),
        };
        match (name.as_str(), &given[..]) {
            ("collections.OrderedDict", []) => Ok(self.heap.add(Value::Dict(Vec::new()))),
            ("collections.OrderedDict", &[items]) => self.ordered_dict(items),
            ("torch._utils._rebuild_parameter", &[data, ..]) => Ok(data),
            ("torch._utils._rebuild_tensor_v2", &[storage, offset, shape, strides, ..]) => {
                let tensor = self.tensor(storage, offset, shape, strides)?;
                Ok(self.heap.add(tensor))
            }
            ("torch.Size", &[items]) => Ok(items),
            _ => Ok(self.heap.add(Value::Object {
                class: name,
                state: None,
            })),
        }
    }

    /// Python 2's form: the entries as pairs.
    fn ordered_dict(&mut self, items: Id) -> Result<Id, PyTorchProblem> {
        let wrong = || damaged("an OrderedDict of something else than pairs");
        let (Value::List(pairs) | Value::Tuple(pairs)) = self.heap.get(items) else {
            return Err(wrong());
        };
        let entries = pairs
            .iter()
            .map(|&pair| match self.heap.get(pair) {
                Value::List(pair) | Value::Tuple(pair) if pair.len() == 2 => Ok((pair[0], pair[1])),
                _ => Err(wrong()),
            })
            .collect::<Result<_, _>>()?;
        Ok(self.heap.add(Value::Dict(entries)))
    }

    fn tensor(
        &self,
        storage: Id,
        offset: Id,
        shape: Id,
        strides: Id,
    ) -> Result<Value, PyTorchProblem> {
        if !matches!(self.heap.get(storage), Value::Storage { .. }) {
            let what = self.heap.describe(storage);
            return Err(damaged(&format!("a tensor of {what}")));
        }
        let sizes = |id: Id| -> Result<Vec<usize>, PyTorchProblem> {
            let (Value::Tuple(items) | Value::List(items)) = self.heap.get(id) else {
                return Err(damaged("the shape of a tensor is no tuple"));
            };
            items.iter().map(|&item| self.count(item)).collect()
        };
        let (shape, strides) = (sizes(shape)?, sizes(strides)?);
        if shape.len() != strides.len() {
            return Err(damaged(
                "a tensor has more dimensions than strides, or fewer",
            ));
        }
        Ok(Value::Tensor {
            storage,
            offset: self.count(offset)?,
            shape,
            strides,
        })
    }

    /// `("storage", class, key, place, length)`, in legacy files with a view of it, and there also
    /// `("module", class, …)`, which stands for the class.
    fn outside(&self, id: Id) -> Result<Value, PyTorchProblem> {
        let wrong = || damaged("a reference out of the pickle that is no storage");
        let Value::Tuple(fields) = self.heap.get(id) else {
            return Err(wrong());
        };
        if let [tag, class, ..] = fields[..]
            && matches!(self.heap.get(tag), Value::Text(tag) if tag == "module")
            && let Value::Global(class) = self.heap.get(class)
        {
            return Ok(Value::Global(class.clone()));
        }
        let (&[tag, kind, key, _place, length], view) =
            fields.split_first_chunk::<5>().ok_or_else(wrong)?;
        if !matches!(self.heap.get(tag), Value::Text(tag) if tag == "storage") {
            return Err(wrong());
        }
        if view.iter().any(|&view| *self.heap.get(view) != Value::None) {
            return Err(PyTorchProblem::Unsupported(
                "a view of a storage".to_owned(),
            ));
        }
        let Value::Global(kind) = self.heap.get(kind) else {
            return Err(wrong());
        };
        let key = match self.heap.get(key) {
            Value::Text(key) => key.clone(),
            Value::Int(key) => key.to_string(),
            _ => return Err(wrong()),
        };
        Ok(Value::Storage {
            kind: kind.clone(),
            key,
            length: self.count(length)?,
        })
    }

    fn count(&self, id: Id) -> Result<usize, PyTorchProblem> {
        match self.heap.get(id) {
            Value::Int(value) => usize::try_from(*value)
                .map_err(|_| damaged(&format!("a size or an offset of {value}"))),
            _ => Err(damaged(&format!("{} as a size", self.heap.describe(id)))),
        }
    }
}

/// An integer of as many bytes as it needs.
fn integer(bytes: &[u8]) -> Value {
    if bytes.len() > 8 {
        return Value::Large(bytes.to_vec());
    }
    let negative = bytes.last().is_some_and(|&byte| byte >= 0x80);
    let mut wide = [if negative { 0xff } else { 0 }; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    Value::Int(i64::from_le_bytes(wide))
}

/// A number in decimal: protocols 0 and 1, where 00 and 01 are the Boolean values.
fn number(line: &[u8]) -> Result<Value, PyTorchProblem> {
    match line {
        b"00" => return Ok(Value::Bool(false)),
        b"01" => return Ok(Value::Bool(true)),
        _ => {}
    }
    let digits = std::str::from_utf8(line).map_err(|_| damaged("a number is no text"))?;
    let value = digits.trim_end_matches('L').parse();
    value
        .map(Value::Int)
        .map_err(|_| damaged("a number that is none"))
}

fn text(bytes: &[u8]) -> Result<Value, PyTorchProblem> {
    let text = String::from_utf8(bytes.to_vec());
    text.map(Value::Text)
        .map_err(|_| damaged("a text is no UTF-8"))
}

fn size(length: u64) -> Result<usize, PyTorchProblem> {
    usize::try_from(length).map_err(|_| PyTorchProblem::BeyondEnd("a text"))
}

fn damaged(what: &str) -> PyTorchProblem {
    PyTorchProblem::Damaged(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<(Heap, Id), PyTorchProblem> {
        read_pickle(&mut Cursor::new(bytes, 0))
    }

    fn problem(bytes: &[u8]) -> String {
        read(bytes).unwrap_err().to_string()
    }

    #[test]
    fn plain_values_of_every_protocol() {
        // {"a": (1, -2, 256, True, None), "b": [b"x", 3.5]}, by protocols 2 and 4 of Python 3.11.
        let two = b"\x80\x02}q\x00(X\x01\x00\x00\x00aq\x01(K\x01J\xfe\xff\xff\xffM\x00\x01\x88Ntq\x02X\x01\x00\
                    \x00\x00bq\x03]q\x04(C\x01xG@\x0c\x00\x00\x00\x00\x00\x00eu.";
        let four = b"\x80\x04\x95\x26\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x01a\x94(K\x01J\xfe\xff\xff\xffM\x00\
                     \x01\x88Nt\x94\x8c\x01b\x94]\x94(C\x01x\x94G@\x0c\x00\x00\x00\x00\x00\x00eu.";
        for bytes in [&two[..], &four[..]] {
            let (heap, outermost) = read(bytes).unwrap();
            let a = heap.field(outermost, "a").unwrap();
            let Value::Tuple(items) = heap.get(a) else {
                panic!()
            };
            let items: Vec<&Value> = items.iter().map(|&id| heap.get(id)).collect();
            let expected = [
                Value::Int(1),
                Value::Int(-2),
                Value::Int(256),
                Value::Bool(true),
                Value::None,
            ];
            assert!(items.into_iter().eq(&expected));
            assert_eq!(heap.describe(heap.field(outermost, "b").unwrap()), "a list");
        }
    }

    #[test]
    fn a_call_is_a_name_and_nothing_more() {
        let bytes = b"cposix\nsystem\nX\x05\x00\x00\x00touch\x85R.";
        let (heap, outermost) = read(bytes).unwrap();
        assert_eq!(heap.describe(outermost), "an object of posix.system");
        assert!(problem(b"X\x05\x00\x00\x00touch)R.").contains("calls a str"));
        // INST and OBJ of protocol 0 name a class in other ways, EXT1 by a number.
        assert_eq!(
            problem(b"(iposix\nsystem\n."),
            "opcode 0x69 at byte 1 of the pickle is none that checkpoints use"
        );
        assert!(problem(b"\x82\x01.").contains("opcode 0x82 at byte 0"));
    }

    #[test]
    fn nesting_and_repetition_cost_what_their_bytes_cost() {
        // A list in a list, 500,000 deep, then a pickle that recalls itself at each of 500,000 levels.
        let mut deep = vec![b']'; 500_000];
        deep.extend(vec![b'a'; 499_999]);
        deep.push(b'.');
        assert!(read(&deep).is_ok());
        let mut doubled = b"]q\x00".to_vec();
        for _ in 0..500_000 {
            doubled.extend(b"(h\x00h\x00lq\x00");
        }
        doubled.push(b'.');
        assert!(read(&doubled).is_ok());
    }

    #[test]
    fn what_contradicts_itself_is_an_error() {
        for (bytes, expected) in [
            (&b"."[..], "takes more values than it has"),
            (b"a.", "takes more values"),
            (b"(K\x01a.", "takes more values"),
            (b"K\x01t.", "closes what it did not open"),
            (b"h\x07.", "recalls what it did not keep"),
            (b"K\x01K\x02a.", "appends to no list"),
            (b"}(K\x01u.", "no value"),
            (b"X\xff\xff\xff\xffa.", "truncated"),
            (b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff.", "truncated"),
            (b"X\x01\x00\x00\x00\xff.", "no UTF-8"),
            (b"K\x01Q.", "no storage"),
            (b"cos\nsystem", "truncated"),
            (b"K\x01", "truncated"),
        ] {
            let problem = problem(bytes);
            assert!(problem.contains(expected), "{bytes:?}: {problem}");
        }
    }
}
