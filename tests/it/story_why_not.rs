//! `why` about an issue for which nothing was started says what came, and which rule said no and why.

use serde_json::Value;
use taskbridge::ids::PersonId;

use crate::story_teams::says;
use crate::support::chat::{CHAT_RULE, MONA_CHAT, OTTO_CHAT};
use crate::support::chats::{TEAMS_MONA, TEAMS_RULE, on_teams};
use crate::support::payloads::{MONA, OTTO, commented, labelled};
use crate::support::world::{OTTO_TOKEN, Setup, World};

const LABELS: &str = "  - name: deploy
    on: { label: [deploy, both] }
    prompt: A wish that nobody else reads.
    allow: { permission: admin }
    continue: true
  - name: docs
    on: { label: [docs, both] }
    when: subject.title.startsWith(\"Docs\")
    prompt: Write docs.
  - name: leads
    on: { label: leads }
    prompt: Fix it well.
    allow: { teams: [acme/red-team] }
  - name: elsewhere
    on: { label: elsewhere }
    prompt: Fix it there.
    task: { repo: acme/gadgets }
  - name: any
    on: { command: \"*\" }
    prompt: \"{{ command.text }}\"
";

impl World {
    /// The page of issue 42 on the GitHub of this world.
    fn page(&self) -> String {
        format!("{}/acme/widgets/issues/42", self.bridge.github.web_url())
    }

    async fn about_42(&self, event: &str, delivery: &str, mut payload: Value) {
        payload["issue"]["html_url"] = self.page().into();
        self.hook(event, delivery, &payload).await;
        self.advance(1);
        self.settle().await;
    }

    async fn labels_42(&self, label: &str, delivery: &str) {
        self.about_42("issues", delivery, labelled(label, MONA, self.bridge.ground.now())).await;
    }

    /// What mona is answered to `why` about the issue in the chat.
    async fn why_in_chat(&self, account: &str) -> String {
        let before = self.slack().whispers(account).len();
        self.slash(account, &format!("why {}", self.page())).await;
        assert_eq!(self.slack().whispers(account).len(), before + 1);
        self.whispered(account)
    }

    async fn why_in_comment(&self, id: i64, text: &str, who: (i64, &str)) -> String {
        let before = self.comments().len();
        self.about_42("issue_comment", &format!("why-{id}"), commented(id, text, who, self.bridge.ground.now())).await;
        self.live_for(10).await;
        self.comments().split_off(before).concat()
    }
}

async fn world() -> World {
    let world = World::of(Setup { app: true, ..Setup::new(&format!("{CHAT_RULE}{LABELS}")) }).await;
    let (live, now) = (world.bridge.live(), world.bridge.ground.now());
    world.bridge.store.keep_rule_version(&live.rules.version, &live.rules.source_json, now).await.unwrap();
    world.link(MONA_CHAT, PersonId(1001)).await;
    world
}

#[tokio::test]
async fn a_refusal_a_condition_and_a_label_that_nobody_hears_are_told_in_a_chat() {
    let world = world().await;
    assert!(world.why_in_chat(MONA_CHAT).await.contains("Nothing was started for it"));
    world.labels_42("deploy", "d-1").await;
    assert!(world.tasks().await.is_empty());
    let why = world.why_in_chat(MONA_CHAT).await;
    for part in ["Nothing was started for it", "`issues.labeled` by mona", "`deploy` refused", "@mona needs admin"] {
        assert!(why.contains(part), "{part}: {why}");
    }
    assert!(!why.contains("nobody else reads"), "no prompt: {why}");
    world.labels_42("docs", "d-2").await;
    let why = world.why_in_chat(MONA_CHAT).await;
    assert!(why.contains("`docs` did not match: when is false: subject.title.startsWith(\"Docs\")"), "{why}");
    world.labels_42("dosc", "d-3").await;
    let why = world.why_in_chat(MONA_CHAT).await;
    assert!(why.contains("no rule listens to the label `dosc`"), "{why}");
    assert!(why.find("dosc").unwrap() < why.find("`deploy` refused").unwrap(), "the newest first: {why}");
    // However much came, the answer can be read.
    for nth in 0..30 {
        world.labels_42("both", &format!("many-{nth}")).await;
    }
    let why = world.why_in_chat(MONA_CHAT).await;
    assert!(why.lines().count() <= 12, "{why}");
}

#[tokio::test]
async fn what_was_refused_is_told_beside_what_was_started() {
    let world = world().await;
    world.labels_42("deploy", "d-1").await;
    world.about_42("issue_comment", "d-2", commented(900, "/copilot fix it", MONA, world.bridge.ground.now())).await;
    let task = world.task().await;
    let why = world.why_in_chat(MONA_CHAT).await;
    assert!(why.contains(&format!("Task {}", task.id)) && why.contains("`deploy` refused"), "{why}");
    assert!(!why.contains("Nothing was started"), "{why}");
}

#[tokio::test]
async fn who_may_not_write_there_learns_nothing_of_it() {
    let world = world().await;
    world.add_person("otto", OTTO_TOKEN).await;
    world.link(OTTO_CHAT, PersonId(1002)).await;
    world.labels_42("deploy", "d-1").await;
    let why = world.why_in_chat(OTTO_CHAT).await;
    assert!(why.contains("There is no repository") && !why.contains("deploy"), "{why}");
    assert_eq!(world.why_in_comment(900, "/copilot why", OTTO).await, "");
}

#[tokio::test]
async fn a_comment_tells_it_to_all_without_calling_anybody_or_naming_another_repository() {
    let world = world().await;
    world.labels_42("deploy", "d-1").await;
    world.labels_42("leads", "d-3").await;
    assert!(world.decision("d-3").await.cause.contains("red-team"), "{}", world.decision("d-3").await.cause);
    world.labels_42("elsewhere", "d-2").await;
    assert!(world.decision("d-2").await.cause.contains("acme/gadgets"), "{}", world.decision("d-2").await.cause);
    for (id, text) in [(900, "/copilot why".to_owned()), (901, "/copilot why #42".to_owned())] {
        let why = world.why_in_comment(id, &text, MONA).await;
        assert!(why.starts_with("@mona: Nothing was started for it"), "{why}");
        assert!(why.contains("`deploy` refused: `allow: @mona needs admin"), "nobody is called: {why}");
        assert!(why.contains("`elsewhere` refused") && !why.contains("gadgets"), "{why}");
        assert!(why.contains("`leads` refused") && !why.contains("red-team"), "{why}");
        assert!(!why.contains("nobody else reads"), "no prompt: {why}");
    }
}

/// Rules of other repositories and what they look for are nobody's business here.
#[tokio::test]
async fn a_comment_tells_no_condition() {
    let world = world().await;
    world.labels_42("docs", "d-1").await;
    assert!(world.decision("d-1").await.cause.contains("startsWith"));
    let why = world.why_in_comment(900, "/copilot why", MONA).await;
    assert!(why.contains("no rule matched; whoever runs taskbridge sees why"), "{why}");
    assert!(!why.contains("docs`") && !why.contains("startsWith"), "{why}");
}

/// All in the channel read what Teams is answered: it tells as much as a comment.
#[tokio::test]
async fn in_teams_conditions_teams_people_and_other_repositories_are_left_out() {
    let sources =
        TEAMS_RULE.replacen("sources:\n", "sources:\n  github: { type: github, secrets: \"${HOOK_SECRET}\" }\n", 1);
    let world = World::of(Setup { app: true, ..Setup::new(&format!("{sources}{LABELS}")) }).await;
    let (live, now) = (world.bridge.live(), world.bridge.ground.now());
    world.bridge.store.keep_rule_version(&live.rules.version, &live.rules.source_json, now).await.unwrap();
    world.link_as(&on_teams(TEAMS_MONA), PersonId(1001)).await;
    world.labels_42("docs", "d-0").await;
    let ask = format!("why {}", world.page());
    let why = says(&world, "1", TEAMS_MONA, &ask).await;
    assert!(why.contains("no rule matched; whoever runs taskbridge sees why"), "{why}");
    for (nth, label) in ["deploy", "leads", "elsewhere"].into_iter().enumerate() {
        world.labels_42(label, &format!("d-{label}-{nth}")).await;
    }
    let why = says(&world, "2", TEAMS_MONA, &ask).await;
    for part in ["`deploy` refused: allow: @mona needs admin", "`leads` refused", "`elsewhere` refused"] {
        assert!(why.contains(part), "{part}: {why}");
    }
    for part in ["startsWith", "docs`", "red-team", "gadgets", "nobody else reads"] {
        assert!(!why.contains(part), "{part}: {why}");
    }
}
