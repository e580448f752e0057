//! Just enough of Python's pickle format to find the tensors in it.
//!
//! A pickle is a small program that puts Python objects together; run by Python, it can do anything.
//! Here nothing is run: the few instructions that lists of tensors are made of build plain values,
//! and whatever else stands in a file is refused by name. What a hostile file can make us hold in
//! memory grows no faster than the file itself.

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
pub(super) struct View {
    pub(super) storage: Storage,
    /// The first number, counted in numbers.
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

/// A value on the stack, by its place in the machine's memory.
type Place = usize;

#[derive(Debug, Clone)]
enum Value {
    None,
    Bool(bool),
    Int(i128),
    Text(Rc<str>),
    Tuple(Vec<Place>),
    List(Vec<Place>),
    /// `module`: an object of libtorch's own, whose state is the dictionary.
    Dict {
        entries: Vec<(Place, Place)>,
        module: bool,
    },
    Name(Name),
    Storage(Storage),
    Tensor(View),
    /// A number with a point; no tensor needs one.
    Other,
}

/// What a pickle may name.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Name {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    StorageOf(Kind),
    Module,
}

impl Name {
    fn of(module: &str, name: &str) -> Option<Name> {
        Some(match (module, name) {
            ("collections", "OrderedDict") => Name::OrderedDict,
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Name::RebuildTensor,
            ("torch._utils", "_rebuild_parameter") => Name::RebuildParameter,
            ("torch", "FloatStorage") => Name::StorageOf(Kind::Float),
            ("torch", "DoubleStorage") => Name::StorageOf(Kind::Double),
            ("torch", "HalfStorage") => Name::StorageOf(Kind::Half),
            ("torch", "BFloat16Storage") => Name::StorageOf(Kind::BFloat16),
            ("torch", "LongStorage") => Name::StorageOf(Kind::Int64),
            ("torch", "IntStorage") => Name::StorageOf(Kind::Int),
            ("torch", "ShortStorage") => Name::StorageOf(Kind::Int16),
            ("torch", "CharStorage") => Name::StorageOf(Kind::Int8),
            ("torch", "ByteStorage") => Name::StorageOf(Kind::Uint8),
            ("torch", "BoolStorage") => Name::StorageOf(Kind::Bool),
            ("__torch__", "Module") => Name::Module,
            _ => return None,
        })
    }
}

/// What is wrong with a pickle, in a few words.
pub(super) type Problem = String;

/// No text in a list of tensors is longer.
const LONGEST_TEXT: usize = 1 << 16;
/// No list of tensors has more values; this keeps a hostile one from growing without end.
const MOST_VALUES: usize = 4_000_000;
/// No tensor has more axes.
const MOST_AXES: usize = 16;

/// A pickle, read to its end.
pub(super) struct Pickle {
    memory: Vec<Value>,
    root: Place,
}

impl Pickle {
    /// Reads one pickle, and nothing behind it.
    pub(super) fn read(from: &mut impl Read) -> Result<Pickle, Problem> {
        Machine::new(from).run()
    }

    /// The whole number that the pickle is, if it is one.
    pub(super) fn integer(&self) -> Option<i128> {
        match self.memory[self.root] {
            Value::Int(value) => Some(value),
            _ => None,
        }
    }

    /// The texts that the pickle lists, if it is a list of texts.
    pub(super) fn texts(&self) -> Option<Vec<Rc<str>>> {
        let Value::List(items) = &self.memory[self.root] else { return None };
        let text = |&item: &Place| match &self.memory[item] {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        };
        items.iter().map(text).collect()
    }

    /// A truth value in a dictionary.
    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        match self.memory[self.entry(self.root, key)?] {
            Value::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The tensors by name: those of the dictionary that the pickle is, or of the `state_dict` in it.
    pub(super) fn tensors(&self) -> Vec<(String, View)> {
        let inner = ["state_dict", "model"].iter().find_map(|key| self.entry(self.root, key));
        let direct = self.tensors_in(self.root);
        match inner {
            Some(inner) if direct.is_empty() => self.tensors_in(inner),
            _ => direct,
        }
    }

    /// All storages, once for each time they are named.
    pub(super) fn storages(&self) -> impl Iterator<Item = &Storage> {
        self.memory.iter().filter_map(|value| match value {
            Value::Storage(storage) => Some(storage),
            _ => None,
        })
    }

    fn tensors_in(&self, place: Place) -> Vec<(String, View)> {
        let Value::Dict { entries, .. } = &self.memory[place] else { return Vec::new() };
        let tensor = |&(key, value): &(Place, Place)| match (&self.memory[key], &self.memory[value])
        {
            (Value::Text(name), Value::Tensor(view)) => Some((name.to_string(), view.clone())),
            _ => None,
        };
        entries.iter().filter_map(tensor).collect()
    }

    fn entry(&self, place: Place, wanted: &str) -> Option<Place> {
        let Value::Dict { entries, .. } = &self.memory[place] else { return None };
        let is = |place: Place| matches!(&self.memory[place], Value::Text(key) if **key == *wanted);
        entries.iter().find(|(key, _)| is(*key)).map(|&(_, value)| value)
    }
}

struct Machine<'a, R> {
    from: &'a mut R,
    memory: Vec<Value>,
    /// Places, with `None` for marks.
    stack: Vec<Option<Place>>,
    memo: Vec<(u32, Place)>,
    /// Places by memo number, sparse.
    known: std::collections::HashMap<u32, Place>,
    /// How many values and entries were made.
    made: usize,
}

impl<'a, R: Read> Machine<'a, R> {
    fn new(from: &'a mut R) -> Machine<'a, R> {
        let (memory, stack, memo) = (Vec::new(), Vec::new(), Vec::new());
        Machine { from, memory, stack, memo, known: Default::default(), made: 0 }
    }

    fn run(mut self) -> Result<Pickle, Problem> {
        loop {
            let [code] = self.bytes()?;
            match code {
                0x80 => {
                    let [version] = self.bytes()?;
                    if version > 5 {
                        return Err(format!("it is a pickle of the unknown version {version}"));
                    }
                }
                0x95 => drop(self.bytes::<8>()?),
                b'.' => {
                    let root = self.pop()?;
                    return Ok(Pickle { memory: self.memory, root });
                }
                b'(' => self.stack.push(None),
                b'N' => self.push(Value::None)?,
                0x88 => self.push(Value::Bool(true))?,
                0x89 => self.push(Value::Bool(false))?,
                b'K' => {
                    let [value] = self.bytes()?;
                    self.push(Value::Int(value.into()))?;
                }
                b'M' => {
                    let value = u16::from_le_bytes(self.bytes()?);
                    self.push(Value::Int(value.into()))?;
                }
                b'J' => {
                    let value = i32::from_le_bytes(self.bytes()?);
                    self.push(Value::Int(value.into()))?;
                }
                0x8a => {
                    let value = self.long()?;
                    self.push(Value::Int(value))?;
                }
                b'G' => {
                    self.bytes::<8>()?;
                    self.push(Value::Other)?;
                }
                b'X' | b'T' => {
                    let length = u32::from_le_bytes(self.bytes()?);
                    self.text(length as usize)?;
                }
                0x8c | b'U' => {
                    let [length] = self.bytes()?;
                    self.text(length.into())?;
                }
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.name(&module, &name)?;
                }
                0x93 => {
                    let (name, module) = (self.pop_text()?, self.pop_text()?);
                    self.name(&module, &name)?;
                }
                b')' => self.push(Value::Tuple(Vec::new()))?,
                0x85..=0x87 => {
                    let count = usize::from(code - 0x84);
                    let mut items =
                        (0..count).map(|_| self.pop()).collect::<Result<Vec<_>, _>>()?;
                    items.reverse();
                    self.push(Value::Tuple(items))?;
                }
                b't' => {
                    let items = self.pop_to_mark()?;
                    self.push(Value::Tuple(items))?;
                }
                b']' => self.push(Value::List(Vec::new()))?,
                b'l' => {
                    let items = self.pop_to_mark()?;
                    self.push(Value::List(items))?;
                }
                b'a' => {
                    let item = self.pop()?;
                    self.extend_list(vec![item])?;
                }
                b'e' => {
                    let items = self.pop_to_mark()?;
                    self.extend_list(items)?;
                }
                b'}' => self.push(Value::Dict { entries: Vec::new(), module: false })?,
                b's' => {
                    let (value, key) = (self.pop()?, self.pop()?);
                    self.extend_dict(vec![(key, value)])?;
                }
                b'u' => {
                    let items = self.pop_to_mark()?;
                    if items.len() % 2 != 0 {
                        return Err("a dictionary in it lacks a value".into());
                    }
                    self.extend_dict(items.chunks(2).map(|pair| (pair[0], pair[1])).collect())?;
                }
                b'q' => {
                    let [number] = self.bytes()?;
                    self.remember(number.into())?;
                }
                b'r' => {
                    let number = u32::from_le_bytes(self.bytes()?);
                    self.remember(number)?;
                }
                0x94 => {
                    let number = self.memo.len() as u32;
                    self.remember(number)?;
                }
                b'h' => {
                    let [number] = self.bytes()?;
                    self.recall(number.into())?;
                }
                b'j' => {
                    let number = u32::from_le_bytes(self.bytes()?);
                    self.recall(number)?;
                }
                b'Q' => self.persistent()?,
                b'R' => self.reduce()?,
                0x81 => {
                    let (_, class) = (self.pop()?, self.pop()?);
                    if !matches!(self.memory[class], Value::Name(Name::Module)) {
                        return Err("it makes an object that is no list of tensors".into());
                    }
                    self.push(Value::Dict { entries: Vec::new(), module: true })?;
                }
                b'b' => self.build()?,
                _ => {
                    return Err(format!(
                        "it holds the pickle instruction {code:#04x}, which no list of tensors needs"
                    ));
                }
            }
        }
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Problem> {
        let mut bytes = [0; N];
        self.from.read_exact(&mut bytes).map_err(|_| "its list of tensors breaks off")?;
        Ok(bytes)
    }

    fn long(&mut self) -> Result<i128, Problem> {
        let [length] = self.bytes()?;
        if length > 15 {
            return Err("a number in it is too large".into());
        }
        let mut bytes = [0u8; 16];
        for byte in &mut bytes[..length.into()] {
            [*byte] = self.bytes()?;
        }
        let negative = length > 0 && bytes[usize::from(length) - 1] >= 0x80;
        if negative {
            bytes[length.into()..].fill(0xff);
        }
        Ok(i128::from_le_bytes(bytes))
    }

    fn text(&mut self, length: usize) -> Result<(), Problem> {
        if length > LONGEST_TEXT {
            return Err(format!(
                "a text of {length} bytes is in it, where names of tensors belong"
            ));
        }
        let mut bytes = vec![0; length];
        self.from.read_exact(&mut bytes).map_err(|_| "its list of tensors breaks off")?;
        let text = String::from_utf8(bytes).map_err(|_| "a name in it is not UTF-8")?;
        self.push(Value::Text(text.into()))
    }

    fn line(&mut self) -> Result<String, Problem> {
        let mut bytes = Vec::new();
        loop {
            let [byte] = self.bytes()?;
            if byte == b'\n' {
                return String::from_utf8(bytes).map_err(|_| "a name in it is not UTF-8".into());
            }
            bytes.push(byte);
            if bytes.len() > 1_000 {
                return Err("a name in it does not end".into());
            }
        }
    }

    fn name(&mut self, module: &str, name: &str) -> Result<(), Problem> {
        let Some(known) = Name::of(module, name) else {
            let whole: String = format!("{module}.{name}").chars().take(80).collect();
            return Err(format!("it asks Python for {whole:?}, and nothing but tensors is read"));
        };
        self.push(Value::Name(known))
    }

    fn count(&mut self, more: usize) -> Result<(), Problem> {
        self.made += more;
        if self.made > MOST_VALUES {
            return Err(format!("it holds more than {MOST_VALUES} values"));
        }
        Ok(())
    }

    fn push(&mut self, value: Value) -> Result<(), Problem> {
        self.count(1)?;
        self.memory.push(value);
        self.stack.push(Some(self.memory.len() - 1));
        Ok(())
    }

    fn pop(&mut self) -> Result<Place, Problem> {
        self.stack.pop().flatten().ok_or_else(|| "it takes a value where none is".into())
    }

    fn pop_text(&mut self) -> Result<Rc<str>, Problem> {
        let place = self.pop()?;
        match &self.memory[place] {
            Value::Text(text) => Ok(text.clone()),
            _ => Err("a name in it is no text".into()),
        }
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Place>, Problem> {
        let mark = self.stack.iter().rposition(Option::is_none);
        let mark = mark.ok_or("it closes what it never opened")?;
        let items: Vec<Place> = self.stack.drain(mark..).flatten().collect();
        Ok(items)
    }

    /// The value on top, which stays there.
    fn top(&self) -> Result<Place, Problem> {
        self.stack.last().copied().flatten().ok_or_else(|| "it takes a value where none is".into())
    }

    fn extend_list(&mut self, items: Vec<Place>) -> Result<(), Problem> {
        self.count(items.len())?;
        let top = self.top()?;
        match &mut self.memory[top] {
            Value::List(list) => list.extend(items),
            _ => return Err("it appends to what is no list".into()),
        }
        Ok(())
    }

    fn extend_dict(&mut self, items: Vec<(Place, Place)>) -> Result<(), Problem> {
        self.count(items.len())?;
        let top = self.top()?;
        match &mut self.memory[top] {
            Value::Dict { entries, .. } => entries.extend(items),
            _ => return Err("it fills what is no dictionary".into()),
        }
        Ok(())
    }

    fn remember(&mut self, number: u32) -> Result<(), Problem> {
        self.count(1)?;
        let top = self.top()?;
        self.memo.push((number, top));
        self.known.insert(number, top);
        Ok(())
    }

    fn recall(&mut self, number: u32) -> Result<(), Problem> {
        self.count(1)?;
        let place = self.known.get(&number).copied();
        self.stack.push(Some(place.ok_or("it recalls a value that it never kept")?));
        Ok(())
    }

    /// `("storage", FloatStorage, key, device, numel)`, in older files with one value more.
    fn persistent(&mut self) -> Result<(), Problem> {
        let place = self.pop()?;
        let items = match &self.memory[place] {
            Value::Tuple(items) if (5..=6).contains(&items.len()) => items.clone(),
            _ => return Err("a piece of memory in it is not described as PyTorch does".into()),
        };
        let item = |at: usize| &self.memory[items[at]];
        if items.len() == 6 && !matches!(item(5), Value::None) {
            return Err("it holds views of memory, as very old versions of PyTorch wrote".into());
        }
        match (item(0), item(1), item(2), item(4)) {
            (
                Value::Text(what),
                &Value::Name(Name::StorageOf(kind)),
                Value::Text(key),
                &Value::Int(numel),
            ) if **what == *"storage" => {
                let numel = usize::try_from(numel).map_err(|_| "a piece of memory has no size")?;
                let storage = Storage { key: key.clone(), kind, numel };
                self.push(Value::Storage(storage))
            }
            _ => Err("a piece of memory in it is not described as PyTorch does".into()),
        }
    }

    fn reduce(&mut self) -> Result<(), Problem> {
        let (arguments, name) = (self.pop()?, self.pop()?);
        let (Value::Tuple(arguments), &Value::Name(name)) =
            (&self.memory[arguments], &self.memory[name])
        else {
            return Err("it calls what is no function".into());
        };
        let value = match (name, &arguments[..]) {
            (Name::OrderedDict, []) => Value::Dict { entries: Vec::new(), module: false },
            (Name::OrderedDict, &[pairs]) => {
                let entries = self.pairs(pairs)?;
                self.count(entries.len())?;
                Value::Dict { entries, module: false }
            }
            (Name::RebuildTensor, &[storage, offset, shape, strides, ..]) => {
                Value::Tensor(self.view(storage, offset, shape, strides)?)
            }
            (Name::RebuildParameter, &[tensor, ..]) => match &self.memory[tensor] {
                Value::Tensor(view) => Value::Tensor(view.clone()),
                _ => return Err("a parameter in it is no tensor".into()),
            },
            _ => return Err("it calls a function in an unknown way".into()),
        };
        self.push(value)
    }

    /// The pairs that an older dictionary is made of.
    fn pairs(&self, place: Place) -> Result<Vec<(Place, Place)>, Problem> {
        let Value::List(items) = &self.memory[place] else {
            return Err("a dictionary in it is made of no list".into());
        };
        let pair = |&item: &Place| match &self.memory[item] {
            Value::List(pair) | Value::Tuple(pair) if pair.len() == 2 => Ok((pair[0], pair[1])),
            _ => Err("a dictionary in it is made of no pairs".into()),
        };
        items.iter().map(pair).collect()
    }

    fn view(
        &self,
        storage: Place,
        offset: Place,
        shape: Place,
        strides: Place,
    ) -> Result<View, Problem> {
        let wrong = || Problem::from("a tensor in it is not described as PyTorch does");
        let Value::Storage(storage) = &self.memory[storage] else { return Err(wrong()) };
        let number = |place: Place| match self.memory[place] {
            Value::Int(value) => usize::try_from(value).map_err(|_| wrong()),
            _ => Err(wrong()),
        };
        let numbers = |place: Place| match &self.memory[place] {
            Value::Tuple(items) | Value::List(items) if items.len() <= MOST_AXES => {
                items.iter().map(|&item| number(item)).collect::<Result<Vec<_>, _>>()
            }
            _ => Err(wrong()),
        };
        let view = View {
            storage: storage.clone(),
            offset: number(offset)?,
            shape: numbers(shape)?,
            strides: numbers(strides)?,
        };
        if view.fits() { Ok(view) } else { Err("a tensor in it is larger than its memory".into()) }
    }

    /// The state of an object: of a module its entries, of a dictionary only notes on versions.
    fn build(&mut self) -> Result<(), Problem> {
        let state = self.pop()?;
        let top = self.top()?;
        let entries = match (&self.memory[top], &self.memory[state]) {
            (Value::Dict { module: true, .. }, Value::Dict { entries, .. }) => entries.clone(),
            (Value::Dict { module: false, .. }, _) => Vec::new(),
            _ => return Err("it gives a state to what is no list of tensors".into()),
        };
        self.extend_dict(entries)
    }
}

impl View {
    /// Whether all numbers of the tensor lie inside its storage.
    fn fits(&self) -> bool {
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
        // A nest of a million tuples falls apart without a deep call.
        let mut nest = b"N".to_vec();
        nest.extend(b"\x85".repeat(1_000_000));
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
