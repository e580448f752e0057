use super::*;
use crate::course::kaggle::testing::{FakeClient, KEY};

fn find(fake: &FakeClient, more: &[(&str, &str)]) -> Credentials {
    Credentials::find(&fake.environment(more))
}

fn without_files() -> FakeClient {
    let fake = FakeClient::new("");
    std::fs::remove_file(fake.path(".kaggle/kaggle.json")).unwrap();
    fake
}

#[test]
fn username_and_source_are_shown_and_never_the_key() {
    let fake = FakeClient::new("");
    let found = find(&fake, &[]);
    assert_eq!(found.username().as_deref(), Some("ada"));
    assert!(found.source().ends_with(".kaggle/kaggle.json"), "{}", found.source());
    assert!(found.warnings().is_empty(), "{found:?}");
    let shown = format!("{found:?}{:?}", found.content().as_html());
    assert!(shown.contains("ada at Kaggle, from the file") && !shown.contains(KEY), "{shown}");
    assert!(secrets(&fake.environment(&[])).contains(&KEY.to_owned()));
}

#[test]
fn the_client_s_order_is_kept() {
    let fake = FakeClient::new("");
    let pair = [("KAGGLE_USERNAME", "bob"), ("KAGGLE_KEY", "k-of-bob")];
    let found = find(&fake, &pair);
    assert_eq!(found.username().as_deref(), Some("bob"), "the environment before the file");
    assert_eq!(found.source(), "the variables KAGGLE_USERNAME and KAGGLE_KEY");
    let token = [pair[0], pair[1], ("KAGGLE_API_TOKEN", "KGAT_abc")];
    let found = find(&fake, &token);
    assert_eq!(
        (found.username(), found.source().as_str()),
        (None, "the variable KAGGLE_API_TOKEN")
    );
    assert!(!format!("{found:?}").contains("KGAT"), "{found:?}");
    fake.put(".kaggle/access_token", "KGAT_in_a_file\n", 0o600);
    assert!(find(&fake, &pair).source().ends_with(".kaggle/access_token"));
    let all = secrets(&fake.environment(&token));
    for secret in ["KGAT_abc", "KGAT_in_a_file", "k-of-bob", KEY, &STANDARD.encode("bob:k-of-bob")]
    {
        assert!(all.contains(&secret.to_owned()), "{secret}");
    }
    let fake = without_files();
    fake.put(".kaggle/credentials.json", r#"{"username":"cy","refresh_token":"rrrr"}"#, 0o600);
    assert_eq!(find(&fake, &[]).username().as_deref(), Some("cy"));
    assert!(secrets(&fake.environment(&[])).contains(&"rrrr".to_owned()));
}

#[test]
fn other_folders_are_searched_as_the_client_does() {
    let fake = without_files();
    let json = r#"{"username":"ada","key":"xxxx"}"#;
    fake.put("elsewhere/kaggle.json", json, 0o600);
    let elsewhere = fake.path("elsewhere").display().to_string();
    assert!(find(&fake, &[("KAGGLE_CONFIG_DIR", &elsewhere)]).found());
    if cfg!(target_os = "linux") {
        fake.put(".config/kaggle/kaggle.json", json, 0o600);
        assert!(!find(&fake, &[]).found(), "~/.kaggle is there, so it is not looked at");
        std::fs::remove_dir(fake.path(".kaggle")).unwrap();
        assert!(find(&fake, &[]).source().contains(".config/kaggle/kaggle.json"));
    }
}

#[test]
fn missing_and_readable_files_are_reported() {
    let fake = without_files();
    let none = find(&fake, &[]);
    assert!(!none.found() && none.source().is_empty());
    let text = format!("{none:?}");
    for words in ["No credentials", "/rules", "settings/api", "chmod 600", "access_token"] {
        assert!(text.contains(words), "{text}");
    }
    let half = find(&fake, &[("KAGGLE_USERNAME", "ada")]);
    assert!(half.warnings()[0].contains("without KAGGLE_KEY") && !half.found(), "{half:?}");
    fake.put(".kaggle/kaggle.json", "KGAT_not_json", 0o600);
    assert!(find(&fake, &[]).warnings()[0].contains("does not hold {\"username\""));
    fake.put(".kaggle/kaggle.json", r#"{"username":"ada","key":"xxxx"}"#, 0o644);
    let open = find(&fake, &[]);
    assert!(open.found() && open.warnings()[0].contains("chmod 600"), "{open:?}");
}
