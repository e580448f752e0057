//! Which layers are the same one.

use std::any::Any;
use std::sync::{Arc, Mutex, Weak};

/// Who a layer is: made with the layer and kept by its clones, which share their weights wherever
/// they are used.
///
/// It remembers, without keeping them alive, the weights that networks have made for the layer. All
/// identities compare equal, so that two layers are equal when their numbers are.
#[derive(Clone, Default)]
pub struct LayerId(Arc<Mutex<Vec<Weak<dyn Any + Send + Sync>>>>);

impl LayerId {
    /// Somebody new.
    pub fn new() -> LayerId {
        LayerId::default()
    }

    /// What is remembered and still in use.
    pub(crate) fn known(&self) -> Vec<Arc<dyn Any + Send + Sync>> {
        let mut known = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        known.retain(|weak| weak.strong_count() > 0);
        known.iter().filter_map(Weak::upgrade).collect()
    }

    /// Remembers one more.
    pub(crate) fn remember(&self, one: Weak<dyn Any + Send + Sync>) {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(one);
    }

    /// Whether this is the same layer as `other`: a clone of it.
    pub(crate) fn is(&self, other: &LayerId) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl PartialEq for LayerId {
    fn eq(&self, _other: &LayerId) -> bool {
        true
    }
}

impl Eq for LayerId {}

impl std::fmt::Debug for LayerId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LayerId")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{Dense, Layer};

    #[test]
    fn a_clone_is_the_same_layer_and_another_is_only_equal() {
        let layer = Dense::new(3);
        let (same, other) = (layer.clone(), Dense::new(3));
        let id = |layer: &Dense| layer.identity().unwrap();
        assert!(id(&layer).is(&id(&same)) && !id(&layer).is(&id(&other)));
        assert_eq!(layer, other);
    }

    #[test]
    fn what_nobody_uses_is_forgotten() {
        let id = LayerId::new();
        let one: Arc<dyn Any + Send + Sync> = Arc::new(5);
        id.remember(Arc::downgrade(&one));
        assert_eq!(id.known().len(), 1);
        drop(one);
        assert!(id.known().is_empty());
    }
}
