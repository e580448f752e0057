//! The identity of a layer.

use std::any::Any;
use std::sync::{Arc, Mutex, Weak};

/// The identity of a layer. Its clones keep it, and so they share their weights in all networks.
///
/// It holds weak references to the layers with weights that networks have built. All identities compare
/// equal, so that layers with the same settings are equal.
#[derive(Clone, Default)]
pub struct LayerId(Arc<Mutex<Vec<Weak<dyn Any + Send + Sync>>>>);

impl LayerId {
    /// A new identity.
    pub fn new() -> LayerId {
        LayerId::default()
    }

    /// The built layers that are still in use.
    pub(crate) fn known(&self) -> Vec<Arc<dyn Any + Send + Sync>> {
        let mut known = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        known.retain(|weak| weak.strong_count() > 0);
        known.iter().filter_map(Weak::upgrade).collect()
    }

    /// Adds a built layer.
    pub(crate) fn remember(&self, one: Weak<dyn Any + Send + Sync>) {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(one);
    }

    /// Whether this is the identity of the same layer or of a clone of it.
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
    fn a_clone_is_the_same_layer() {
        let layer = Dense::new(3);
        let (same, other) = (layer.clone(), Dense::new(3));
        let id = |layer: &Dense| layer.identity().unwrap();
        assert!(id(&layer).is(&id(&same)) && !id(&layer).is(&id(&other)));
        assert_eq!(layer, other);
    }

    #[test]
    fn unused_layers_are_dropped() {
        let id = LayerId::new();
        let one: Arc<dyn Any + Send + Sync> = Arc::new(5);
        id.remember(Arc::downgrade(&one));
        assert_eq!(id.known().len(), 1);
        drop(one);
        assert!(id.known().is_empty());
    }
}
