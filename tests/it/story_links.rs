//! Chat accounts and people: only who holds both is bound, whatever becomes of a link on its way.

use axum::http::StatusCode;
use taskbridge::domain::identity::Identity;
use taskbridge::ids::PersonId;
use taskbridge::pipeline::links::{NoLink, NotConfirmed, confirm_link, make_link, person_of, unlink};
use taskbridge::sandbox::{Role, UserSpec};

use crate::connect_kit::{Browser, OTTO, SITE, Seen, open, setup, world};
use crate::support::chat::{CHANNEL, CHAT_RULE, MONA_CHAT, OTTO_CHAT};
use crate::support::world::{LABEL_RULE, Setup, World};

fn chat(account: &str) -> Identity {
    Identity::new("slack", "T012", account).unwrap()
}

/// Signs in through a link. Answers the page with the code.
async fn through(world: &World, browser: &mut Browser, link: &str, login: &str) -> Seen {
    let back = browser.go_to_github(world, link, login).await;
    browser.get(&back).await
}

fn code_in(page: &Seen) -> String {
    let (_, rest) = page.text.split_once("class=\"code\"><code>").unwrap_or_else(|| panic!("no code in {}", page.text));
    let (_, rest) = rest.split_once("link ").unwrap();
    rest.split('<').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_chat_account_is_bound_by_a_link_and_the_code_behind_it() {
    let world = world().await;
    let chat = chat("U1");
    let link = make_link(&world.bridge, &chat).await.unwrap();
    let mut browser = Browser::new(&world);
    // A chat's preview looks, several times; nothing is taken by that.
    for _ in 0..3 {
        let page = browser.get(&link).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.text.contains("slack account U1 of T012") && page.text.contains("if somebody sent you"));
    }
    let page = through(&world, &mut browser, &link, "otto").await;
    assert_eq!(person_of(&world.bridge, &chat).await.unwrap(), None, "not before the code is typed back");
    let typed = code_in(&page).to_lowercase().replace('-', " ");
    let bound = confirm_link(&world.bridge, &chat, &typed).await.unwrap();
    assert_eq!((bound.person, bound.login.as_str()), (OTTO, "otto"));
    assert_eq!(person_of(&world.bridge, &chat).await.unwrap(), Some(OTTO));
    let again = confirm_link(&world.bridge, &chat, &typed).await;
    assert!(matches!(again, Err(NotConfirmed::NoCode)), "a code works once");
    assert!(browser.get("/connect").await.text.contains("slack account U1 of T012"));
    assert!(unlink(&world.bridge, &chat).await.unwrap() && !unlink(&world.bridge, &chat).await.unwrap());
    assert_eq!(person_of(&world.bridge, &chat).await.unwrap(), None);
}

/// An attacker asks for a link and forwards it. The victim signs in, but the code is with the victim and good for the
/// attacker's account alone: typed by the victim's own account it binds nothing, and is dead.
#[tokio::test]
async fn a_forwarded_link_binds_nobody() {
    let world = world().await;
    let (attacker, victim) = (chat("U666"), chat("U1"));
    let link = make_link(&world.bridge, &attacker).await.unwrap();
    let page = through(&world, &mut Browser::new(&world), &link, "otto").await;
    let code = code_in(&page);
    // The attacker can only guess, and not often.
    for left in [4, 3, 2, 1] {
        let guess = confirm_link(&world.bridge, &attacker, "00000000").await;
        assert!(matches!(guess, Err(NotConfirmed::Wrong { left: told }) if told == left), "{guess:?}");
    }
    assert!(matches!(confirm_link(&world.bridge, &attacker, "what").await, Err(NotConfirmed::TooMany)));
    assert!(
        matches!(confirm_link(&world.bridge, &attacker, &code).await, Err(NotConfirmed::NoCode)),
        "even the right one"
    );
    assert!(matches!(confirm_link(&world.bridge, &victim, &code).await, Err(NotConfirmed::NoCode)));
    for who in [&attacker, &victim] {
        assert_eq!(person_of(&world.bridge, who).await.unwrap(), None);
    }
}

/// The code of another account's sign-in is of no use, also when a code waits for one's own.
#[tokio::test]
async fn a_code_is_good_for_one_account() {
    let world = world().await;
    let (one, two) = (chat("U1"), chat("U2"));
    let mut codes = Vec::new();
    for (who, login) in [(&one, "otto"), (&two, "mona")] {
        let link = make_link(&world.bridge, who).await.unwrap();
        codes.push(code_in(&through(&world, &mut Browser::new(&world), &link, login).await));
    }
    assert!(matches!(confirm_link(&world.bridge, &one, &codes[1]).await, Err(NotConfirmed::Wrong { .. })));
    assert_eq!(confirm_link(&world.bridge, &one, &codes[0]).await.unwrap().person, OTTO);
    let used = confirm_link(&world.bridge, &two, &codes[1]).await;
    assert!(matches!(used, Err(NotConfirmed::NoCode)), "others have seen it: {used:?}");
}

#[tokio::test]
async fn of_two_browsers_on_one_link_one_wins_and_the_other_is_told() {
    let world = world().await;
    let link = make_link(&world.bridge, &chat("U1")).await.unwrap();
    let (mut one, mut two) = (Browser::new(&world), Browser::new(&world));
    let (first, second) = tokio::join!(one.post(&link, ""), two.post(&link, ""));
    let mut seen = [(first.status, first.text), (second.status, second.text)];
    seen.sort();
    assert_eq!((seen[0].0, seen[1].0), (StatusCode::SEE_OTHER, StatusCode::GONE));
    assert!(seen[1].1.contains("This link was used already, or is too old; ask for a new one in the chat"));
    assert_eq!(Browser::new(&world).get(&link).await.status, StatusCode::GONE, "and for whoever looks");
}

/// Somebody who was led to sign in for another's account types the code as themselves, where all may read it.
#[tokio::test]
async fn a_code_that_the_wrong_account_types_is_good_for_nobody() {
    let world = world().await;
    let (mallory, victim) = (chat("U1"), chat("U2"));
    let link = make_link(&world.bridge, &mallory).await.unwrap();
    let code = code_in(&through(&world, &mut Browser::new(&world), &link, "otto").await);
    assert!(matches!(confirm_link(&world.bridge, &victim, &code).await, Err(NotConfirmed::NoCode)));
    assert!(matches!(confirm_link(&world.bridge, &mallory, &code).await, Err(NotConfirmed::NoCode)));
    assert_eq!(person_of(&world.bridge, &mallory).await.unwrap(), None);
}

#[tokio::test]
async fn links_and_codes_end() {
    let world = world().await;
    let chat = chat("U1");
    let old = make_link(&world.bridge, &chat).await.unwrap();
    let new = make_link(&world.bridge, &chat).await.unwrap();
    let mut browser = Browser::new(&world);
    assert_eq!(browser.post(&old, "").await.status, StatusCode::GONE, "a newer link takes its place");
    world.advance(15 * 60 + 1);
    assert_eq!(browser.post(&new, "").await.status, StatusCode::GONE, "too old");
    let link = make_link(&world.bridge, &chat).await.unwrap();
    let code = code_in(&through(&world, &mut browser, &link, "otto").await);
    world.advance(10 * 60 + 1);
    assert!(matches!(confirm_link(&world.bridge, &chat, &code).await, Err(NotConfirmed::NoCode)));
    // A newer link, asked for while the sign-in is on its way, is the one that counts.
    let link = make_link(&world.bridge, &chat).await.unwrap();
    let back = browser.go_to_github(&world, &link, "otto").await;
    let newer = make_link(&world.bridge, &chat).await.unwrap();
    let page = browser.get(&back).await;
    assert!(page.text.contains("asked for a newer link") && !page.text.contains("<code>"), "{}", page.text);
    let code = code_in(&through(&world, &mut browser, &newer, "otto").await);
    assert_eq!(confirm_link(&world.bridge, &chat, &code).await.unwrap().person, OTTO);
    world.bridge.store.remove_person(OTTO).await.unwrap();
    assert_eq!(person_of(&world.bridge, &chat).await.unwrap(), None, "gone with the person");
}

/// Whatever an account that is linked to nobody says gets it a new link, also while its owner reads the code.
#[tokio::test]
async fn a_new_link_leaves_the_code_that_waits_and_gives_no_more_tries() {
    let world = world().await;
    let chat = chat("U1");
    let mut browser = Browser::new(&world);
    let link = make_link(&world.bridge, &chat).await.unwrap();
    let code = code_in(&through(&world, &mut browser, &link, "otto").await);
    let mut newest = String::new();
    for left in [4, 3, 2, 1] {
        newest = make_link(&world.bridge, &chat).await.unwrap();
        let guess = confirm_link(&world.bridge, &chat, "00000000").await;
        assert!(matches!(guess, Err(NotConfirmed::Wrong { left: told }) if told == left), "{guess:?}");
    }
    assert_eq!(confirm_link(&world.bridge, &chat, &code).await.unwrap().person, OTTO);
    assert_eq!(browser.post(&newest, "").await.status, StatusCode::GONE, "what the account had begun is over");

    // A sign-in through the newer link is the one that counts.
    assert!(unlink(&world.bridge, &chat).await.unwrap());
    let mut codes = Vec::new();
    for login in ["otto", "mona"] {
        let link = make_link(&world.bridge, &chat).await.unwrap();
        codes.push(code_in(&through(&world, &mut Browser::new(&world), &link, login).await));
    }
    let old = confirm_link(&world.bridge, &chat, &codes[0]).await;
    assert!(matches!(old, Err(NotConfirmed::Wrong { left: 4 })), "{old:?}");
    // A code whose tries are used up stays dead, whatever the account asks for.
    for _ in 0..4 {
        let _ = confirm_link(&world.bridge, &chat, "00000000").await;
    }
    make_link(&world.bridge, &chat).await.unwrap();
    let dead = confirm_link(&world.bridge, &chat, &codes[1]).await;
    assert!(matches!(dead, Err(NotConfirmed::NoCode)), "{dead:?}");
}

#[tokio::test]
async fn without_a_place_to_sign_in_there_is_no_link() {
    let world = World::new(LABEL_RULE).await;
    world.control().add_user(UserSpec::person(1003, "ida", "sandbox-ida-token")).unwrap();
    assert!(matches!(make_link(&world.bridge, &chat("U1")).await, Err(NoLink::NotConfigured)));
    assert!(matches!(confirm_link(&world.bridge, &chat("U1"), "AAAA-AAAA").await, Err(NotConfirmed::NoCode)));
}

/// The whole way: somebody asks for work in a chat, is given a link alone, signs in behind it, types the code back, and what
/// was asked for runs as them.
#[tokio::test]
async fn what_was_asked_for_in_a_chat_runs_once_its_asker_has_signed_in() {
    let world = open(Setup { rules: CHAT_RULE.to_owned(), ..setup() }).await;
    world.control().grant("acme/widgets", "otto", Role::Write).unwrap();
    world.slash(OTTO_CHAT, "fix the login button").await;
    assert!(world.tasks().await.is_empty() && world.slack().messages().is_empty());
    let told = world.whispered(OTTO_CHAT);
    let (_, rest) = told.split_once(&format!("{SITE}/connect/")).unwrap_or_else(|| panic!("no link in {told}"));
    let token = rest.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))).next().unwrap();
    let page = through(&world, &mut Browser::new(&world), &format!("{SITE}/connect/{token}"), "otto").await;
    world.settle().await;
    assert!(world.tasks().await.is_empty(), "not before the code is typed back");
    assert!(page.text.contains(&format!("<code>/copilot link {}</code>", code_in(&page))), "{}", page.text);
    world.slash(OTTO_CHAT, &format!("link {}", code_in(&page))).await;
    assert!(
        world.slack().whispers(OTTO_CHAT).iter().any(|told| told
            .text
            .contains("linked to otto on GitHub now. What you asked for before goes on by itself."))
    );
    world.settle().await;
    let task = world.task().await;
    assert_eq!((task.person_id, task.prompt.as_str()), (OTTO, "fix the login button"));
    assert_eq!(world.control().creations().len(), 1);
}

/// Whoever holds the secret of a second workspace can sign what they like, and name accounts of the first.
#[tokio::test]
async fn an_account_is_bound_as_one_source_names_it_and_means_nobody_to_another() {
    let second =
        "  partners: { type: slack, signing_secret: \"${SLACK_SIGNING_SECRET}\", bot_token: \"${SLACK_BOT_TOKEN}\",
             api_url: SLACK_API, channels: { C0001: { repo: acme/widgets } } }\nrules:";
    let world = World::of(Setup::new(&CHAT_RULE.replacen("rules:", second, 1))).await;
    world.link(MONA_CHAT, PersonId(1001)).await;
    let asked = world.slack().slash(MONA_CHAT, CHANNEL, "/copilot", "steal the keys");
    assert_eq!(world.slack_says_to("partners", &asked).await.status, StatusCode::OK);
    world.settle().await;
    assert!(world.tasks().await.is_empty() && world.control().creations().is_empty());
    assert!(world.whispered(MONA_CHAT).contains("link"), "{}", world.whispered(MONA_CHAT));
    world.slash(MONA_CHAT, "fix it").await;
    assert_eq!(world.task().await.person_id, PersonId(1001));
}
