//! Forged requests, all that lie one step beside a true one: each cut of a signature, each flipped bit of it, each
//! flipped bit of a body, and a true signature at another source's address. All are turned away alike.

use axum::body::Body;
use axum::http::{HeaderValue, Request, StatusCode};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;

use crate::support::world::{HOOK_SECRET, LABEL_RULE, OLD_SECRET, World, signature, signed};

const NAME: &str = "x-hub-signature-256";
const BODY: &[u8] = br#"{"action":"opened","issue":{"id":1,"number":1}}"#;

/// A request with this body and these bytes as its signature; none where the bytes cannot stand in a header at all.
fn claiming(body: &[u8], signature: &[u8]) -> Option<Request<Body>> {
    let mut request = signed("issues", "d-1", body);
    request.headers_mut().insert(NAME, HeaderValue::from_bytes(signature).ok()?);
    Some(request)
}

async fn is_turned_away(world: &World, request: Request<Body>, what: &str) {
    let answer = world.send(request).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{what}");
    assert_eq!(answer.body["type"], "urn:taskbridge:problem:not-signed", "{what}");
}

/// Cut anywhere, from either end, also down to the bare name of the algorithm and to nothing.
///
/// Case 17.
#[tokio::test]
async fn a_signature_that_is_cut_short_anywhere_is_turned_away() {
    let world = World::new(LABEL_RULE).await;
    let right = signature(HOOK_SECRET, BODY);
    assert_eq!(right.len(), 71);
    for length in 0..right.len() {
        let (start, end) = (&right[..length], &right[right.len() - length..]);
        for cut in [start.to_owned(), end.to_owned(), format!("sha256={end}")] {
            if cut != right {
                is_turned_away(&world, claiming(BODY, cut.as_bytes()).unwrap(), &cut).await;
            }
        }
    }
    assert_eq!(world.delivery_count().await, 0);
    assert_eq!(world.send(claiming(BODY, right.as_bytes()).unwrap()).await.status, StatusCode::ACCEPTED);
}

/// Case 18.
#[tokio::test]
async fn each_flipped_bit_of_a_signature_is_turned_away() {
    let world = World::new(LABEL_RULE).await;
    let right = signature(HOOK_SECRET, BODY);
    let mut sent = 0;
    for bit in 0..right.len() * 8 {
        let mut bytes = right.clone().into_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Some(request) = claiming(BODY, &bytes) {
            is_turned_away(&world, request, &format!("bit {bit}")).await;
            sent += 1;
        }
    }
    assert!(sent > 400, "most can stand in a header: {sent}");
    assert_eq!(world.delivery_count().await, 0);
}

/// Each bit of one body, and one bit of many others, whatever their length.
///
/// Case 18.
#[tokio::test]
async fn each_flipped_bit_of_a_body_is_turned_away() {
    let world = World::new(LABEL_RULE).await;
    let flipped = |body: &[u8], bit: usize| {
        let mut other = body.to_vec();
        other[bit / 8] ^= 1 << (bit % 8);
        claiming(&other, signature(HOOK_SECRET, body).as_bytes()).unwrap()
    };
    for bit in 0..BODY.len() * 8 {
        is_turned_away(&world, flipped(BODY, bit), &format!("bit {bit}")).await;
    }
    let mut runner = TestRunner::deterministic();
    let bodies = (proptest::collection::vec(proptest::num::u8::ANY, 1..3000), proptest::num::usize::ANY);
    for _ in 0..200 {
        let (body, bit) = bodies.new_tree(&mut runner).unwrap().current();
        let bit = bit % (body.len() * 8);
        is_turned_away(&world, flipped(&body, bit), &format!("bit {bit} of {} bytes", body.len())).await;
        // Something more or less at the end is another body too.
        let right = signature(HOOK_SECRET, &body);
        let longer = [body.as_slice(), b" "].concat();
        is_turned_away(&world, claiming(&longer, right.as_bytes()).unwrap(), "longer").await;
        is_turned_away(&world, claiming(&body[1..], right.as_bytes()).unwrap(), "shorter").await;
    }
    assert_eq!(world.delivery_count().await, 0);
}

/// Each source has secrets of its own, also when the sources are of one kind.
///
/// Case 25.
#[tokio::test]
async fn a_signature_of_one_source_opens_no_other() {
    let two = "sources:\n  github: { type: github, secrets: \"${HOOK_SECRET}\" }\n  \
               other: { type: github, secrets: \"${OLD_SECRET}\" }\n";
    let world = World::new(two).await;
    let send = async |source: &str, secret: &str, delivery: &str| {
        let mut request = signed("issues", delivery, BODY);
        *request.uri_mut() = format!("/hooks/{source}").parse().unwrap();
        request.headers_mut().insert(NAME, HeaderValue::from_str(&signature(secret, BODY)).unwrap());
        world.send(request).await.status
    };
    assert_eq!(send("other", HOOK_SECRET, "d-1").await, StatusCode::UNAUTHORIZED);
    assert_eq!(send("github", OLD_SECRET, "d-1").await, StatusCode::UNAUTHORIZED);
    assert_eq!(world.delivery_count().await, 0);
    assert_eq!(send("other", OLD_SECRET, "d-1").await, StatusCode::ACCEPTED);
    // The same id from another source is another delivery.
    assert_eq!(send("github", HOOK_SECRET, "d-1").await, StatusCode::ACCEPTED);
    assert_eq!(world.delivery_count().await, 2);
}
