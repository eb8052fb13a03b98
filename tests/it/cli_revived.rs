//! The database of a running service is stopped and killed in every way: the same process answers again, and what it
//! acknowledged is there.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::install::{client, event, until};
use crate::support::program::Folder;
use crate::support::world::HOOK_SECRET;

const CONFIGURATION: &str = "data_dir: data
sources:
  github: { type: github, secrets: \"${HOOK_SECRET}\" }
rules:
  - { name: fix, on: { label: fix }, prompt: Fix it. }
";

/// Case 26.
#[tokio::test]
async fn however_postgresql_ends_the_same_process_serves_again_and_nothing_acknowledged_is_lost() {
    let folder = Folder::new();
    folder.write("taskbridge.yaml", CONFIGURATION);
    let mut serve = folder.start(&["serve", "--listen", "127.0.0.1:0"], &[("HOOK_SECRET", HOOK_SECRET)]);
    let line = serve.says("taskbridge serves");
    let address = line.split(' ').find_map(|word| word.strip_prefix("address=")).unwrap().to_owned();
    let client = client();
    let send = async |guid: &str| -> Option<String> {
        let answer = event(&client, &address, "push", guid, &json!({ "after": guid })).send().await.unwrap();
        match answer.status().as_u16() {
            202 => Some(answer.json::<Value>().await.unwrap()["delivery"].as_str().unwrap().to_owned()),
            503 => None,
            other => panic!("it says {other}"),
        }
    };
    let mut acknowledged = Vec::new();
    // As an administrator stops it at once, as it ends when it is told to forget everything, and as when memory runs out.
    for signal in ["-INT", "-QUIT", "-KILL"] {
        for nth in 0..5 {
            let guid = format!("before{signal}-{nth}");
            acknowledged.push((send(&guid).await.unwrap(), guid));
        }
        let file = std::fs::read_to_string(folder.path().join("data/postgres/postmaster.pid")).unwrap();
        let postmaster = file.lines().next().unwrap();
        assert!(Command::new("kill").args([signal, postmaster]).status().unwrap().success());
        let gone = || !Command::new("kill").args(["-0", postmaster]).output().unwrap().status.success();
        until("it is gone", Duration::from_secs(20), async || gone().then_some(())).await;
        let guid = format!("after{signal}");
        let again = until("webhooks are taken in again", Duration::from_secs(30), async || send(&guid).await).await;
        acknowledged.push((again, guid));
        for (id, guid) in &acknowledged {
            assert_eq!(send(guid).await.as_ref(), Some(id), "{guid} is there, and no second time");
        }
    }
    serve.signal("TERM");
    assert!(serve.ended(Duration::from_secs(30)).success(), "the process never ended meanwhile");
}
