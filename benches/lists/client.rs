//! Somebody who asks the admin API one question after the other, on one connection.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

/// A connection that is kept.
pub(crate) struct Client {
    stream: TcpStream,
    key: String,
    answer: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr, key: &str) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).expect("a TCP socket");
        Self { stream, key: key.to_owned(), answer: vec![0; 1 << 20] }
    }

    /// # Panics
    /// When the answer is not a 200 with JSON.
    pub(crate) fn get(&mut self, path: &str) -> Value {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n", self.key);
        self.stream.write_all(request.as_bytes()).expect("the server reads");
        let mut read = 0;
        loop {
            let more = self.stream.read(&mut self.answer[read..]).expect("the server answers");
            assert!(more > 0, "the server closed the connection, or its answer has no end: {path}");
            read += more;
            let Some(head) = self.answer[..read].windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let text = std::str::from_utf8(&self.answer[..head]).expect("a head is text").to_ascii_lowercase();
            let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            let body = head + 4..head + 4 + length.expect("an answer says its length");
            if read < body.end {
                continue;
            }
            let body = &self.answer[body];
            assert!(text.starts_with("http/1.1 200"), "{path}: {text}\n{}", String::from_utf8_lossy(body));
            return serde_json::from_slice(body).expect("the answer is JSON");
        }
    }
}
