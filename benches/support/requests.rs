//! Signed requests, each with an id and a body of its own, made with as little work as possible: the common
//! beginning of all bodies is hashed once.

use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::payload::{Payload, UNWANTED, WANTED};

/// Numbers of requests are never used twice in a process, so no delivery is taken for another's repetition.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// The maker of requests.
pub(crate) struct Requests {
    payload: Payload,
    begun: Hmac<Sha256>,
    wanted_of: u64,
    run: u64,
}

impl Requests {
    /// Signed with `secret`; one of `wanted_of` has the label that a rule listens to.
    pub(crate) fn new(payload: Payload, secret: &str, wanted_of: u64, run: u64) -> Self {
        let mut begun = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key will do");
        begun.update(payload.prefix().as_bytes());
        Self { payload, begun, wanted_of, run }
    }

    /// Writes the next request into `buffer`, in place of what is there; `tail` is room to work in.
    pub(crate) fn next(&self, buffer: &mut Vec<u8>, tail: &mut String) {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        tail.clear();
        let wanted = n.is_multiple_of(self.wanted_of);
        self.payload.finish(n, if wanted { WANTED } else { UNWANTED }, tail);
        let mut mac = self.begun.clone();
        mac.update(tail.as_bytes());
        let signature = hex::encode(mac.finalize().into_bytes());
        let length = self.payload.prefix().len() + tail.len();
        buffer.clear();
        // Senders' ids are random; these are spread the same way over the index.
        let spread = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        // Writing to a Vec cannot fail.
        let _ = write!(
            buffer,
            "POST /hooks/github HTTP/1.1\r\nHost: hooks.example.com\r\nUser-Agent: GitHub-Hookshot/0a1b2c3\r\n\
             Accept: */*\r\nContent-Type: application/json\r\nX-GitHub-Event: issues\r\n\
             X-GitHub-Delivery: {:08x}-{:04x}-11f0-{:04x}-{:012x}\r\nX-GitHub-Hook-ID: 412345678\r\n\
             X-GitHub-Hook-Installation-Target-ID: 5001\r\nX-GitHub-Hook-Installation-Target-Type: repository\r\n\
             X-Hub-Signature-256: sha256={signature}\r\nContent-Length: {length}\r\n\r\n",
            spread >> 32,
            spread >> 16 & 0xffff,
            spread & 0xffff,
            self.run << 32 | n,
        );
        buffer.extend_from_slice(self.payload.prefix().as_bytes());
        buffer.extend_from_slice(tail.as_bytes());
    }
}
