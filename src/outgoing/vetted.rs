//! DNS with a guard: the addresses that a name has are looked at where the connection is made, with the answer that it is
//! made with. A check of its own before would be of another answer, which the owner of the name can make another.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::domain::public_address::is_public;

/// An answer on its way.
pub type Looking = Pin<Box<dyn Future<Output = std::io::Result<Vec<IpAddr>>> + Send>>;

/// What answers for names.
pub trait Lookup: Send + Sync + 'static {
    /// The addresses of `name`.
    fn lookup(&self, name: &str) -> Looking;
}

/// The machine's own resolver.
#[derive(Debug, Clone, Copy)]
pub(super) struct System;

impl Lookup for System {
    fn lookup(&self, name: &str) -> Looking {
        let name = name.to_owned();
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.map(|found| found.ip()).collect()) })
    }
}

/// A name that leads to where nothing may be sent.
#[derive(Debug, thiserror::Error)]
#[error("an address of the name is not one of the whole internet")]
pub(super) struct NotPublic;

/// The resolver of a client that calls public addresses only, or any.
pub(super) struct Vetted {
    pub(super) lookup: Arc<dyn Lookup>,
    pub(super) any: bool,
}

impl Resolve for Vetted {
    fn resolve(&self, name: Name) -> Resolving {
        let (looking, any) = (self.lookup.lookup(name.as_str()), self.any);
        Box::pin(async move {
            let found = looking.await?;
            // One that is not public is enough: which of them is called is not ours to say.
            if !any && !found.iter().copied().all(is_public) {
                return Err(NotPublic.into());
            }
            let found: Addrs = Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(found)
        })
    }
}

/// Whether an address that stands in the URL itself, which is never looked up, is one of the whole internet.
pub(super) fn literal_is_public(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host.parse::<IpAddr>().map_or(true, is_public)
}

/// Whether a call failed at the guard.
pub(super) fn is_guarded(error: &reqwest::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if error.is::<NotPublic>() {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use chrono::DateTime;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::super::{Message, PostError, Poster, Receiver};
    use super::*;
    use crate::domain::outgoing::Choice;

    /// A name server whose owner changes his mind: each question has an answer of its own, the last stays.
    struct Fickle(Mutex<Vec<Vec<IpAddr>>>);

    impl Lookup for Fickle {
        fn lookup(&self, _: &str) -> Looking {
            let mut answers = self.0.lock().unwrap();
            let answer = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
            Box::pin(async move { Ok(answer) })
        }
    }

    fn fickle(answers: &[&[&str]]) -> Arc<Fickle> {
        let each = answers.iter().map(|answer| answer.iter().map(|text| text.parse().unwrap()).collect());
        Arc::new(Fickle(Mutex::new(each.collect())))
    }

    async fn post(lookup: Arc<Fickle>, url: &str, allow_private: bool) -> Result<(), PostError> {
        let receiver = Receiver {
            name: "board".to_owned(),
            choice: Choice::default(),
            url: url.parse().unwrap(),
            keys: Vec::new(),
            allow_private,
            timeout: Duration::from_secs(5),
        };
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        Poster::with_lookup(lookup).post(&receiver, Message { id: "1", body: "{}" }, now).await
    }

    /// A listener that must not be called, and the count of who did.
    async fn listening() -> (u16, tokio::task::JoinSet<()>, Arc<Mutex<usize>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let count = Arc::<Mutex<usize>>::default();
        let mut running = tokio::task::JoinSet::new();
        let counted = Arc::clone(&count);
        running.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                *counted.lock().unwrap() += 1;
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await;
            }
        });
        (port, running, count)
    }

    #[tokio::test]
    async fn a_name_that_is_public_when_it_is_looked_at_and_private_when_it_is_called_is_not_called() {
        let (port, _running, count) = listening().await;
        let lookup = fickle(&[&["93.184.215.14"], &["127.0.0.1"]]);
        assert!(lookup.lookup("rebind.example").await.unwrap().into_iter().all(is_public), "at the check");
        let url = format!("http://rebind.example:{port}/");
        assert!(matches!(post(lookup, &url, false).await, Err(PostError::Private)));
        assert_eq!(*count.lock().unwrap(), 0);
        // The same answer is what is called where that is allowed, so the guard is all that stood between.
        post(fickle(&[&["127.0.0.1"]]), &url, true).await.unwrap();
        assert_eq!(*count.lock().unwrap(), 1);
    }

    #[tokio::test]
    async fn one_private_address_among_public_ones_is_enough() {
        for private in ["169.254.169.254", "10.0.0.1", "::1", "fd00::1", "::ffff:127.0.0.1", "0.0.0.0", "100.64.0.1"] {
            let outcome = post(fickle(&[&["93.184.215.14", private]]), "http://mixed.example/", false).await;
            assert!(matches!(outcome, Err(PostError::Private)), "{private}: {outcome:?}");
        }
    }

    #[tokio::test]
    async fn an_address_in_the_url_is_not_looked_up_and_yet_looked_at() {
        let (port, _running, count) = listening().await;
        for host in ["127.0.0.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254"] {
            let outcome = post(fickle(&[&["93.184.215.14"]]), &format!("http://{host}:{port}/"), false).await;
            assert!(matches!(outcome, Err(PostError::Private)), "{host}: {outcome:?}");
        }
        assert_eq!(*count.lock().unwrap(), 0);
    }

    #[tokio::test]
    async fn what_cannot_be_reached_is_told_without_its_address() {
        let (port, running, _) = listening().await;
        drop(running);
        let outcome = post(fickle(&[&["127.0.0.1"]]), &format!("http://closed.example:{port}/secret-path"), true).await;
        let Err(error @ PostError::Network(_)) = outcome else { panic!("{outcome:?}") };
        let told = error.to_string();
        assert!(!told.contains("secret-path") && !told.contains("closed.example"), "{told}");
    }
}
