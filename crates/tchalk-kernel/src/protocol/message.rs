//! A Jupyter message, as the protocol's section "General message format" describes it.

use chrono::{SecondsFormat, Utc};
use serde_json::{Value, json};

/// The protocol version this kernel speaks.
pub const PROTOCOL: &str = "5.3";

/// One message on any channel.
#[derive(Debug, Clone)]
pub struct Message {
    /// The frames that identify the receiver of a reply.
    pub addresses: Vec<Vec<u8>>,
    pub header: Value,
    pub parent_header: Value,
    pub metadata: Value,
    pub content: Value,
}

impl Message {
    pub fn kind(&self) -> &str {
        self.header["msg_type"].as_str().unwrap_or_default()
    }

    pub fn code(&self) -> &str {
        self.content["code"].as_str().unwrap_or_default()
    }

    /// A reply to this message, on the same channel.
    pub fn reply(&self, content: Value) -> Message {
        let kind = self.kind().replace("_request", "_reply");
        self.child(self.addresses.clone(), &kind, content)
    }

    /// A request to the front end that sent this message (for input).
    pub fn ask(&self, kind: &str, content: Value) -> Message {
        self.child(self.addresses.clone(), kind, content)
    }

    /// A message to all clients (on iopub) that this one caused.
    pub fn publish(&self, kind: &str, content: Value) -> Message {
        self.child(vec![kind.as_bytes().to_vec()], kind, content)
    }

    fn child(&self, addresses: Vec<Vec<u8>>, kind: &str, content: Value) -> Message {
        Message {
            addresses,
            header: json!({
                "msg_id": uuid::Uuid::new_v4().to_string(),
                "session": self.header["session"],
                "username": "kernel",
                "date": Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true),
                "msg_type": kind,
                "version": PROTOCOL,
            }),
            parent_header: self.header.clone(),
            metadata: json!({}),
            content,
        }
    }

    /// A parent for messages that no request caused, such as the first status.
    pub fn unprompted() -> Message {
        Message {
            addresses: Vec::new(),
            header: json!({"session": uuid::Uuid::new_v4().to_string()}),
            parent_header: json!({}),
            metadata: json!({}),
            content: json!({}),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_names_its_parent() {
        let mut request = Message::unprompted();
        request.header["msg_type"] = "kernel_info_request".into();
        let reply = request.reply(json!({"status": "ok"}));
        assert_eq!(reply.kind(), "kernel_info_reply");
        assert_eq!(reply.parent_header, request.header);
    }
}
