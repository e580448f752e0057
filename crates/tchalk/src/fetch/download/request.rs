//! One HTTP request on a thread of its own, which sends events as the response arrives.
//!
//! The caller can check for interrupts and timeouts while it waits. A receiver that is dropped ends the
//! request at its next event.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;
use ureq::Proxy;
use ureq::config::IpFamily;
use ureq::http::{HeaderMap, Uri, header};

/// For resolving a name, and for connecting. The caller may stop waiting earlier.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// The most redirects that are followed.
const MAX_REDIRECTS: u32 = 5;

/// The events of a request, in this order.
pub(super) enum Event {
    /// The server can be reached.
    Connected,
    /// The head of the response.
    Head(ResponseHead),
    /// A part of the body.
    Bytes(Vec<u8>),
    /// The end of the body.
    End,
    /// The request failed.
    Failed(RequestError),
}

/// The head of the response.
pub(super) struct ResponseHead {
    pub(super) status: u16,
    /// The announced length of the body.
    pub(super) length: Option<u64>,
    /// From `Content-Range`: the first byte, and the size of the whole file.
    pub(super) range: Option<(u64, Option<u64>)>,
    /// The value for `If-Range`: a strong entity tag, or else the date.
    pub(super) validator: Option<String>,
    /// Whether the body is a web page.
    pub(super) is_page: bool,
}

/// Why a request failed.
#[derive(Debug)]
pub(super) enum RequestError {
    /// The server cannot be reached.
    Unreachable(String),
    /// The connection broke; another request may succeed.
    Broken(String),
    /// Another request would fail, too.
    Final(String),
}

/// Requests `url`, or only the range `bytes` of it, first and last byte inclusive. With a `validator` the
/// server sends the whole file if it is another version.
pub(super) fn send(
    url: &str,
    bytes: Option<(u64, Option<u64>)>,
    validator: Option<&str>,
) -> Receiver<Event> {
    let (sender, receiver) = sync_channel(16);
    let (url, validator) = (url.to_owned(), validator.map(str::to_owned));
    std::thread::spawn(move || {
        let event = match run(&url, bytes, validator.as_deref(), &sender) {
            Ok(()) => Event::End,
            Err(failure) => Event::Failed(failure),
        };
        let _ = sender.send(event);
    });
    receiver
}

fn run(
    url: &str,
    bytes: Option<(u64, Option<u64>)>,
    validator: Option<&str>,
    sender: &SyncSender<Event>,
) -> Result<(), RequestError> {
    let nobody_listens = |_| RequestError::Final("nobody waits for it any more".into());
    let uri: Uri = url.parse().map_err(|_| RequestError::Final("that is not a URL".into()))?;
    let proxy = proxy_for(&uri);
    let address = connect(&uri, proxy.as_ref())?;
    sender.send(Event::Connected).map_err(nobody_listens)?;
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .https_only(uri.scheme_str() == Some("https"))
        .max_redirects(MAX_REDIRECTS)
        .proxy(proxy)
        .user_agent(concat!("tchalk/", env!("CARGO_PKG_VERSION")))
        // The file as it is, without compression in transit.
        .accept_encoding("identity")
        .ip_family(if address.is_ipv6() { IpFamily::Ipv6Only } else { IpFamily::Ipv4Only })
        .timeout_resolve(Some(CONNECT_TIMEOUT))
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .build()
        .new_agent();
    let mut request = agent.get(url);
    if let Some((from, to)) = bytes {
        let to = to.map_or(String::new(), |to| to.to_string());
        request = request.header(header::RANGE, format!("bytes={from}-{to}"));
        if let Some(validator) = validator {
            request = request.header(header::IF_RANGE, validator);
        }
    }
    let response = request.call().map_err(request_error)?;
    let head = head(response.status().as_u16(), response.headers());
    sender.send(Event::Head(head)).map_err(nobody_listens)?;
    let mut body = response.into_body().into_with_config().limit(u64::MAX).reader();
    loop {
        let mut piece = vec![0; 1 << 16];
        let count = std::io::Read::read(&mut body, &mut piece)
            .map_err(|error| request_error(ureq::Error::from(error)))?;
        if count == 0 {
            return Ok(());
        }
        piece.truncate(count);
        sender.send(Event::Bytes(piece)).map_err(nobody_listens)?;
    }
}

/// The proxy that the usual environment variables name for this URL. Local servers need none.
fn proxy_for(uri: &Uri) -> Option<Proxy> {
    let host = uri.host().unwrap_or_default();
    if matches!(host, "localhost" | "127.0.0.1" | "[::1]") {
        return None;
    }
    Proxy::try_from_env().filter(|proxy| !proxy.is_no_proxy(uri))
}

/// The first address at which the server, or its proxy, accepts a connection. All are tried at once,
/// because some networks silently drop packets to one address family.
fn connect(uri: &Uri, proxy: Option<&Proxy>) -> Result<SocketAddr, RequestError> {
    let host = proxy.map_or(uri.host().unwrap_or_default(), Proxy::host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let usual = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    let port = proxy.map_or(uri.port_u16().unwrap_or(usual), Proxy::port);
    let unreachable = |why: &str| RequestError::Unreachable(format!("{host} {why}"));
    let addresses = (host, port).to_socket_addrs().map_err(|_| unreachable("is not found"))?;
    let (sender, receiver) = std::sync::mpsc::channel();
    for address in addresses.take(8) {
        let sender = sender.clone();
        std::thread::spawn(move || {
            let _ =
                sender.send(TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).map(|_| address));
        });
    }
    drop(sender);
    let mut why = "is not found".to_owned();
    for result in receiver {
        match result {
            Ok(address) => return Ok(address),
            Err(error) => why = format!("cannot be reached ({error})"),
        }
    }
    Err(unreachable(&why))
}

fn head(status: u16, headers: &HeaderMap) -> ResponseHead {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    // `bytes 100-199/1234`, where the whole may be an asterisk.
    let range = text(header::CONTENT_RANGE).and_then(|range| {
        let (bytes, whole) = range.strip_prefix("bytes ")?.split_once('/')?;
        Some((bytes.split_once('-')?.0.trim().parse().ok()?, whole.trim().parse().ok()))
    });
    // A weak tag does not promise equal bytes.
    let tag = text(header::ETAG).filter(|tag| !tag.starts_with("W/"));
    let validator = tag.or(text(header::LAST_MODIFIED)).map(str::to_owned);
    let length = text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
    let is_page = text(header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/html"));
    ResponseHead { status, length, range, validator, is_page }
}

/// What an error of ureq means for further attempts.
fn request_error(error: ureq::Error) -> RequestError {
    match error {
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => {
            RequestError::Unreachable(error.to_string())
        }
        ureq::Error::TooManyRedirects => {
            RequestError::Final(format!("it redirects more than {MAX_REDIRECTS} times"))
        }
        ureq::Error::RedirectFailed
        | ureq::Error::RequireHttpsOnly(_)
        | ureq::Error::BadUri(_)
        | ureq::Error::Tls(_)
        | ureq::Error::Rustls(_)
        | ureq::Error::ConnectProxyFailed(_)
        | ureq::Error::InvalidProxyUrl => RequestError::Final(error.to_string()),
        error => RequestError::Broken(format!("the connection broke: {error}")),
    }
}
