//! Whoever signs in anew leaves no token behind: that of the time before is ended at GitHub, and only that.

use std::time::Duration;

use taskbridge::pipeline::refresh::renew;
use taskbridge::sandbox::{Fault, FaultKind, Role};
use tokio::task::JoinSet;

use crate::connect_kit::{Browser, OTTO, otto, token_of_otto, world};
use crate::support::world::{OTTO_TOKEN, World};

const TOKENS: &str = "/login/oauth/access_token";
const END: &str = "/applications/Iv23connect/token";

fn good(world: &World, token: &str) -> bool {
    world.control().is_good("otto", token)
}

#[tokio::test]
async fn a_new_sign_in_ends_the_token_of_the_one_before_and_never_its_own() {
    let world = world().await;
    Browser::new(&world).sign_in(&world, "otto").await;
    let mut before = token_of_otto(&world).await;
    for _ in 0..2 {
        Browser::new(&world).sign_in(&world, "otto").await;
        let now = token_of_otto(&world).await;
        assert!(now != before && good(&world, &now) && !good(&world, &before));
        assert_eq!(world.control().pairs("otto"), 1, "the grant is what it was, with one token");
        before = now;
    }
    renew(&world.bridge, OTTO, otto(&world).await.unwrap().token_version).await.unwrap();
    assert_eq!(world.control().count_calls("DELETE", END), 2, "what renews itself is ended by that");
    assert_eq!(world.control().count_calls("DELETE", "/applications/Iv23connect/grant"), 0);
}

#[tokio::test]
async fn when_github_cannot_be_told_the_sign_in_is_good_all_the_same() {
    let world = world().await;
    Browser::new(&world).sign_in(&world, "otto").await;
    let before = token_of_otto(&world).await;
    for kind in [FaultKind::DropBefore, FaultKind::StatusBefore { status: 502 }] {
        world.control().inject(Fault { method: None, path: END.to_owned(), user: None, times: None, kind });
        Browser::new(&world).sign_in(&world, "otto").await;
        assert!(good(&world, &token_of_otto(&world).await) && good(&world, &before));
        world.control().clear_faults();
    }
}

/// An operator's token is the person's own, and no business of the app's.
#[tokio::test]
async fn a_token_that_was_added_by_hand_is_never_ended_and_ends_what_came_of_a_sign_in() {
    let world = world().await;
    world.add_person("otto", OTTO_TOKEN).await;
    Browser::new(&world).sign_in(&world, "otto").await;
    let signed_in = token_of_otto(&world).await;
    assert_eq!(world.control().count_calls("DELETE", END), 0);
    world.add_person("otto", OTTO_TOKEN).await;
    assert!(good(&world, OTTO_TOKEN) && !good(&world, &signed_in));
    world.add_person("otto", OTTO_TOKEN).await;
    assert_eq!(world.control().count_calls("DELETE", END), 1);
    // The same token given once more by hand is the one that is stored.
    Browser::new(&world).sign_in(&world, "otto").await;
    let signed_in = token_of_otto(&world).await;
    world.add_person("otto", &signed_in).await;
    assert!(good(&world, &signed_in));
}

/// The pair before is being renewed meanwhile: what comes of that is nobody's, and ends too.
#[tokio::test]
async fn a_renewal_that_comes_too_late_leaves_no_token_behind() {
    let world = world().await;
    world.control().grant("acme/widgets", "otto", Role::Write).unwrap();
    Browser::new(&world).sign_in(&world, "otto").await;
    let kind = FaultKind::DelayAfter { ms: 700 };
    world.control().inject(Fault { method: None, path: TOKENS.to_owned(), user: None, times: Some(1), kind });
    let (bridge, version) = (world.bridge.clone(), otto(&world).await.unwrap().token_version);
    let mut late = JoinSet::new();
    late.spawn(async move { renew(&bridge, OTTO, version).await });
    while world.control().rotations() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Browser::new(&world).sign_in(&world, "otto").await;
    let now = token_of_otto(&world).await;
    late.join_next().await.unwrap().unwrap().unwrap();
    assert!(token_of_otto(&world).await == now && good(&world, &now));
    assert_eq!(world.control().pairs("otto"), 1);
}
