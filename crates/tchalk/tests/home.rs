//! A `~` in a path is the reader's home, and never a folder of that name. Alone in its process, as it
//! sets the process's variables.

use tchalk::prelude::*;

#[test]
fn a_tilde_means_the_home_wherever_a_path_goes() {
    let (home, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::env::set_current_dir(work.path()).unwrap();
    // SAFETY: this is the only test of its process, and no other thread has begun yet.
    unsafe {
        std::env::set_var("HOME", home.path());
        std::env::set_var("TCHALK_DATA_DIR", "~/data");
    }
    let images = home.path().join("data/images/one");
    std::fs::create_dir_all(&images).unwrap();
    image::RgbImage::new(4, 4).save(images.join("a.png")).unwrap();
    std::fs::create_dir_all(home.path().join("data/images/two")).unwrap();
    image::RgbImage::new(4, 4).save(home.path().join("data/images/two/b.png")).unwrap();

    let few = datasets::shapes().unwrap().train.take(20).to_tensors(Device::Cpu);
    let layers = Sequential::new().input_shape([3, 32, 32]).add(Flatten).add(Dense::new(10));
    let model = layers.add(Softmax).build(Device::Cpu).unwrap();
    model.compile(Sgd::new(0.01), Loss::CategoricalCrossEntropy).unwrap();
    let how =
        Fit::new().callback(Checkpoint::new("~/c.safetensors")).callback(CsvLog::new("~/l.csv"));
    let history = model.fit(&few, how).unwrap();
    model.save("~/m.safetensors").unwrap();
    model.save_weights("~/w.safetensors").unwrap();
    history.save("~/h.json").unwrap();
    history.plot().unwrap().save("~/p.svg").unwrap();
    let submission = Submission::from_labels(vec![7]).unwrap().save_in("~/answers").unwrap();
    assert!(submission.starts_with(home.path().join("answers")), "{submission:?}");

    for file in ["c.safetensors", "l.csv", "m.safetensors", "w.safetensors", "h.json", "p.svg"] {
        assert!(home.path().join(file).is_file(), "{file}");
    }
    assert_eq!(std::fs::read_dir(work.path()).unwrap().count(), 0, "nothing is left here");
    Model::load("~/m.safetensors", Device::Cpu).unwrap();
    model.load_weights("~/w.safetensors").unwrap();
    model.fit(&few, Fit::new().epochs(2).resume("~/c.safetensors")).unwrap();
    assert_eq!(History::load("~/h.json").unwrap().len(), 1);
    assert_eq!(CsvTable::read("~/l.csv").unwrap().len(), 1);
    assert_eq!(Submission::latest("~/answers").unwrap().labels(), vec![7]);
    model.predict_file("~/data/images/one/a.png").unwrap();
    // By its own path, and inside the folder that the variable names.
    assert_eq!(datasets::image_folder("~/data/images", [8, 8]).unwrap().len(), 2);
    assert_eq!(datasets::image_folder("images", [8, 8]).unwrap().len(), 2);
}
