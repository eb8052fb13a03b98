//! What is no longer wanted here is ended at GitHub, now or when GitHub can be told: it is written down before, kept for that
//! alone, and wiped after a day.

use std::time::Duration;

use axum::http::StatusCode;
use sqlx::{Connection as _, PgConnection};
use taskbridge::pipeline::people::remove;
use taskbridge::pipeline::reseal::reseal;
use taskbridge::pipeline::revoke::{AtGithub, revoke_batch};
use taskbridge::sandbox::{Fault, FaultKind};

use crate::connect_kit::{Browser, OTTO, Seen, otto, token_of_otto, world};
use crate::support::world::World;

const GRANT: &str = "/applications/Iv23connect/grant";

fn github_cannot_be_told(world: &World, kind: FaultKind) {
    world.control().inject(Fault { method: None, path: "/applications/".into(), user: None, times: None, kind });
}

async fn kept(world: &World) -> usize {
    world.bridge.store.revocations().await.unwrap().len()
}

fn good(world: &World, token: &str) -> bool {
    world.control().is_good("otto", token)
}

#[tokio::test]
async fn who_is_removed_by_an_operator_is_forgotten_at_github_too() {
    let world = world().await;
    Browser::new(&world).sign_in(&world, "otto").await;
    let token = token_of_otto(&world).await;
    assert_eq!(remove(&world.bridge, OTTO, "an operator").await.unwrap(), Some(AtGithub::Ended));
    assert!(otto(&world).await.is_none() && !good(&world, &token));
    assert_eq!((kept(&world).await, world.control().pairs("otto")), (0, 0), "nothing is kept of it");
    assert_eq!(remove(&world.bridge, OTTO, "an operator").await.unwrap(), None);
}

#[tokio::test]
async fn what_github_cannot_be_told_is_told_later() {
    for kind in
        [FaultKind::DropBefore, FaultKind::StatusBefore { status: 502 }, FaultKind::StatusBefore { status: 401 }]
    {
        let world = world().await;
        let mut browser = Browser::new(&world);
        let page = browser.sign_in(&world, "otto").await;
        let token = token_of_otto(&world).await;
        github_cannot_be_told(&world, kind);
        let gone = browser.post("/connect/disconnect", &format!("form={}", page.form())).await;
        assert_eq!(gone.status, StatusCode::OK);
        assert!(
            gone.text.contains("told again for a day") && gone.text.contains("/settings/connections/"),
            "{}",
            gone.text
        );
        assert!(otto(&world).await.is_none() && good(&world, &token));
        let before = world.control().count_calls("DELETE", GRANT);
        assert_eq!(revoke_batch(&world.bridge).await.unwrap(), 0, "not at once");
        world.advance(70);
        assert_eq!(revoke_batch(&world.bridge).await.unwrap(), 1);
        assert_eq!(world.control().count_calls("DELETE", GRANT), before + 1);
        assert_eq!(reseal(&world.bridge).await.unwrap(), 0, "it is sealed with the first key");
        world.control().clear_faults();
        world.advance(3600);
        revoke_batch(&world.bridge).await.unwrap();
        assert!(!good(&world, &token) && world.control().pairs("otto") == 0 && kept(&world).await == 0);
    }
}

#[tokio::test]
async fn what_cannot_be_ended_for_a_day_is_wiped() {
    let world = world().await;
    Browser::new(&world).sign_in(&world, "otto").await;
    token_of_otto(&world).await;
    github_cannot_be_told(&world, FaultKind::StatusBefore { status: 502 });
    let left = remove(&world.bridge, OTTO, "an operator").await.unwrap();
    assert!(matches!(left, Some(AtGithub::Alive { again: true, .. })), "{left:?}");
    for _ in 0..23 {
        world.advance(3600);
        revoke_batch(&world.bridge).await.unwrap();
    }
    let tries = world.control().count_calls("DELETE", GRANT);
    assert!((10..=24).contains(&tries), "{tries}");
    assert_eq!(kept(&world).await, 1);
    world.advance(3600);
    revoke_batch(&world.bridge).await.unwrap();
    assert_eq!((kept(&world).await, world.control().count_calls("DELETE", GRANT)), (0, tries));
}

/// The word of a time before must not end what its person has given since.
#[tokio::test]
async fn who_comes_back_keeps_what_they_give_anew_and_the_token_before_ends() {
    let world = world().await;
    Browser::new(&world).sign_in(&world, "otto").await;
    let before = token_of_otto(&world).await;
    github_cannot_be_told(&world, FaultKind::StatusBefore { status: 502 });
    remove(&world.bridge, OTTO, "an operator").await.unwrap();
    world.control().clear_faults();
    Browser::new(&world).sign_in(&world, "otto").await;
    let now = token_of_otto(&world).await;
    world.advance(120);
    assert_eq!(revoke_batch(&world.bridge).await.unwrap(), 1);
    assert!(good(&world, &now) && !good(&world, &before) && kept(&world).await == 0);

    // The same of a token that was replaced while GitHub could not be told.
    github_cannot_be_told(&world, FaultKind::DropBefore);
    Browser::new(&world).sign_in(&world, "otto").await;
    let newest = token_of_otto(&world).await;
    assert!(good(&world, &now) && kept(&world).await == 1);
    world.control().clear_faults();
    world.advance(120);
    revoke_batch(&world.bridge).await.unwrap();
    assert!(good(&world, &newest) && !good(&world, &now) && kept(&world).await == 0);
}

/// Somebody who left comes back while GitHub is told of the time before.
async fn left_untold() -> World {
    let world = world().await;
    Browser::new(&world).sign_in(&world, "otto").await;
    github_cannot_be_told(&world, FaultKind::StatusBefore { status: 502 });
    remove(&world.bridge, OTTO, "an operator").await.unwrap();
    world.control().clear_faults();
    world.advance(70);
    world
}

async fn comes_back(world: &World) -> Seen {
    let seen = Browser::new(world).sign_in(world, "otto").await;
    let token = token_of_otto(world).await;
    assert!(good(world, &token) && otto(world).await.unwrap().token_state == "ok");
    seen
}

#[tokio::test]
async fn who_signs_in_while_the_grant_of_the_time_before_ends_is_asked_to_do_it_once_more() {
    let world = left_untold().await;
    world.control().inject(Fault {
        method: Some("GET".into()),
        path: "/user$".into(),
        user: None,
        times: Some(1),
        kind: FaultKind::DelayAfter { ms: 1_500 },
    });
    let mut browser = Browser::new(&world);
    let callback = browser.go_to_github(&world, "/connect/start", "otto").await;
    // GitHub has said who it is; before that is stored, all that they ever gave ends.
    let asked = world.control().count_calls("GET", "/user");
    let (page, ended) = tokio::join!(browser.get(&callback), async {
        while world.control().count_calls("GET", "/user") == asked {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        revoke_batch(&world.bridge).await.unwrap()
    });
    assert_eq!(ended, 1);
    assert_eq!(page.status, StatusCode::BAD_GATEWAY, "{}", page.text);
    assert!(page.text.contains("sign in once more"), "{}", page.text);
    assert_eq!(comes_back(&world).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_token_that_ends_with_the_grant_of_the_time_before_is_known_to_be_dead_at_once() {
    let world = left_untold().await;
    let untouched = world.bridge.store.revocations().await.unwrap()[0].due_at;
    world.control().inject(Fault {
        method: Some("DELETE".into()),
        path: GRANT.into(),
        user: None,
        times: Some(1),
        kind: FaultKind::Delay { ms: 3_000 },
    });
    let mut browser = Browser::new(&world);
    let (ended, page) = tokio::join!(revoke_batch(&world.bridge), async {
        while world.bridge.store.revocations().await.unwrap()[0].due_at == untouched {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        browser.sign_in(&world, "otto").await
    });
    assert_eq!((ended.unwrap(), page.status), (1, StatusCode::OK));
    assert!(!good(&world, &token_of_otto(&world).await), "it has ended with all that was given before");
    assert!(otto(&world).await.unwrap().refused_at.is_some(), "that is known before anybody needs it");
    assert_eq!(comes_back(&world).await.status, StatusCode::OK);
}

/// A token does not take the place of another unless it is written down that the other is to be ended.
#[tokio::test]
async fn a_token_is_replaced_and_written_down_to_be_ended_or_neither() {
    let world = world().await;
    Browser::new(&world).sign_in(&world, "otto").await;
    let before = token_of_otto(&world).await;
    let mut connection = PgConnection::connect(&world.database.url).await.unwrap();
    let refuse = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$;
                  CREATE TRIGGER refuse BEFORE INSERT ON revocations FOR EACH ROW EXECUTE FUNCTION refuse()";
    sqlx::raw_sql(refuse).execute(&mut connection).await.unwrap();
    let mut browser = Browser::new(&world);
    let callback = browser.go_to_github(&world, "/connect/start", "otto").await;
    let page = browser.get(&callback).await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{}", page.text);
    assert_eq!(token_of_otto(&world).await, before);
    assert!(good(&world, &before));
}
