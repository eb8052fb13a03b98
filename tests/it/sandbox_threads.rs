//! Issues, comments, reactions, labels, pull requests, people and renamed repositories of the sandbox.

use reqwest::Method;
use serde_json::{Value, json};
use taskbridge::sandbox::{CommentSpec, IssueSpec, PullSpec, Role, TokenKind};

use crate::sandbox_world::{MONA, Place};

const ISSUE: &str = "/repos/acme/widgets/issues/42";
const OTTO: &str = "sandbox-otto-token";

async fn send(place: &Place, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let call = place.call(method, path, MONA);
    let response = match body {
        Some(body) => call.json(&body),
        None => call,
    };
    let response = response.send().await.expect("the sandbox answers");
    (response.status().as_u16(), response.json().await.unwrap_or(Value::Null))
}

#[tokio::test]
async fn a_comment_is_written_read_edited_and_deleted() {
    let place = Place::new().await;
    let list = format!("{ISSUE}/comments");
    let (status, comment) = send(&place, Method::POST, &list, Some(json!({ "body": "one" }))).await;
    assert_eq!((status, &comment["user"]["id"], &comment["author_association"]), (201, &json!(1001), &json!("MEMBER")));
    assert_eq!(comment["performed_via_github_app"], Value::Null);
    let one = format!("/repos/acme/widgets/issues/comments/{}", comment["id"]);
    place.advance(60);
    assert_eq!(send(&place, Method::PATCH, &one, Some(json!({ "body": "two" }))).await.0, 200);
    let read = place.json(&one).await;
    assert_eq!(read["body"], "two");
    assert_ne!(read["updated_at"], read["created_at"]);
    assert_eq!(place.json(&list).await.as_array().unwrap().len(), 1);
    assert_eq!(place.json(ISSUE).await["comments"], 1);
    assert!(place.control().comments("acme/widgets", 42).unwrap()[0].edited);
    assert_eq!(send(&place, Method::DELETE, &one, None).await.0, 204);
    assert_eq!(send(&place, Method::GET, &one, None).await.0, 404);
    for body in [json!({}), json!({ "body": " " }), json!({ "body": "x".repeat(65_537) })] {
        assert_eq!(send(&place, Method::POST, &list, Some(body)).await.0, 422);
    }
}

#[tokio::test]
async fn what_a_user_token_of_the_app_writes_names_the_app_and_others_may_not_edit_it() {
    let place = Place::new().await;
    place.control().add_token("mona", "ghu_mona", TokenKind::AppUser).unwrap();
    let list = format!("{ISSUE}/comments");
    let call = place.call(Method::POST, &list, "ghu_mona").json(&json!({ "body": "x" }));
    let comment: Value = call.send().await.unwrap().json().await.unwrap();
    assert_eq!(comment["performed_via_github_app"]["id"], 7001);
    assert_eq!(comment["user"]["login"], "mona");
    place.control().grant("acme/widgets", "otto", Role::Read).unwrap();
    let one = format!("/repos/acme/widgets/issues/comments/{}", comment["id"]);
    let edit = place.call(Method::PATCH, &one, OTTO).json(&json!({ "body": "y" })).send().await.unwrap();
    assert_eq!(edit.status(), 403);
    assert_eq!(place.control().comments("acme/widgets", 42).unwrap()[0].body, "x");
}

#[tokio::test]
async fn a_reaction_is_new_once() {
    let place = Place::new().await;
    let eyes = || Some(json!({ "content": "eyes" }));
    let on = format!("{ISSUE}/reactions");
    let (first, reaction) = send(&place, Method::POST, &on, eyes()).await;
    assert_eq!((first, send(&place, Method::POST, &on, eyes()).await.0), (201, 200));
    assert_eq!(send(&place, Method::POST, &on, Some(json!({ "content": "clap" }))).await.0, 422);
    assert_eq!(place.json(ISSUE).await["reactions"]["eyes"], 1);
    assert_eq!(send(&place, Method::DELETE, &format!("{on}/{}", reaction["id"]), None).await.0, 204);
    assert_eq!(place.control().reactions("acme/widgets", 42).unwrap(), []);

    let comment = |path: Option<&str>| CommentSpec {
        repo: "acme/widgets".to_owned(),
        number: 42,
        author: "mona".to_owned(),
        body: "hi".to_owned(),
        path: path.map(str::to_owned),
    };
    let plain = place.control().add_comment(comment(None)).unwrap();
    let review = place.control().add_comment(comment(Some("src/a.rs"))).unwrap();
    for (kind, id, wrong) in [("issues", plain, review), ("pulls", review, plain)] {
        let path = |id: i64| format!("/repos/acme/widgets/{kind}/comments/{id}/reactions");
        assert_eq!(send(&place, Method::POST, &path(id), eyes()).await.0, 201);
        assert_eq!(send(&place, Method::POST, &path(wrong), eyes()).await.0, 404);
        assert_eq!(place.control().comment_reactions(id), [("mona".to_owned(), "eyes".to_owned())]);
    }
}

#[tokio::test]
async fn labels_are_added_once_and_removed_by_their_decoded_name() {
    let place = Place::new().await;
    let path = format!("{ISSUE}/labels");
    let body = json!({ "labels": ["good first issue", "bug", "Bug"] });
    let (status, labels) = send(&place, Method::POST, &path, Some(body)).await;
    assert_eq!((status, labels.as_array().unwrap().len()), (200, 2));
    let gone = format!("{path}/good%20first%20issue");
    assert_eq!(send(&place, Method::DELETE, &gone, None).await.0, 200);
    assert_eq!(send(&place, Method::DELETE, &gone, None).await.0, 404);
    assert_eq!(place.control().labels("acme/widgets", 42).unwrap(), ["bug"]);
    place.control().grant("acme/widgets", "otto", Role::Read).unwrap();
    let refused = place.call(Method::POST, &path, OTTO).json(&json!({ "labels": ["x"] })).send().await.unwrap();
    assert_eq!(refused.status(), 403);
}

#[tokio::test]
async fn pulls_are_found_by_head_and_state_and_a_deleted_fork_is_null() {
    let place = Place::new().await;
    let pull = |branch: &str, fork: Option<Option<String>>| PullSpec {
        issue: IssueSpec {
            repo: "acme/widgets".to_owned(),
            author: "otto".to_owned(),
            title: branch.to_owned(),
            ..IssueSpec::default()
        },
        head_ref: branch.to_owned(),
        head_repo: fork,
        ..PullSpec::default()
    };
    let own = place.control().add_pull(pull("feature", None)).unwrap();
    let orphan = place.control().add_pull(pull("feature", Some(None))).unwrap();
    assert_eq!((own, orphan), (43, 44));
    place.control().set_open("acme/widgets", own, false, true).unwrap();
    let list = async |query: &str| place.json(&format!("/repos/acme/widgets/pulls?{query}")).await;
    assert_eq!(list("").await[0]["number"], 44);
    assert_eq!(list("state=all").await.as_array().unwrap().len(), 2);
    let found = list("state=all&head=acme:feature").await;
    assert_eq!((found.as_array().unwrap().len(), &found[0]["number"]), (1, &json!(43)));
    assert_eq!(place.json("/repos/acme/widgets/pulls/43").await["merged"], true);
    assert_eq!(place.json("/repos/acme/widgets/pulls/44").await["head"]["repo"], Value::Null);
    assert_eq!(place.get("/repos/acme/widgets/pulls/42").await.status(), 404);
    assert!(place.json("/repos/acme/widgets/issues/44").await["pull_request"].is_object());
}

#[tokio::test]
async fn a_review_comment_is_replied_to_at_the_head_of_its_chain() {
    let place = Place::new().await;
    let spec = CommentSpec {
        repo: "acme/widgets".to_owned(),
        number: 42,
        author: "mona".to_owned(),
        body: "why?".to_owned(),
        path: Some("src/a.rs".to_owned()),
    };
    let head = place.control().add_comment(spec).unwrap();
    let path = |id: i64| format!("/repos/acme/widgets/pulls/42/comments/{id}/replies");
    let (status, reply) = send(&place, Method::POST, &path(head), Some(json!({ "body": "so" }))).await;
    assert_eq!((status, &reply["in_reply_to_id"], &reply["path"]), (201, &json!(head), &json!("src/a.rs")));
    let second = path(reply["id"].as_i64().unwrap());
    assert_eq!(send(&place, Method::POST, &second, Some(json!({ "body": "so" }))).await.0, 404);
}

#[tokio::test]
async fn a_renamed_repository_redirects_by_its_number() {
    let place = Place::new().await;
    place.control().rename_repo("acme/widgets", "acme/gadgets").unwrap();
    let base = place.sandbox.url().to_owned();
    let moved = place.get("/repos/acme/widgets/issues/42?per_page=5").await;
    assert_eq!(moved.status(), 301);
    assert_eq!(moved.headers()["location"], format!("{base}/repositories/5001/issues/42?per_page=5"));
    assert_eq!(place.json("/repositories/5001/issues/42").await["number"], 42);
    assert_eq!(place.json("/repositories/5001").await["full_name"], "acme/gadgets");
    let write = place.post("/repos/acme/widgets/issues/42/comments", json!({ "body": "x" })).await;
    assert_eq!(write.status(), 307);
    assert_eq!(write.headers()["location"], format!("{base}/repositories/5001/issues/42/comments"));
    let task = place.post("/agents/repos/acme/widgets/tasks", json!({ "prompt": "x" })).await;
    assert_eq!((task.status().as_u16(), place.control().creations().len()), (307, 0));
    assert_eq!(task.headers()["location"], format!("{base}/agents/repos/acme/gadgets/tasks"));
    let stranger = place.call(Method::GET, "/repos/acme/widgets", OTTO).send().await.unwrap();
    assert_eq!(stranger.status(), 404);
}

#[tokio::test]
async fn people_permissions_and_memberships_are_told_to_those_who_may_know() {
    let place = Place::new().await;
    assert_eq!(place.json("/user").await["id"], 1001);
    let of = |login: &str| format!("/repos/acme/widgets/collaborators/{login}/permission");
    place.control().grant("acme/widgets", "otto", Role::Maintain).unwrap();
    let otto = place.json(&of("otto")).await;
    assert_eq!((&otto["permission"], &otto["role_name"]), (&json!("write"), &json!("maintain")));
    assert_eq!(place.get(&of("nobody")).await.status(), 404);
    place.control().grant("acme/widgets", "otto", Role::Triage).unwrap();
    assert_eq!(place.json(&of("otto")).await["permission"], "read");
    assert_eq!(place.call(Method::GET, &of("mona"), OTTO).send().await.unwrap().status(), 403);

    assert_eq!(place.get("/orgs/acme/members/mona").await.status(), 204);
    assert_eq!(place.get("/orgs/acme/members/otto").await.status(), 404);
    let outside = place.call(Method::GET, "/orgs/acme/members/mona", OTTO).send().await.unwrap();
    assert_eq!(outside.status(), 302);
    assert_eq!(place.json("/orgs/acme/teams/makers/memberships/mona").await["state"], "active");
    assert_eq!(place.get("/orgs/acme/teams/makers/memberships/otto").await.status(), 404);
}
