//! Builds a network as one writes a formula: layers are called with symbolic values.

use super::built_layer::BuiltLayer;
use super::graph::{Graph, Op};
use super::{Model, names};
use crate::error::{Error, Result};
use crate::layers::{Layer, Merge, Named, Shape, check_numbers, shape_text};
use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tch::{Device, Tensor};

/// The start of a network.
#[derive(Debug, Clone, Copy)]
pub struct Input;

impl Input {
    /// A symbolic input of a network. Its shape leaves out the batch: `[channels, height, width]` for
    /// images, `[features]` for vectors.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let input = Input::new("image", [3, 32, 32]);
    /// let x = Conv2d::new(8, 3).call(&input)?;
    /// assert_eq!(x.shape(), [8, 30, 30]);
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    #[allow(clippy::new_ret_no_self)] // Its result is a symbol like any other.
    pub fn new(name: &str, shape: impl Into<Vec<usize>>) -> Symbol {
        Symbol::new(Op::Input, Some(name.to_owned()), Vec::new(), shape.into())
    }
}

/// A symbolic value: the output that a layer will have once the network runs.
#[derive(Clone)]
pub struct Symbol(Arc<SymbolNode>);

/// A symbol's operation and inputs.
struct SymbolNode {
    /// Later symbols have larger numbers, so the numbers are an order in which they can run.
    number: u64,
    op: Op,
    given: Option<String>,
    inputs: Vec<Symbol>,
    shape: Shape,
}

impl std::fmt::Debug for Symbol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let node = &self.0;
        let name = node.given.clone().unwrap_or_else(|| node.op.kind());
        write!(f, "a value {} from {name:?}", shape_text(&node.shape))
    }
}

impl Symbol {
    fn new(op: Op, given: Option<String>, inputs: Vec<Symbol>, shape: Shape) -> Symbol {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Symbol(Arc::new(SymbolNode { number, op, given, inputs, shape }))
    }

    /// The shape, without the batch.
    pub fn shape(&self) -> Vec<usize> {
        self.0.shape.clone()
    }

    /// The output of `op` for these inputs.
    fn apply(op: Op, given: Option<String>, inputs: &[&Symbol]) -> Result<Symbol> {
        let shapes: Vec<Shape> = inputs.iter().map(|input| input.shape()).collect();
        shapes.iter().try_for_each(|shape| check_numbers(&op.repr(), shape))?;
        let shape = with_input_names(inputs, |from| op.output_shape(&shapes, from))?;
        check_numbers(&op.repr(), &shape)?;
        let inputs = inputs.iter().map(|&input| input.clone()).collect();
        Ok(Symbol::new(op, given, inputs, shape))
    }

    /// The output of a layer.
    pub(super) fn apply_layer(
        &self,
        layer: Arc<dyn Layer>,
        name: Option<String>,
    ) -> Result<Symbol> {
        // Before the weights: their shapes depend on an input that fits.
        let shape = self.shape();
        check_numbers(&layer.repr(), &shape)?;
        let output = with_input_names(&[self], |from| layer.output_shape(&shape, &from[0]))?;
        check_numbers(&layer.repr(), &output)?;
        let build = |from: &[String]| BuiltLayer::for_layer(layer.clone(), &shape, &from[0]);
        let built = with_input_names(&[self], build)?;
        Symbol::apply(Op::Layer(built), name, &[self])
    }

    /// The output of a network.
    pub(super) fn apply_model(model: &Model, inputs: &[&Symbol]) -> Result<Symbol> {
        let given = model.inner().has_given_name.then(|| model.name());
        Symbol::apply(Op::Model(model.clone()), given, inputs)
    }

    fn is(&self, other: &Symbol) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// Runs `check` with the names that its inputs would have in a network. The names are computed only for
/// an error message.
fn with_input_names<T>(inputs: &[&Symbol], check: impl Fn(&[String]) -> Result<T>) -> Result<T> {
    let kinds: Vec<String> = inputs.iter().map(|input| input.0.op.kind()).collect();
    let first = check(&kinds);
    if first.is_ok() {
        return first;
    }
    let order = ancestors(inputs.iter().copied());
    let wanted = order.iter().map(|s| s.0.op.name_request(s.0.given.clone()));
    match names::assign("Model::new", &wanted.collect::<Vec<_>>()) {
        Ok(names) => {
            let index = |input: &&Symbol| order.iter().position(|symbol| symbol.is(input));
            check(&inputs.iter().map(|i| names[index(i).unwrap_or(0)].clone()).collect::<Vec<_>>())
        }
        Err(_) => first,
    }
}

/// These symbols and all symbols they depend on, in the order of their creation.
fn ancestors<'a>(of: impl Iterator<Item = &'a Symbol>) -> Vec<Symbol> {
    let mut waiting: Vec<Symbol> = of.cloned().collect();
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    while let Some(symbol) = waiting.pop() {
        if seen.insert(symbol.0.number) {
            waiting.extend(symbol.0.inputs.iter().cloned());
            found.push(symbol);
        }
    }
    found.sort_by_key(|symbol| symbol.0.number);
    found
}

/// One symbol or several: the inputs or outputs of [`Model::new`].
pub trait Symbols {
    /// The symbols, in order.
    fn symbols(&self) -> Vec<Symbol>;
}

impl Symbols for Symbol {
    fn symbols(&self) -> Vec<Symbol> {
        vec![self.clone()]
    }
}

impl<T: Symbols> Symbols for [T] {
    fn symbols(&self) -> Vec<Symbol> {
        self.iter().flat_map(T::symbols).collect()
    }
}

impl<T: Symbols, const N: usize> Symbols for [T; N] {
    fn symbols(&self) -> Vec<Symbol> {
        self[..].symbols()
    }
}

impl<T: Symbols> Symbols for Vec<T> {
    fn symbols(&self) -> Vec<Symbol> {
        self[..].symbols()
    }
}

impl<T: Symbols + ?Sized> Symbols for &T {
    fn symbols(&self) -> Vec<Symbol> {
        (**self).symbols()
    }
}

/// `layer.call(&x)`: the symbolic output of a layer.
pub trait CallLayer {
    /// The layer's output. A layer that is called twice shares its weights.
    ///
    /// # Errors
    ///
    /// If the layer cannot take a value of this shape. The message says what it can take.
    fn call(&self, x: &Symbol) -> Result<Symbol>;
}

impl<L: Layer + Clone> CallLayer for L {
    fn call(&self, x: &Symbol) -> Result<Symbol> {
        x.apply_layer(Arc::new(self.clone()), None)
    }
}

impl<L: Layer + Clone> CallLayer for Named<L> {
    fn call(&self, x: &Symbol) -> Result<Symbol> {
        x.apply_layer(Arc::new(self.layer.clone()), Some(self.name.clone()))
    }
}

/// `Concatenate::new().call(&[a, b])`: the symbolic output of a merge.
pub trait CallMerge {
    /// The merge's output.
    ///
    /// # Errors
    ///
    /// If the inputs do not fit together. The message says why.
    fn call<S: Borrow<Symbol>>(&self, inputs: &[S]) -> Result<Symbol>;
}

impl<M: Merge + Clone> CallMerge for M {
    fn call<S: Borrow<Symbol>>(&self, inputs: &[S]) -> Result<Symbol> {
        apply_merge(self.clone(), None, inputs)
    }
}

impl<M: Merge + Clone> CallMerge for Named<M> {
    fn call<S: Borrow<Symbol>>(&self, inputs: &[S]) -> Result<Symbol> {
        apply_merge(self.layer.clone(), Some(self.name.clone()), inputs)
    }
}

fn apply_merge<S: Borrow<Symbol>>(
    merge: impl Merge,
    name: Option<String>,
    inputs: &[S],
) -> Result<Symbol> {
    let inputs: Vec<&Symbol> = inputs.iter().map(Borrow::borrow).collect();
    Symbol::apply(Op::Merge(Arc::new(merge)), name, &inputs)
}

impl Model {
    /// Runs a batch `[batch, …input shape]` through the network in inference mode, without gradients,
    /// and returns `[batch, …output shape]`. A network with several inputs takes a list of batches.
    ///
    /// Called with a [`Symbol`], the network becomes part of another one, and the result is a symbol.
    ///
    /// # Errors
    ///
    /// If the batch does not have the network's input shape, or the network has several outputs.
    pub fn call<X: ModelInput + ?Sized>(&self, x: &X) -> Result<X::Output> {
        x.call_model(self)
    }
}

/// The input of [`Model::call`]: tensors, which run through the network, or symbols, which make it part
/// of another one.
pub trait ModelInput {
    /// A tensor for tensors, a symbol for symbols.
    type Output;

    /// Calls the model.
    #[doc(hidden)]
    fn call_model(&self, model: &Model) -> Result<Self::Output>;
}

/// One of several inputs of [`Model::call`].
pub trait ModelInputItem {
    /// A tensor for tensors, a symbol for symbols.
    type Output;

    /// Calls the model with all its inputs.
    #[doc(hidden)]
    fn call_model_with(model: &Model, inputs: &[&Self]) -> Result<Self::Output>;
}

impl ModelInputItem for Tensor {
    type Output = Tensor;
    fn call_model_with(model: &Model, inputs: &[&Tensor]) -> Result<Tensor> {
        model.run_one(inputs)
    }
}

impl ModelInputItem for Symbol {
    type Output = Symbol;
    fn call_model_with(model: &Model, inputs: &[&Symbol]) -> Result<Symbol> {
        Symbol::apply_model(model, inputs)
    }
}

impl<T: ModelInputItem> ModelInputItem for &T {
    type Output = T::Output;
    fn call_model_with(model: &Model, inputs: &[&Self]) -> Result<T::Output> {
        T::call_model_with(model, &inputs.iter().map(|&&input| input).collect::<Vec<&T>>())
    }
}

impl ModelInput for Tensor {
    type Output = Tensor;
    fn call_model(&self, model: &Model) -> Result<Tensor> {
        Tensor::call_model_with(model, &[self])
    }
}

impl ModelInput for Symbol {
    type Output = Symbol;
    fn call_model(&self, model: &Model) -> Result<Symbol> {
        Symbol::call_model_with(model, &[self])
    }
}

impl<T: ModelInputItem> ModelInput for [T] {
    type Output = T::Output;
    fn call_model(&self, model: &Model) -> Result<T::Output> {
        T::call_model_with(model, &self.iter().collect::<Vec<_>>())
    }
}

impl<T: ModelInputItem, const N: usize> ModelInput for [T; N] {
    type Output = T::Output;
    fn call_model(&self, model: &Model) -> Result<T::Output> {
        self[..].call_model(model)
    }
}

impl<T: ModelInputItem> ModelInput for Vec<T> {
    type Output = T::Output;
    fn call_model(&self, model: &Model) -> Result<T::Output> {
        self[..].call_model(model)
    }
}

impl<T: ModelInput + ?Sized> ModelInput for &T {
    type Output = T::Output;
    fn call_model(&self, model: &Model) -> Result<T::Output> {
        (**self).call_model(model)
    }
}

impl Model {
    /// The network from `inputs` to `outputs`, each one symbol or several, on `device`. The library's
    /// seed decides its initial weights. Layers that another network uses share their weights with it.
    ///
    /// # Errors
    ///
    /// If the outputs need an input that is not listed, a listed input is not needed, two layers have
    /// the same name, or a shared layer is on another device.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let input = Input::new("image", [3, 8, 8]);
    /// let left = Flatten.call(&Conv2d::new(4, 3).call(&input)?)?;
    /// let right = Flatten.call(&MaxPool2d::new(2).call(&input)?)?;
    /// let both = Concatenate::new().call(&[left, right])?;
    /// let outputs = Softmax.call(&Dense::new(10).call(&both)?)?;
    /// let model = Model::new("two_branches", &input, &outputs, Device::Cpu)?;
    /// assert_eq!(model.parameter_count(), 112 + (144 + 48) * 10 + 10);
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn new(
        name: &str,
        inputs: &(impl Symbols + ?Sized),
        outputs: &(impl Symbols + ?Sized),
        device: Device,
    ) -> Result<Model> {
        let op = format!("Model::new({name:?})");
        names::check(&op, name)?;
        let (inputs, outputs) = (inputs.symbols(), outputs.symbols());
        if inputs.is_empty() || outputs.is_empty() {
            let got = format!("{} inputs and {} outputs", inputs.len(), outputs.len());
            return Err(Error::invalid(op, "at least one of each", got, ""));
        }
        let order = ancestors(outputs.iter());
        check_inputs(&op, &inputs, &order)?;
        let indices: HashMap<u64, usize> =
            order.iter().enumerate().map(|(i, symbol)| (symbol.0.number, i)).collect();
        let index = |symbol: &Symbol| indices[&symbol.0.number];
        let draft = order.iter().map(|symbol| {
            let node = &symbol.0;
            let inputs = node.inputs.iter().map(index).collect();
            (node.op.clone(), node.given.clone(), inputs, node.shape.clone())
        });
        let (inputs, outputs) =
            (inputs.iter().map(index).collect(), outputs.iter().map(index).collect());
        let graph = Graph::new(&op, draft.collect(), inputs, outputs)?;
        Model::from_graph(&op, name.to_owned(), true, graph, device)
    }
}

/// Checks that the listed inputs are those that the outputs need.
fn check_inputs(op: &str, inputs: &[Symbol], order: &[Symbol]) -> Result<()> {
    for (i, input) in inputs.iter().enumerate() {
        let refused =
            |expected: &str, got: String, hint: &str| Err(Error::invalid(op, expected, got, hint));
        if !matches!(input.0.op, Op::Input) {
            let hint = "Begin with Input::new(name, shape).";
            return refused("inputs made by Input::new", format!("{input:?}"), hint);
        }
        let name = input.0.given.clone().unwrap_or_default();
        if inputs[..i].iter().any(|other| other.is(input)) {
            return refused("each input once", format!("{name:?} twice"), "");
        }
        if !order.iter().any(|symbol| symbol.is(input)) {
            let hint = "Leave it out, or send it through layers to an output.";
            return refused("inputs that the outputs need", format!("{name:?}, unused"), hint);
        }
        if input.0.shape.is_empty() || input.0.shape.contains(&0) {
            let got = format!("{:?} for {name:?}", input.0.shape);
            return refused("inputs with sizes of at least 1", got, "");
        }
    }
    let unlisted = order.iter().find(|symbol| {
        matches!(symbol.0.op, Op::Input) && !inputs.iter().any(|input| input.is(symbol))
    });
    let Some(unlisted) = unlisted else { return Ok(()) };
    let name = unlisted.0.given.clone().unwrap_or_default();
    let fed = order.iter().find(|symbol| symbol.0.inputs.iter().any(|input| input.is(unlisted)));
    let fed = match fed {
        Some(fed) => format!(", which feeds {}", fed.0.op.repr()),
        None => String::new(),
    };
    Err(Error::invalid(
        op,
        "outputs that depend on its inputs alone",
        format!("the input {name:?} of another network{fed}"),
        "List that input among the inputs, or feed the layer from one that is listed.",
    ))
}
