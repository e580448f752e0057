//! A layer with its weights and its frozen flag.

use crate::error::{Error, Result};
use crate::layers::{Layer, Mode, Shape, WeightSpec, shape_text};
use std::any::Any;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock, Weak};
use tch::{Device, Tensor};

/// A layer with its weights. All networks that use the layer hold the same `BuiltLayer`, so they share
/// its weights and its frozen flag.
pub(crate) struct BuiltLayer {
    /// The order in which layers are locked, so that two threads never wait for each other.
    pub(super) lock_order: u64,
    pub(crate) layer: Arc<dyn Layer>,
    /// The layer without its softmax, where it has one that a step of its own runs.
    without_softmax: Option<Arc<dyn Layer>>,
    pub(super) specs: Vec<WeightSpec>,
    /// One tensor for each spec, or none before the first network with this layer is built. The lock is
    /// held only to copy the handles.
    weights: Mutex<Vec<Tensor>>,
    frozen: AtomicBool,
    /// A training step locks the weights exclusively, all other uses share the lock.
    pub(super) access_lock: RwLock<()>,
}

impl std::fmt::Debug for BuiltLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.layer.repr())
    }
}

impl BuiltLayer {
    /// A layer that no other network uses.
    pub(super) fn new(layer: Arc<dyn Layer>, input: &Shape) -> Arc<BuiltLayer> {
        let specs = layer.weights(input);
        BuiltLayer::with(layer, specs, Vec::new(), false)
    }

    fn with(
        layer: Arc<dyn Layer>,
        specs: Vec<WeightSpec>,
        weights: Vec<Tensor>,
        frozen: bool,
    ) -> Arc<BuiltLayer> {
        static ORDER: AtomicU64 = AtomicU64::new(0);
        Arc::new(BuiltLayer {
            lock_order: ORDER.fetch_add(1, Ordering::Relaxed),
            specs,
            without_softmax: layer.without_softmax(),
            layer,
            weights: Mutex::new(weights),
            frozen: AtomicBool::new(frozen),
            access_lock: RwLock::new(()),
        })
    }

    /// The same layer with copies of the weights, on `device`.
    pub(super) fn copy_to(&self, device: Device) -> Arc<BuiltLayer> {
        let copied = |weight: &Tensor| {
            let there = weight.detach().to_device(device);
            // `to_device` copies nothing where the device is the same.
            let own = if device == weight.device() { there.copy() } else { there };
            own.set_requires_grad(weight.requires_grad())
        };
        let weights = self.lock_weights().iter().map(copied).collect();
        BuiltLayer::with(self.layer.clone(), self.specs.clone(), weights, self.is_frozen())
    }

    /// `layer` with its weights: those that a clone of it already has, or new ones. A clone with changed
    /// settings is another layer.
    pub(super) fn for_layer(
        layer: Arc<dyn Layer>,
        input: &Shape,
        from: &str,
    ) -> Result<Arc<BuiltLayer>> {
        let Some(identity) = layer.identity() else {
            return Ok(BuiltLayer::new(layer, input));
        };
        let known =
            identity.known().into_iter().filter_map(|one| one.downcast::<BuiltLayer>().ok());
        match known.into_iter().find(|built| built.is_for(&*layer)) {
            Some(built) => built.reuse(&*layer, input, from),
            None => {
                let built = BuiltLayer::new(layer, input);
                let one: Weak<dyn Any + Send + Sync> = Arc::downgrade(&(built.clone() as Arc<_>));
                identity.remember(one);
                Ok(built)
            }
        }
    }

    /// Whether this was built from a clone of `layer` with the same settings.
    pub(super) fn is_for(&self, layer: &dyn Layer) -> bool {
        self.layer.kind() == layer.kind() && self.layer.config() == layer.config()
    }

    /// This layer for a second use. Its input must fit the existing weights.
    pub(super) fn reuse(
        self: Arc<BuiltLayer>,
        layer: &dyn Layer,
        input: &Shape,
        from: &str,
    ) -> Result<Arc<BuiltLayer>> {
        if self.specs == layer.weights(input) {
            return Ok(self);
        }
        let weights = self.specs.iter().map(|spec| shape_text(&spec.shape)).collect::<Vec<_>>();
        Err(Error::invalid(
            format!("{}, used again", layer.repr()),
            format!("an input for the weights it has, {}", weights.join(" and ")),
            format!("{} from {from:?}", shape_text(input)),
            format!("Create a second layer with {} for it.", layer.repr()),
        ))
    }

    fn lock_weights(&self) -> MutexGuard<'_, Vec<Tensor>> {
        self.weights.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Whether the layer's softmax is a step of its own.
    pub(super) fn has_softmax_step(&self) -> bool {
        self.without_softmax.is_some()
    }

    /// The layer's output for a batch, without a softmax that is a step of its own.
    pub(super) fn forward(&self, x: &Tensor, weights: &[Tensor], mode: Mode) -> Tensor {
        self.without_softmax.as_ref().unwrap_or(&self.layer).forward(x, weights, mode)
    }

    /// The weights, in the order of the specs.
    pub(crate) fn tensors(&self) -> Vec<Tensor> {
        self.lock_weights().iter().map(Tensor::shallow_clone).collect()
    }

    /// Initializes the weights from libtorch's generator, if there are none yet.
    pub(super) fn initialize(&self, device: Device) {
        let mut weights = self.lock_weights();
        if weights.is_empty() {
            let fresh = self.specs.iter().map(|spec| {
                let filled = spec.initializer.fill(&spec.shape).to_device(device);
                filled.set_requires_grad(spec.trainable && !self.is_frozen())
            });
            *weights = fresh.collect();
        }
    }

    /// Replaces the weights by tensors with the shapes of the specs.
    pub(super) fn set_weights(&self, tensors: Vec<Tensor>) {
        let trained = |spec: &WeightSpec| spec.trainable && !self.is_frozen();
        let tensors = self.specs.iter().zip(tensors);
        *self.lock_weights() =
            tensors.map(|(spec, t)| t.set_requires_grad(trained(spec))).collect();
    }

    /// The device of the weights, if there are any.
    pub(super) fn device(&self) -> Option<Device> {
        self.lock_weights().first().map(Tensor::device)
    }

    /// The number of parameters, and of those that training changes.
    pub(super) fn parameter_counts(&self) -> (usize, usize) {
        let size = |spec: &WeightSpec| spec.shape.iter().product::<usize>();
        let trained = self.specs.iter().filter(|spec| spec.trainable && !self.is_frozen());
        (self.specs.iter().map(size).sum(), trained.map(size).sum())
    }

    /// Whether the layer is frozen: training leaves its weights alone, and it runs in inference mode.
    pub(crate) fn is_frozen(&self) -> bool {
        self.frozen.load(Ordering::SeqCst)
    }

    /// Freezes or unfreezes the layer.
    pub(super) fn set_frozen(&self, frozen: bool) {
        let _alone = self.access_lock.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        self.frozen.store(frozen, Ordering::SeqCst);
        let mut weights = self.lock_weights();
        for (spec, tensor) in self.specs.iter().zip(weights.iter_mut()) {
            *tensor = tensor.set_requires_grad(spec.trainable && !frozen);
        }
    }

    /// Whether training does not change the output for the same input.
    pub(super) fn is_constant(&self) -> bool {
        self.is_frozen() || (self.specs.is_empty() && !self.layer.depends_on_mode())
    }
}
