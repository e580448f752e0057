use super::*;
use crate::course::kaggle::testing::{Fake, KEY};
use crate::data::Split;
use crate::train::Predictions;
use ndarray::Array2;
use tch::Device;

/// As the official client answers.
const ARRIVED: &str = "printf '  0%%|   | 0.00/235k\\r100%%|###| 235k/235k [00:01]\\n' >&2\n\
    echo 'Submission ref: 4711'\necho '4 submissions remaining today.'\n\
    printf 'Successfully submitted to Digit Recognizer'";

fn whole() -> Submission {
    Submission::from_labels((0..28_000).map(|i| i % 10).collect()).unwrap()
}

fn submit(fake: &Fake, submission: &Submission, more: &[(&str, &str)]) -> Result<Submitted> {
    submission.submit_with("my first", &fake.surroundings(more), &fake.path("results"))
}

#[test]
fn what_arrived_shows_the_answer_and_the_way_to_the_result() {
    let fake = Fake::new(ARRIVED);
    let submitted = submit(&fake, &whole(), &[]).unwrap();
    assert!(submitted.is_sent() && submitted.path().is_file());
    let asked = fake.asked();
    assert!(asked.starts_with("competitions submit -c digit-recognizer -f "), "{asked}");
    assert!(asked.ends_with("-m my first") && asked.contains("submission-2"), "{asked}");
    let text = format!("{submitted:?}");
    assert!(text.contains("was handed in") && text.contains("4 submissions remaining"), "{text}");
    assert!(text.contains("Successfully submitted") && text.contains("/submissions"), "{text}");
    assert!(submitted.content().as_html().unwrap().contains("Submission ref: 4711"));
    let file = std::fs::read_to_string(submitted.path()).unwrap();
    assert!(file.starts_with("ImageId,Label\n1,0\n") && file.ends_with("\n28000,9\n"));
    // Again: the same rows are the same file.
    assert_eq!(submit(&fake, &whole(), &[]).unwrap().path(), submitted.path());
}

#[test]
fn without_an_account_the_notebook_goes_on() {
    let fake = Fake::new(ARRIVED);
    std::fs::remove_file(fake.path(".kaggle/kaggle.json")).unwrap();
    let told = submit(&fake, &whole(), &[]).unwrap();
    assert!(!told.is_sent() && told.path().is_file());
    let text = format!("{told:?}");
    for words in ["Nothing was sent: there are no credentials", "settings/api", "By hand: https"] {
        assert!(text.contains(words), "{text}");
    }
    assert!(text.contains(&told.path().display().to_string()), "{text}");
    let fake = Fake::new(ARRIVED);
    for (more, words) in [
        (("TCHALK_OFFLINE", "1"), "forbids the network"),
        (("TCHALK_BUDGET", "ci"), "the budget ci"),
        (("PATH", "/nowhere"), "kaggle competitions submit -c digit-recognizer -f"),
    ] {
        let told = submit(&fake, &whole(), &[more]).unwrap();
        assert!(!told.is_sent() && format!("{told:?}").contains(words), "{told:?}");
    }
    assert!(fake.asked().is_empty(), "nobody was asked");
}

#[test]
fn faults_are_refused_before_anybody_is_asked() {
    let fake = Fake::new(ARRIVED);
    let short = Submission::from_labels((0..27_999).map(|i| i % 10).collect()).unwrap();
    let error = submit(&fake, &short, &[]).unwrap_err().to_string();
    assert!(error.contains("rows: 27,999 where 28,000 are wanted"), "{error}");
    assert!(error.contains("Nothing was sent"), "{error}");
    let same = Submission::from_labels(vec![0; 28_000]).unwrap();
    assert!(
        submit(&fake, &same, &[]).unwrap_err().to_string().contains("sample submission itself")
    );
    let error = whole().submit_with("  ", &fake.surroundings(&[]), &fake.path("results"));
    assert!(error.unwrap_err().to_string().contains("expected a message"));
    assert!(fake.asked().is_empty() && !fake.path("results").exists());
}

#[test]
fn answers_that_a_check_found_mixed_up_stay_here() {
    let fake = Fake::new(ARRIVED);
    let submission = whole();
    submission.remember_mixed(Some("the images were mixed".into()));
    let error = submit(&fake, &submission.clone(), &[]).unwrap_err().to_string();
    assert!(error.contains("the images were mixed") && fake.asked().is_empty(), "{error}");
    submission.remember_mixed(None);
    assert!(submit(&fake, &submission, &[]).unwrap().is_sent());
}

#[test]
fn what_a_budget_left_of_a_network_stays_here() {
    let fake = Fake::new(ARRIVED);
    let x = tch::Tensor::zeros([28_000, 1, 1, 1], (tch::Kind::Float, Device::Cpu));
    let set = crate::data::TensorSet::new(&x, &x.view(-1).to_kind(tch::Kind::Int64), &["a"; 10]);
    let mut rows = Array2::from_elem((28_000, 10), 0.0);
    rows.column_mut(3).fill(1.0);
    let answers = Predictions::from_probabilities(rows, &set.unwrap()).unwrap();
    let mut seen = crate::train::TrainingFacts::default();
    seen.shortened_by = Some(Budget::Class);
    let answers = Submission::new(&answers.with_training_facts(vec![seen])).unwrap();
    let told = submit(&fake, &answers, &[]).unwrap();
    assert!(!told.is_sent() && format!("{told:?}").contains("budget class left only"), "{told:?}");
    assert!(fake.asked().is_empty());
}

#[test]
fn answers_for_other_digits_stay_here() {
    let fake = Fake::new(ARRIVED);
    let strokes = crate::datasets::strokes().unwrap().test.take(30);
    let name = "digit-recognizer test, made from strokes";
    let split = Split::new(name, strokes.images(), vec![], strokes.classes()).unwrap();
    let rows = Array2::from_elem((30, 10), 0.1);
    let predictions =
        Predictions::from_probabilities(rows, &split.to_tensors(Device::Cpu)).unwrap();
    let told = submit(&fake, &Submission::new(&predictions).unwrap(), &[]).unwrap();
    let text = format!("{told:?}");
    assert!(
        !told.is_sent() && text.contains("30 answers for digit-recognizer test, made"),
        "{text}"
    );
    // Read again from its file it does not know its images, but so many are strokes.
    let strokes = Submission::from_labels(vec![3; 2_800]).unwrap();
    let told = submit(&fake, &strokes, &[]).unwrap();
    assert!(!told.is_sent() && format!("{told:?}").contains("stand in for Kaggle's"), "{told:?}");
    assert!(fake.asked().is_empty());
}

#[test]
fn refusals_are_explained_and_hold_no_secrets() {
    let told = |body: &str| {
        let fake = Fake::new(body);
        submit(&fake, &whole(), &[]).unwrap_err().to_string()
    };
    let text = told("echo '403 - You must accept the competition rules'; exit 1");
    assert!(text.contains("digit-recognizer/rules"), "{text}");
    let text =
        told("cat \"$HOME/.kaggle/kaggle.json\"; echo '401 Client Error: Unauthorized'; exit 1");
    assert!(text.contains("(401)") && !text.contains(KEY), "{text}");
    let text = told("echo 'Could not submit to competition'");
    assert!(text.contains("did not arrive"), "an old client ends as if all were well: {text}");
    let text =
        told("echo '400 Client Error: Bad Request. You have reached your daily limit' >&2; exit 1");
    assert!(text.contains("used up"), "{text}");
}
