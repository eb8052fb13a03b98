//! What a page shows of its chat works as it stands there: the app is made from the manifest that the page's own command prints,
//! the page's configuration is loaded, and the chat calls the addresses that the app was made with and no others. What the
//! manifest does not ask for is not sent and not allowed; what it asks for is needed.

use std::cell::Cell;
use std::process::Command;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use taskbridge::cli::live_of;
use taskbridge::config::{Reader, load};
use taskbridge::domain::task::State;
use taskbridge::sandbox::ChatRequest;
use taskbridge::sandbox::slack::{APP_TOKEN, SIGNING_SECRET};

use crate::docs_pages::{code, read};
use crate::support::canary;
use crate::support::chats::{
    DISCORD_MONA, MATTERMOST_MONA, MONA, SECRETS, TEAMS_MONA, addressed, on_discord, on_mattermost, on_teams,
    only_living, teams_activity, teams_signed,
};
use crate::support::world::{Answer, LABEL_RULE, World};

/// Where the pages say that the service is.
pub(crate) const HERE: &str = "https://bridge.example.com";
/// The channels that the pages name.
const DISCORD_CHANNEL: &str = "645027906669510667";
const MATTERMOST_CHANNEL: &str = "4xp9fdt77pncbef59f4k1qe83o";
const TEAMS_CHANNEL: &str = "19:0123456789abcdef@thread.tacv2";
const THREAD: &str = "645027906669510999";

pub(crate) fn page(name: &str) -> String {
    read(&format!("docs/sources/{name}.md"))
}

/// The blocks of configuration of a page, each after this heading.
pub(crate) fn block(page: &str, behind: &str) -> String {
    let (_, rest) = page.split_once(behind).unwrap_or_else(|| panic!("{behind}"));
    rest.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap().to_owned()
}

/// What a command of a page prints, the one that begins so: for programs, and for people.
pub(crate) fn run(page: &str, begins: &str, application: &str) -> (Value, String) {
    let spans = code(page);
    let line = spans.iter().find(|span| span.starts_with(begins)).unwrap_or_else(|| panic!("{begins}"));
    let line = line.trim_end_matches(" |").replace(" ID ", &format!(" {application} "));
    let mut words = line.split(' ');
    assert_eq!(words.next(), Some("taskbridge"));
    let output = Command::new(env!("CARGO_BIN_EXE_taskbridge")).args(words).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{line}: {told}");
    (serde_json::from_slice(&output.stdout).unwrap(), told)
}

impl World {
    /// Puts a page's configuration in force, for the people, repositories and chats of a story.
    pub(crate) fn follow(&self, text: &str, more: &[(&str, &str)]) {
        canary::listen(&more.iter().map(|(_, secret)| *secret).collect::<Vec<_>>());
        let text = addressed(&text.replace("octo-org/octo-shop", "acme/widgets"), &self.sandbox);
        let env = [
            &SECRETS[..],
            &[
                ("SLACK_SIGNING_SECRET", SIGNING_SECRET),
                ("SLACK_APP_TOKEN", APP_TOKEN),
                ("GITHUB_CLIENT_SECRET", "a client's secret"),
            ],
            more,
        ]
        .concat();
        let reader = Reader::fixed(&env, &[("/etc/taskbridge.yaml", &text)]);
        let loaded = load(std::path::Path::new("/etc/taskbridge.yaml"), &reader);
        let loaded = loaded.unwrap_or_else(|faults| panic!("{faults}\n{text}"));
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        self.bridge.swap(live_of(&loaded, self.bridge.github.host()));
    }

    /// A chat calls an address.
    pub(crate) async fn called(&self, url: &str, headers: &[(String, String)], body: &str) -> Answer {
        let path = url.strip_prefix(HERE).unwrap_or_else(|| panic!("{url} is not where the service is"));
        let mut request = Request::post(path);
        for (name, value) in headers {
            request = request.header(name.as_str(), value.as_str());
        }
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    /// The newest task, of mona.
    pub(crate) async fn newest(&self, prompt: &str) -> taskbridge::store::tasks::Task {
        let task = self.tasks().await.pop().unwrap_or_else(|| panic!("no task: {prompt}"));
        assert_eq!(
            (task.prompt.as_str(), task.person_login.as_str(), task.rule.as_str()),
            (prompt, "mona", "from-chat")
        );
        task
    }
}

/// The application of Discord's page, with these permissions in place of those that the link asks for.
async fn world_with_discord(permissions: Option<u64>) -> World {
    let page = page("discord");
    let configuration = block(&page, "## Here");
    let field = |name: &str| {
        let (_, rest) = configuration.split_once(&format!("{name}: ")).unwrap();
        rest.lines().next().unwrap().trim_matches('"').to_owned()
    };
    let (application, key) = (field("application_id"), field("public_key"));
    let (command, steps) = run(&page, "taskbridge manifest discord --application-id ID", &application);
    let world = World::new(LABEL_RULE).await;
    world.link_as(&on_discord(DISCORD_MONA), MONA).await;
    let discord = world.sandbox.discord();
    let link = steps.split_whitespace().find(|word| word.starts_with("https://discord.com/oauth2/")).unwrap();
    let link = permissions
        .map_or(link.to_owned(), |own| format!("{}permissions={own}", link.split_once("permissions=").unwrap().0));
    discord.install(&link).unwrap();
    let with_key = configuration.replace(&key, "DISCORD_KEY");
    let text = with_key.replace("    type: discord\n", "    type: discord\n    api_url: DISCORD_API\n");
    world.follow(&text, &[]);

    // The page's call, to the simulated Discord.
    let token = SECRETS.iter().find(|(name, _)| *name == "DISCORD_BOT_TOKEN").unwrap().1;
    let called = format!("{}/applications/{application}/commands", discord.api_url());
    let request = crate::support::install::client().post(called).header("authorization", format!("Bot {token}"));
    assert_eq!(request.json(&command).send().await.unwrap().status(), StatusCode::CREATED);
    // Discord saves the address when a right and a wrong signature are answered as they must be.
    let url = steps.lines().last().unwrap().trim().to_owned();
    assert!(page.contains(&format!("`{url}`, **Save Changes**")), "{url}");
    let ping = discord.ping();
    let good = world.called(&url, &ping.headers, &ping.body).await;
    assert_eq!((good.status, good.body), (StatusCode::OK, json!({ "type": 1 })));
    let forged = ping.body.replace("\"t\"", "\"u\"");
    assert_eq!(world.called(&url, &ping.headers, &forged).await.status, StatusCode::UNAUTHORIZED);
    discord.set_endpoint(&url);
    world
}

async fn discord_sends(world: &World, request: &ChatRequest) {
    let url = world.sandbox.discord().way(request).unwrap();
    let answer = world.called(&url, &request.headers, &request.body).await;
    assert_eq!((answer.status, answer.body), (StatusCode::OK, json!({ "type": 5, "data": { "flags": 64 } })));
    world.settle().await;
}

#[tokio::test]
async fn discord_s_page_leads_to_a_task_and_asks_for_what_is_needed_alone() {
    let world = world_with_discord(None).await;
    let discord = world.sandbox.discord();
    discord_sends(&world, &discord.command(DISCORD_MONA, DISCORD_CHANNEL, Some("fix the login button"))).await;
    world.newest("fix the login button").await;
    let first = only_living(discord.messages());
    assert_eq!(first.channel, DISCORD_CHANNEL);
    world.live_for(120).await;
    let last = only_living(discord.messages());
    assert!(last.id == first.id && last.edits > 0 && last.text.contains("**Done**: [pull request"), "{last:?}");
    assert!(
        discord.messages().iter().any(|message| message.under.as_deref() == Some(first.id.as_str())),
        "called, below it"
    );
    let request = discord.command(DISCORD_MONA, DISCORD_CHANNEL, Some("and test it"));
    discord_sends(&world, &discord.in_thread(&request, THREAD)).await;
    world.newest("and test it").await;
    assert!(discord.messages().iter().any(|message| message.channel == THREAD), "{:#?}", discord.messages());
    assert_eq!(discord.unused_permissions(), 0, "asked for, and used by nothing");
    let data = json!({ "id": "1", "name": "other", "type": 1 });
    assert!(discord.way(&discord.interaction(2, DISCORD_MONA, DISCORD_CHANNEL, data)).is_err());
}

#[tokio::test]
async fn each_permission_of_discord_s_link_is_needed() {
    let world = world_with_discord(None).await;
    let all = world.sandbox.discord().unused_permissions();
    let each = (0..64).map(|bit| 1_u64 << bit).filter(|permission| all & permission != 0);
    for missing in each {
        let world = world_with_discord(Some(all & !missing)).await;
        let discord = world.sandbox.discord();
        let request = discord.command(DISCORD_MONA, DISCORD_CHANNEL, Some("fix it"));
        discord_sends(&world, &request).await;
        let request = discord.command(DISCORD_MONA, DISCORD_CHANNEL, Some("fix it there"));
        discord_sends(&world, &discord.in_thread(&request, THREAD)).await;
        world.live_for(120).await;
        let messages = discord.messages();
        let (channel, thread) = [DISCORD_CHANNEL, THREAD].map(|at| messages.iter().any(|m| m.channel == at)).into();
        let below = messages.iter().any(|message| message.under.is_some());
        assert!(!(channel && thread && below), "without {missing} all is the same");
    }
}

#[tokio::test]
async fn mattermost_s_page_leads_to_a_task() {
    let page = page("mattermost");
    let spans = code(&page);
    let url = spans.iter().find(|span| span.starts_with(HERE)).unwrap();
    assert!(page.contains("*Command Trigger Word* `copilot`"));
    let world = World::new(LABEL_RULE).await;
    world.link_as(&on_mattermost(MATTERMOST_MONA), MONA).await;
    let configuration = block(&page, "## Here");
    let text = configuration.replace("https://chat.example.com", "MATTERMOST_URL");
    assert_ne!(text, configuration);
    world.follow(&text, &[]);
    let request = world.sandbox.mattermost().slash(MATTERMOST_MONA, MATTERMOST_CHANNEL, "fix the login button");
    let answer = world.called(url, &request.headers, &request.body).await;
    assert_eq!(
        (answer.status, &answer.body["response_type"]),
        (StatusCode::OK, &"ephemeral".into()),
        "{}",
        answer.text
    );
    world.settle().await;
    world.newest("fix the login button").await;
    let first = only_living(world.sandbox.mattermost().messages());
    world.live_for(120).await;
    let last = only_living(world.sandbox.mattermost().messages());
    assert!(first.channel == MATTERMOST_CHANNEL && last.id == first.id && last.edits > 0, "{last:?}");
    assert!(last.text.contains("**Done**: [pull request"), "{}", last.text);
}

#[tokio::test]
async fn teams_page_leads_to_a_task() {
    let page = page("teams");
    let spans = code(&page);
    let url = spans.iter().find(|span| span.starts_with(HERE)).unwrap();
    let world = World::new(LABEL_RULE).await;
    world.link_as(&on_teams(TEAMS_MONA), MONA).await;
    world.follow(&block(&page, "## Here"), &[]);
    let said = teams_activity(&world, "1", TEAMS_MONA, "fix the login button").to_string();
    let request = teams_signed(&said.replace("19:dev@thread.tacv2", TEAMS_CHANNEL));
    // It is answered once the workers are done.
    let answered = Cell::new(false);
    let asking = async {
        let answer = world.called(url, &request.headers, &request.body).await;
        answered.set(true);
        answer
    };
    let workers = async {
        while !answered.get() {
            world.settle().await;
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let (answer, ()) = tokio::join!(asking, workers);
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    world.settle().await;
    let task = world.newest("fix the login button").await;
    let text = answer.body["text"].as_str().unwrap();
    assert!(text.contains(&task.id.to_string()) && text.contains("acme/widgets"), "{text}");
    world.live_for(120).await;
    assert_eq!(world.task().await.state, State::Completed);
}
