//! `taskbridge manifest github --create` where it does not go as it should: another owner, a stop, a folder that takes nothing, a
//! configuration that is not whole yet.

use std::time::Duration;

use reqwest::StatusCode;
use taskbridge::sandbox::{Fault, FaultKind};

use crate::support::install::until;
use crate::support::new_app::{CREATE, FILES, PATIENCE, Scene};

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_belongs_to_another_than_was_asked_for_is_not_taken() {
    let scene = Scene::new().await;
    let (mut program, address) = scene.begin(&["--org", "acme"]);
    let back = scene.at_github_of(&address, |action| action.replace("/organizations/acme", "")).await;
    let seen = scene.get(&back).await;
    assert_eq!(seen.status, StatusCode::BAD_GATEWAY, "{}", seen.text);
    assert_eq!(program.ended(PATIENCE).code(), Some(1));
    let text = program.text();
    for told in ["not for the organization acme", "Its secrets are not kept", "/settings/apps/taskbridge"] {
        assert!(text.contains(told) && seen.text.contains(told), "{told} in {text}\n{}", seen.text);
    }
    assert!(!text.contains("client_id") && !text.contains("/organizations/acme/"), "{text}");
    assert_eq!(scene.files(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_it_and_says_what_may_have_been_made() {
    let scene = Scene::new().await;
    for is_begun in [false, true] {
        let (mut program, address) = scene.begin(&[]);
        if is_begun {
            scene.at_github(&address).await;
        }
        program.signal("INT");
        assert_eq!(program.ended(PATIENCE).code(), Some(130), "{}", program.text());
        let text = program.text();
        assert_eq!(text.contains("delete it, and do not install it"), is_begun, "{text}");
        assert_eq!(scene.files(), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_while_github_is_asked_waits_for_the_answer() {
    let scene = Scene::new().await;
    let (mut program, address) = scene.begin(&[]);
    let back = scene.at_github(&address).await;
    scene.sandbox.control().inject(Fault::new(FaultKind::DelayAfter { ms: 2000 }).on("POST", "/app-manifests/"));
    let (page, ()) = tokio::join!(scene.get(&back), async {
        until("GitHub is asked", PATIENCE, async || (scene.conversions() == 1).then_some(())).await;
        program.signal("INT");
    });
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    assert!(program.ended(PATIENCE).success(), "{}", program.text());
    assert_eq!(scene.secrets().len(), FILES.len());
    assert!(program.text().contains("client_id: "), "{}", program.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_takes_nothing_is_told_before_anything_is_made() {
    let scene = Scene::new().await;
    scene.folder.run(&[&CREATE[..], &["--out", "/proc/self"]].concat(), &[]).is(1, &["github-app.pem cannot be made"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_made_at_one_github_and_asked_for_at_another() {
    let scene = Scene::new().await;
    let url = scene.sandbox.url();
    let source = "sources:\n  hub: { type: github, secrets: \"${HOOK_SECRET}\" }\n";
    for (api, web) in [
        ("https://api.github.com", "https://github.example.com"),
        ("https://api.octo.ghe.com", "https://other.ghe.com"),
        ("https://api.github.com", url),
    ] {
        scene.configure(&format!("github: {{ api_url: \"{api}\", web_url: \"{web}\" }}\n{source}"));
        let told = format!("github.api_url ({api}) is not the API of github.web_url ({web})");
        scene.folder.run(&CREATE, &[]).is(1, &[&told]);
        scene
            .folder
            .run(&["check"], &[("HOOK_SECRET", "a secret that is long enough")])
            .is(0, &["who signs in here is not known there"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_does_not_need_may_be_missing() {
    let scene = Scene::new().await;
    let url = scene.sandbox.url();
    scene.folder.write("broken.pem", "no key");
    scene.configure(&format!(
        "github:\n  api_url: \"{url}\"\n  web_url: \"{url}\"\n  app: {{ id: 1, private_key: {{ file: broken.pem }} }}\n\
         database: {{ url: \"${{NOT_SET}}\" }}\nvault: {{ keys: {{ file: none.key }} }}\n\
         sources:\n  hub: {{ type: github, secrets: \"${{NOT_SET}}\" }}\n  forge: {{ type: github, secrets: \"${{NOT_SET}}\" }}\n"
    ));
    scene.folder.run(&CREATE, &[]).is(1, &["say with `--source` to which of forge, hub"]);
    scene.folder.run(&[&CREATE[..], &["--source", "hup"]].concat(), &[]).is(1, &["hup is no source"]);
    let (mut program, address) = scene.begin(&["--source", "forge"]);
    let back = scene.at_github(&address).await;
    assert_eq!(scene.get(&back).await.status, StatusCode::OK);
    assert!(program.ended(PATIENCE + Duration::from_secs(1)).success(), "{}", program.text());
    let (hook, _) = scene.sandbox.control().app_hook().unwrap();
    assert_eq!(hook, format!("{}/hooks/forge", scene.public));
    let text = program.text();
    assert!(text.contains("  forge:\n    type: github") && text.contains(&format!("  api_url: \"{url}\"")), "{text}");
    scene.secrets();
}
