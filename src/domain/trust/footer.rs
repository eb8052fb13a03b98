//! The footer of our comments. They are written with a person's token and look human, so the only way to
//! know one's own voice again is a mark that nobody else can make.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::ids::ReportId;

pub(super) const OPEN: &str = "<!-- taskbridge-report ";
const CLOSE: &str = " -->";
const TAG_BYTES: usize = 16;

/// Signs and recognises our own comments.
#[derive(Debug, Clone, Copy)]
pub struct Footer;

impl Footer {
    /// The line to put at the end of a comment: the report's id and a truncated HMAC-SHA256 of it.
    #[must_use]
    pub fn sign(key: &[u8; 32], report: ReportId) -> String {
        let tag = mac(key, report).finalize().into_bytes();
        format!("{OPEN}{report} {}{CLOSE}", hex::encode(&tag[..TAG_BYTES]))
    }

    /// The report that a comment's footer names, if the footer was made with this key. A comment may quote
    /// another, so every footer in it is tried (at most eight).
    #[must_use]
    pub fn verify(key: &[u8; 32], body: &str) -> Option<ReportId> {
        body.rmatch_indices(OPEN).take(8).find_map(|(at, _)| {
            let (report, tag) = body[at + OPEN.len()..].split_once(CLOSE)?.0.split_once(' ')?;
            let report: ReportId = (report.len() == 36).then(|| report.parse().ok())??;
            let tag = (tag.len() == 2 * TAG_BYTES).then(|| hex::decode(tag).ok())??;
            mac(key, report).verify_truncated_left(&tag).ok().map(|()| report)
        })
    }
}

fn mac(key: &[u8; 32], report: ReportId) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(b"taskbridge report footer\n");
    mac.update(report.0.as_bytes());
    mac
}
