//! The connection file, and how messages are signed and framed on Jupyter's sockets.

use crate::protocol::message::Message;
use crate::text::hex;
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;
use std::path::Path;
use zeromq::ZmqMessage;

/// The frame between the addresses and the signed part.
const DELIMITER: &[u8] = b"<IDS|MSG>";

/// Jupyter's connection file: where the sockets are, and the key that signs messages.
#[derive(Debug, Deserialize)]
pub struct Connection {
    pub ip: String,
    pub transport: String,
    pub shell_port: u16,
    pub iopub_port: u16,
    pub stdin_port: u16,
    pub control_port: u16,
    pub hb_port: u16,
    pub key: String,
    #[serde(default = "sha256")]
    pub signature_scheme: String,
}

fn sha256() -> String {
    "hmac-sha256".into()
}

impl Connection {
    pub fn read(path: &Path) -> Result<Connection> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the connection file {}", path.display()))?;
        let connection: Connection = serde_json::from_str(&text)
            .with_context(|| format!("{} is not a connection file", path.display()))?;
        if connection.signature_scheme != sha256() {
            bail!(
                "the connection file asks for the signature scheme {:?}; the kernel knows hmac-sha256 only",
                connection.signature_scheme
            );
        }
        Ok(connection)
    }

    pub fn endpoint(&self, port: u16) -> String {
        match self.transport.as_str() {
            "ipc" => format!("ipc://{}-{port}", self.ip),
            transport => format!("{transport}://{}:{port}", self.ip),
        }
    }
}

/// Signs messages that are sent and checks those that are received.
#[derive(Clone)]
pub struct Signer {
    mac: Option<Hmac<Sha256>>,
}

impl Signer {
    /// An empty key means that messages are not signed.
    pub fn new(key: &str) -> Signer {
        let mac = (!key.is_empty())
            .then(|| Hmac::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length"));
        Signer { mac }
    }

    fn digest<'a>(&self, parts: impl Iterator<Item = &'a [u8]>) -> Option<Hmac<Sha256>> {
        let mut mac = self.mac.clone()?;
        parts.for_each(|part| mac.update(part));
        Some(mac)
    }

    /// The frames of `message`.
    pub fn encode(&self, message: &Message) -> ZmqMessage {
        let parts = [&message.header, &message.parent_header, &message.metadata, &message.content]
            .map(|part| serde_json::to_vec(part).expect("JSON values can be written"));
        let mac = self.digest(parts.iter().map(Vec::as_slice));
        let signature = mac.map_or(String::new(), |mac| hex(&mac.finalize().into_bytes()));
        let mut frames = message.addresses.clone();
        frames.push(DELIMITER.to_vec());
        frames.push(signature.into_bytes());
        frames.extend(parts);
        let frames: Vec<Bytes> = frames.into_iter().map(Bytes::from).collect();
        ZmqMessage::try_from(frames).expect("there is more than one frame")
    }

    /// The message in `frames`, if its signature is valid.
    pub fn decode(&self, frames: ZmqMessage) -> Result<Message> {
        let frames: Vec<Vec<u8>> =
            frames.into_vec().into_iter().map(|frame| frame.to_vec()).collect();
        let delimiter =
            frames.iter().position(|frame| frame == DELIMITER).context("no delimiter frame")?;
        let [signature, header, parent_header, metadata, content, ..] = &frames[delimiter + 1..]
        else {
            bail!("expected 5 frames after the delimiter, got {}", frames.len() - delimiter - 1);
        };
        let parts = [header, parent_header, metadata, content];
        if let Some(mac) = self.digest(parts.iter().map(|part| part.as_slice())) {
            let signature = from_hex(signature).context("the signature is not hexadecimal")?;
            mac.verify_slice(&signature).ok().context("the signature is wrong")?;
        }
        let [header, parent_header, metadata, content] =
            parts.map(|part| serde_json::from_slice(part).context("a frame is not JSON"));
        Ok(Message {
            addresses: frames[..delimiter].to_vec(),
            header: header?,
            parent_header: parent_header?,
            metadata: metadata?,
            content: content?,
        })
    }
}

fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?;
    if text.len() % 2 != 0 {
        return None;
    }
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(text.get(i..i + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn request() -> Message {
        Message {
            addresses: vec![b"client".to_vec()],
            header: json!({"msg_type": "execute_request", "session": "s"}),
            parent_header: json!({}),
            metadata: json!({}),
            content: json!({"code": "1 + 1"}),
        }
    }

    #[test]
    fn a_message_is_decoded_as_it_was_encoded() {
        let signer = Signer::new("secret");
        let back = signer.decode(signer.encode(&request())).unwrap();
        assert_eq!(back.content, request().content);
        assert_eq!(back.addresses, request().addresses);
    }

    #[test]
    fn a_wrong_signature_is_refused() {
        assert!(Signer::new("theirs").decode(Signer::new("ours").encode(&request())).is_err());
    }

    #[test]
    fn missing_frames_are_an_error() {
        let frames = vec![Bytes::from_static(DELIMITER), Bytes::new()];
        let frames = ZmqMessage::try_from(frames).unwrap();
        assert!(Signer::new("").decode(frames).is_err());
    }
}
