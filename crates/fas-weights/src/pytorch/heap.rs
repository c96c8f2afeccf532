//! Values of a pickle.
//!
//! They lie in one list and refer to each other by number, so that a pickle that nests values a million
//! deep, or refers to one a million times, costs what its bytes cost: nothing is copied, and nothing is
//! freed by recursion.

/// Number of a value.
pub(super) type Id = usize;

/// A value of a pickle.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    None,
    Bool(bool),
    Int(i64),
    /// An integer of more than 64 bits, as little-endian two's complement.
    Large(Vec<u8>),
    Float,
    Text(String),
    Bytes,
    Tuple(Vec<Id>),
    /// Lists and sets.
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A class or function: `module.name`.
    Global(String),
    /// An object of a class that is not understood, and its state, if any.
    Object {
        class: String,
        state: Option<Id>,
    },
    /// Numbers outside of the pickle.
    Storage {
        kind: String,
        key: String,
        length: usize,
    },
    /// A view of a storage.
    Tensor {
        storage: Id,
        offset: usize,
        shape: Vec<usize>,
        strides: Vec<usize>,
    },
}

/// All values of one pickle.
#[derive(Debug, Default)]
pub(super) struct Heap {
    values: Vec<Value>,
}

impl Heap {
    pub(super) fn get(&self, id: Id) -> &Value {
        &self.values[id]
    }

    pub(super) fn get_mut(&mut self, id: Id) -> &mut Value {
        &mut self.values[id]
    }

    pub(super) fn values(&self) -> &[Value] {
        &self.values
    }

    pub(super) fn add(&mut self, value: Value) -> Id {
        self.values.push(value);
        self.values.len() - 1
    }

    /// Entries of a dictionary whose keys are text.
    pub(super) fn entries(&self, id: Id) -> Option<Vec<(&str, Id)>> {
        let Value::Dict(entries) = self.get(id) else {
            return None;
        };
        entries
            .iter()
            .map(|&(key, value)| match self.get(key) {
                Value::Text(key) => Some((key.as_str(), value)),
                _ => None,
            })
            .collect()
    }

    /// Value of a key of an object's state, or of a dictionary.
    pub(super) fn field(&self, id: Id, name: &str) -> Option<Id> {
        let Value::Dict(entries) = self.get(id) else {
            return None;
        };
        let named = |key: Id| matches!(self.get(key), Value::Text(text) if text == name);
        entries
            .iter()
            .rev()
            .find(|&&(key, _)| named(key))
            .map(|&(_, value)| value)
    }

    /// What a value is, for a message.
    pub(super) fn describe(&self, id: Id) -> String {
        match self.get(id) {
            Value::None => "None".to_owned(),
            Value::Bool(_) => "a bool".to_owned(),
            Value::Int(_) | Value::Large(_) => "an int".to_owned(),
            Value::Float => "a float".to_owned(),
            Value::Text(_) => "a str".to_owned(),
            Value::Bytes => "bytes".to_owned(),
            Value::Tuple(_) => "a tuple".to_owned(),
            Value::List(_) => "a list".to_owned(),
            Value::Dict(_) => "a dict".to_owned(),
            Value::Global(name) => format!("the class or function {name}"),
            Value::Object { class, .. } => format!("an object of {class}"),
            Value::Storage { kind, .. } => format!("a {kind}"),
            Value::Tensor { .. } => "a tensor".to_owned(),
        }
    }
}
