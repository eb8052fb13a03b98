//! Over TLS: a certificate that the operator added is trusted, any other server is not, and is sent nothing.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use taskbridge::clock::Ground;
use taskbridge::github::{CallError, Github, Settings};

use crate::github_kit::{as_person, settings};

const LOCALHOST: &[u8] = include_bytes!("../fixtures/test-only-localhost.pem");

/// A TLS server that answers one connection, and counts the requests it could read.
fn tls_server() -> (String, Arc<AtomicUsize>) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certificate = CertificateDer::from_pem_slice(LOCALHOST).unwrap();
    let key = PrivateKeyDer::from_pem_slice(LOCALHOST).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let requests = Arc::new(AtomicUsize::new(0));
    let count = requests.clone();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut stream = StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), stream);
        let mut request = [0; 4096];
        // A client that does not trust the certificate ends the handshake here.
        let Ok(1..) = stream.read(&mut request) else { return };
        count.fetch_add(1, Ordering::SeqCst);
        let body = r#"{"id":1,"login":"safe"}"#;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        stream.write_all((head + body).as_bytes()).unwrap();
        stream.conn.send_close_notify();
        stream.flush().unwrap();
    });
    (url, requests)
}

fn client(url: &str, extra_ca_pem: Option<Vec<u8>>) -> Github {
    Github::new(Settings { extra_ca_pem, ..settings(url) }, Ground::system()).unwrap()
}

#[tokio::test]
async fn an_added_certificate_is_trusted() {
    let (url, requests) = tls_server();
    let github = client(&url, Some(LOCALHOST.to_vec()));
    assert_eq!(as_person(&github, 1).me().await.unwrap().login, "safe");
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_unknown_certificate_is_sent_nothing() {
    let (url, requests) = tls_server();
    let error = as_person(&client(&url, None), 1).me().await.unwrap_err();
    let CallError::NotSent { why } = &error else { panic!("{error:?}") };
    assert!(why.contains("certificate"), "{why}");
    assert_eq!(requests.load(Ordering::SeqCst), 0);
}
