use super::*;
use crate::course::kaggle::testing::{FakeClient, KEY};
use crate::data::Split;
use crate::train::Predictions;
use ndarray::Array2;
use tch::Device;

/// As the official client answers.
const ARRIVED: &str = "printf '  0%%|   | 0.00/235k\\r100%%|###| 235k/235k [00:01]\\n' >&2\n\
    echo 'Submission ref: 4711'\necho '4 submissions remaining today.'\n\
    printf 'Successfully submitted to Digit Recognizer'";

fn answers() -> Submission {
    Submission::from_labels((0..28_000).map(|i| i % 10).collect()).unwrap()
}

fn submit(fake: &FakeClient, submission: &Submission, more: &[(&str, &str)]) -> Result<Submitted> {
    submission.submit_with("my first", &fake.environment(more), &fake.path("results"))
}

#[test]
fn a_sent_submission_shows_the_answer_and_the_page_of_the_result() {
    let fake = FakeClient::new(ARRIVED);
    let submitted = submit(&fake, &answers(), &[]).unwrap();
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
    assert_eq!(submit(&fake, &answers(), &[]).unwrap().path(), submitted.path());
}

#[test]
fn without_an_account_the_notebook_goes_on() {
    let fake = FakeClient::new(ARRIVED);
    std::fs::remove_file(fake.path(".kaggle/kaggle.json")).unwrap();
    let submitted = submit(&fake, &answers(), &[]).unwrap();
    assert!(!submitted.is_sent() && submitted.path().is_file());
    let text = format!("{submitted:?}");
    for words in ["Nothing was sent: there are no credentials", "settings/api", "By hand: https"] {
        assert!(text.contains(words), "{text}");
    }
    assert!(text.contains(&submitted.path().display().to_string()), "{text}");
    let fake = FakeClient::new(ARRIVED);
    for (more, why, hint) in [
        (("TCHALK_OFFLINE", "1"), Unusable::Offline, "By hand"),
        (("TCHALK_BUDGET", "ci"), Unusable::BudgetCi, "By hand"),
        (("PATH", "/nowhere"), Unusable::NotInstalled, "submit -c digit-recognizer -f"),
    ] {
        let submitted = submit(&fake, &answers(), &[more]).unwrap();
        assert_eq!(submitted.outcome, Outcome::ClientUnusable(why));
        assert!(format!("{submitted:?}").contains(hint), "{submitted:?}");
    }
    assert!(fake.asked().is_empty(), "nobody was asked");
}

#[test]
fn problems_are_refused_before_the_client_is_asked() {
    let fake = FakeClient::new(ARRIVED);
    let short = Submission::from_labels((0..27_999).map(|i| i % 10).collect()).unwrap();
    let error = submit(&fake, &short, &[]).unwrap_err().to_string();
    assert!(error.contains("rows: expected 28,000, one for each image, got 27,999"), "{error}");
    assert!(error.contains("Nothing was sent"), "{error}");
    let same = Submission::from_labels(vec![0; 28_000]).unwrap();
    assert!(
        submit(&fake, &same, &[]).unwrap_err().to_string().contains("sample submission itself")
    );
    let error = answers().submit_with("  ", &fake.environment(&[]), &fake.path("results"));
    assert!(error.unwrap_err().to_string().contains("expected a message"));
    assert!(fake.asked().is_empty() && !fake.path("results").exists());
}

#[test]
fn answers_that_a_check_found_mixed_are_not_sent() {
    let fake = FakeClient::new(ARRIVED);
    let submission = answers();
    submission.set_mixed(Some("the images were mixed".into()));
    let error = submit(&fake, &submission.clone(), &[]).unwrap_err().to_string();
    assert!(error.contains("the images were mixed") && fake.asked().is_empty(), "{error}");
    submission.set_mixed(None);
    assert!(submit(&fake, &submission, &[]).unwrap().is_sent());
}

#[test]
fn answers_of_a_hardly_trained_network_are_not_sent() {
    let fake = FakeClient::new(ARRIVED);
    let x = tch::Tensor::zeros([28_000, 1, 1, 1], (tch::Kind::Float, Device::Cpu));
    let set = crate::data::TensorSet::new(&x, &x.view(-1).to_kind(tch::Kind::Int64), &["a"; 10]);
    let mut rows = Array2::from_elem((28_000, 10), 0.0);
    rows.column_mut(3).fill(1.0);
    let answers = Predictions::from_probabilities(rows, &set.unwrap()).unwrap();
    let mut seen = crate::train::TrainingFacts::default();
    seen.shortened_by = Some(Budget::Class);
    let answers = Submission::new(&answers.with_training_facts(vec![seen])).unwrap();
    let submitted = submit(&fake, &answers, &[]).unwrap();
    assert_eq!(submitted.outcome, Outcome::TrainingShortened);
    assert!(fake.asked().is_empty());
}

#[test]
fn answers_for_other_digits_are_not_sent() {
    let fake = FakeClient::new(ARRIVED);
    let strokes = crate::datasets::strokes().unwrap().test.take(30);
    let name = "digit-recognizer test, made from strokes";
    let split = Split::new(name, strokes.images(), vec![], strokes.class_names()).unwrap();
    let rows = Array2::from_elem((30, 10), 0.1);
    let predictions =
        Predictions::from_probabilities(rows, &split.to_tensors(Device::Cpu)).unwrap();
    let submitted = submit(&fake, &Submission::new(&predictions).unwrap(), &[]).unwrap();
    assert_eq!(submitted.outcome, Outcome::NotKagglesImages);
    // Read from its file it does not know its images; by their number they are strokes.
    let strokes = Submission::from_labels(vec![3; 2_800]).unwrap();
    let submitted = submit(&fake, &strokes, &[]).unwrap();
    assert_eq!(submitted.outcome, Outcome::NotKagglesImages);
    assert!(fake.asked().is_empty());
}

#[test]
fn refusals_are_explained_and_hold_no_secrets() {
    let refusal = |body: &str| {
        let fake = FakeClient::new(body);
        submit(&fake, &answers(), &[]).unwrap_err().to_string()
    };
    let text = refusal("echo '403 - You must accept the competition rules'; exit 1");
    assert!(text.contains("digit-recognizer/rules"), "{text}");
    let text =
        refusal("cat \"$HOME/.kaggle/kaggle.json\"; echo '401 Client Error: Unauthorized'; exit 1");
    assert!(text.contains("(401)") && !text.contains(KEY), "{text}");
    // An old client ends as if all were well.
    assert!(!refusal("echo 'Could not submit to competition'").is_empty());
}
