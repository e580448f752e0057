//! What the public calls do without a network: nothing here may try it.

use tchalk::prelude::*;

#[test]
fn offline_the_samples_stand_in_at_once_and_say_so() {
    let home = tempfile::tempdir().unwrap();
    // SAFETY: this is the only test in the program, so no other thread reads the variables.
    unsafe {
        std::env::remove_var("TCHALK_DATA_DIR");
        std::env::set_var("TCHALK_OFFLINE", "1");
        std::env::set_var("TCHALK_HOME", home.path());
    }
    for (dataset, stands_for) in [
        (datasets::cifar10().unwrap(), "CIFAR-10"),
        (datasets::mnist().unwrap(), "MNIST"),
        (kaggle::digit_recognizer().unwrap(), "MNIST"),
    ] {
        let source = dataset.source();
        assert!(source.contains(&format!("stand in for {stands_for}, because")), "{source}");
        assert!(source.contains("TCHALK_OFFLINE forbids the network"), "{source}");
        assert!(dataset.describe().content().plain().contains("stand in for"));
    }
    let base = applications::vgg16().without_top().input_shape([3, 32, 32]);
    let error = base.clone().build(Device::Cpu).unwrap_err().to_string();
    assert!(error.contains("TCHALK_OFFLINE") && error.contains("or_built_in()"), "{error}");
    let base = base.or_built_in().build(Device::Cpu).unwrap();
    assert!(base.source().contains("not VGG16, because"), "{}", base.source());
    assert!(base.source().contains("TCHALK_OFFLINE is set"), "{}", base.source());
    let error = datasets::fashion_mnist().unwrap_err().to_string();
    assert!(error.contains("TCHALK_OFFLINE") && error.contains("fashion-mnist/"), "{error}");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "nothing was written");
}
