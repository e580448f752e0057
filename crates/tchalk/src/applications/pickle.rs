//! The tensors in a file of Python's pickle format.
//!
//! A pickle is a small program that puts Python objects together; Python runs whatever such a program asks
//! for. Here nothing is run. The few instructions that lists of tensors consist of build plain values
//! ([`PickleMachine`]), and everything else is refused by name. A malicious file cannot make the memory grow
//! faster than the file itself.

use super::pickle_machine::PickleMachine;
use super::pickle_value::{Problem, Storage, TensorInfo, Value, ValueIndex};
use std::io::Read;
use std::rc::Rc;

/// A pickle that has been read.
pub(super) struct Pickle {
    values: Vec<Value>,
    root: ValueIndex,
}

impl Pickle {
    /// Reads one pickle, and nothing after it.
    pub(super) fn read(from: &mut impl Read) -> Result<Pickle, Problem> {
        let (values, root) = PickleMachine::new(from).run()?;
        Ok(Pickle { values, root })
    }

    /// The integer that the pickle is, if it is one.
    pub(super) fn integer(&self) -> Option<i128> {
        match self.values[self.root] {
            Value::Int(value) => Some(value),
            _ => None,
        }
    }

    /// The strings of the list that the pickle is, if it is one.
    pub(super) fn strings(&self) -> Option<Vec<Rc<str>>> {
        let Value::List(items) = &self.values[self.root] else { return None };
        let string = |&item: &ValueIndex| match &self.values[item] {
            Value::Str(string) => Some(string.clone()),
            _ => None,
        };
        items.iter().map(string).collect()
    }

    /// A truth value of the dictionary that the pickle is.
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

    /// All storages, once for each mention.
    pub(super) fn storages(&self) -> impl Iterator<Item = &Storage> {
        self.values.iter().filter_map(|value| match value {
            Value::Storage(storage) => Some(storage),
            _ => None,
        })
    }

    fn tensors_in(&self, dict: ValueIndex) -> Vec<(String, TensorInfo)> {
        let tensor = |&(key, value): &(ValueIndex, ValueIndex)| match (
            &self.values[key],
            &self.values[value],
        ) {
            (Value::Str(name), Value::Tensor(info)) => Some((name.to_string(), info.clone())),
            _ => None,
        };
        match &self.values[dict] {
            Value::Dict { entries, .. } => entries.iter().filter_map(tensor).collect(),
            _ => Vec::new(),
        }
    }

    fn entry(&self, dict: ValueIndex, key: &str) -> Option<ValueIndex> {
        let Value::Dict { entries, .. } = &self.values[dict] else { return None };
        let is_key =
            |index: ValueIndex| matches!(&self.values[index], Value::Str(it) if **it == *key);
        entries.iter().find(|(key, _)| is_key(*key)).map(|&(_, value)| value)
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
    fn the_tensor_is_found() {
        let pickle = read(&one_tensor()).unwrap();
        let tensors = pickle.tensors();
        assert_eq!(tensors.len(), 1);
        let (name, info) = &tensors[0];
        assert_eq!((name.as_str(), &info.shape[..], info.offset), ("w", &[2, 3][..], 0));
        assert_eq!((&*info.storage.key, info.storage.numel), ("0", 6));
        assert!(info.is_contiguous());
    }

    #[test]
    fn other_objects_are_refused_by_name() {
        let problem = read(b"cos\nsystem\n(X\x02\x00\x00\x00lstR.").err().unwrap();
        assert!(problem.contains("\"os.system\""), "{problem}");
        let problem = read(b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.").err().unwrap();
        assert!(problem.contains("\"builtins.eval\""), "{problem}");
        assert!(read(b"ios\nsystem\n.").err().unwrap().contains("0x69"));
        assert!(read(b"\x80\x02}").err().unwrap().contains("ends too early"));
        assert!(read(b"X\xff\xff\xff\xff").err().unwrap().contains("4294967295 bytes"));
    }

    #[test]
    fn a_tensor_larger_than_its_storage_is_refused() {
        let bytes = one_tensor();
        let at = bytes.windows(4).position(|four| four == b"K\x02K\x03").unwrap();
        let mut larger = bytes.clone();
        larger[at + 1] = 3;
        assert!(read(&larger).err().unwrap().contains("larger than its storage"));
    }

    #[test]
    fn memory_grows_no_faster_than_the_file() {
        // A list that is copied into dictionaries again and again.
        let mut bytes = b"](".to_vec();
        bytes.extend(b"K\x00K\x00\x86".repeat(10_000));
        bytes.extend(b"eq\x00");
        bytes.extend(b"ccollections\nOrderedDict\nh\x00\x85R".repeat(1_000));
        bytes.push(b'.');
        assert!(read(&bytes).err().unwrap().contains("values"));
        // Many nested tuples are dropped without deep recursion.
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
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
            if let Ok(pickle) = read(&bytes) {
                pickle.tensors();
            }
        }
    }
}
