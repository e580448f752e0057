use super::*;
use crate::output::cell_output::{LIMIT_REACHED, MAX_HELD};
use crate::output::failure_report::FailureKind;
use crate::output::marker::Marker;
use crate::output::output_limit::{MAX_END, MAX_START};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

fn page() -> (Publisher, UnboundedReceiver<Message>) {
    let (sender, receiver) = unbounded_channel();
    let publisher = Publisher::new(sender);
    publisher.begin(&Message::unprompted());
    (publisher, receiver)
}

fn published(receiver: &mut UnboundedReceiver<Message>) -> Vec<Message> {
    std::iter::from_fn(|| receiver.try_recv().ok()).collect()
}

fn write_line(publisher: &Publisher, stream: Stream, line: &str) {
    publisher.lock().handle_line(stream, line);
}

#[test]
fn the_text_of_an_error_is_not_published_as_output() {
    let (publisher, mut receiver) = page();
    write_line(&publisher, Stream::Out, "before");
    write_line(&publisher, Stream::Err, "no such file");
    write_line(&publisher, Stream::Out, &Marker::Error.line());
    let CellFailure { kind, report, .. } = publisher.finish().unwrap();
    assert_eq!(kind, FailureKind::Error);
    assert_eq!(report.message(), "no such file");
    let texts = published(&mut receiver);
    assert_eq!(texts.len(), 1);
    assert_eq!(texts[0].content["text"], "before\n");
}

#[test]
fn a_caught_panic_is_output() {
    let (publisher, mut receiver) = page();
    write_line(&publisher, Stream::Err, "thread 'main' panicked at src/lib.rs:1:1:");
    write_line(&publisher, Stream::Err, "boom");
    assert_eq!(publisher.finish(), None);
    let text = published(&mut receiver)[0].content["text"].clone();
    assert_eq!(text, "thread 'main' panicked at src/lib.rs:1:1:\nboom\n");
}

#[test]
fn displays_and_updates_carry_their_id() {
    let (publisher, mut receiver) = page();
    for update in [false, true] {
        let data = [("text/plain".to_owned(), Value::from("x"))].into_iter().collect();
        let marker = Marker::Show { data, id: Some("a".into()), update };
        write_line(&publisher, Stream::Out, &marker.line());
    }
    publisher.finish();
    let messages = published(&mut receiver);
    assert_eq!(messages[0].kind(), "display_data");
    assert_eq!(messages[1].kind(), "update_display_data");
    assert_eq!(messages[1].content["transient"]["display_id"], "a");
}

#[test]
fn of_many_updates_the_last_one_is_sent() {
    let (publisher, mut receiver) = page();
    for number in 0..10_000 {
        let data = [("text/plain".to_owned(), Value::from(number))].into_iter().collect();
        let marker = Marker::Show { data, id: Some("a".into()), update: number > 0 };
        write_line(&publisher, Stream::Out, &marker.line());
    }
    publisher.finish();
    let messages = published(&mut receiver);
    assert!(messages.len() < 1_000, "{} messages", messages.len());
    assert_eq!(messages.last().unwrap().content["data"]["text/plain"], 9_999);
}

#[test]
fn too_much_text_keeps_its_beginning_and_its_end() {
    let (publisher, mut receiver) = page();
    for number in 0..100_000 {
        write_line(&publisher, Stream::Out, &format!("line {number}"));
    }
    publisher.finish();
    let texts: Vec<String> = published(&mut receiver)
        .iter()
        .map(|message| message.content["text"].as_str().unwrap().to_owned())
        .collect();
    let all = texts.concat();
    assert!(texts.len() < 20 && all.len() < 2 * (MAX_START + MAX_END), "{} pieces", texts.len());
    assert!(all.starts_with("line 0\n") && all.ends_with("line 99999\n"));
    assert!(all.contains(" lines ("));
}

#[test]
fn one_very_long_line_is_shortened_too() {
    let (publisher, mut receiver) = page();
    write_line(&publisher, Stream::Out, &"é".repeat(10_000_000));
    publisher.finish();
    let size: usize =
        published(&mut receiver).iter().map(|m| m.content["text"].as_str().unwrap().len()).sum();
    assert!(size < 2 * (MAX_START + MAX_END), "{size}");
}

#[test]
fn text_and_displays_keep_their_order() {
    let (publisher, mut receiver) = page();
    write_line(&publisher, Stream::Out, "one");
    write_line(&publisher, Stream::Out, "two");
    write_line(&publisher, Stream::Out, &Marker::Clear { wait: true }.line());
    write_line(&publisher, Stream::Out, "three");
    publisher.finish();
    let messages = published(&mut receiver);
    let kinds: Vec<&str> = messages.iter().map(Message::kind).collect();
    assert_eq!(kinds, ["stream", "clear_output", "stream"]);
    assert_eq!(messages[0].content["text"], "one\ntwo\n");
}

const PANICKED: &str = "thread 'main' (12) panicked at src/lib.rs:1:1:";

/// Standard error and output of the cell, each as one text.
fn texts(messages: &[Message]) -> (String, String) {
    let of = |name: &str| {
        let mine = messages.iter().filter(|message| message.content["name"] == name);
        mine.map(|message| message.content["text"].as_str().unwrap()).collect()
    };
    (of("stdout"), of("stderr"))
}

#[test]
fn what_was_written_before_a_panic_is_output() {
    let (publisher, mut receiver) = page();
    for line in ["[src/lib.rs:1:1] &x = 1", ""] {
        write_line(&publisher, Stream::Err, line);
    }
    write_line(&publisher, Stream::Err, &Marker::Report { location: None }.line());
    for line in [PANICKED, "boom", "note: a backtrace"] {
        write_line(&publisher, Stream::Err, line);
    }
    write_line(&publisher, Stream::Err, "written while a value is dropped");
    write_line(&publisher, Stream::Out, &Marker::Panic.line());
    let CellFailure { kind, report, .. } = publisher.finish().unwrap();
    assert_eq!((kind, report.message().as_str()), (FailureKind::Panic, "boom"));
    let (_, errors) = texts(&published(&mut receiver));
    assert_eq!(errors, "[src/lib.rs:1:1] &x = 1\nwritten while a value is dropped\n");
}

#[test]
fn what_was_written_before_an_error_is_output() {
    let (publisher, mut receiver) = page();
    // The two streams are not in step.
    write_line(&publisher, Stream::Out, &Marker::Error.line());
    write_line(&publisher, Stream::Err, "loading");
    write_line(&publisher, Stream::Err, &Marker::text("50 % ".into()).line());
    let location = Some("src/lib.rs:7:9".to_owned());
    write_line(&publisher, Stream::Err, &Marker::Report { location }.line());
    write_line(&publisher, Stream::Err, "no such file");
    let CellFailure { kind, report, .. } = publisher.finish().unwrap();
    assert_eq!((kind, report.message().as_str()), (FailureKind::Error, "no such file"));
    assert_eq!(report.location(), Some(("src/lib.rs".into(), 7)));
    assert_eq!(texts(&published(&mut receiver)).1, "loading\n50 % ");
}

#[test]
fn text_after_a_caught_panic_is_published_while_the_cell_runs() {
    let (publisher, mut receiver) = page();
    write_line(&publisher, Stream::Err, &Marker::Report { location: None }.line());
    for line in [PANICKED, "caught", "note: a backtrace", "it goes on"] {
        write_line(&publisher, Stream::Err, line);
    }
    let mut output = publisher.lock();
    output.release_held(Duration::ZERO);
    output.send_text();
    drop(output);
    let (_, errors) = texts(&published(&mut receiver));
    assert_eq!(errors, format!("{PANICKED}\ncaught\nnote: a backtrace\nit goes on\n"));
    assert_eq!(publisher.finish(), None);
    assert!(published(&mut receiver).is_empty());
}

#[test]
fn a_panic_after_a_flood_on_standard_error_keeps_its_message() {
    let (publisher, mut receiver) = page();
    for number in 0..3 * MAX_HELD {
        write_line(&publisher, Stream::Err, &format!("line {number}"));
    }
    write_line(&publisher, Stream::Err, &Marker::Report { location: None }.line());
    for line in [PANICKED, "boom"] {
        write_line(&publisher, Stream::Err, line);
    }
    write_line(&publisher, Stream::Out, &Marker::Panic.line());
    assert_eq!(publisher.finish().unwrap().report.message(), "boom");
    let (_, errors) = texts(&published(&mut receiver));
    assert!(errors.starts_with("line 0\n"));
    assert!(errors.contains(&format!("line {}\n", 3 * MAX_HELD - 1)));
    assert!(errors.contains(" lines ("), "omitted lines are counted");
}

#[test]
fn a_page_that_is_cleared_often_changes_at_intervals() {
    let (publisher, mut receiver) = page();
    for number in 0..10_000 {
        write_line(&publisher, Stream::Out, &Marker::Clear { wait: true }.line());
        write_line(&publisher, Stream::Out, &format!("frame {number} {}", ".".repeat(1_000)));
        let data = [("text/plain".to_owned(), Value::from(number))].into_iter().collect();
        write_line(&publisher, Stream::Out, &Marker::Show { data, id: None, update: false }.line());
    }
    publisher.finish();
    let messages = published(&mut receiver);
    assert!(messages.len() < 3_000, "{} messages", messages.len());
    let last = messages.iter().rposition(|message| message.kind() == "clear_output").unwrap();
    let kinds: Vec<&str> = messages[last..].iter().map(Message::kind).collect();
    assert_eq!(kinds, ["clear_output", "stream", "display_data"]);
    assert!(messages[last + 1].content["text"].as_str().unwrap().starts_with("frame 9999 "));
    assert_eq!(messages[last + 2].content["data"]["text/plain"], 9_999);
}

#[test]
fn a_note_says_that_the_limit_is_reached() {
    let (publisher, mut receiver) = page();
    write_line(&publisher, Stream::Out, &"x".repeat(MAX_START + 1));
    let (_, errors) = texts(&published(&mut receiver));
    assert_eq!(errors, LIMIT_REACHED);
}
