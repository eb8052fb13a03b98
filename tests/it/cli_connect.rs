//! `taskbridge people connect` with the real binary: the code is shown, and whatever GitHub says of it is done or told.

use std::time::{Duration, Instant};

use taskbridge::ids::PersonId;

use crate::support::install::{Install, until};
use crate::support::program::Program;

const CLIENT: &str = "Iv23terminal";
pub(crate) const CLIENT_SECRET: &str = "canary-terminal-secret-7b";
const PATIENCE: Duration = Duration::from_secs(20);

async fn install() -> Install {
    install_with("", "").await
}

/// An installation where people can sign in, with these further lines.
pub(crate) async fn install_with(github: &str, sections: &str) -> Install {
    let github = format!(", sign_in: {{ client_id: {CLIENT}, client_secret: \"${{CLIENT_SECRET}}\" }}{github}");
    let sections = format!("server: {{ public_url: \"http://127.0.0.1:9\" }}\n{sections}");
    let install = Install::new(&github, &sections).await;
    install.sandbox.control().set_sign_in(CLIENT, CLIENT_SECRET, None);
    install
}

/// The command, once it shows the code; and the code.
pub(crate) fn connect(install: &Install) -> (Program, String) {
    let env = [&install.env()[..], &[("CLIENT_SECRET", CLIENT_SECRET)]].concat();
    let mut program = install.folder.start(&["people", "connect"], &env);
    let line = program.says("type the code ");
    let code = line.rsplit(' ').next().unwrap().to_owned();
    (program, code)
}

/// Waits until GitHub was asked so often for the token.
async fn asked(install: &Install, times: usize) {
    let count = || install.sandbox.control().count_calls("POST", "/login/oauth/access_token");
    until("it asks again", PATIENCE, async || (count() >= times).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_waits_as_long_as_it_is_told_and_is_let_in() {
    let install = install().await;
    install.sandbox.control().set_device_life(1, 900);
    let (mut program, code) = connect(&install);
    asked(&install, 1).await;
    // The next question comes too soon, and GitHub asks for nine seconds.
    install.sandbox.control().slow_devices_down(4);
    asked(&install, 2).await;
    let told = Instant::now();
    install.sandbox.control().let_device_in("mona", &code).unwrap();
    assert!(program.ended(PATIENCE).success(), "{}", program.text());
    assert!(told.elapsed() > Duration::from_secs(8), "it waited {:?}", told.elapsed());
    assert!(program.text().contains("Signed in as @mona (account 1001)"), "{}", program.text());
    asked(&install, 3).await;
    assert_eq!(install.sandbox.control().count_calls("POST", "/login/oauth/access_token"), 3);
    assert!(install.bridge.store.person(PersonId(1001)).await.unwrap().is_some_and(|mona| mona.signed_in));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_is_not_let_in_says_why_and_ends() {
    let install = install().await;
    type Ends = fn(&Install);
    let ways: [(i64, Ends, &str); 3] = [
        (900, |install| install.sandbox.control().keep_devices_out(), "the sign-in was cancelled at GitHub"),
        (900, |install| install.sandbox.control().end_devices(), "the code was not typed in time; begin again"),
        (2, |_| {}, "the code was not typed in time; run the command again"),
    ];
    for (lasts, end, says) in ways {
        install.sandbox.control().clear_calls();
        install.sandbox.control().set_device_life(1, lasts);
        let (mut program, _) = connect(&install);
        asked(&install, 1).await;
        end(&install);
        let status = program.ended(PATIENCE);
        assert_eq!(status.code(), Some(1), "{}", program.text());
        assert!(program.text().contains(says), "{says} in {}", program.text());
    }
    assert!(install.bridge.store.person(PersonId(1001)).await.unwrap().is_none(), "nobody is signed in");
}
