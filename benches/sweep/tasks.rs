//! Many live tasks at once: started at the simulated GitHub through the product's own client, and written down as
//! the product writes them, but without waiting for webhooks.

use std::sync::Arc;

use chrono::TimeDelta;
use taskbridge::domain::rule::{Allow, Reporting};
use taskbridge::domain::task::State;
use taskbridge::domain::trust::Marker;
use taskbridge::github::{NewTask as NewRemote, RemoteTask, RepoPath};
use taskbridge::ids::{DeliveryId, PersonId, TaskId};
use taskbridge::pipeline::{Bridge, people};
use taskbridge::store::Tx;
use taskbridge::store::tasks::make::NewTask;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// People whose tasks are made at once.
const AT_ONCE: usize = 8;

/// Makes `each` live tasks for each of these people, and answers their names at GitHub.
pub(crate) async fn make_tasks(bridge: &Bridge, people: &[PersonId], each: usize) -> Vec<String> {
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for person in people.iter().copied() {
        let (bridge, slots) = (bridge.clone(), Arc::clone(&slots));
        running.spawn(async move {
            let _slot = slots.acquire().await.expect("it is not closed");
            tasks_of(&bridge, person, each).await
        });
    }
    running.join_all().await.into_iter().flatten().collect()
}

async fn tasks_of(bridge: &Bridge, person: PersonId, each: usize) -> Vec<String> {
    let path: RepoPath = "acme/widgets".parse().expect("a path");
    let acting = people::act_as(bridge, person).await.expect("the token is stored");
    let mut remotes = Vec::new();
    for number in 0..each {
        let remote = NewRemote {
            prompt: format!("Fix issue #{number}: The pool hands out dead connections"),
            model: None,
            custom_agent: None,
            create_pull_request: true,
            base_ref: None,
            head_ref: None,
        };
        remotes.push(acting.session.start_task(&path, &remote).await.expect("the person may write"));
    }
    let now = bridge.ground.now();
    let mut tx = bridge.store.begin().await.expect("the private server answers");
    for (number, remote) in remotes.iter().enumerate() {
        keep(bridge, &mut tx, person, number, remote).await;
    }
    tx.sweep_soon(person, now, now).await.expect("the person is stored");
    tx.commit().await.expect("nothing stands against it");
    remotes.into_iter().map(|remote| remote.id).collect()
}

async fn keep(bridge: &Bridge, tx: &mut Tx, person: PersonId, number: usize, remote: &RemoteTask) {
    let now = bridge.ground.now();
    let id = TaskId::new(&bridge.ground);
    let login = format!("person-{person}");
    let new = NewTask {
        id,
        state: State::Pending,
        reason: String::new(),
        hold: None,
        rule: "fix-labelled-issues".to_owned(),
        rule_version: "0".repeat(16),
        delivery_id: DeliveryId::new(&bridge.ground),
        retry_of: None,
        source: "github".to_owned(),
        host: bridge.github.host().to_owned(),
        event: "issues.labeled".to_owned(),
        repo_id: 5001,
        repo_owner: "acme".to_owned(),
        repo_name: "widgets".to_owned(),
        origin_repo_id: 5001,
        origin_owner: "acme".to_owned(),
        origin_name: "widgets".to_owned(),
        subject_kind: "issue".to_owned(),
        subject_number: i64::try_from(number).ok(),
        subject_url: format!("https://github.com/acme/widgets/issues/{number}"),
        comment_id: None,
        comment_on_diff: false,
        label_name: Some("copilot-fix".to_owned()),
        actor_id: Some(person.0),
        actor_login: login.clone(),
        person_id: person,
        person_login: login,
        allow_pending: false,
        allow_rule: Allow::default(),
        report: Reporting::default(),
        once_key: None,
        once_idle_s: None,
        prompt: format!("Fix issue #{number}: The pool hands out dead connections"),
        marker: Marker::from_bytes(bridge.ground.bytes()).into(),
        model: None,
        custom_agent: None,
        base_ref: None,
        head_ref: None,
        create_pull_request: true,
        event_at: None,
        chat: None,
        unapproved: false,
    };
    let mut task = tx.make_task(&new, now).await.expect("the row fits the table");
    task.state = State::Queued;
    task.attempt_count = 1;
    task.remote_id = Some(remote.id.clone());
    task.remote_state = Some(remote.state.clone());
    task.remote_url.clone_from(&remote.html_url);
    task.remote_updated_at = remote.updated_at;
    task.started_at = Some(now);
    task.looked_at = Some(now);
    task.look_at = Some(now + TimeDelta::minutes(15));
    tx.save_task(&task).await.expect("the row is ours");
}
