//! Creates layers from saved settings.

use super::*;
use crate::error::{Error, Result};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;

/// The layer of this kind with these settings, as [`Settings::config`] returns them. The settings are
/// checked when the network is built.
///
/// # Errors
///
/// If the kind is unknown, or a setting is missing, unknown or of the wrong type.
///
/// ```
/// use tchalk::layers::{Dense, Layer, Settings, registry};
/// let dense = registry::from_config("dense", &Dense::new(10).config())?;
/// assert_eq!(dense.repr(), "Dense::new(10)");
/// # Ok::<(), tchalk::Error>(())
/// ```
pub fn from_config(kind: &str, config: &Value) -> Result<Arc<dyn Layer>> {
    match kind {
        "adaptive_average_pool2d" => layer::<AdaptiveAveragePool2d>(kind, config),
        "average_pool2d" => layer::<AveragePool2d>(kind, config),
        "batch_norm2d" => layer::<BatchNorm2d>(kind, config),
        "conv2d" => layer::<Conv2d>(kind, config),
        "dense" => layer::<Dense>(kind, config),
        "depthwise_conv2d" => layer::<DepthwiseConv2d>(kind, config),
        "dropout" => layer::<Dropout>(kind, config),
        "elu" => layer::<Elu>(kind, config),
        "flatten" => layer::<Flatten>(kind, config),
        "gelu" => layer::<Gelu>(kind, config),
        "global_average_pool2d" => layer::<GlobalAveragePool2d>(kind, config),
        "global_max_pool2d" => layer::<GlobalMaxPool2d>(kind, config),
        "leaky_relu" => layer::<LeakyRelu>(kind, config),
        "max_pool2d" => layer::<MaxPool2d>(kind, config),
        "normalize" => layer::<Normalize>(kind, config),
        "pad_channels" => layer::<PadChannels>(kind, config),
        "relu" => layer::<Relu>(kind, config),
        "relu6" => layer::<Relu6>(kind, config),
        "rescale" => layer::<Rescale>(kind, config),
        "reshape" => layer::<Reshape>(kind, config),
        "resize" => layer::<Resize>(kind, config),
        "sigmoid" => layer::<Sigmoid>(kind, config),
        "silu" => layer::<Silu>(kind, config),
        "softmax" => layer::<Softmax>(kind, config),
        "tanh" => layer::<Tanh>(kind, config),
        "zero_pad2d" => layer::<ZeroPad2d>(kind, config),
        _ => Err(unknown("a layer", kind)),
    }
}

/// The merge of this kind with these settings, as [`Settings::config`] returns them.
///
/// # Errors
///
/// The same as those of [`from_config`].
pub fn merge_from_config(kind: &str, config: &Value) -> Result<Arc<dyn Merge>> {
    match kind {
        "add" => merge::<Add>(kind, config),
        "average" => merge::<Average>(kind, config),
        "concatenate" => merge::<Concatenate>(kind, config),
        _ => Err(unknown("a merge", kind)),
    }
}

fn layer<L: Layer + DeserializeOwned + 'static>(
    kind: &str,
    config: &Value,
) -> Result<Arc<dyn Layer>> {
    Ok(Arc::new(read::<L>(kind, config)?))
}

fn merge<M: Merge + DeserializeOwned + 'static>(
    kind: &str,
    config: &Value,
) -> Result<Arc<dyn Merge>> {
    Ok(Arc::new(read::<M>(kind, config)?))
}

fn read<T: DeserializeOwned>(kind: &str, config: &Value) -> Result<T> {
    serde_json::from_value(config.clone()).map_err(|error| {
        let expected = "settings that this version of the library knows";
        let hint = "The file was damaged, or saved by another version.";
        Error::invalid(format!("a saved layer of kind {kind:?}"), expected, error.to_string(), hint)
    })
}

fn unknown(what: &str, kind: &str) -> Error {
    let hint = "The file was damaged, or saved by a newer version or with a custom layer.";
    let kind: String = kind.chars().take(80).collect();
    let expected = format!("{what} that this version of the library knows");
    Error::invalid("a saved network", expected, format!("the kind {kind:?}"), hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// One of each kind, with other settings than the defaults.
    fn all() -> Vec<Box<dyn Layer>> {
        let conv = Conv2d::new(8, 3).stride(2).padding(Padding::Explicit(1)).dilation(2).groups(4);
        let depthwise = DepthwiseConv2d::new(5).depth_multiplier(2).stride(3).dilation(2);
        vec![
            Box::new(AdaptiveAveragePool2d::new(7, 5)),
            Box::new(AveragePool2d::new(3).stride(1).padding(Padding::Same)),
            Box::new(BatchNorm2d::new().momentum(0.9).epsilon(1e-5)),
            Box::new(conv.use_bias(false).activation(Gelu::new().approximate(true))),
            Box::new(Dense::new(10).use_bias(false).activation(Softmax)),
            Box::new(Dense::new(4).kernel_initializer(Initializer::Constant(0.1))),
            Box::new(
                depthwise
                    .padding(Padding::Same)
                    .use_bias(false)
                    .activation(LeakyRelu::new().negative_slope(0.01))
                    .kernel_initializer(Initializer::HeNormal),
            ),
            Box::new(Dropout::new(0.5)),
            Box::new(Elu::new().alpha(0.5)),
            Box::new(Flatten),
            Box::new(Gelu::new().approximate(true)),
            Box::new(GlobalAveragePool2d),
            Box::new(GlobalMaxPool2d),
            Box::new(LeakyRelu::new().negative_slope(0.01)),
            Box::new(MaxPool2d::new(3).stride(2).padding(Padding::Explicit(1)).ceil()),
            Box::new(Normalize::new([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])),
            Box::new(PadChannels::new(8, 7)),
            Box::new(Relu),
            Box::new(Relu6),
            Box::new(Rescale::new(1.0 / 255.0).offset(-0.5)),
            Box::new(Reshape::new([1, 28, 28])),
            Box::new(Resize::new(224, 192).antialias(true)),
            Box::new(Sigmoid),
            Box::new(Silu),
            Box::new(Softmax),
            Box::new(Tanh),
            Box::new(ZeroPad2d::sides(1, 2, 3, 4)),
        ]
    }

    #[test]
    fn every_layer_is_restored_from_its_settings() {
        for layer in all() {
            let text = layer.config().to_string();
            let config = serde_json::from_str(&text).unwrap();
            let back = from_config(layer.kind(), &config).unwrap();
            assert_eq!(format!("{back:?}"), format!("{layer:?}"));
            assert_eq!(back.config(), layer.config());
        }
        let mut kinds: Vec<_> = all().iter().map(|layer| layer.kind()).collect();
        kinds.dedup();
        assert_eq!(kinds.len(), 26, "one of each kind");
    }

    #[test]
    fn every_merge_is_restored_from_its_settings() {
        for join in [&Add as &dyn Merge, &Average, &Concatenate] {
            let back = merge_from_config(join.kind(), &join.config()).unwrap();
            assert_eq!(format!("{back:?}"), format!("{join:?}"));
        }
    }

    #[test]
    fn unknown_kinds_and_settings_are_refused() {
        let error = |kind: &str, config| from_config(kind, &config).unwrap_err().to_string();
        assert!(error("lstm", json!({})).contains("got the kind \"lstm\""));
        assert!(merge_from_config("dense", &json!({})).is_err());
        let message = error("dense", json!({"units": -3}));
        assert!(
            message.starts_with("a saved layer of kind \"dense\": expected settings"),
            "{message}"
        );
        let mut config = Dense::new(3).config();
        config["shape"] = json!(7);
        assert!(error("dense", config).contains("unknown field `shape`"));
        let mut config = Dense::new(3).config();
        config["activation"] = json!("swoosh");
        assert!(error("dense", config).contains("unknown variant `swoosh`"));
        assert!(error("conv2d", json!(null)).contains("expected"));
    }
}
