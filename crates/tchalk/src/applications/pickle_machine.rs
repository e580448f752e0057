//! The machine that reads a pickle: a stack, a memory, and no way to run anything.

use super::pickle::{Global, Pickle, Problem, Storage, TensorInfo, Value, ValueIndex};
use std::collections::HashMap;
use std::io::Read;
use std::rc::Rc;

/// No text in a list of tensors is longer.
const MAX_STRING_BYTES: usize = 1 << 16;
/// No list of tensors has more values; this keeps a hostile one from growing without end.
const MAX_VALUES: usize = 1_000_000;
/// No tensor has more axes.
const MAX_AXES: usize = 16;

/// Reads one pickle.
pub(super) struct PickleMachine<'a, R> {
    from: &'a mut R,
    values: Vec<Value>,
    /// Places, with `None` for marks.
    stack: Vec<Option<ValueIndex>>,
    /// What was kept under a number, to be recalled.
    memo: HashMap<u32, ValueIndex>,
    /// How many values and entries were made.
    value_count: usize,
}

impl<'a, R: Read> PickleMachine<'a, R> {
    pub(super) fn new(from: &'a mut R) -> PickleMachine<'a, R> {
        let (values, stack, memo) = (Vec::new(), Vec::new(), HashMap::new());
        PickleMachine { from, values, stack, memo, value_count: 0 }
    }

    /// Reads to the end of the pickle.
    pub(super) fn run(mut self) -> Result<Pickle, Problem> {
        loop {
            let [code] = self.read_bytes()?;
            match code {
                0x80 => {
                    let [version] = self.read_bytes()?;
                    if version > 5 {
                        return Err(format!("it is a pickle of the unknown version {version}"));
                    }
                }
                0x95 => drop(self.read_bytes::<8>()?),
                b'.' => {
                    let root = self.pop()?;
                    return Ok(Pickle { values: self.values, root });
                }
                b'(' => self.stack.push(None),
                b'N' => self.push(Value::None)?,
                0x88 => self.push(Value::Bool(true))?,
                0x89 => self.push(Value::Bool(false))?,
                b'K' => {
                    let [value] = self.read_bytes()?;
                    self.push(Value::Int(value.into()))?;
                }
                b'M' => {
                    let value = u16::from_le_bytes(self.read_bytes()?);
                    self.push(Value::Int(value.into()))?;
                }
                b'J' => {
                    let value = i32::from_le_bytes(self.read_bytes()?);
                    self.push(Value::Int(value.into()))?;
                }
                0x8a => {
                    let value = self.read_long()?;
                    self.push(Value::Int(value))?;
                }
                b'G' => {
                    self.read_bytes::<8>()?;
                    self.push(Value::Other)?;
                }
                b'X' | b'T' => {
                    let length = u32::from_le_bytes(self.read_bytes()?);
                    self.push_string(length as usize)?;
                }
                0x8c | b'U' => {
                    let [length] = self.read_bytes()?;
                    self.push_string(length.into())?;
                }
                b'c' => {
                    let (module, name) = (self.read_line()?, self.read_line()?);
                    self.push_global(&module, &name)?;
                }
                0x93 => {
                    let (name, module) = (self.pop_string()?, self.pop_string()?);
                    self.push_global(&module, &name)?;
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
                    if !items.len().is_multiple_of(2) {
                        return Err("a dictionary in it lacks a value".into());
                    }
                    self.extend_dict(items.chunks(2).map(|pair| (pair[0], pair[1])).collect())?;
                }
                b'q' => {
                    let [number] = self.read_bytes()?;
                    self.memo_put(number.into())?;
                }
                b'r' => {
                    let number = u32::from_le_bytes(self.read_bytes()?);
                    self.memo_put(number)?;
                }
                0x94 => {
                    let number = self.memo.len() as u32;
                    self.memo_put(number)?;
                }
                b'h' => {
                    let [number] = self.read_bytes()?;
                    self.memo_get(number.into())?;
                }
                b'j' => {
                    let number = u32::from_le_bytes(self.read_bytes()?);
                    self.memo_get(number)?;
                }
                b'Q' => self.push_storage()?,
                b'R' => self.reduce()?,
                0x81 => {
                    let (_, class) = (self.pop()?, self.pop()?);
                    if !matches!(self.values[class], Value::Global(Global::Module)) {
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

    fn read_bytes<const N: usize>(&mut self) -> Result<[u8; N], Problem> {
        let mut bytes = [0; N];
        self.from.read_exact(&mut bytes).map_err(|_| "its list of tensors breaks off")?;
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

    fn push_string(&mut self, length: usize) -> Result<(), Problem> {
        if length > MAX_STRING_BYTES {
            return Err(format!(
                "a text of {length} bytes is in it, where names of tensors belong"
            ));
        }
        let mut bytes = vec![0; length];
        self.from.read_exact(&mut bytes).map_err(|_| "its list of tensors breaks off")?;
        let text = String::from_utf8(bytes).map_err(|_| "a name in it is not UTF-8")?;
        self.push(Value::Str(text.into()))
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

    fn push_global(&mut self, module: &str, name: &str) -> Result<(), Problem> {
        let Some(known) = Global::find(module, name) else {
            let whole: String = format!("{module}.{name}").chars().take(80).collect();
            return Err(format!("it asks Python for {whole:?}, and nothing but tensors is read"));
        };
        self.push(Value::Global(known))
    }

    fn add_to_count(&mut self, more: usize) -> Result<(), Problem> {
        self.value_count += more;
        if self.value_count > MAX_VALUES {
            return Err(format!("it holds more than {MAX_VALUES} values"));
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
        self.stack.pop().flatten().ok_or_else(|| "it takes a value where none is".into())
    }

    fn pop_string(&mut self) -> Result<Rc<str>, Problem> {
        let place = self.pop()?;
        match &self.values[place] {
            Value::Str(text) => Ok(text.clone()),
            _ => Err("a name in it is no text".into()),
        }
    }

    fn pop_to_mark(&mut self) -> Result<Vec<ValueIndex>, Problem> {
        let mark = self.stack.iter().rposition(Option::is_none);
        let mark = mark.ok_or("it closes what it never opened")?;
        let items: Vec<ValueIndex> = self.stack.drain(mark..).flatten().collect();
        Ok(items)
    }

    /// The value on top, which stays there.
    fn top(&self) -> Result<ValueIndex, Problem> {
        self.stack.last().copied().flatten().ok_or_else(|| "it takes a value where none is".into())
    }

    fn extend_list(&mut self, items: Vec<ValueIndex>) -> Result<(), Problem> {
        self.add_to_count(items.len())?;
        let top = self.top()?;
        match &mut self.values[top] {
            Value::List(list) => list.extend(items),
            _ => return Err("it appends to what is no list".into()),
        }
        Ok(())
    }

    fn extend_dict(&mut self, items: Vec<(ValueIndex, ValueIndex)>) -> Result<(), Problem> {
        self.add_to_count(items.len())?;
        let top = self.top()?;
        match &mut self.values[top] {
            Value::Dict { entries, .. } => entries.extend(items),
            _ => return Err("it fills what is no dictionary".into()),
        }
        Ok(())
    }

    fn memo_put(&mut self, number: u32) -> Result<(), Problem> {
        self.add_to_count(1)?;
        let top = self.top()?;
        self.memo.insert(number, top);
        Ok(())
    }

    fn memo_get(&mut self, number: u32) -> Result<(), Problem> {
        self.add_to_count(1)?;
        let place = self.memo.get(&number).copied();
        self.stack.push(Some(place.ok_or("it recalls a value that it never kept")?));
        Ok(())
    }

    /// `("storage", FloatStorage, key, device, numel)`, in older files with one value more.
    fn push_storage(&mut self) -> Result<(), Problem> {
        let place = self.pop()?;
        let items = match &self.values[place] {
            Value::Tuple(items) if (5..=6).contains(&items.len()) => items.clone(),
            _ => return Err("a piece of memory in it is not described as PyTorch does".into()),
        };
        let item = |at: usize| &self.values[items[at]];
        if items.len() == 6 && !matches!(item(5), Value::None) {
            return Err("it holds views of memory, as very old versions of PyTorch wrote".into());
        }
        match (item(0), item(1), item(2), item(4)) {
            (
                Value::Str(what),
                &Value::Global(Global::StorageOf(kind)),
                Value::Str(key),
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
        let (Value::Tuple(arguments), &Value::Global(name)) =
            (&self.values[arguments], &self.values[name])
        else {
            return Err("it calls what is no function".into());
        };
        let value = match (name, &arguments[..]) {
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
                Value::Tensor(view) => Value::Tensor(view.clone()),
                _ => return Err("a parameter in it is no tensor".into()),
            },
            _ => return Err("it calls a function in an unknown way".into()),
        };
        self.push(value)
    }

    /// The pairs that an older dictionary is made of.
    fn pairs(&self, place: ValueIndex) -> Result<Vec<(ValueIndex, ValueIndex)>, Problem> {
        let Value::List(items) = &self.values[place] else {
            return Err("a dictionary in it is made of no list".into());
        };
        let pair = |&item: &ValueIndex| match &self.values[item] {
            Value::List(pair) | Value::Tuple(pair) if pair.len() == 2 => Ok((pair[0], pair[1])),
            _ => Err("a dictionary in it is made of no pairs".into()),
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
        let number = |place: ValueIndex| match self.values[place] {
            Value::Int(value) => usize::try_from(value).map_err(|_| wrong()),
            _ => Err(wrong()),
        };
        let numbers = |place: ValueIndex| match &self.values[place] {
            Value::Tuple(items) | Value::List(items) if items.len() <= MAX_AXES => {
                items.iter().map(|&item| number(item)).collect::<Result<Vec<_>, _>>()
            }
            _ => Err(wrong()),
        };
        let view = TensorInfo {
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
        let entries = match (&self.values[top], &self.values[state]) {
            (Value::Dict { module: true, .. }, Value::Dict { entries, .. }) => entries.clone(),
            (Value::Dict { module: false, .. }, _) => Vec::new(),
            _ => return Err("it gives a state to what is no list of tensors".into()),
        };
        self.extend_dict(entries)
    }
}
