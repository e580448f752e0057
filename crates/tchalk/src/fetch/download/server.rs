//! A small web server for tests, which can misbehave.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A local server. It ends with the process.
pub(crate) struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// How many requests came before this one.
    pub(crate) number: usize,
    pub(crate) path: String,
    headers: Vec<String>,
}

impl Request {
    /// The value of a header, by its name in lowercase.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let mut headers = self.headers.iter().filter_map(|line| line.split_once(':'));
        let header = headers.find(|(key, _)| key.eq_ignore_ascii_case(name));
        header.map(|(_, value)| value.trim().to_owned())
    }

    /// The first requested byte, and the last one if it is given.
    fn range(&self) -> Option<(usize, Option<usize>)> {
        let header = self.header("range")?;
        let (from, to) = header.strip_prefix("bytes=")?.split_once('-')?;
        Some((from.parse().ok()?, to.parse().ok()))
    }

    /// The first requested byte.
    pub(crate) fn from(&self) -> Option<usize> {
        Some(self.range()?.0)
    }
}

/// The bytes of a response. The connection is closed after it.
pub(crate) struct Response {
    head: String,
    body: Vec<u8>,
    pause: Duration,
}

impl Response {
    /// Status line and headers, without the last empty line.
    pub(crate) fn new(head: impl Into<String>, body: &[u8]) -> Response {
        Response { head: head.into(), body: body.to_vec(), pause: Duration::ZERO }
    }

    /// The whole file, as a good server sends it.
    pub(crate) fn whole(body: &[u8]) -> Response {
        let length = body.len();
        Response::new(format!("200 OK\r\nContent-Length: {length}\r\nETag: \"one\""), body)
    }

    /// The requested part of the file, or the whole file.
    pub(crate) fn rest(body: &[u8], request: &Request) -> Response {
        let Some((from, to)) = request.range() else { return Response::whole(body) };
        let length = body.len();
        let last = to.unwrap_or(length - 1).min(length - 1);
        let (rest, size) = (&body[from..=last], last + 1 - from);
        Response::new(
            format!(
                "206 Partial Content\r\nContent-Length: {size}\r\nETag: \"one\"\r\n\
                 Content-Range: bytes {from}-{last}/{length}"
            ),
            rest,
        )
    }

    /// No file.
    pub(crate) fn status(status: &str) -> Response {
        Response::new(format!("{status}\r\nContent-Length: 0"), b"")
    }

    /// A redirect.
    pub(crate) fn redirect(to: &str) -> Response {
        Response::new(format!("302 Found\r\nLocation: {to}\r\nContent-Length: 0"), b"")
    }

    /// Sends only the first `length` bytes of the body.
    pub(crate) fn truncated(mut self, length: usize) -> Response {
        self.body.truncate(length);
        self
    }

    /// Waits between pieces.
    pub(crate) fn slowly(mut self, pause: Duration) -> Response {
        self.pause = pause;
        self
    }
}

impl Server {
    /// A server whose responses `answer` makes.
    pub(crate) fn start(answer: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (requests.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, answer) = (log.clone(), answer.clone());
                std::thread::spawn(move || serve(stream, &log, &*answer));
            }
        });
        Server { port, requests }
    }

    pub(crate) fn address(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}/{name}", self.port)
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(stream: TcpStream, log: &Mutex<Vec<Request>>, answer: &dyn Fn(&Request) -> Response) {
    let lines = BufReader::new(&stream).lines().map_while(Result::ok);
    let lines: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let Some(first) = lines.first() else { return }; // Only a test of the connection.
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let request = {
        let mut log = log.lock().unwrap();
        let request = Request { number: log.len(), path, headers: lines[1..].to_vec() };
        log.push(request.clone());
        request
    };
    let answer = answer(&request);
    let mut stream = &stream;
    let head = format!("HTTP/1.1 {}\r\nConnection: close\r\n\r\n", answer.head);
    let _ = stream.write_all(head.as_bytes());
    for piece in answer.body.chunks(if answer.pause.is_zero() { usize::MAX } else { 400 }) {
        if stream.write_all(piece).is_err() {
            return;
        }
        std::thread::sleep(answer.pause);
    }
}
