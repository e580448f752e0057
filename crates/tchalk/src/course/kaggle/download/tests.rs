use super::*;
use crate::course::kaggle::testing::{Fake, KEY, csv, zip};
use std::time::Duration;

const SAMPLE: &str = "ImageId,Label\r\n1,0\r\n2,0\r\n";

/// A client that brings this archive.
fn bringing(files: &[(&str, &str)]) -> Fake {
    let fake = Fake::new("cp \"$HOME/archive.zip\" \"$FOLDER/digit-recognizer.Service\"");
    zip(&fake.path("archive.zip"), files);
    fake
}

fn fetch(fake: &Fake) -> Result<()> {
    download_rows(&fake.path("cache"), &fake.client(), 3, 2)
}

fn names(folder: &Path) -> Vec<String> {
    let names = entries(folder).map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
    let mut names: Vec<String> = names.filter(|name| !name.ends_with(".lock")).collect();
    names.sort();
    names
}

/// What is said where the client answers with `body`.
fn refused(body: &str) -> String {
    let fake = Fake::new(body);
    let error = fetch(&fake).unwrap_err().to_string();
    assert!(names(&fake.path("cache")).is_empty(), "nothing is kept");
    error
}

#[test]
fn an_archive_is_unpacked_checked_and_kept() {
    let (train, test) = (csv(true, 3), csv(false, 2));
    let files = [("sample_submission.csv", SAMPLE), ("test.csv", &test), ("train.csv", &train)];
    let fake = bringing(&files);
    fetch(&fake).unwrap();
    assert!(fake.asked().starts_with("competitions download -c digit-recognizer -p "));
    let cache = fake.path("cache");
    for (name, text) in files {
        assert_eq!(std::fs::read_to_string(cache.join(name)).unwrap(), text);
    }
    assert!(names(&cache).iter().all(|name| name.contains(".csv")), "{:?}", names(&cache));
    assert!(are_kept(&cache).unwrap());
    // Single files come as they are, or packed each for itself, and the sample may be missing.
    let fake = Fake::new(
        "cp \"$HOME/test.csv\" \"$FOLDER\"; cp \"$HOME/t.zip\" \"$FOLDER/train.csv.zip\"",
    );
    fake.put("test.csv", &test, 0o600);
    zip(&fake.path("t.zip"), &[("train.csv", &train)]);
    fetch(&fake).unwrap();
    assert!(are_kept(&fake.path("cache")).unwrap());
}

#[test]
fn what_is_not_whole_is_not_kept() {
    let (train, test) = (csv(true, 3), csv(false, 2));
    let told = |files: &[(&str, &str)]| {
        let fake = bringing(files);
        let error = fetch(&fake).unwrap_err().to_string();
        assert!(names(&fake.path("cache")).is_empty(), "{error}");
        error
    };
    let short = csv(true, 2);
    assert!(told(&[("test.csv", &test), ("train.csv", &short)]).contains("expected 3 rows, got 2"));
    assert!(told(&[("test.csv", &train), ("train.csv", &train)]).contains("a column of labels"));
    assert!(told(&[("test.csv", &test), ("train.csv", &test)]).contains("no column of labels"));
    assert!(told(&[("test.csv", &test)]).contains("brought holds no train.csv"));
    assert!(told(&[("test.csv", "<html>"), ("train.csv", &train)]).contains("test.csv: expected"));
    // An archive that was cut off, and one with a changed byte.
    let fake = bringing(&[("test.csv", &test), ("train.csv", &train)]);
    let script = "#!/bin/sh\nhead -c 300 \"$HOME/archive.zip\" > \"$6/digit-recognizer.zip\"\n";
    fake.put("bin/kaggle", script, 0o755);
    assert!(fetch(&fake).unwrap_err().to_string().contains("the zip archive is damaged"));
    assert!(names(&fake.path("cache")).is_empty());
    let fake = bringing(&[("test.csv", &test), ("train.csv", &train)]);
    let mut bytes = std::fs::read(fake.path("archive.zip")).unwrap();
    bytes[60] ^= 0x55;
    std::fs::write(fake.path("archive.zip"), bytes).unwrap();
    assert!(fetch(&fake).unwrap_err().to_string().contains("damaged"), "a changed byte");
}

#[test]
fn each_refusal_says_what_to_do() {
    let told = refused("echo 'Authentication required to call the Kaggle API.'; exit 1");
    assert!(told.contains("does not accept the credentials (401)"), "{told}");
    assert!(told.contains("https://www.kaggle.com/settings/api"), "{told}");
    let told = refused(
        "echo '403 Client Error: Forbidden for url: https://api.kaggle.com/v1/x' >&2; exit 1",
    );
    assert!(told.contains("rules are not accepted"), "{told}");
    assert!(told.contains("competitions/digit-recognizer/rules"), "{told}");
    assert!(told.contains("The client's own words:\n  403 Client Error: Forbidden"), "{told}");
    let told = refused("echo \"OSError: Could not find kaggle.json. Make sure\" >&2; exit 1");
    assert!(told.contains("credentials (401)") && told.contains("1.8 or newer"), "{told}");
    // Version 2.2.5 gives the server's own message, and what it makes of it.
    let told = refused(
        "echo \"Permission denied\n\nYou don't have access to this resource.\nIf this is a \
         competition, you may need to accept its rules first at\n  https://www.kaggle.com/x\" >&2; \
         exit 1",
    );
    assert!(told.contains("rules are not accepted"), "{told}");
    let told = refused("echo \"x\nThis is a problem on Kaggle's side, not with you\" >&2; exit 1");
    assert!(told.contains("something is wrong at Kaggle"), "{told}");
    // Older clients end as if all were well.
    let told = refused("echo '403 - Forbidden'");
    assert!(told.contains("rules are not accepted"), "{told}");
    let told = refused(
        "echo \"ConnectionError: HTTPSConnectionPool(host='api.kaggle.com', port=443): Max retries \
         exceeded (NameResolutionError: Failed to resolve 'api.kaggle.com')\" >&2; exit 1",
    );
    assert!(told.contains("cannot be reached") && told.contains("HTTPS_PROXY"), "{told}");
    let told = refused("echo '429 Client Error: Too Many Requests' >&2; exit 1");
    assert!(told.contains("too often (429)"), "{told}");
    let told = refused("echo 'Segmentation fault' >&2; exit 3");
    assert!(told.contains("client failed (exit status: 3)") && told.contains("  Segm"), "{told}");
    assert!(refused("true").contains("did not do it"));
}

#[test]
fn secrets_stay_with_the_client() {
    let told = refused(
        "cat \"$HOME/.kaggle/kaggle.json\"; echo 'Authorization: Bearer KGAT_x' >&2; \
         printf 'ada:s3cr3t-k3y-of-a-reader' | base64; exit 1",
    );
    assert!(!told.contains(KEY) && !told.contains("KGAT_"), "{told}");
    assert!(!told.contains("YWRhOnMz"), "neither in the form in which it travels: {told}");
    assert!(told.contains("[hidden]"), "{told}");
}

#[test]
fn a_client_that_hangs_is_ended_with_what_it_started() {
    let fake = Fake::new("sleep 600 & echo $! > \"$HOME/child\"; wait");
    let mut client = fake.client();
    client.patience = Duration::from_millis(400);
    let error = download_rows(&fake.path("cache"), &client, 3, 2).unwrap_err().to_string();
    assert!(error.contains("was silent for") && error.contains("was ended"), "{error}");
    let child = std::fs::read_to_string(fake.path("child")).unwrap();
    let child: libc::pid_t = child.trim().parse().unwrap();
    // It is a zombie, or gone, soon; never asleep for ten minutes.
    let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
    assert!(!cfg!(target_os = "linux") || !stat.contains(") S "), "{stat}");
}

#[test]
fn a_program_that_is_not_there_is_told() {
    let fake = Fake::new("");
    let surroundings = fake.surroundings(&[("TCHALK_KAGGLE", "/no/such/kaggle")]);
    let client = Client::usable(&surroundings).ok().unwrap();
    let error = download_rows(&fake.path("cache"), &client, 3, 2).unwrap_err().to_string();
    assert!(error.contains("/no/such/kaggle") && error.contains("pip install kaggle"), "{error}");
}

#[test]
fn why_no_client_is_asked_is_told() {
    let fake = Fake::new("");
    let why = |more: &[(&str, &str)]| {
        let surroundings = fake.surroundings(more);
        let why = Client::usable(&surroundings).err().unwrap();
        unusable("digit-recognizer", &why, &surroundings).to_string()
    };
    assert!(why(&[("TCHALK_OFFLINE", "1")]).contains("TCHALK_OFFLINE forbids the network"));
    assert!(why(&[("TCHALK_OFFLINE", "1")]).contains("TCHALK_DATA_DIR"));
    assert!(why(&[("TCHALK_BUDGET", "ci")]).contains("budget ci"));
    let text = why(&[("PATH", "/nowhere")]);
    assert!(text.contains("not installed") && text.contains("TCHALK_KAGGLE"), "{text}");
    std::fs::remove_file(fake.path(".kaggle/kaggle.json")).unwrap();
    let text = why(&[]);
    assert!(text.contains("no credentials") && text.contains("chmod 600"), "{text}");
    assert!(fake.asked().is_empty());
}
