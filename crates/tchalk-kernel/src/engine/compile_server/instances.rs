/// Instances of generic code that the compiler would otherwise generate in each cell, for types that are
/// common in notebooks: how variables are stored, shown and dropped. Cells are not optimized, and
/// neither is this code, so they use the instances.
pub mod instances {
    use super::{Failure, cell::VariableStore};
    use std::any::Any;
    use std::fmt::{Debug, Display};
    use tchalk::display::last_value::*;
    use tchalk::prelude::*;

    fn keep<T: 'static>(store: &mut VariableStore) {
        if store.check_variable::<T>("") {
            let value = store.take_variable::<T>("");
            store.put_variable::<T>("", value);
        }
    }

    fn keep_and_show<T: Show + 'static>(store: &mut VariableStore) {
        keep::<T>(store);
        let value = store.take_variable::<T>("");
        let value = LastValue(&value);
        if !(&&&value).fails_cell() {
            (&&&&&value).show_last_value();
        }
    }

    fn keep_and_print<T: Debug + 'static>(store: &mut VariableStore) {
        keep::<T>(store);
        let value = store.take_variable::<T>("");
        let value = LastValue(&value);
        if !(&&&value).fails_cell() {
            (&&&&&value).show_last_value();
        }
    }

    fn fail<T: Display + 'static>(store: &mut VariableStore) -> Failure {
        Failure::from(store.take_variable::<T>(""))
    }

    macro_rules! each {
        ($name:ident with $what:ident: $($kind:ty),* $(,)?) => {
            pub fn $name(store: &mut VariableStore) {
                $(let _ = $what::<$kind>(store);)*
            }
        };
    }

    each!(kept with keep: Dataset, Device, Fit, Initializer, Input, Kind, Pca, Sequential, Split, Summary,
        Symbol, TensorSet, Tsne, Vec<Model>, Vec<Image>, Vec<Predictions>, Vec<Symbol>, Vec<Tensor>);
    each!(shown with keep_and_show: Augmentation, Calibration, Comparison, ConfusionMatrix, CsvTable,
        Diagram, Embedding, Ensemble, Evaluation, Figure, FittedPca, History, Model, Image, ClassificationReport,
        Scatter3d, Scoreboard, Submission, SubmissionCheck, Table);
    each!(printed with keep_and_print: bool, char, f32, f64, i32, i64, u8, u64, usize, &'static str, String,
        Option<f64>, Option<usize>, Vec<f32>, Vec<f64>, Vec<i32>, Vec<i64>, Vec<u8>, Vec<usize>,
        Vec<String>, Vec<Vec<f64>>, (usize, usize), Dataset, Device, Predictions, Tensor, TensorSet);
    each!(failed with fail: tchalk::Error, std::io::Error, std::num::ParseIntError,
        std::num::ParseFloatError);

    pub fn caught(result: Result<(), Box<dyn Any + Send>>) {
        drop(result);
    }
}
