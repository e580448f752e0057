use super::*;
use crate::course::kaggle::client::Unusable;
use crate::course::kaggle::testing::{FakeClient, KEY, csv, zip};
use std::time::Duration;

const SAMPLE: &str = "ImageId,Label\r\n1,0\r\n2,0\r\n";

/// A client that fetches this archive.
fn fetching(files: &[(&str, &str)]) -> FakeClient {
    let fake = FakeClient::new("cp \"$HOME/archive.zip\" \"$FOLDER/digit-recognizer.Service\"");
    zip(&fake.path("archive.zip"), files);
    fake
}

fn fetch(fake: &FakeClient) -> Result<()> {
    download_rows(&fake.path("cache"), &fake.client(), 3, 2)
}

fn names(folder: &Path) -> Vec<String> {
    let names = entries(folder).map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
    let mut names: Vec<String> = names.filter(|name| !name.ends_with(".lock")).collect();
    names.sort();
    names
}

/// The error where the client does this.
fn error_of(body: &str) -> String {
    let fake = FakeClient::new(body);
    let error = fetch(&fake).unwrap_err().to_string();
    assert!(names(&fake.path("cache")).is_empty(), "nothing is kept");
    error
}

#[test]
fn an_archive_is_unpacked_checked_and_kept() {
    let (train, test) = (csv(true, 3), csv(false, 2));
    let files = [("sample_submission.csv", SAMPLE), ("test.csv", &test), ("train.csv", &train)];
    let fake = fetching(&files);
    fetch(&fake).unwrap();
    assert!(fake.asked().starts_with("competitions download -c digit-recognizer -p "));
    let cache = fake.path("cache");
    for (name, text) in files {
        assert_eq!(std::fs::read_to_string(cache.join(name)).unwrap(), text);
    }
    assert!(names(&cache).iter().all(|name| name.contains(".csv")), "{:?}", names(&cache));
    assert!(are_kept(&cache).unwrap());
    // Single files come as they are, or packed each for itself, and the sample may be missing.
    let fake = FakeClient::new(
        "cp \"$HOME/test.csv\" \"$FOLDER\"; cp \"$HOME/t.zip\" \"$FOLDER/train.csv.zip\"",
    );
    fake.put("test.csv", &test, 0o600);
    zip(&fake.path("t.zip"), &[("train.csv", &train)]);
    fetch(&fake).unwrap();
    assert!(are_kept(&fake.path("cache")).unwrap());
}

#[test]
fn damaged_files_are_not_kept() {
    let (train, test) = (csv(true, 3), csv(false, 2));
    let error = |files: &[(&str, &str)]| {
        let fake = fetching(files);
        let text = fetch(&fake).unwrap_err().to_string();
        assert!(names(&fake.path("cache")).is_empty(), "{text}");
        text
    };
    let short = csv(true, 2);
    assert!(
        error(&[("test.csv", &test), ("train.csv", &short)]).contains("expected 3 rows, got 2")
    );
    assert!(error(&[("test.csv", &train), ("train.csv", &train)]).contains("a column of labels"));
    assert!(error(&[("test.csv", &test), ("train.csv", &test)]).contains("no column of labels"));
    assert!(error(&[("test.csv", &test)]).contains("fetched holds no train.csv"));
    assert!(error(&[("test.csv", "<html>"), ("train.csv", &train)]).contains("test.csv: expected"));
    // An archive that was cut off, and one with a changed byte.
    let fake = fetching(&[("test.csv", &test), ("train.csv", &train)]);
    let script = "#!/bin/sh\nhead -c 300 \"$HOME/archive.zip\" > \"$6/digit-recognizer.zip\"\n";
    fake.put("bin/kaggle", script, 0o755);
    assert!(fetch(&fake).unwrap_err().to_string().contains("the zip archive is damaged"));
    assert!(names(&fake.path("cache")).is_empty());
    let fake = fetching(&[("test.csv", &test), ("train.csv", &train)]);
    let mut bytes = std::fs::read(fake.path("archive.zip")).unwrap();
    bytes[60] ^= 0x55;
    std::fs::write(fake.path("archive.zip"), bytes).unwrap();
    assert!(fetch(&fake).unwrap_err().to_string().contains("damaged"), "a changed byte");
}

#[test]
fn each_refusal_says_what_to_do() {
    let text = error_of("echo 'Authentication required to call the Kaggle API.'; exit 1");
    assert!(text.contains("401"), "{text}");
    assert!(text.contains("https://www.kaggle.com/settings/api"), "{text}");
    let text = error_of(
        "echo '403 Client Error: Forbidden for url: https://api.kaggle.com/v1/x' >&2; exit 1",
    );
    assert!(text.contains("competitions/digit-recognizer/rules"), "{text}");
    assert!(text.contains("\n  403 Client Error: Forbidden"), "the client's own words: {text}");
    // Older clients end as if all were well.
    let text = error_of("echo '403 - Forbidden'");
    assert!(text.contains("competitions/digit-recognizer/rules"), "{text}");
    let text = error_of("echo 'Segmentation fault' >&2; exit 3");
    assert!(text.contains("exit status: 3") && text.contains("  Segm"), "{text}");
    assert!(!error_of("true").is_empty(), "a client that does nothing is an error");
}

#[test]
fn secrets_of_the_client_are_hidden() {
    let text = error_of(
        "cat \"$HOME/.kaggle/kaggle.json\"; echo 'Authorization: Bearer KGAT_x' >&2; \
         printf 'ada:s3cr3t-k3y-of-a-reader' | base64; exit 1",
    );
    assert!(!text.contains(KEY) && !text.contains("KGAT_"), "{text}");
    assert!(!text.contains("YWRhOnMz"), "neither in the form in which it travels: {text}");
    assert!(text.contains("[hidden]"), "{text}");
}

#[test]
fn a_client_that_hangs_is_killed_with_what_it_started() {
    let fake = FakeClient::new("sleep 600 & echo $! > \"$HOME/child\"; wait");
    let mut client = fake.client();
    client.timeout = Duration::from_millis(400);
    let error = download_rows(&fake.path("cache"), &client, 3, 2).unwrap_err().to_string();
    assert!(error.contains("was silent for") && error.contains("was ended"), "{error}");
    let child = std::fs::read_to_string(fake.path("child")).unwrap();
    let child: libc::pid_t = child.trim().parse().unwrap();
    // It is a zombie, or gone, soon; never asleep for ten minutes.
    let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
    assert!(!cfg!(target_os = "linux") || !stat.contains(") S "), "{stat}");
}

#[test]
fn a_missing_program_is_named() {
    let fake = FakeClient::new("");
    let environment = fake.environment(&[("TCHALK_KAGGLE", "/no/such/kaggle")]);
    let client = Client::usable(&environment).ok().unwrap();
    let error = download_rows(&fake.path("cache"), &client, 3, 2).unwrap_err().to_string();
    assert!(error.contains("/no/such/kaggle") && error.contains("pip install kaggle"), "{error}");
}

#[test]
fn each_reason_not_to_use_the_client_has_its_hint() {
    let fake = FakeClient::new("");
    let why = |more: &[(&str, &str)]| Client::usable(&fake.environment(more)).err().unwrap();
    assert_eq!(why(&[("TCHALK_OFFLINE", "1")]), Unusable::Offline);
    assert_eq!(why(&[("TCHALK_BUDGET", "ci")]), Unusable::BudgetCi);
    assert_eq!(why(&[("PATH", "/nowhere")]), Unusable::NotInstalled);
    std::fs::remove_file(fake.path(".kaggle/kaggle.json")).unwrap();
    assert_eq!(why(&[]), Unusable::NoCredentials);
    assert!(fake.asked().is_empty());
    for (why, hint) in [
        (Unusable::Offline, "TCHALK_DATA_DIR"),
        (Unusable::BudgetCi, "TCHALK_DATA_DIR"),
        (Unusable::NotInstalled, "TCHALK_KAGGLE"),
        (Unusable::NoCredentials, "chmod 600"),
    ] {
        let text = unusable("digit-recognizer", why).to_string();
        assert!(text.contains(&why.to_string()) && text.contains(hint), "{text}");
    }
}
