//! Downloads from servers that are slow, faulty or missing. Every case ends in a complete file or in an
//! error, and no wrong file is left under the name.

use super::server::{Request, Response, Server};
use super::stored_file::write_error;
use super::transfer::Timeouts;
use super::*;
use crate::fetch::checksum::sha256_of;
use crate::runtime::interrupt::{self, POLL_INTERVAL};
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

fn timeouts() -> Timeouts {
    Timeouts { pauses: vec![Duration::from_millis(2); 3], ..Timeouts::default() }
}

/// A file of 2,000 bytes, no two parts of which are alike.
fn file() -> Vec<u8> {
    (0..2_000u32).map(|i| ((i * i) >> 5) as u8 ^ i as u8).collect()
}

/// The file with everything published about it.
fn known(address: &str) -> RemoteFile {
    RemoteFile::new("file.bin", address).size(2_000).sha256(&sha256_of(&file()), "the test")
}

/// The file with nothing published about it.
fn unknown(address: &str) -> RemoteFile {
    RemoteFile::new("file.bin", address)
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn names(folder: &TempDir) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The file is there, whole, and nothing but the lock beside it.
fn assert_good(source: &RemoteFile, folder: &TempDir) {
    let path = fetch_with(source, folder.path(), &timeouts()).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), file());
    let beside: &[&str] = if source.has_checksum() { &[] } else { &["file.bin.sha256"] };
    assert_eq!(names(folder), [&[".file.bin.lock", "file.bin"], beside].concat());
}

/// It is refused, and there is no file.
fn assert_refused(source: &RemoteFile, folder: &TempDir) -> String {
    let error = fetch_with(source, folder.path(), &timeouts()).unwrap_err();
    assert!(matches!(error, Error::Download { .. }), "{error}");
    assert!(!folder.path().join("file.bin").exists());
    error.to_string()
}

#[test]
fn a_slow_server_is_accepted() {
    let server = Server::start(|_| Response::whole(&file()).slowly(Duration::from_millis(10)));
    for source in [known, unknown] {
        assert_good(&source(&server.address("x")), &folder());
    }
}

#[test]
fn a_file_that_is_there_is_not_downloaded_again() {
    let (server, folder) = (Server::start(|_| Response::whole(&file())), folder());
    for _ in 0..3 {
        assert_good(&known(&server.address("x")), &folder);
    }
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_broken_transfer_is_resumed() {
    let server = Server::start(|request| match request.number {
        0 => Response::whole(&file()).truncated(700),
        1 => Response::rest(&file(), request).truncated(600),
        _ => Response::rest(&file(), request),
    });
    assert_good(&unknown(&server.address("x")), &folder());
    let requests = server.requests();
    assert_eq!(
        requests.iter().map(Request::from).collect::<Vec<_>>(),
        [None, Some(700), Some(1300)]
    );
    assert_eq!(requests[1].header("if-range").unwrap(), "\"one\"");
}

#[test]
fn the_next_call_resumes_a_transfer_even_at_a_mirror() {
    let folder = folder();
    let cut = Server::start(|_| Response::whole(&file()).truncated(500));
    let message = assert_refused(&known(&cut.address("x")), &folder);
    assert!(message.contains("received so far are kept"), "{message}");
    let good = Server::start(|request| Response::rest(&file(), request));
    assert_good(&known(&good.address("y")), &folder);
    assert_eq!(good.requests()[0].from(), Some(500));
}

#[test]
fn without_a_checksum_parts_of_two_urls_are_never_joined() {
    let folder = folder();
    let cut = Server::start(|_| Response::whole(&[1; 2_000]).truncated(500));
    assert_refused(&unknown(&cut.address("x")), &folder);
    let good = Server::start(|request| Response::rest(&file(), request));
    assert_good(&unknown(&good.address("y")), &folder);
    assert_eq!(good.requests()[0].from(), None);
}

#[test]
fn a_server_that_refuses_parts_sends_the_whole_file() {
    let server = Server::start(|request| {
        Response::whole(&file()).truncated(if request.number == 0 { 700 } else { 2_000 })
    });
    for source in [known, unknown] {
        assert_good(&source(&server.address("x")), &folder());
    }
}

#[test]
fn a_wrong_part_is_not_used() {
    let wrong = |request: &Request| match (request.number, request.from()) {
        (0, _) => Response::whole(&file()).truncated(700),
        (_, Some(_)) => Response::new(
            "206 Partial Content\r\nContent-Range: bytes 0-1999/2000\r\nContent-Length: 2000",
            &file(),
        ),
        _ => Response::whole(&file()),
    };
    assert_good(&unknown(&Server::start(wrong).address("x")), &folder());
}

#[test]
fn parts_of_two_versions_are_detected_and_downloaded_again() {
    let server = Server::start(|request| match request.number {
        0 => Response::whole(&[9; 2_000]).truncated(700),
        _ => Response::rest(&file(), request),
    });
    assert_good(&known(&server.address("x")), &folder());
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_response_shorter_than_its_length_is_an_error() {
    let server =
        Server::start(|_| Response::new("200 OK\r\nContent-Length: 2000", &file()).truncated(900));
    let message = assert_refused(&unknown(&server.address("x")), &folder());
    assert!(message.contains("broke"), "{message}");
    assert_eq!(server.requests().len(), 4, "as often as there are pauses, and once more");
}

#[test]
fn a_length_other_than_the_published_one_is_refused() {
    for length in [1_000, 3_000] {
        let server = Server::start(move |_| Response::whole(&vec![0; length]));
        let folder = folder();
        let message = assert_refused(&known(&server.address("x")), &folder);
        assert!(
            message.contains(&format!("{length} bytes, but the published size is 2000")),
            "{message}"
        );
        assert_eq!(server.requests().len(), 1, "it would not change");
    }
    // A server that does not say the length, and never ends.
    let server = Server::start(|_| Response::new("200 OK", &vec![0; 5_000]));
    let message = assert_refused(&known(&server.address("x")), &folder());
    assert!(message.contains("more bytes came"), "{message}");
}

#[test]
fn a_wrong_file_is_refused_and_a_mirror_asked() {
    let wrong = Server::start(|_| Response::whole(&[7; 2_000]));
    let folder = folder();
    let message = assert_refused(&known(&wrong.address("x")), &folder);
    assert!(message.contains("this is not the published file: its SHA-256 is"), "{message}");
    assert_eq!(names(&folder), [".file.bin.lock"], "nothing of it is left");
    let good = Server::start(|_| Response::whole(&file()));
    assert_good(&known(&wrong.address("x")).mirror(good.address("x")), &folder);
}

#[test]
fn a_web_page_is_not_the_file() {
    let page = "200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 6";
    let server = Server::start(move |_| Response::new(page, b"<html>"));
    let message = assert_refused(&unknown(&server.address("x")), &folder());
    assert!(message.contains("a web page came"), "{message}");
}

#[test]
fn a_missing_file_is_requested_once() {
    let missing = Server::start(|_| Response::status("404 Not Found"));
    let folder = folder();
    let message = assert_refused(&known(&missing.address("x")), &folder);
    assert!(message.contains("/x – the server answers 404 (Not Found)"), "{message}");
    assert_eq!(missing.requests().len(), 1);
    let good = Server::start(|_| Response::whole(&file()));
    assert_good(&known(&missing.address("x")).mirror(good.address("x")), &folder);
}

#[test]
fn a_server_error_is_retried() {
    let server = Server::start(|request| match request.number {
        0 => Response::status("500 Internal Server Error"),
        1 => Response::status("503 Service Unavailable"),
        _ => Response::whole(&file()),
    });
    assert_good(&known(&server.address("x")), &folder());
    let down = Server::start(|_| Response::status("502 Bad Gateway"));
    let message = assert_refused(&known(&down.address("x")), &folder());
    assert!(message.contains("502 (Bad Gateway)"), "{message}");
    assert_eq!(down.requests().len(), 4);
}

#[test]
fn redirects_are_followed_a_limited_number_of_times() {
    let good = Server::start(|_| Response::whole(&file()));
    let to = good.address("there");
    let server = Server::start(move |_| Response::redirect(&to));
    assert_good(&known(&server.address("x")), &folder());
    assert_eq!(good.requests()[0].path, "/there");
    let circle = Server::start(|_| Response::redirect("/again"));
    let message = assert_refused(&known(&circle.address("x")), &folder());
    assert!(message.contains("redirects more than 5 times"), "{message}");
}

#[test]
fn a_refused_connection_is_known_at_once() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let folder = folder();
    let message = assert_refused(&known(&format!("http://127.0.0.1:{port}/x")), &folder);
    assert!(message.contains("the network could not be reached: 127.0.0.1 cannot"), "{message}");
    let message = assert_refused(&known("not an address"), &folder);
    assert!(message.contains("that is not a URL"), "{message}");
}

#[test]
fn damage_in_the_cache_is_detected_with_and_without_a_published_checksum() {
    let server = Server::start(|_| Response::whole(&file()));
    for source in [known, unknown] {
        let (source, folder) = (source(&server.address("x")), folder());
        assert_good(&source, &folder);
        std::fs::write(folder.path().join("file.bin"), [1; 2_000]).unwrap();
        assert_eq!(cached(&source, folder.path()).unwrap(), None);
        assert_good(&source, &folder);
    }
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error() {
    let folder = folder();
    std::fs::write(folder.path().join("in-the-way"), "").unwrap();
    let server = Server::start(|_| Response::whole(&file()));
    let blocked = folder.path().join("in-the-way");
    let error = fetch_with(&known(&server.address("x")), &blocked, &timeouts()).unwrap_err();
    assert!(error.to_string().contains("TCHALK_HOME"), "{error}");
    let full = write_error(&blocked, std::io::ErrorKind::StorageFull.into()).to_string();
    assert!(full.contains("The disk is full: make room"), "{full}");
}

#[test]
fn a_part_of_a_file_is_downloaded_alone() {
    let server = Server::start(|request| {
        let (from, to) = (request.from().unwrap(), request.header("range").unwrap());
        let to: usize = to.split('-').nth(1).unwrap().parse().unwrap();
        let part = &file()[from..=to];
        let head = "206 Partial Content\r\nContent-Length: ";
        let length = part.len();
        Response::new(format!("{head}{length}\r\nContent-Range: bytes {from}-{to}/2000"), part)
            .truncated(if request.number == 0 { 3 } else { length })
    });
    let part = fetch_range_with(&known(&server.address("x")), 100..350, &timeouts()).unwrap();
    assert_eq!(part, file()[100..350]);
    assert!(fetch_range_with(&known(&server.address("x")), 5..5, &timeouts()).unwrap().is_empty());

    let whole = Server::start(|_| Response::whole(&file()));
    let error = |server: &Server| {
        let result = fetch_range_with(&known(&server.address("x")), 100..350, &timeouts());
        result.unwrap_err().to_string()
    };
    assert!(error(&whole).contains("does not serve parts"), "{}", error(&whole));
    let other = Server::start(|request| Response::rest(&file()[..500], request));
    assert!(
        error(&other).contains("500 bytes, but the published size is 2000"),
        "{}",
        error(&other)
    );
    let short = Server::start(|_| Response::status("416 Range Not Satisfiable"));
    assert!(error(&short).contains("shorter"), "{}", error(&short));
}

/// What another process does; run by the tests below, and skipped without their variables.
#[test]
fn the_other_process() {
    let Ok(address) = std::env::var("TCHALK_TEST_ADDRESS") else { return };
    let folder = PathBuf::from(std::env::var("TCHALK_TEST_FOLDER").unwrap());
    if std::env::var_os("TCHALK_TEST_STOP").is_some() {
        let part = folder.join("file.bin.part");
        std::thread::spawn(move || {
            while std::fs::metadata(&part).map_or(0, |data| data.len()) == 0 {
                std::thread::sleep(POLL_INTERVAL);
            }
            interrupt::request();
        });
        let error = fetch_with(&known(&address), &folder, &timeouts()).unwrap_err();
        assert!(error.to_string().contains("are kept for the next call"), "{error}");
        interrupt::clear();
    }
    let path = fetch_with(&known(&address), &folder, &timeouts()).unwrap();
    assert_eq!(std::fs::read(path).unwrap(), file());
}

fn other_process(server: &Server, folder: &TempDir, stop: bool) -> std::process::Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "fetch::download::tests::the_other_process"]);
    command.env("TCHALK_TEST_ADDRESS", server.address("x"));
    command.env("TCHALK_TEST_FOLDER", folder.path());
    if stop {
        command.env("TCHALK_TEST_STOP", "1");
    }
    command.stdout(Stdio::null()).spawn().unwrap()
}

#[test]
fn two_processes_download_once() {
    let server = Server::start(|_| Response::whole(&file()).slowly(Duration::from_millis(150)));
    let folder = folder();
    let mut processes = [0, 1].map(|_| other_process(&server, &folder, false));
    assert!(processes.iter_mut().all(|process| process.wait().unwrap().success()));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn an_interrupt_keeps_the_received_bytes() {
    let server = Server::start(|request| {
        // The first answer stops after its first piece, without an end.
        let pause = if request.number == 0 { 3_600 } else { 0 };
        Response::rest(&file(), request).slowly(Duration::from_secs(pause))
    });
    let folder = folder();
    assert!(other_process(&server, &folder, true).wait().unwrap().success());
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests[1].from().is_some_and(|from| from > 0), "{requests:?}");
}
