//! People sign in for themselves, see what is kept and leave; and whoever wants to be somebody else does not get far.

use axum::http::{StatusCode, header};
use sqlx::{Connection as _, PgConnection};
use taskbridge::domain::identity::Identity;
use taskbridge::domain::task::State;
use taskbridge::pipeline::sign_in::SIGN_IN_LASTS;
use taskbridge::sandbox::{Fault, FaultKind, Role};
use taskbridge::store::sign_ins::NewSignIn;
use taskbridge::store::tasks::Hold;

use crate::connect_kit::{Browser, SITE, otto, token_of_otto, world};
use crate::support::payloads::OTTO;
use crate::support::world::labelled;

#[tokio::test]
async fn somebody_signs_in_and_what_waited_goes_on() {
    let world = world().await;
    world.control().grant("acme/widgets", "otto", Role::Write).unwrap();
    world.hook("issues", "d-1", &labelled("copilot-fix", OTTO, world.bridge.ground.now())).await;
    world.settle().await;
    let task = world.task().await;
    assert_eq!((task.state, task.hold), (State::Held, Some(Hold::Token)));
    let mut browser = Browser::new(&world);
    let welcome = browser.get("/connect").await;
    assert!(welcome.text.contains("Sign in with GitHub") && browser.cookies.is_empty(), "{}", welcome.text);
    let page = browser.sign_in(&world, "otto").await;
    for there in ["otto", "1002", "good until", "renewed by itself", "acme/widgets#42", "Disconnect"] {
        assert!(page.text.contains(there), "{there} in {}", page.text);
    }
    let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert_eq!(page.headers[header::CACHE_CONTROL], "no-store");
    for prefix in ["gho_", "ghu_", "ghr_"] {
        assert!(!page.text.contains(prefix), "no token: {}", page.text);
    }
    world.live_for(10).await;
    let task = world.task().await;
    assert!(task.remote_id.is_some() && !task.allow_pending, "{task:?}");
    assert_eq!(world.control().tasks()[0].creator, "otto");
    // It was made under another login of the same account.
    let mut database = sqlx::PgConnection::connect(&world.database.url).await.unwrap();
    sqlx::query("UPDATE tasks SET person_login = 'before'").execute(&mut database).await.unwrap();
    let page = browser.get("/connect").await;
    assert!(page.text.contains("acme/widgets#42"), "{}", page.text);
    // What may run as them without their doing is theirs to know.
    assert!(page.text.contains("none but those that you set off yourself"), "{}", page.text);
    world.bridge.store.give_consent(task.person_id, "look-at-alerts", world.bridge.ground.now()).await.unwrap();
    let page = browser.get("/connect").await;
    assert!(page.text.contains("<code>look-at-alerts</code>, and those that you set off"), "{}", page.text);
}

/// A link to sign in reaches whoever finds it; the task waits for its own person.
#[tokio::test]
async fn who_signs_in_for_somebody_else_s_task_starts_nothing() {
    let world = world().await;
    world.control().grant("acme/widgets", "otto", Role::Write).unwrap();
    world.hook("issues", "d-1", &labelled("copilot-fix", OTTO, world.bridge.ground.now())).await;
    world.settle().await;
    assert_eq!(world.task().await.hold, Some(Hold::Token));
    let page = Browser::new(&world).sign_in(&world, "mona").await;
    assert!(page.text.contains("1001"), "{}", page.text);
    world.live_for(30).await;
    assert_eq!((world.task().await.state, world.control().creations().len()), (State::Held, 0));
    Browser::new(&world).sign_in(&world, "otto").await;
    world.live_for(10).await;
    assert_eq!(world.control().tasks()[0].creator, "otto");
}

#[tokio::test]
async fn a_right_that_was_lost_while_a_task_waited_is_noticed_when_its_person_signs_in() {
    let world = crate::connect_kit::open(taskbridge_setup_with_app()).await;
    world.control().grant("acme/widgets", "otto", Role::Write).unwrap();
    world.hook("issues", "d-1", &labelled("copilot-fix", OTTO, world.bridge.ground.now())).await;
    world.settle().await;
    let told = world.comments().concat();
    assert!(
        told.contains("[Connect your account](http://127.0.0.1:9/connect), signed in to GitHub as `otto`"),
        "{told}"
    );
    assert_eq!(world.comments().len(), 1, "one comment");
    world.control().grant("acme/widgets", "otto", Role::Read).unwrap();
    Browser::new(&world).sign_in(&world, "otto").await;
    world.live_for(10).await;
    let task = world.task().await;
    assert_eq!((task.state, task.attempt_count), (State::StartFailed, 0), "{}", task.reason);
    assert!(task.reason.contains("allow: @otto needs write"), "nothing was even asked for: {}", task.reason);
}

fn taskbridge_setup_with_app() -> crate::support::world::Setup<'static> {
    crate::support::world::Setup { app: true, ..crate::connect_kit::setup() }
}

/// The victim's browser is brought a code and a state of the attacker's own sign-in: it would sign the victim in as the
/// attacker. And the other way round, a callback that was stolen signs nobody in elsewhere.
#[tokio::test]
async fn a_callback_works_only_in_the_browser_that_began() {
    let world = world().await;
    let (mut victim, mut attacker) = (Browser::new(&world), Browser::new(&world));
    let fixed = attacker.go_to_github(&world, "/connect/start", "mona").await;
    let refused = victim.get(&fixed).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(
        refused.text.contains("not begun in this browser") && refused.text.contains("Sign in again"),
        "{}",
        refused.text
    );
    assert!(victim.cookies.is_empty(), "no session");
    // Also while the victim has a sign-in of their own on its way, which is not disturbed.
    let own = victim.go_to_github(&world, "/connect/start", "otto").await;
    assert_eq!(victim.get(&fixed).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(attacker.get(&own).await.status, StatusCode::BAD_REQUEST, "stolen");
    assert!(otto(&world).await.is_none());
    assert_eq!(victim.get(&own).await.status, StatusCode::SEE_OTHER);
    assert!(otto(&world).await.is_some());
}

#[tokio::test]
async fn a_callback_works_once_and_not_too_late() {
    let world = world().await;
    let mut browser = Browser::new(&world);
    let back = browser.go_to_github(&world, "/connect/start", "otto").await;
    let kept = browser.cookies.clone();
    assert_eq!(browser.get(&back).await.status, StatusCode::SEE_OTHER);
    let mut again = Browser { cookies: kept, ..browser.clone() };
    assert_eq!(again.get(&back).await.status, StatusCode::BAD_REQUEST, "state and code twice");
    let exchanges = world.control().count_calls("POST", "/login/oauth/access_token");
    assert_eq!(exchanges, 1, "GitHub is not even asked");
    let late = browser.go_to_github(&world, "/connect/start", "otto").await;
    world.advance(601);
    assert_eq!(browser.get(&late).await.status, StatusCode::BAD_REQUEST);
    // A state of ours with a code from elsewhere: PKCE says no.
    let (mut one, mut other) = (Browser::new(&world), Browser::new(&world));
    let mine = one.go_to_github(&world, "/connect/start", "otto").await;
    let theirs = other.go_to_github(&world, "/connect/start", "mona").await;
    let part = |url: &str, name: &str| {
        let query = url.split_once('?').unwrap().1;
        query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}="))).unwrap().to_owned()
    };
    let mixed = format!("/connect/callback?code={}&state={}", part(&theirs, "code"), part(&mine, "state"));
    let refused = one.get(&mixed).await;
    assert_eq!(refused.status, StatusCode::BAD_GATEWAY);
    assert!(refused.text.contains("GitHub does not know this sign-in any more"), "{}", refused.text);
}

#[tokio::test]
async fn nobody_is_sent_elsewhere_than_to_github_and_back() {
    let world = world().await;
    let mut browser = Browser::new(&world);
    let begun = browser
        .post("/connect/start?next=https://evil.example&redirect_uri=https://evil.example", "next=//evil.example")
        .await;
    assert!(begun.location().starts_with(&format!("{}/login/oauth/authorize?", world.bridge.github.web_url())));
    assert!(!begun.location().contains("evil"), "{}", begun.location());
    let back = world.control().approve(begun.location(), Some("otto")).unwrap();
    let done = browser.get(&format!("{back}&next=https://evil.example&return_to=//evil.example")).await;
    assert_eq!(done.location(), format!("{SITE}/connect"));
}

#[tokio::test]
async fn another_site_can_neither_begin_nor_disconnect() {
    let world = world().await;
    let mut browser = Browser::new(&world);
    let page = browser.sign_in(&world, "otto").await;
    let form = format!("form={}", page.form());
    let foreign: [&[(&str, &str)]; 5] = [
        &[("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")],
        &[("origin", SITE), ("sec-fetch-site", "same-site")],
        &[("origin", "null")],
        &[("origin", "http://127.0.0.1:9.evil.example")],
        &[],
    ];
    for headers in foreign {
        for path in ["/connect/start", "/connect/disconnect", "/connect/leave"] {
            let refused = browser.post_from(path, &form, headers).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path} {headers:?}");
        }
    }
    // From our origin, but without what the page of this session holds.
    let mut other = Browser::new(&world);
    let other_form = format!("form={}", other.sign_in(&world, "mona").await.form());
    for form in ["", "form=", "form=0000", &other_form] {
        assert_eq!(browser.post("/connect/disconnect", form).await.status, StatusCode::FORBIDDEN, "{form}");
    }
    assert!(otto(&world).await.is_some());
    // A GET, typed or from the history, leads back to the page and does nothing.
    for path in ["/", "/connect/", "/connect/start", "/connect/disconnect", "/connect/leave", "/connect/account"] {
        assert_eq!(browser.get(path).await.location(), format!("{SITE}/connect"), "{path}");
    }
    assert!(otto(&world).await.is_some());
}

#[tokio::test]
async fn who_disconnects_is_forgotten_here_and_at_github() {
    let world = world().await;
    let mut browser = Browser::new(&world);
    let page = browser.sign_in(&world, "otto").await;
    let token = token_of_otto(&world).await;
    assert!(world.control().is_good("otto", &token));
    let kept = browser.cookies.clone();
    let gone = browser.post("/connect/disconnect", &format!("form={}", page.form())).await;
    assert!(gone.text.contains("GitHub has ended it too"), "{}", gone.text);
    assert!(otto(&world).await.is_none() && !world.control().is_good("otto", &token));
    assert_eq!(world.control().pairs("otto"), 0);
    let mut again = Browser { cookies: kept, ..browser.clone() };
    assert!(again.get("/connect").await.text.contains("Sign in with GitHub"), "the session is gone with the person");
    // When GitHub cannot be told, the person is.
    let page = browser.sign_in(&world, "otto").await;
    let token = token_of_otto(&world).await;
    let kind = FaultKind::StatusBefore { status: 502 };
    world.control().inject(Fault { method: None, path: "/applications/".into(), user: None, times: None, kind });
    let gone = browser.post("/connect/disconnect", &format!("form={}", page.form())).await;
    assert!(gone.text.contains("/settings/connections/applications/Iv23connect"), "{}", gone.text);
    assert!(otto(&world).await.is_none() && world.control().is_good("otto", &token));
}

#[tokio::test]
async fn a_session_is_short_and_can_be_left() {
    let world = world().await;
    let mut browser = Browser::new(&world);
    browser.sign_in(&world, "otto").await;
    world.advance(30 * 60 + 1);
    assert!(browser.get("/connect").await.text.contains("Sign in with GitHub"));
    let page = browser.sign_in(&world, "otto").await;
    assert_eq!(browser.post("/connect/leave", &format!("form={}", page.form())).await.status, StatusCode::SEE_OTHER);
    assert!(browser.cookies.is_empty() && otto(&world).await.is_some());
}

#[tokio::test]
async fn who_cancels_at_github_is_told_so_and_where_nothing_is_configured_there_is_a_page_that_says_it() {
    let world = world().await;
    let mut browser = Browser::new(&world);
    let begun = browser.post("/connect/start", "").await;
    let back = world.control().approve(begun.location(), None).unwrap();
    let page = browser.get(&back).await;
    assert!(page.text.contains("Nothing is kept") && otto(&world).await.is_none(), "{}", page.text);
    let without = crate::support::world::World::new(crate::support::world::LABEL_RULE).await;
    let mut browser = Browser::new(&without);
    for path in ["/connect", "/connect/abc", "/connect/callback?code=a&state=b"] {
        let page = browser.get(path).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
        assert!(page.text.contains("github.sign_in"), "{}", page.text);
    }
}

/// The address that GitHub sent the browser to stands in the history.
#[tokio::test]
async fn who_looks_again_at_where_github_sent_them_is_told_that_they_are_signed_in() {
    let world = world().await;
    let mut browser = Browser::new(&world);
    let back = browser.go_to_github(&world, "/connect/start", "otto").await;
    browser.get(&back).await;
    let again = browser.get(&back).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST);
    let (told, asked) = ("You are signed in in this browser", "<form");
    assert!(again.text.contains(told) && !again.text.contains(asked), "{}", again.text);
    let elsewhere = Browser::new(&world).get(&back).await;
    assert!(!elsewhere.text.contains(told) && elsewhere.text.contains(asked), "{}", elsewhere.text);
}

/// What a chat names its accounts is its own text; so is what GitHub says of a task.
#[tokio::test]
async fn what_others_wrote_is_shown_as_text() {
    use taskbridge::domain::identity::Identity;
    let world = world().await;
    let chat = Identity::new("slack", "T<b>", "U\"><script>").unwrap();
    let link = taskbridge::pipeline::links::make_link(&world.bridge, &chat).await.unwrap();
    let page = Browser::new(&world).get(&link).await;
    assert!(page.text.contains("U&quot;&gt;&lt;script&gt; of T&lt;b&gt;"), "{}", page.text);
    world.control().grant("acme/widgets", "otto", Role::Write).unwrap();
    let refusal = FaultKind::StatusBefore { status: 422 };
    world.control().inject(Fault { method: None, path: "/agents/".into(), user: None, times: None, kind: refusal });
    world.hook("issues", "d-1", &labelled("copilot-fix", OTTO, world.bridge.ground.now())).await;
    let mut browser = Browser::new(&world);
    browser.sign_in(&world, "otto").await;
    world.live_for(10).await;
    let task = world.task().await;
    assert_eq!(task.state, State::StartFailed, "{}", task.reason);
    let page = browser.get("/connect").await;
    let reason = taskbridge::domain::html::escape(&task.reason);
    assert!(page.text.contains("start failed</span>") && page.text.contains(&reason), "{reason} in {}", page.text);
}

#[tokio::test]
async fn whose_token_has_ended_is_asked_to_sign_in_again() {
    let world = world().await;
    let mut browser = Browser::new(&world);
    browser.sign_in(&world, "otto").await;
    let version = otto(&world).await.unwrap().token_version;
    assert!(world.bridge.store.end_token(crate::connect_kit::OTTO, version, "<revoked>").await.unwrap());
    let page = browser.get("/connect").await;
    for there in ["<h1>Please sign in again</h1>", "/connect/start", "not usable any more (&lt;revoked&gt;)"] {
        assert!(page.text.contains(there), "{there} in {}", page.text);
    }
}

/// One replica begins, another finishes.
#[tokio::test]
async fn any_replica_finishes_what_another_began() {
    let world = world().await;
    let other = world
        .replica(
            |settings| settings.connect_url = Some(format!("{SITE}/connect")),
            |github| github.sign_in = Some(crate::connect_kit::sign_in()),
        )
        .await;
    let mut browser = Browser::new(&world);
    let back = browser.go_to_github(&world, "/connect/start", "otto").await;
    let (recorder, _writer) = taskbridge::pipeline::record::recorder(other.store.clone(), other.ground.clone());
    let intake = std::sync::Arc::clone(&world.intake);
    browser.router = taskbridge::http::router(taskbridge::http::AppState { bridge: other, recorder, intake });
    assert_eq!(browser.get(&back).await.status, StatusCode::SEE_OTHER);
    browser.router = world.router.clone();
    assert!(browser.get("/connect").await.text.contains("otto"), "and the session is everywhere");
}

/// A limit that has become narrower while tasks waited for a token counts when they go on.
#[tokio::test]
async fn limits_are_looked_at_again_when_somebody_signs_in() {
    let world = world().await;
    world.control().grant("acme/widgets", "otto", Role::Write).unwrap();
    for nth in 0..3 {
        let at = world.bridge.ground.now() + chrono::TimeDelta::seconds(nth);
        world.hook("issues", &format!("d-{nth}"), &labelled("copilot-fix", OTTO, at)).await;
        world.settle().await;
    }
    assert_eq!(world.tasks().await.len(), 3);
    let narrow = crate::support::world::LABEL_RULE
        .replace("    prompt:", "    limits: { per_person: { live: 1 } }\n    prompt:");
    world.reload(&narrow);
    Browser::new(&world).sign_in(&world, "otto").await;
    world.settle().await;
    let tasks = world.tasks().await;
    let holds: Vec<_> = tasks.iter().map(|task| (task.state, task.hold)).collect();
    let waits = (State::Held, Some(Hold::Limit));
    assert_eq!(holds, [(State::Queued, None), waits, waits], "the oldest goes on, and nothing is lost");
    assert!(tasks[1].reason.starts_with("a token is there again, and it goes on by itself"), "{}", tasks[1].reason);
    assert!(tasks[1].reason.contains("per_person.live is 1 for otto"), "{}", tasks[1].reason);
    world.live_for(240).await;
    let ended = world.tasks().await.iter().filter(|task| task.state.is_end()).count();
    assert!(ended >= 1 && world.task_now(tasks[1].id).await.remote_id.is_some(), "{}", world.story(tasks[1].id).await);
    world.live_for(240).await;
    assert!(world.task_now(tasks[2].id).await.remote_id.is_some());
}

#[tokio::test]
async fn a_terminal_without_a_browser_signs_in_by_a_code_typed_elsewhere() {
    use taskbridge::github::DeviceAnswer;
    use taskbridge::pipeline::sign_in::{ask_device, begin_device};
    let world = world().await;
    let device = begin_device(&world.bridge).await.unwrap();
    let ask = || ask_device(&world.bridge, &device.device_code);
    assert!(matches!(ask().await.unwrap(), Err(DeviceAnswer::Pending)));
    assert!(matches!(ask().await.unwrap(), Err(DeviceAnswer::SlowDown(wait)) if wait.as_secs() == 10));
    world.advance(10);
    world.control().let_device_in("otto", &device.user_code).unwrap();
    let who = ask().await.unwrap().unwrap();
    assert_eq!((who.id, who.login.as_str()), (crate::connect_kit::OTTO, "otto"));
    assert!(world.control().is_good("otto", &token_of_otto(&world).await));
    assert!(ask().await.is_err(), "a device's code works once");
}

/// Strangers can begin sign-ins; what they begin keeps nobody out and is bounded.
#[tokio::test]
async fn a_hundred_thousand_strangers_keep_nobody_out() {
    let world = world().await;
    let now = world.bridge.ground.now();
    let mut database = PgConnection::connect(&world.database.url).await.unwrap();
    let strangers = "INSERT INTO sign_ins (state_hash, browser_hash, verifier, made_at, expires_at)
        SELECT sha256(n::text::bytea), sha256('x'), 'x', $1, $1 + n * interval '1 ms' + interval '8 minutes'
        FROM generate_series(1, 100000) AS n";
    sqlx::query(strangers).bind(now).execute(&mut database).await.unwrap();
    Browser::new(&world).sign_in(&world, "otto").await;
    // About every 256th counts.
    for (nth, platform) in [(1, None), (2, Some(Identity::new("slack", "T1", "U1").unwrap())), (3, None)] {
        let begun = NewSignIn {
            state: std::array::from_fn(|at| u8::try_from(at).unwrap() * nth),
            browser: [1; 32],
            verifier: b"x",
            of: platform.as_ref(),
            made_at: now,
            expires_at: now + SIGN_IN_LASTS,
        };
        world.bridge.store.begin_sign_in(&begun).await.unwrap();
    }
    let [strangers, oldest, linked]: [i64; 3] = sqlx::query_scalar(
        "SELECT unnest(ARRAY[count(*) FILTER (WHERE platform IS NULL), count(*) FILTER (WHERE state_hash = sha256('1')),
            count(platform)]) FROM sign_ins",
    )
    .fetch_all(&mut database)
    .await
    .unwrap()
    .try_into()
    .unwrap();
    assert_eq!((strangers, oldest, linked), (100_000, 0, 1), "the oldest went, and none that began with a link");
}
