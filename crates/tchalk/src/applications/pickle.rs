//! Just enough of Python's pickle format to find the tensors in it.
//!
//! A pickle is a small program that puts Python objects together; run by Python, it can do anything.
//! Here nothing is run: the few instructions that lists of tensors are made of build plain values,
//! and whatever else stands in a file is refused by name. What a hostile file can make us hold in
//! memory grows no faster than the file itself.

use super::pickle_machine::PickleMachine;
use std::io::Read;
use std::rc::Rc;
use tch::Kind;

/// Where the numbers of a tensor are.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Storage {
    /// The name of the piece of memory in the file.
    pub(super) key: Rc<str>,
    pub(super) kind: Kind,
    /// How many numbers it holds.
    pub(super) numel: usize,
}

/// A tensor: a view of a storage.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TensorInfo {
    pub(super) storage: Storage,
    /// The first number, counted in numbers.
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

/// A value on the stack, by its place in the machine's memory.
pub(super) type ValueIndex = usize;

#[derive(Debug, Clone)]
pub(super) enum Value {
    None,
    Bool(bool),
    Int(i128),
    Str(Rc<str>),
    Tuple(Vec<ValueIndex>),
    List(Vec<ValueIndex>),
    /// `module`: an object of libtorch's own, whose state is the dictionary.
    Dict {
        entries: Vec<(ValueIndex, ValueIndex)>,
        module: bool,
    },
    Global(Global),
    Storage(Storage),
    Tensor(TensorInfo),
    /// A number with a point; no tensor needs one.
    Other,
}

/// What a pickle may name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    StorageOf(Kind),
    Module,
}

impl Global {
    pub(super) fn find(module: &str, name: &str) -> Option<Global> {
        Some(match (module, name) {
            ("collections", "OrderedDict") => Global::OrderedDict,
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Global::RebuildTensor,
            ("torch._utils", "_rebuild_parameter") => Global::RebuildParameter,
            ("torch", "FloatStorage") => Global::StorageOf(Kind::Float),
            ("torch", "DoubleStorage") => Global::StorageOf(Kind::Double),
            ("torch", "HalfStorage") => Global::StorageOf(Kind::Half),
            ("torch", "BFloat16Storage") => Global::StorageOf(Kind::BFloat16),
            ("torch", "LongStorage") => Global::StorageOf(Kind::Int64),
            ("torch", "IntStorage") => Global::StorageOf(Kind::Int),
            ("torch", "ShortStorage") => Global::StorageOf(Kind::Int16),
            ("torch", "CharStorage") => Global::StorageOf(Kind::Int8),
            ("torch", "ByteStorage") => Global::StorageOf(Kind::Uint8),
            ("torch", "BoolStorage") => Global::StorageOf(Kind::Bool),
            ("__torch__", "Module") => Global::Module,
            _ => return None,
        })
    }
}

/// What is wrong with a pickle, in a few words.
pub(super) type Problem = String;

/// A pickle, read to its end.
pub(super) struct Pickle {
    pub(super) values: Vec<Value>,
    pub(super) root: ValueIndex,
}

impl Pickle {
    /// Reads one pickle, and nothing behind it.
    pub(super) fn read(from: &mut impl Read) -> Result<Pickle, Problem> {
        PickleMachine::new(from).run()
    }

    /// The whole number that the pickle is, if it is one.
    pub(super) fn integer(&self) -> Option<i128> {
        match self.values[self.root] {
            Value::Int(value) => Some(value),
            _ => None,
        }
    }

    /// The texts that the pickle lists, if it is a list of texts.
    pub(super) fn strings(&self) -> Option<Vec<Rc<str>>> {
        let Value::List(items) = &self.values[self.root] else { return None };
        let text = |&item: &ValueIndex| match &self.values[item] {
            Value::Str(text) => Some(text.clone()),
            _ => None,
        };
        items.iter().map(text).collect()
    }

    /// A truth value in a dictionary.
    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        match self.values[self.entry(self.root, key)?] {
            Value::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The tensors by name: those of the dictionary that the pickle is, or of the `state_dict` in it.
    pub(super) fn tensors(&self) -> Vec<(String, TensorInfo)> {
        let inner = ["state_dict", "model"].iter().find_map(|key| self.entry(self.root, key));
        let direct = self.tensors_in(self.root);
        match inner {
            Some(inner) if direct.is_empty() => self.tensors_in(inner),
            _ => direct,
        }
    }

    /// All storages, once for each time they are named.
    pub(super) fn storages(&self) -> impl Iterator<Item = &Storage> {
        self.values.iter().filter_map(|value| match value {
            Value::Storage(storage) => Some(storage),
            _ => None,
        })
    }

    fn tensors_in(&self, place: ValueIndex) -> Vec<(String, TensorInfo)> {
        let Value::Dict { entries, .. } = &self.values[place] else { return Vec::new() };
        let tensor = |&(key, value): &(ValueIndex, ValueIndex)| match (
            &self.values[key],
            &self.values[value],
        ) {
            (Value::Str(name), Value::Tensor(view)) => Some((name.to_string(), view.clone())),
            _ => None,
        };
        entries.iter().filter_map(tensor).collect()
    }

    fn entry(&self, place: ValueIndex, wanted: &str) -> Option<ValueIndex> {
        let Value::Dict { entries, .. } = &self.values[place] else { return None };
        let is =
            |place: ValueIndex| matches!(&self.values[place], Value::Str(key) if **key == *wanted);
        entries.iter().find(|(key, _)| is(*key)).map(|&(_, value)| value)
    }
}

impl TensorInfo {
    /// Whether all numbers of the tensor lie inside its storage.
    pub(super) fn fits(&self) -> bool {
        if self.shape.len() != self.strides.len() {
            return false;
        }
        let numbers = self.shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
        match numbers {
            None => false,
            Some(0) => true,
            Some(numbers) if numbers > self.storage.numel => false,
            Some(_) => {
                let axes = self.shape.iter().zip(&self.strides);
                let last = axes.into_iter().try_fold(self.offset, |last, (&size, &stride)| {
                    last.checked_add((size - 1).checked_mul(stride)?)
                });
                last.is_some_and(|last| last < self.storage.numel)
            }
        }
    }

    /// Whether the numbers follow each other in memory, the last axis fastest.
    pub(super) fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        self.shape.iter().zip(&self.strides).rev().all(|(&size, &stride)| {
            let fits = size == 1 || stride == expected;
            expected *= size.max(1);
            fits
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Result<Pickle, Problem> {
        Pickle::read(&mut &bytes[..])
    }

    /// `{"w": tensor of shape [2, 3]}`, as Python writes it.
    fn one_tensor() -> Vec<u8> {
        let mut bytes =
            b"\x80\x02}q\x00(X\x01\x00\x00\x00wq\x01ctorch._utils\n_rebuild_tensor_v2\n".to_vec();
        bytes.extend(b"q\x02((X\x07\x00\x00\x00storageq\x03ctorch\nFloatStorage\nq\x04");
        bytes.extend(
            b"X\x01\x00\x00\x000q\x05X\x03\x00\x00\x00cpuq\x06K\x06tq\x07QK\x00K\x02K\x03\x86q\x08",
        );
        bytes.extend(
            b"K\x03K\x01\x86q\x09\x89ccollections\nOrderedDict\nq\x0a)Rq\x0btq\x0cRq\x0du.",
        );
        bytes
    }

    #[test]
    fn a_tensor_is_found() {
        let pickle = read(&one_tensor()).unwrap();
        let tensors = pickle.tensors();
        assert_eq!(tensors.len(), 1);
        let (name, view) = &tensors[0];
        assert_eq!((name.as_str(), &view.shape[..], view.offset), ("w", &[2, 3][..], 0));
        assert_eq!((&*view.storage.key, view.storage.numel), ("0", 6));
        assert!(view.is_contiguous());
    }

    #[test]
    fn what_is_no_tensor_is_refused_by_name() {
        let problem = read(b"cos\nsystem\n(X\x02\x00\x00\x00lstR.").err().unwrap();
        assert!(problem.contains("\"os.system\""), "{problem}");
        let problem = read(b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.").err().unwrap();
        assert!(problem.contains("\"builtins.eval\""), "{problem}");
        assert!(read(b"ios\nsystem\n.").err().unwrap().contains("instruction 0x69"));
        assert!(read(b"\x80\x02}").err().unwrap().contains("breaks off"));
        assert!(read(b"X\xff\xff\xff\xff").err().unwrap().contains("a text of 4294967295 bytes"));
    }

    #[test]
    fn a_tensor_larger_than_its_memory_is_refused() {
        let bytes = one_tensor();
        let at = bytes.windows(4).position(|four| four == b"K\x02K\x03").unwrap();
        let mut larger = bytes.clone();
        larger[at + 1] = 3;
        assert!(read(&larger).err().unwrap().contains("larger than its memory"));
    }

    #[test]
    fn nothing_grows_faster_than_the_file() {
        // A list that is copied into dictionaries again and again.
        let mut bytes = b"](".to_vec();
        bytes.extend(b"K\x00K\x00\x86".repeat(10_000));
        bytes.extend(b"eq\x00");
        bytes.extend(b"ccollections\nOrderedDict\nh\x00\x85R".repeat(1_000));
        bytes.push(b'.');
        assert!(read(&bytes).err().unwrap().contains("values"));
        // A nest of many tuples falls apart without a deep call.
        let mut nest = b"N".to_vec();
        nest.extend(b"\x85".repeat(900_000));
        nest.push(b'.');
        assert!(read(&nest).unwrap().tensors().is_empty());
    }

    proptest! {
        #[test]
        fn damage_never_panics(at in 0usize..200, byte in any::<u8>(), cut in 0usize..300) {
            let mut bytes = one_tensor();
            let length = bytes.len();
            bytes[at % length] = byte;
            bytes.truncate(cut);
            if let Ok(pickle) = read(&bytes) {
                pickle.tensors();
            }
        }

        #[test]
        fn noise_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
            if let Ok(pickle) = read(&bytes) {
                pickle.tensors();
            }
        }
    }
}
