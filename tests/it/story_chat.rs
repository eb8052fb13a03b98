//! Work that is asked for in a chat: from the command to the pull request, in one living message; who may, as whom, and
//! what others see.

use axum::http::StatusCode;
use sqlx::{Connection as _, PgConnection};
use taskbridge::domain::task::State;
use taskbridge::ids::PersonId;
use taskbridge::sandbox::{Outcome, SlackFault};
use taskbridge::store::deliveries::DeliveryState;

use crate::support::chat::{CHANNEL, CHAT_RULE, MONA_CHAT, OTTO_CHAT, chat_world};
use crate::support::world::{MONA_TOKEN, OTTO_TOKEN, Setup, World};

#[tokio::test]
async fn a_command_becomes_a_task_and_one_living_message_that_calls_the_one_who_asked() {
    let world = chat_world().await;
    world.slash(MONA_CHAT, "fix the login button").await;
    let task = world.task().await;
    assert_eq!((task.prompt.as_str(), task.person_login.as_str()), ("fix the login button", "mona"));
    assert_eq!(task.repo_full_name(), "acme/widgets");
    assert_eq!(task.subject_number, None);
    let first = world.living();
    assert_eq!(first.channel, CHANNEL);
    assert!(!first.text.contains("login button"), "a channel has other readers: {}", first.text);
    world.live_for(120).await;
    assert_eq!(world.task().await.state, State::Completed);
    let last = world.living();
    assert_eq!(last.ts, first.ts, "it is edited");
    assert!(last.edits > 0 && last.text.contains("*Done*: <http"), "{}", last.text);
    assert!(last.text.contains("[why]") && last.text.contains("[open]") && !last.text.contains("[retry]"));
    let calls: Vec<_> = world.slack().messages().into_iter().filter(|message| message.thread.is_some()).collect();
    assert_eq!(calls.len(), 1, "{calls:#?}");
    assert_eq!(calls[0].thread.as_deref(), Some(first.ts.as_str()));
    assert!(calls[0].text.starts_with("<@U0MONA> "), "{}", calls[0].text);
    assert!(world.comments().is_empty(), "nobody asked on GitHub");
}

#[tokio::test]
async fn what_fails_or_waits_calls_once_each() {
    let world = chat_world().await;
    world.control().script_next(Outcome::Failed { message: "no way".into() });
    world.slash(MONA_CHAT, "fix it").await;
    world.live_for(120).await;
    assert_eq!(world.task().await.state, State::Failed);
    let calls = world.slack().messages().into_iter().filter(|message| message.text.contains("<@U0MONA>")).count();
    assert_eq!(calls, 1);
    assert!(world.living().text.contains("[retry]"), "{}", world.living().text);
    world.control().script_next(Outcome::WaitingForUser);
    world.slash(MONA_CHAT, "fix it again").await;
    world.live_for(120).await;
    assert_eq!(world.tasks().await.pop().unwrap().state, State::Completed);
    let calls: Vec<_> =
        world.slack().messages().into_iter().map(|m| m.text).filter(|t| t.contains("<@U0MONA>")).collect();
    assert_eq!(calls.len(), 3, "once for the wait and once for the end: {calls:#?}");
    assert!(calls[1].contains("waits for an answer"), "{calls:#?}");
}

/// Case 22.
#[tokio::test]
async fn what_slack_sends_again_starts_nothing_again() {
    let world = chat_world().await;
    let mention = world.slack().mention("Ev1", MONA_CHAT, CHANNEL, "1515449522.000016", "fix it");
    for _ in 0..3 {
        let mut again = mention.clone();
        again.headers.push(("x-slack-retry-num".into(), "1".into()));
        assert_eq!(world.slack_says(&again).await.status, StatusCode::OK);
    }
    world.settle().await;
    assert_eq!(world.delivery_count().await, 1);
    assert_eq!(world.task().await.prompt, "fix it");
    // Signed later, with an id that is the same and a body that is not.
    let other = world.slack().signed("application/json", mention.body.replacen('{', "{ ", 1));
    assert_eq!(world.slack_says(&other).await.status, StatusCode::OK);
    assert_eq!(world.delivery_count().await, 1);
    // Under another event of the same message it is still the same wish.
    let other = world.slack().mention("Ev2", MONA_CHAT, CHANNEL, "1515449522.000016", "fix it");
    world.slack_says(&other).await;
    world.settle().await;
    assert_eq!(world.tasks().await.len(), 1);
    let said = world.slack().messages();
    assert!(said.iter().all(|message| message.thread.as_deref() == Some("1515449522.000016")), "{said:#?}");
    // Encoded anew on its way.
    let mut changed = world.slack().slash(MONA_CHAT, CHANNEL, "/copilot", "fix it");
    changed.body = changed.body.replace('+', "%20");
    assert_eq!(world.slack_says(&changed).await.status, StatusCode::UNAUTHORIZED);
}

/// Case 21.
#[tokio::test]
async fn a_request_of_another_time_is_turned_away() {
    let world = chat_world().await;
    let early = world.slack().slash(MONA_CHAT, CHANNEL, "/copilot", "fix it");
    world.advance(301);
    assert_eq!(world.slack_says(&early).await.status, StatusCode::UNAUTHORIZED);
    let mut late = world.slack().slash(MONA_CHAT, CHANNEL, "/copilot", "fix it");
    for stamp in ["-1", "x", "9223372036854775808", "1e9"] {
        late.headers[1].1 = stamp.to_owned();
        assert_eq!(world.slack_says(&late).await.status, StatusCode::UNAUTHORIZED, "{stamp}");
    }
    let counts = world.refusals().await;
    assert!(
        counts.contains(&("stamp_stale".into(), 1)) && counts.contains(&("stamp_unusable".into(), 4)),
        "{counts:?}"
    );
    assert_eq!(world.delivery_count().await, 0);
}

#[tokio::test]
async fn a_stranger_is_denied_and_nobody_else_hears_of_it() {
    let world = chat_world().await;
    world.add_person("otto", OTTO_TOKEN).await;
    world.link(OTTO_CHAT, PersonId(1002)).await;
    world.slash(OTTO_CHAT, "fix it").await;
    world.slash(OTTO_CHAT, "repo:acme/nothing-here fix it").await;
    assert!(world.tasks().await.is_empty());
    assert!(world.slack().messages().is_empty());
    let told = world.slack().whispers(OTTO_CHAT);
    assert_eq!(told.len(), 2);
    assert!(told[0].text.contains("or you may not work in it"), "{}", told[0].text);
    assert_eq!(
        told[0].text.replace("widgets", "nothing-here"),
        told[1].text,
        "the one does not show that the other is there"
    );
}

#[tokio::test]
async fn without_a_link_the_wish_waits_and_goes_on_when_there_is_one() {
    let world = World::of(Setup::new(CHAT_RULE)).await;
    world.slash(MONA_CHAT, "fix the login button").await;
    assert!(world.tasks().await.is_empty());
    assert!(world.slack().messages().is_empty());
    assert!(world.whispered(MONA_CHAT).contains("not linked to a GitHub account"), "{}", world.whispered(MONA_CHAT));
    world.slash(MONA_CHAT, "status").await;
    world.link(MONA_CHAT, PersonId(1001)).await;
    world.settle().await;
    assert_eq!(world.task().await.prompt, "fix the login button");
    world.settle().await;
    assert_eq!(world.tasks().await.len(), 1, "once");
    // Whoever unlinks is a stranger again.
    world.slash(MONA_CHAT, "unlink").await;
    world.slash(MONA_CHAT, "list").await;
    assert!(world.whispered(MONA_CHAT).contains("not linked to a GitHub account"));
}

#[tokio::test]
async fn our_own_words_and_buttons_do_what_they_say_for_those_who_may() {
    let world = chat_world().await;
    world.control().script_next(Outcome::Failed { message: "no way".into() });
    world.slash(MONA_CHAT, "fix the login button").await;
    world.slash(MONA_CHAT, "status").await;
    let id = world.task().await.id.to_string();
    assert!(world.whispered(MONA_CHAT).contains(&id), "{}", world.whispered(MONA_CHAT));
    world.slash(MONA_CHAT, &format!("why {id}")).await;
    assert!(world.whispered(MONA_CHAT).contains("made by the rule chat"), "{}", world.whispered(MONA_CHAT));
    assert!(!world.whispered(MONA_CHAT).contains("login button"));
    world.live_for(120).await;
    world.add_person("otto", OTTO_TOKEN).await;
    world.link(OTTO_CHAT, PersonId(1002)).await;
    let ts = world.living().ts;
    for name in ["retry", "why", "cancel", "approve"] {
        let press = world.slack().press(OTTO_CHAT, CHANNEL, &ts, name, &id);
        assert_eq!(world.slack_says(&press).await.status, StatusCode::OK);
        world.settle().await;
        assert!(world.whispered(OTTO_CHAT).contains("not yours to see"), "{name}: {}", world.whispered(OTTO_CHAT));
    }
    assert_eq!(world.tasks().await.len(), 1);
    let press = world.slack().press(MONA_CHAT, CHANNEL, &ts, "retry", &id);
    world.slack_says(&press).await;
    world.settle().await;
    assert_eq!(world.tasks().await.len(), 2);
    let open = world.slack().press(MONA_CHAT, CHANNEL, &ts, "open", "");
    assert_eq!(world.slack_says(&open).await.status, StatusCode::OK);
    world.slash(MONA_CHAT, "help").await;
    assert!(world.whispered(MONA_CHAT).contains("/copilot unlink"), "{}", world.whispered(MONA_CHAT));
}

/// A login is a name: what runs for somebody is theirs also under the next one, and however much came after it.
#[tokio::test]
async fn one_s_own_tasks_are_found_under_another_login_and_behind_many_newer_ones() {
    let world = chat_world().await;
    world.slash(MONA_CHAT, "fix it").await;
    let id = world.task().await.id.to_string();
    let mut database = PgConnection::connect(&world.database.url).await.unwrap();
    let newer = "
        INSERT INTO tasks (id, state, rule, rule_version, delivery_id, source, host, event, repo_id, repo_owner, repo_name,
            origin_repo_id, origin_owner, origin_name, subject_kind, person_id, person_login, allow_rule, report, prompt, marker,
            create_pull_request, created_at, changed_at, due_at, ended_at)
        SELECT ('ffffffff-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'completed', rule, rule_version, gen_random_uuid(),
            source, host, event, repo_id, repo_owner, repo_name, origin_repo_id, origin_owner, origin_name, subject_kind, person_id,
            person_login, allow_rule, report, prompt, 'marker-' || n, true, created_at + interval '1 s', changed_at, due_at, changed_at
        FROM tasks CROSS JOIN generate_series(1, 40) n";
    for change in [newer, "UPDATE people SET login = 'mona-lisa' WHERE id = 1001"] {
        sqlx::query(change).execute(&mut database).await.unwrap();
    }
    world.slash(MONA_CHAT, "status").await;
    let told = world.whispered(MONA_CHAT);
    assert!(told.contains(&id) && told.lines().count() == 1, "{told}");
    world.slash(MONA_CHAT, "list").await;
    assert_eq!(world.whispered(MONA_CHAT).lines().count(), 10, "{}", world.whispered(MONA_CHAT));
}

#[tokio::test]
async fn a_command_without_text_opens_a_form_that_becomes_a_task() {
    let world = chat_world().await;
    world.slash(MONA_CHAT, "").await;
    let form = world.slack().opened().pop().expect("a form");
    assert_eq!(form["blocks"][0]["element"]["initial_value"], "acme/widgets", "the channel's repository");
    let bad = world.slack().submit(MONA_CHAT, &[("repo", "widgets"), ("prompt", "fix it")]);
    let answer = world.slack_says(&bad).await;
    assert_eq!(answer.body["response_action"], "errors");
    assert!(answer.body["errors"]["repo"].is_string());
    let fields = [("repo", "acme/widgets"), ("prompt", "fix it\nand test it"), ("base", "next"), ("model", "m-1")];
    assert_eq!(world.slack_says(&world.slack().submit(MONA_CHAT, &fields)).await.status, StatusCode::OK);
    world.settle().await;
    let task = world.task().await;
    assert_eq!((task.prompt.as_str(), task.base_ref.as_deref()), ("fix it\nand test it", Some("next")));
    assert_eq!(task.model.as_deref(), Some("m-1"));
    assert_eq!(world.living().channel, CHANNEL, "where the form was opened");
}

#[tokio::test]
async fn a_chosen_message_fills_the_form_and_the_task_is_told_of_in_its_thread() {
    let world = chat_world().await;
    let chosen = world.slack().choose(MONA_CHAT, CHANNEL, "1515449522.000016", "the &lt;b&gt; button is broken");
    world.slack_says(&chosen).await;
    world.settle().await;
    let form = world.slack().opened().pop().expect("a form");
    assert_eq!(form["blocks"][1]["element"]["initial_value"], "the <b> button is broken");
    assert!(world.tasks().await.is_empty(), "nothing starts before somebody has sent it");
    // Too late to open another: the help is shown instead.
    let late = world.slack().slash(MONA_CHAT, CHANNEL, "/copilot", "");
    world.advance(4);
    world.slack_says(&late).await;
    world.settle().await;
    assert!(world.whispered(MONA_CHAT).contains("expired_trigger_id"), "{}", world.whispered(MONA_CHAT));
    let fields = [("repo", "acme/widgets"), ("prompt", "fix it"), ("pull_request", "no")];
    world.slack_says(&world.slack().submit(MONA_CHAT, &fields)).await;
    world.settle().await;
    assert!(!world.task().await.create_pull_request);
    assert!(world.slack().messages().iter().all(|message| message.thread.as_deref() == Some("1515449522.000016")));
}

#[tokio::test]
async fn a_shortcut_opens_the_form_and_the_task_is_told_of_where_its_channel_was_chosen() {
    let world = World::of(Setup::new(CHAT_RULE)).await;
    world.slack_says(&world.slack().shortcut(MONA_CHAT)).await;
    world.settle().await;
    let told = world.slack().messages().pop().expect("somebody who is not linked is told so");
    assert_eq!(told.channel, MONA_CHAT, "it was pressed nowhere, so it is told to the one who pressed it");
    assert!(told.text.contains("not linked"), "{}", told.text);
    world.link(MONA_CHAT, PersonId(1001)).await;
    world.slack_says(&world.slack().shortcut(MONA_CHAT)).await;
    world.settle().await;
    let form = world.slack().opened().pop().expect("a form");
    assert!(form.to_string().contains("conversations_select"), "{form}");
    let fields = [("repo", "acme/widgets"), ("prompt", "fix it"), ("channel", CHANNEL)];
    assert_eq!(world.slack_says(&world.slack().submit(MONA_CHAT, &fields)).await.status, StatusCode::OK);
    world.settle().await;
    assert_eq!(world.task().await.prompt, "fix it");
    let living = world.slack().messages().pop().expect("a living message");
    assert_eq!(living.channel, CHANNEL);
    // In a channel that has a place there is nothing to choose.
    world.slash(MONA_CHAT, "").await;
    let form = world.slack().opened().pop().expect("a form");
    assert!(!form.to_string().contains("conversations_select"), "{form}");
}

#[tokio::test]
async fn with_a_dead_token_the_wish_waits_for_another_and_is_not_tried_again_and_again() {
    let world = chat_world().await;
    world.control().revoke_token(MONA_TOKEN).unwrap();
    world.slash(MONA_CHAT, "fix it").await;
    assert!(world.whispered(MONA_CHAT).contains("Sign in again"), "{}", world.whispered(MONA_CHAT));
    world.control().clear_calls();
    world.live_in_steps(3, 600).await;
    assert_eq!(world.control().calls().len(), 0, "a dead token is not tried again");
    world.control().add_token("mona", "sandbox-mona-token-2", Default::default()).unwrap();
    world.add_person("mona", "sandbox-mona-token-2").await;
    world.settle().await;
    assert_eq!(world.task().await.state, State::Queued);
}

#[tokio::test]
async fn what_is_refused_after_the_link_is_told_too() {
    let world = World::of(Setup::new(CHAT_RULE)).await;
    world.slash(MONA_CHAT, "repo:acme/nothing-here fix it").await;
    world.link(MONA_CHAT, PersonId(1001)).await;
    world.settle().await;
    assert!(world.whispered(MONA_CHAT).contains("or you may not work in it"), "{}", world.whispered(MONA_CHAT));
}

#[tokio::test]
async fn the_one_who_asked_is_called_under_the_message_of_the_task_however_late_that_comes() {
    let world = chat_world().await;
    for _ in 0..4 {
        world.slack().fail("chat.postMessage", SlackFault::Away);
    }
    world.slash(MONA_CHAT, "fix it").await;
    world.live_in_steps(3, 60).await;
    assert!(world.slack().messages().is_empty(), "{:#?}", world.slack().messages());
    assert_eq!(world.task().await.state, State::Completed);
    world.live_in_steps(5, 300).await;
    let living = world.living();
    let calls: Vec<_> = world.slack().messages().into_iter().filter(|message| message.thread.is_some()).collect();
    assert_eq!(calls.len(), 1, "{calls:#?}");
    assert_eq!(calls[0].thread.as_ref(), Some(&living.ts));
}

#[tokio::test]
async fn what_slack_refuses_is_waited_for_or_said_another_way() {
    let world = chat_world().await;
    world.slack().fail("chat.postMessage", SlackFault::Limited(30));
    world.slash(MONA_CHAT, "fix it").await;
    assert!(world.slack().messages().is_empty(), "Slack asked for a pause");
    world.live_for(60).await;
    let living = world.living();
    // Deleted by somebody: not written again.
    world.slack().delete(&living.ts);
    world.live_for(60).await;
    assert!(world.slack().messages().iter().all(|message| message.thread.is_some()));
    // Where the app is not, the address for answers does, and it is not asked too often.
    world.slack().close("C0009");
    let elsewhere = world.slack().slash(MONA_CHAT, "C0009", "/copilot", "repo:acme/widgets fix it");
    world.slack_says(&elsewhere).await;
    world.settle().await;
    world.live_for(120).await;
    let answered: Vec<_> = world.slack().messages().into_iter().filter(|message| message.answered).collect();
    assert_eq!(answered.len(), 1, "{answered:#?}");
    let tasks = world.tasks().await;
    assert!(tasks.iter().all(|task| task.state == State::Completed), "what cannot be told touches no task");
}

#[tokio::test]
async fn what_is_not_said_to_us_starts_nothing() {
    let world = chat_world().await;
    let challenge =
        world.slack().signed("application/json", r#"{"type":"url_verification","challenge":"3eZb"}"#.into());
    let answer = world.slack_says(&challenge).await;
    assert_eq!(
        (answer.status, answer.text.as_str()),
        (StatusCode::OK, "3eZb"),
        "Slack takes the address for ours by it"
    );
    assert_eq!(answer.headers["content-type"], "text/plain");
    let check = world.slack().signed("application/x-www-form-urlencoded", "token=x&ssl_check=1".into());
    let answer = world.slack_says(&check).await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, ""));
    assert_eq!(world.delivery_count().await, 0);
    let bot = r#"{"type":"event_callback","team_id":"T0001","api_app_id":"A0001","event_id":"Ev7","event":{"type":"message",
        "subtype":"bot_message","bot_id":"B1","text":"/copilot fix it","ts":"1.1","channel":"D1","channel_type":"im"}}"#;
    world.slack_says(&world.slack().signed("application/json", bot.into())).await;
    let other = r#"{"type":"event_callback","team_id":"T0001","api_app_id":"A0002","event_id":"Ev8","event":{"type":"app_mention",
        "user":"U0MONA","text":"fix it","ts":"1.2","channel":"C0001"}}"#;
    world.slack_says(&world.slack().signed("application/json", other.into())).await;
    let gone = r#"{"type":"event_callback","team_id":"T0001","api_app_id":"A0001","event_id":"Ev9","event":{"type":"app_uninstalled"}}"#;
    world.slack_says(&world.slack().signed("application/json", gone.into())).await;
    world.settle().await;
    for id in ["Ev7", "Ev8", "Ev9"] {
        let delivery = world.delivery(id).await;
        assert_eq!(delivery.state, DeliveryState::Ignored, "{id}: {:?}", delivery.reason);
    }
    assert!(world.tasks().await.is_empty() && world.slack().messages().is_empty());
}
