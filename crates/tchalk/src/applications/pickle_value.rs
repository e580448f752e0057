//! What a pickle of tensors consists of.

use std::rc::Rc;
use tch::Kind;

/// Where the numbers of a tensor are.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Storage {
    /// The name of the storage in the file.
    pub(super) key: Rc<str>,
    pub(super) kind: Kind,
    /// The number of values.
    pub(super) numel: usize,
}

impl Storage {
    /// The size of one value in bytes.
    pub(super) fn value_size(&self) -> usize {
        match self.kind {
            Kind::Double | Kind::Int64 => 8,
            Kind::Float | Kind::Int => 4,
            Kind::Half | Kind::BFloat16 | Kind::Int16 => 2,
            _ => 1,
        }
    }

    /// The size of all values in bytes.
    pub(super) fn size(&self) -> Option<usize> {
        self.numel.checked_mul(self.value_size())
    }
}

/// A tensor: a strided view of a storage. All lengths are counted in values.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TensorInfo {
    pub(super) storage: Storage,
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

/// The index of a value in the list of all values.
pub(super) type ValueIndex = usize;

#[derive(Debug, Clone)]
pub(super) enum Value {
    None,
    Bool(bool),
    Int(i128),
    Str(Rc<str>),
    Tuple(Vec<ValueIndex>),
    List(Vec<ValueIndex>),
    /// `module`: an object of libtorch, whose state is the dictionary.
    Dict {
        entries: Vec<(ValueIndex, ValueIndex)>,
        module: bool,
    },
    Global(Global),
    Storage(Storage),
    Tensor(TensorInfo),
    /// A floating-point number, which no tensor needs.
    Float,
}

/// The Python names that a pickle may refer to.
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

/// What is wrong with a file, in a few words.
pub(super) type Problem = String;

impl TensorInfo {
    /// Whether all values of the tensor lie inside its storage.
    pub(super) fn fits(&self) -> bool {
        if self.shape.len() != self.strides.len() {
            return false;
        }
        let numel = self.shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
        match numel {
            None => false,
            Some(0) => true,
            Some(numel) if numel > self.storage.numel => false,
            Some(_) => {
                let axes = self.shape.iter().zip(&self.strides);
                let last = axes.into_iter().try_fold(self.offset, |last, (&size, &stride)| {
                    last.checked_add((size - 1).checked_mul(stride)?)
                });
                last.is_some_and(|last| last < self.storage.numel)
            }
        }
    }

    /// Whether the values follow each other in memory, the last axis fastest.
    pub(super) fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        self.shape.iter().zip(&self.strides).rev().all(|(&size, &stride)| {
            let fits = size == 1 || stride == expected;
            expected *= size.max(1);
            fits
        })
    }
}
