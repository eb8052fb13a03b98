//! The page about the sandbox is tried out: every example in it must work as it stands.

use reqwest::Method;

use crate::sandbox_world::Place;

#[tokio::test]
async fn every_example_of_the_control_works_in_the_order_given() {
    let place = Place::new().await;
    let page = include_str!("../../docs/sandbox.md");
    let mut tried = 0;
    for line in page.lines().filter_map(|line| line.strip_prefix("    curl http://127.0.0.1:4000")) {
        let (path, body) = line.split_once(" --json ").unwrap_or((line, ""));
        let method = if body.is_empty() { Method::GET } else { Method::POST };
        let call = place.bare(method, path).body(body.trim_matches('\'').to_owned());
        let response = call.send().await.unwrap();
        let status = response.status();
        assert_eq!(status, 200, "{line}: {}", response.text().await.unwrap());
        tried += 1;
    }
    assert!(tried > 25, "{tried}");
}
