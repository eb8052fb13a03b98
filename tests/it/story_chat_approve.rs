//! What waits for approval is let go on in a chat, by a button or by a word, by whom the rule lets and by nobody else.

use axum::http::StatusCode;
use taskbridge::domain::task::State;
use taskbridge::ids::PersonId;
use taskbridge::sandbox::{Fault, FaultKind, Role, UserSpec};
use taskbridge::store::tasks::Hold;

use crate::support::chat::{CHANNEL, CHAT_RULE, MONA_CHAT, OTTO_CHAT};
use crate::support::world::{OTTO_TOKEN, Setup, World};

const VERA_CHAT: &str = "U0VERA";
const VERA_TOKEN: &str = "sandbox-vera-token";

/// Mona's task waits; vera may write, otto may not.
async fn waiting() -> World {
    waiting_for("fix it").await
}

/// The same for another wish.
async fn waiting_for(wish: &str) -> World {
    let world = World::of(Setup::new(&format!("{CHAT_RULE}    hold: approval\n"))).await;
    world.control().add_user(UserSpec::person(1003, "vera", VERA_TOKEN)).unwrap();
    world.control().grant("acme/widgets", "vera", Role::Write).unwrap();
    world.add_person("vera", VERA_TOKEN).await;
    world.add_person("otto", OTTO_TOKEN).await;
    world.link(MONA_CHAT, PersonId(1001)).await;
    world.link(OTTO_CHAT, PersonId(1002)).await;
    world.link(VERA_CHAT, PersonId(1003)).await;
    world.slash(MONA_CHAT, wish).await;
    let task = world.task().await;
    assert_eq!((task.state, task.hold), (State::Held, Some(Hold::Approval)));
    let living = world.living().text;
    assert!(living.contains("[approve]"), "{living}");
    let how = format!("press Why to read what it would be told, then Approve, or write `/copilot approve {}`", task.id);
    assert!(living.contains(&how), "{living}");
    assert!(!living.contains("admin API"), "nobody in a chat has it: {living}");
    world
}

impl World {
    async fn press_approve(&self, account: &str) {
        let (ts, id) = (self.living().ts, self.task().await.id.to_string());
        let press = self.slack().press(account, CHANNEL, &ts, "approve", &id);
        assert_eq!(self.slack_says(&press).await.status, StatusCode::OK);
        self.settle().await;
    }
}

/// What was asked in a chat stands nowhere else: whoever may approve it reads how it begins, as it is; others do not.
#[tokio::test]
async fn who_may_approve_reads_what_the_agent_would_be_told() {
    let world = waiting_for("fix it &lt;b&gt; and [send](https://x.example) the keys ``` away").await;
    let task = world.task().await;
    let (ts, id) = (world.living().ts, task.id.to_string());
    for account in [VERA_CHAT, OTTO_CHAT] {
        world.slack_says(&world.slack().press(account, CHANNEL, &ts, "why", &id)).await;
        world.settle().await;
    }
    assert!(!world.whispered(OTTO_CHAT).contains("keys"), "{}", world.whispered(OTTO_CHAT));
    let told = world.whispered(VERA_CHAT);
    let part =
        "The agent would be told:\n```\nfix it &lt;b&gt; and [send] (https://x.example) the keys \'\'\' away\n```";
    assert!(told.contains(part), "{told}");
    world.slash(VERA_CHAT, &format!("approve {id}")).await;
    world.slash(VERA_CHAT, &format!("why {id}")).await;
    assert!(!world.whispered(VERA_CHAT).contains("would be told"), "{}", world.whispered(VERA_CHAT));
}

#[tokio::test]
async fn a_writer_lets_somebody_else_s_task_go_on_and_two_presses_start_one() {
    let world = waiting().await;
    world.press_approve(OTTO_CHAT).await;
    assert!(world.whispered(OTTO_CHAT).contains("not yours to see"), "{}", world.whispered(OTTO_CHAT));
    world.press_approve("U0NOBODY").await;
    assert!(world.whispered("U0NOBODY").contains("not linked"), "{}", world.whispered("U0NOBODY"));
    assert_eq!(world.task().await.state, State::Held);
    // Both are pressed before the first is heard.
    let (ts, id) = (world.living().ts, world.task().await.id.to_string());
    for account in [VERA_CHAT, VERA_CHAT, MONA_CHAT] {
        world.slack_says(&world.slack().press(account, CHANNEL, &ts, "approve", &id)).await;
    }
    world.settle().await;
    world.live_for(30).await;
    assert_eq!(world.control().creations().len(), 1);
    let task = world.task().await;
    assert_eq!(task.person_login, "mona", "it runs as the one who asked");
    // Which of the presses was heard first is left open.
    let story = world.story(task.id).await;
    assert!(["vera", "mona"].iter().any(|who| story.contains(&format!("approved by @{who} in a chat"))), "{story}");
    assert!(!world.living().text.contains("[approve]"), "{}", world.living().text);
    world.press_approve(VERA_CHAT).await;
    assert!(world.whispered(VERA_CHAT).contains("cannot be done"), "{}", world.whispered(VERA_CHAT));
    world.assert_nothing_twice().await;
}

/// Help shows each what they may do in the channel's repository.
#[tokio::test]
async fn help_shows_what_the_one_who_asks_may_do_in_this_channel() {
    let more = "  - name: read
    on: { slash: /look }
    allow: { permission: read }
    prompt: Look.
";
    // Without the App nobody could be asked about somebody who only reads.
    let world = World::of(Setup { app: true, ..Setup::new(&format!("{CHAT_RULE}{more}")) }).await;
    world.add_person("otto", OTTO_TOKEN).await;
    world.link(MONA_CHAT, PersonId(1001)).await;
    world.link(OTTO_CHAT, PersonId(1002)).await;
    let shown = async |account: &str| {
        world.slash(account, "help").await;
        let told = world.whispered(account);
        let has = |text: &str| told.contains(text);
        (has("`/copilot [options]"), has("`/look [options]"), has("/copilot approve"), has("/copilot unlink"))
    };
    assert_eq!(shown(MONA_CHAT).await, (true, true, true, true));
    assert_eq!(shown(OTTO_CHAT).await, (false, true, false, true), "otto may read");
    // The channel's own rule takes the place of all.
    let own = CHAT_RULE.replace("{ repo: acme/widgets }", "{ repo: acme/widgets, rule: chat }");
    world.reload(&format!("{own}{more}"));
    assert_eq!(shown(MONA_CHAT).await, (true, false, true, true));
    assert_eq!(shown(OTTO_CHAT).await, (false, false, false, true));
    assert!(world.whispered(OTTO_CHAT).contains("No rule lets you start a task in `acme/widgets`"));
    // Without a repository nothing can be looked up, and that is said.
    world.reload(&format!("{}{more}", CHAT_RULE.replace("{ repo: acme/widgets }", "{ model: m }")));
    world.control().clear_calls();
    assert_eq!(shown(OTTO_CHAT).await, (true, true, true, true));
    assert!(world.whispered(OTTO_CHAT).contains("no repository of its own"), "{}", world.whispered(OTTO_CHAT));
    assert!(world.control().calls().is_empty());
    // GitHub away: what can be written is shown all the same.
    world.reload(&format!("{CHAT_RULE}{more}"));
    world
        .control()
        .inject(Fault::new(FaultKind::StatusBefore { status: 503 }).on("GET", "/repos/*/*/collaborators/*/permission"));
    assert_eq!(shown(OTTO_CHAT).await, (true, true, true, true));
    assert!(world.whispered(OTTO_CHAT).contains("could not be looked up now"), "{}", world.whispered(OTTO_CHAT));
}

#[tokio::test]
async fn the_word_does_what_the_button_does() {
    let world = waiting().await;
    let id = world.task().await.id.to_string();
    world.slash(OTTO_CHAT, &format!("approve {id}")).await;
    assert_eq!(world.task().await.state, State::Held);
    // Without a name it is one's own newest task, and vera has none.
    world.slash(VERA_CHAT, "approve").await;
    assert_eq!(world.task().await.state, State::Held);
    world.slash(VERA_CHAT, &format!("approve {id}")).await;
    assert!(world.whispered(VERA_CHAT).contains("Done"), "{}", world.whispered(VERA_CHAT));
    world.live_for(30).await;
    assert_eq!(world.control().creations().len(), 1);
}
