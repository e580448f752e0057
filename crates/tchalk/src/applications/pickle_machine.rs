//! The pickle machine: a stack, a memo, and no way to run anything.

use super::pickle_opcode::*;
use super::pickle_value::{Global, Problem, Storage, TensorInfo, Value, ValueIndex};
use std::collections::HashMap;
use std::io::Read;
use std::rc::Rc;

/// No string in a list of tensors is longer.
const MAX_STRING_BYTES: usize = 1 << 16;
/// No list of tensors has more values. This limits the memory that a malicious file can use.
const MAX_VALUES: usize = 1_000_000;
/// No tensor has more axes.
const MAX_AXES: usize = 16;

/// Reads one pickle.
pub(super) struct PickleMachine<'a, R> {
    from: &'a mut R,
    values: Vec<Value>,
    /// Indices of values, with `None` for marks.
    stack: Vec<Option<ValueIndex>>,
    memo: HashMap<u32, ValueIndex>,
    /// How many values and entries there are.
    value_count: usize,
}

impl<'a, R: Read> PickleMachine<'a, R> {
    pub(super) fn new(from: &'a mut R) -> PickleMachine<'a, R> {
        let (values, stack, memo) = (Vec::new(), Vec::new(), HashMap::new());
        PickleMachine { from, values, stack, memo, value_count: 0 }
    }

    /// Reads to the end of the pickle. All values, and the index of the one that the pickle is.
    pub(super) fn run(mut self) -> Result<(Vec<Value>, ValueIndex), Problem> {
        loop {
            let [code] = self.read_bytes()?;
            match code {
                STOP => {
                    let root = self.pop()?;
                    return Ok((self.values, root));
                }
                PROTO => {
                    let [version] = self.read_bytes()?;
                    if version > 5 {
                        return Err(format!("its pickle has the unknown version {version}"));
                    }
                }
                FRAME => drop(self.read_bytes::<8>()?),
                NONE | NEWTRUE | NEWFALSE | BININT | BININT1 | BININT2 | LONG1 | BINFLOAT => {
                    self.scalar(code)?;
                }
                BINUNICODE | BINSTRING => {
                    let length = u32::from_le_bytes(self.read_bytes()?);
                    self.push_string(length as usize)?;
                }
                SHORT_BINUNICODE | SHORT_BINSTRING => {
                    let [length] = self.read_bytes()?;
                    self.push_string(length.into())?;
                }
                BINPUT | LONG_BINPUT | MEMOIZE | BINGET | LONG_BINGET => self.memo(code)?,
                GLOBAL | STACK_GLOBAL | BINPERSID | REDUCE | NEWOBJ | BUILD => self.object(code)?,
                _ => self.container(code)?,
            }
        }
    }

    fn scalar(&mut self, code: u8) -> Result<(), Problem> {
        let value = match code {
            NEWTRUE => Value::Bool(true),
            NEWFALSE => Value::Bool(false),
            BININT => Value::Int(i32::from_le_bytes(self.read_bytes()?).into()),
            BININT1 => Value::Int(u8::from_le_bytes(self.read_bytes()?).into()),
            BININT2 => Value::Int(u16::from_le_bytes(self.read_bytes()?).into()),
            LONG1 => Value::Int(self.read_long()?),
            BINFLOAT => {
                self.read_bytes::<8>()?;
                Value::Float
            }
            _ => Value::None,
        };
        self.push(value)
    }

    fn container(&mut self, code: u8) -> Result<(), Problem> {
        match code {
            MARK => self.stack.push(None),
            EMPTY_TUPLE => self.push(Value::Tuple(Vec::new()))?,
            TUPLE1..=TUPLE3 => {
                let count = usize::from(code - TUPLE1) + 1;
                let mut items = (0..count).map(|_| self.pop()).collect::<Result<Vec<_>, _>>()?;
                items.reverse();
                self.push(Value::Tuple(items))?;
            }
            TUPLE => {
                let items = self.pop_to_mark()?;
                self.push(Value::Tuple(items))?;
            }
            EMPTY_LIST => self.push(Value::List(Vec::new()))?,
            LIST => {
                let items = self.pop_to_mark()?;
                self.push(Value::List(items))?;
            }
            APPEND => {
                let item = self.pop()?;
                self.extend_list(vec![item])?;
            }
            APPENDS => {
                let items = self.pop_to_mark()?;
                self.extend_list(items)?;
            }
            EMPTY_DICT => self.push(Value::Dict { entries: Vec::new(), module: false })?,
            SETITEM => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.extend_dict(vec![(key, value)])?;
            }
            SETITEMS => {
                let items = self.pop_to_mark()?;
                if !items.len().is_multiple_of(2) {
                    return Err("a dictionary in it lacks a value".into());
                }
                self.extend_dict(items.chunks(2).map(|pair| (pair[0], pair[1])).collect())?;
            }
            _ => {
                return Err(format!(
                    "its pickle has the instruction {code:#04x}, which no list of tensors needs"
                ));
            }
        }
        Ok(())
    }

    /// Stores the value on top of the stack in the memo, or pushes one from there.
    fn memo(&mut self, code: u8) -> Result<(), Problem> {
        let key = match code {
            BINPUT | BINGET => u8::from_le_bytes(self.read_bytes()?).into(),
            MEMOIZE => self.memo.len() as u32,
            _ => u32::from_le_bytes(self.read_bytes()?),
        };
        self.add_to_count(1)?;
        match code {
            BINGET | LONG_BINGET => {
                let index = self.memo.get(&key).copied();
                self.stack.push(Some(index.ok_or("its pickle has a wrong memo key")?));
            }
            _ => {
                let top = self.top()?;
                self.memo.insert(key, top);
            }
        }
        Ok(())
    }

    fn object(&mut self, code: u8) -> Result<(), Problem> {
        match code {
            GLOBAL => {
                let (module, name) = (self.read_line()?, self.read_line()?);
                self.push_global(&module, &name)
            }
            STACK_GLOBAL => {
                let (name, module) = (self.pop_string()?, self.pop_string()?);
                self.push_global(&module, &name)
            }
            BINPERSID => self.push_storage(),
            REDUCE => self.reduce(),
            NEWOBJ => {
                let (_, class) = (self.pop()?, self.pop()?);
                if !matches!(self.values[class], Value::Global(Global::Module)) {
                    return Err("it creates an object that is not a list of tensors".into());
                }
                self.push(Value::Dict { entries: Vec::new(), module: true })
            }
            _ => self.build(),
        }
    }

    fn read_bytes<const N: usize>(&mut self) -> Result<[u8; N], Problem> {
        let mut bytes = [0; N];
        self.from.read_exact(&mut bytes).map_err(|_| "its list of tensors ends too early")?;
        Ok(bytes)
    }

    fn read_long(&mut self) -> Result<i128, Problem> {
        let [length] = self.read_bytes()?;
        if length > 15 {
            return Err("a number in it is too large".into());
        }
        let mut bytes = [0u8; 16];
        for byte in &mut bytes[..length.into()] {
            [*byte] = self.read_bytes()?;
        }
        let negative = length > 0 && bytes[usize::from(length) - 1] >= 0x80;
        if negative {
            bytes[length.into()..].fill(0xff);
        }
        Ok(i128::from_le_bytes(bytes))
    }

    fn read_line(&mut self) -> Result<String, Problem> {
        let mut bytes = Vec::new();
        loop {
            let [byte] = self.read_bytes()?;
            if byte == b'\n' {
                return String::from_utf8(bytes).map_err(|_| "a name in it is not UTF-8".into());
            }
            bytes.push(byte);
            if bytes.len() > 1_000 {
                return Err("a name in it does not end".into());
            }
        }
    }

    fn push_string(&mut self, length: usize) -> Result<(), Problem> {
        if length > MAX_STRING_BYTES {
            return Err(format!("it has a string of {length} bytes where names of tensors belong"));
        }
        let mut bytes = vec![0; length];
        self.from.read_exact(&mut bytes).map_err(|_| "its list of tensors ends too early")?;
        let string = String::from_utf8(bytes).map_err(|_| "a name in it is not UTF-8")?;
        self.push(Value::Str(string.into()))
    }

    fn push_global(&mut self, module: &str, name: &str) -> Result<(), Problem> {
        let Some(global) = Global::find(module, name) else {
            let name: String = format!("{module}.{name}").chars().take(80).collect();
            return Err(format!("it asks Python for {name:?}, and nothing but tensors is read"));
        };
        self.push(Value::Global(global))
    }

    fn add_to_count(&mut self, more: usize) -> Result<(), Problem> {
        self.value_count += more;
        if self.value_count > MAX_VALUES {
            return Err(format!("it has more than {MAX_VALUES} values"));
        }
        Ok(())
    }

    fn push(&mut self, value: Value) -> Result<(), Problem> {
        self.add_to_count(1)?;
        self.values.push(value);
        self.stack.push(Some(self.values.len() - 1));
        Ok(())
    }

    fn pop(&mut self) -> Result<ValueIndex, Problem> {
        self.stack
            .pop()
            .flatten()
            .ok_or_else(|| "its pickle takes a value from an empty stack".into())
    }

    fn pop_string(&mut self) -> Result<Rc<str>, Problem> {
        let index = self.pop()?;
        match &self.values[index] {
            Value::Str(string) => Ok(string.clone()),
            _ => Err("a name in it is not a string".into()),
        }
    }

    fn pop_to_mark(&mut self) -> Result<Vec<ValueIndex>, Problem> {
        let mark = self.stack.iter().rposition(Option::is_none);
        let mark = mark.ok_or("its pickle has no mark where one is needed")?;
        Ok(self.stack.drain(mark..).flatten().collect())
    }

    /// The value on top of the stack, which stays there.
    fn top(&self) -> Result<ValueIndex, Problem> {
        let top = self.stack.last().copied().flatten();
        top.ok_or_else(|| "its pickle takes a value from an empty stack".into())
    }

    fn extend_list(&mut self, items: Vec<ValueIndex>) -> Result<(), Problem> {
        self.add_to_count(items.len())?;
        let top = self.top()?;
        match &mut self.values[top] {
            Value::List(list) => list.extend(items),
            _ => return Err("it appends to something that is not a list".into()),
        }
        Ok(())
    }

    fn extend_dict(&mut self, items: Vec<(ValueIndex, ValueIndex)>) -> Result<(), Problem> {
        self.add_to_count(items.len())?;
        let top = self.top()?;
        match &mut self.values[top] {
            Value::Dict { entries, .. } => entries.extend(items),
            _ => return Err("it adds entries to something that is not a dictionary".into()),
        }
        Ok(())
    }

    /// The storage of a persistent id: `("storage", FloatStorage, key, device, numel)`, in older files with
    /// one more value.
    fn push_storage(&mut self) -> Result<(), Problem> {
        const WRONG: &str = "a storage in it is not described as PyTorch does";
        let index = self.pop()?;
        let items = match &self.values[index] {
            Value::Tuple(items) if (5..=6).contains(&items.len()) => items.clone(),
            _ => return Err(WRONG.into()),
        };
        let item = |i: usize| &self.values[items[i]];
        if items.len() == 6 && !matches!(item(5), Value::None) {
            return Err("it has views of storages, as very old versions of PyTorch wrote".into());
        }
        match (item(0), item(1), item(2), item(4)) {
            (
                Value::Str(what),
                &Value::Global(Global::StorageOf(kind)),
                Value::Str(key),
                &Value::Int(numel),
            ) if **what == *"storage" => {
                let numel = usize::try_from(numel).map_err(|_| "a storage has no size")?;
                let storage = Storage { key: key.clone(), kind, numel };
                self.push(Value::Storage(storage))
            }
            _ => Err(WRONG.into()),
        }
    }

    /// The result of a call of one of the known Python functions.
    fn reduce(&mut self) -> Result<(), Problem> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let (Value::Tuple(arguments), &Value::Global(function)) =
            (&self.values[arguments], &self.values[function])
        else {
            return Err("it calls something that is not a function".into());
        };
        let value = match (function, &arguments[..]) {
            (Global::OrderedDict, []) => Value::Dict { entries: Vec::new(), module: false },
            (Global::OrderedDict, &[pairs]) => {
                let entries = self.pairs(pairs)?;
                self.add_to_count(entries.len())?;
                Value::Dict { entries, module: false }
            }
            (Global::RebuildTensor, &[storage, offset, shape, strides, ..]) => {
                Value::Tensor(self.tensor_info(storage, offset, shape, strides)?)
            }
            (Global::RebuildParameter, &[tensor, ..]) => match &self.values[tensor] {
                Value::Tensor(info) => Value::Tensor(info.clone()),
                _ => return Err("a parameter in it is not a tensor".into()),
            },
            _ => return Err("it calls a function in an unknown way".into()),
        };
        self.push(value)
    }

    /// The entries of a dictionary in an older file, which is made of a list of pairs.
    fn pairs(&self, list: ValueIndex) -> Result<Vec<(ValueIndex, ValueIndex)>, Problem> {
        let Value::List(items) = &self.values[list] else {
            return Err("a dictionary in it is not made of a list".into());
        };
        let pair = |&item: &ValueIndex| match &self.values[item] {
            Value::List(pair) | Value::Tuple(pair) if pair.len() == 2 => Ok((pair[0], pair[1])),
            _ => Err("a dictionary in it is not made of pairs".into()),
        };
        items.iter().map(pair).collect()
    }

    fn tensor_info(
        &self,
        storage: ValueIndex,
        offset: ValueIndex,
        shape: ValueIndex,
        strides: ValueIndex,
    ) -> Result<TensorInfo, Problem> {
        let wrong = || Problem::from("a tensor in it is not described as PyTorch does");
        let Value::Storage(storage) = &self.values[storage] else { return Err(wrong()) };
        let number = |index: ValueIndex| match self.values[index] {
            Value::Int(value) => usize::try_from(value).map_err(|_| wrong()),
            _ => Err(wrong()),
        };
        let numbers = |index: ValueIndex| match &self.values[index] {
            Value::Tuple(items) | Value::List(items) if items.len() <= MAX_AXES => {
                items.iter().map(|&item| number(item)).collect::<Result<Vec<_>, _>>()
            }
            _ => Err(wrong()),
        };
        let info = TensorInfo {
            storage: storage.clone(),
            offset: number(offset)?,
            shape: numbers(shape)?,
            strides: numbers(strides)?,
        };
        if info.fits() { Ok(info) } else { Err("a tensor in it is larger than its storage".into()) }
    }

    /// Sets the state of an object: the entries of a module. The state of a dictionary is only about
    /// versions.
    fn build(&mut self) -> Result<(), Problem> {
        let state = self.pop()?;
        let top = self.top()?;
        let entries = match (&self.values[top], &self.values[state]) {
            (Value::Dict { module: true, .. }, Value::Dict { entries, .. }) => entries.clone(),
            (Value::Dict { module: false, .. }, _) => Vec::new(),
            _ => return Err("it sets the state of something that is not a list of tensors".into()),
        };
        self.extend_dict(entries)
    }
}
