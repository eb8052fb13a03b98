//! Comments, reactions, labels, permissions and repositories: the right call, and the right reading of its answer.

use taskbridge::domain::rule::Permission;
use taskbridge::domain::rule::Reaction;
use taskbridge::github::{CallError, CommentQuery, ReactTo, RepoPath};

use crate::github_kit::{Mock, noon, reply, repo, session};

const COMMENT: &str = r#"{"id":9,"body":"hi","user":{"id":5},"performed_via_github_app":{"id":77},
    "html_url":"https://github.com/c","created_at":"2026-11-23T12:00:00Z","updated_at":"2026-11-23T12:00:00Z"}"#;

#[tokio::test]
async fn comments_are_written_edited_and_read() {
    let mock = Mock::start(|seen| match seen.method.as_str() {
        "POST" => reply(201, COMMENT),
        _ => reply(200, COMMENT),
    })
    .await;
    let session = session(&mock.url);
    let made = session.create_comment(&repo(), 4, "hi").await.unwrap();
    assert_eq!((made.id, made.user_id, made.via_app, made.created_at), (9, Some(5), Some(77), Some(noon())));
    assert_eq!(session.edit_comment(&repo(), 9, "ho").await.unwrap(), made);
    assert_eq!(session.comment(&repo(), 9).await.unwrap(), made);
    assert_eq!(
        mock.paths(),
        [
            "POST /repos/octo/hello/issues/4/comments",
            "PATCH /repos/octo/hello/issues/comments/9",
            "GET /repos/octo/hello/issues/comments/9",
        ]
    );
    let bodies: Vec<_> = mock.seen().into_iter().map(|seen| seen.body).collect();
    assert_eq!(bodies, [r#"{"body":"hi"}"#, r#"{"body":"ho"}"#, ""]);
}

#[tokio::test]
async fn a_comment_that_may_have_been_written_is_unknown() {
    for (status, body) in [(200, COMMENT), (201, "{}"), (201, "<html>"), (502, "")] {
        let mock = Mock::start(move |_| reply(status, body)).await;
        let error = session(&mock.url).create_comment(&repo(), 4, "hi").await.unwrap_err();
        assert!(matches!(error, CallError::Unknown { .. }), "{status} {body}: {error:?}");
    }
}

#[tokio::test]
async fn comments_are_listed_page_by_page() {
    let list = format!("[{COMMENT}]");
    let mock = Mock::start(move |seen| {
        let host = seen.header("host");
        let next = format!("<http://{host}/repositories/1/issues/4/comments?page=2>; rel=\"next\"");
        if seen.path.ends_with("page=2") { reply(200, "[]") } else { reply(200, &list).with("link", &next) }
    })
    .await;
    let session = session(&mock.url);
    let query = CommentQuery { since: Some(noon()), next: None };
    let first = session.list_comments(&repo(), 4, query).await.unwrap();
    assert_eq!(first.comments[0].body, "hi");
    let query = CommentQuery { next: first.next.as_deref(), ..query };
    let second = session.list_comments(&repo(), 4, query).await.unwrap();
    assert!(second.comments.is_empty() && second.next.is_none());
    let since = "since=2026-11-23T12%3A00%3A00Z";
    let asked = [
        format!("GET /repos/octo/hello/issues/4/comments?per_page=100&{since}"),
        "GET /repositories/1/issues/4/comments?page=2".to_owned(),
    ];
    assert_eq!(mock.paths(), asked);
}

#[tokio::test]
async fn reactions_are_the_same_old_or_new() {
    let mock = Mock::start(|seen| reply(if seen.path.contains("comments") { 200 } else { 201 }, r#"{"id":3}"#)).await;
    let session = session(&mock.url);
    for to in [ReactTo::Issue(4), ReactTo::IssueComment(9), ReactTo::ReviewComment(8)] {
        assert_eq!(session.react(&repo(), to, Reaction::ThumbsUp).await.unwrap(), 3);
    }
    let places = ["issues/4", "issues/comments/9", "pulls/comments/8"];
    assert_eq!(mock.paths(), places.map(|place| format!("POST /repos/octo/hello/{place}/reactions")));
    assert_eq!(mock.seen()[0].body, r#"{"content":"+1"}"#);
    assert_eq!("eyes".parse::<Reaction>().unwrap(), Reaction::Eyes);
    assert!("thumbs".parse::<Reaction>().unwrap_err().to_string().contains("rocket"));
}

#[tokio::test]
async fn labels_go_on_and_off() {
    let mock = Mock::start(|seen| match seen.path.as_str() {
        "/repos/octo/hello/issues/4/labels/absent" => reply(404, r#"{"message":"Label does not exist"}"#),
        _ => reply(200, "[]"),
    })
    .await;
    let session = session(&mock.url);
    session.add_labels(&repo(), 4, &["a", "b"]).await.unwrap();
    session.remove_label(&repo(), 4, "area/ui ü?").await.unwrap();
    session.remove_label(&repo(), 4, "absent").await.unwrap();
    // Without its name the same call would take all labels off.
    for label in ["", "..", "."] {
        assert!(matches!(session.remove_label(&repo(), 4, label).await, Err(CallError::Invalid { .. })));
    }
    assert_eq!(mock.seen()[0].body, r#"{"labels":["a","b"]}"#);
    let asked = [
        "POST /repos/octo/hello/issues/4/labels",
        "DELETE /repos/octo/hello/issues/4/labels/area%2Fui%20%C3%BC%3F",
        "DELETE /repos/octo/hello/issues/4/labels/absent",
    ];
    assert_eq!(mock.paths(), asked);
}

#[tokio::test]
async fn an_issue_is_read() {
    let body = r#"{"id":100,"number":4,"title":"T","state":"open","pull_request":{},"labels":["a",{"name":"b"},{}]}"#;
    let mock = Mock::start(move |_| reply(200, body)).await;
    let issue = session(&mock.url).issue(&repo(), 4).await.unwrap();
    assert_eq!((issue.id, issue.number, issue.is_pull), (100, 4, true));
    assert_eq!(issue.labels, ["a", "b"]);
}

#[tokio::test]
async fn permissions_are_never_read_higher_than_told() {
    let table = [
        ("admin", "admin", Permission::Admin),
        ("write", "maintain", Permission::Maintain),
        ("write", "write", Permission::Write),
        ("write", "security-team", Permission::Write),
        ("read", "triage", Permission::Triage),
        ("read", "read", Permission::Read),
        ("read", "admin", Permission::Read),
        ("read", "maintain", Permission::Read),
        ("none", "admin", Permission::None),
        ("none", "", Permission::None),
        ("emperor", "emperor", Permission::None),
    ];
    for (permission, role, expected) in table {
        let body = format!(r#"{{"permission":"{permission}","role_name":"{role}","user":{{"id":5,"login":"m"}}}}"#);
        let mock = Mock::start(move |_| reply(200, &body)).await;
        let answer = session(&mock.url).permission(&repo(), "mona").await.unwrap();
        assert_eq!((answer.permission, answer.user_id), (expected, Some(5)), "{permission}/{role}");
        assert_eq!(mock.paths(), ["GET /repos/octo/hello/collaborators/mona/permission"]);
    }
    let mock = Mock::start(|_| reply(200, r#"{"permission":"read","user":null}"#)).await;
    assert_eq!(session(&mock.url).permission(&repo(), "m").await.unwrap().user_id, None);
    let mock = Mock::start(|_| reply(200, "{}")).await;
    assert!(session(&mock.url).permission(&repo(), "m").await.is_err());
}

#[tokio::test]
async fn only_active_members_are_members() {
    let mock = Mock::start(|seen| match seen.path.as_str() {
        "/orgs/o/teams/core/memberships/active" => reply(200, r#"{"state":"active","role":"member"}"#),
        "/orgs/o/teams/core/memberships/invited" => reply(200, r#"{"state":"pending"}"#),
        "/orgs/o/members/active" => reply(204, ""),
        "/orgs/o/members/odd" | "/orgs/o/teams/core/memberships/odd" => reply(500, ""),
        _ => reply(404, "{}"),
    })
    .await;
    let session = session(&mock.url);
    for (login, expected) in [("active", true), ("invited", false), ("stranger", false)] {
        assert_eq!(session.team_member("o", "core", login).await.unwrap(), expected, "{login}");
    }
    assert!(session.team_member("o", "core", "odd").await.is_err());
    assert!(session.org_member("o", "active").await.unwrap());
    assert!(!session.org_member("o", "stranger").await.unwrap());
    assert!(session.org_member("o", "odd").await.is_err());
}

#[tokio::test]
async fn a_repository_by_number_and_whose_token_it_is() {
    let mock = Mock::start(|seen| match seen.path.as_str() {
        "/repositories/9" => reply(
            200,
            r#"{"id":9,"full_name":"octo/hello","default_branch":"main","private":true,"fork":false,"archived":true}"#,
        ),
        _ => reply(200, r#"{"id":5,"login":"mona","plan":{}}"#),
    })
    .await;
    let session = session(&mock.url);
    let found = session.repo_by_id(9).await.unwrap();
    assert_eq!((found.path, found.private, found.fork, found.archived), (repo(), true, false, true));
    let me = session.me().await.unwrap();
    assert_eq!((me.id, me.login.as_str()), (5, "mona"));
}

#[test]
fn a_repository_path_is_two_plain_names() {
    for good in ["octo/hello", "a-b_c/x.y", "o/..."] {
        assert_eq!(good.parse::<RepoPath>().unwrap().to_string(), good);
    }
    for bad in ["", "octo", "octo/", "/x", "a/b/c", "a/..", "./b", "a/b?c", "a/b#c", "a/b%2e", "ä/b", "a/b c"] {
        assert!(bad.parse::<RepoPath>().is_err(), "{bad}");
    }
    assert!(RepoPath::new("a", "x".repeat(101)).is_err());
}
