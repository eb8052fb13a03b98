//! `taskbridge manifest github --create` with the real binary, from the page in the browser to an App whose secrets the service
//! then runs with; and all that may go wrong on that way.

use std::os::unix::fs::PermissionsExt as _;

use reqwest::StatusCode;
use taskbridge::sandbox::{Fault, FaultKind};

use crate::cli_serve::now;
use crate::support::canary;
use crate::support::install::{SEALING_KEY, until};
use crate::support::new_app::{CREATE, FILES, PATIENCE, Scene, see};
use crate::support::postgres::TestDatabase;
use crate::support::world::{HOOK_SECRET, labelled, signature};

/// The configuration among the lines of both outputs.
fn printed(text: &str) -> String {
    let of_yaml = |line: &&str| {
        let word = line.trim_start().split(':').next().unwrap_or_default();
        line.contains(':')
            && (!line.contains("://") || line.contains("_url: "))
            && word.chars().all(|c| c.is_ascii_lowercase() || c == '_')
    };
    text.lines().filter(of_yaml).map(|line| format!("{line}\n")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_made_in_the_browser_and_the_service_runs_with_its_secrets() {
    let scene = Scene::new().await;
    let (mut program, address) = scene.begin(&[]);
    assert!(program.text().contains("ssh -N -o ExitOnForwardFailure=yes -L "), "{}", program.text());
    let first = scene.browser.get(&address).send().await.unwrap();
    assert_eq!(first.headers()["referrer-policy"], "strict-origin", "the form says where it comes from, and no more");
    let back = scene.at_github(&address).await;
    let page = scene.get(&back).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    assert!(program.ended(PATIENCE).success(), "{}", program.text());

    let [key, webhook, client] = <[String; 3]>::try_from(scene.secrets()).unwrap();
    assert!(key.starts_with("-----BEGIN RSA PRIVATE KEY-----"));
    for name in FILES {
        let mode = std::fs::metadata(scene.folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600, "{name}");
    }
    let control = scene.sandbox.control();
    let (hook, of_github) = control.app_hook().unwrap();
    assert_eq!((hook.as_str(), webhook.as_str()), (format!("{}/hooks/hub", scene.public).as_str(), of_github.as_str()));
    let text = program.text();
    for shown in [&text, &page.text] {
        assert_eq!(canary::leak_in(shown), None);
        assert!(!shown.contains(&client) && !shown.contains(&webhook));
        assert!(shown.contains("It belongs to @"), "{shown}");
    }
    for link in
        ["/settings/apps/taskbridge/permissions", "/settings/apps/taskbridge", "/apps/taskbridge/installations/new"]
    {
        let link = format!("{}{link}", scene.sandbox.url());
        assert!(text.contains(&link) && page.text.contains(&format!("href=\"{link}\"")), "{link} in {text}");
        let there = scene.get(&link).await;
        assert_eq!(there.status, StatusCode::OK, "{link}");
        assert!(there.text.contains("pull_requests") && !there.text.contains(&client), "{}", there.text);
    }
    drop(program);

    // What was printed goes into the file as it stands.
    scene.configure(&printed(&text));
    scene.folder.run(&["check"], &[]).is(0, &[]);
    let database = TestDatabase::create().await;
    let env = [("DATABASE_URL", database.url.as_str()), ("TASKBRIDGE_SEALING_KEY", SEALING_KEY)];
    let listen = scene.public.trim_start_matches("http://");
    let mut serve = scene.folder.start(&["serve", "--listen", listen], &env);
    serve.says("taskbridge serves");
    let env = &env;

    // Somebody signs in with the client.
    let start = scene.browser.post(format!("{}/connect/start", scene.public)).header("origin", &scene.public);
    let sent = start.send().await.unwrap();
    assert_eq!(sent.status(), StatusCode::SEE_OTHER);
    let cookie = sent.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let back = control.approve(sent.headers()["location"].to_str().unwrap(), Some("mona")).unwrap();
    let done = scene.browser.get(back).header("cookie", cookie).send().await.unwrap();
    assert_eq!(done.status(), StatusCode::SEE_OTHER, "{}", done.text().await.unwrap());
    scene.folder.run(&["people", "list"], env).is(0, &["@mona (account 1001): signed in"]);

    // A webhook of the App is taken, one with the secret of before is not; and the App tells of the task.
    let body = labelled("copilot-fix", (1001, "mona"), now()).to_string();
    for (secret, status) in [(HOOK_SECRET, StatusCode::UNAUTHORIZED), (of_github.as_str(), StatusCode::ACCEPTED)] {
        let request =
            scene.browser.post(&hook).header("content-type", "application/json").header("x-github-event", "issues");
        let request = request
            .header("x-github-delivery", "d-1")
            .header("x-hub-signature-256", signature(secret, body.as_bytes()));
        assert_eq!(request.body(body.clone()).send().await.unwrap().status(), status);
    }
    let told = until("the App tells of the task", PATIENCE, async || {
        control.comments("acme/widgets", 42).unwrap().into_iter().find(|comment| comment.by_app)
    });
    assert_eq!(told.await.author, "taskbridge[bot]");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_gets_the_app_and_its_files_may_lie_elsewhere() {
    let scene = Scene::new().await;
    std::fs::create_dir(scene.folder.path().join("secrets")).unwrap();
    let (mut program, address) = scene.begin(&["--org", "acme", "--out", "secrets"]);
    let back = scene.at_github(&address).await;
    assert_eq!(scene.get(&back).await.status, StatusCode::OK);
    assert!(program.ended(PATIENCE).success(), "{}", program.text());
    let text = program.text();
    let page = format!("{}/organizations/acme/settings/apps/taskbridge/permissions", scene.sandbox.url());
    assert!(text.contains("It belongs to the organization acme."), "{text}");
    assert!(scene.get(&page).await.text.contains("It belongs to <strong>acme</strong>"));
    assert_eq!(scene.get(&page.replace("taskbridge", "other")).await.status, StatusCode::NOT_FOUND);
    assert!(text.contains(&page) && text.contains("private_key: { file: secrets/github-app.pem }"), "{text}");
    assert!(scene.folder.path().join("secrets/github-client.secret").exists() && scene.files().is_empty());
    scene.folder.run(&[&CREATE[..], &["--org", "@acme"]].concat(), &[]).is(1, &["--org: "]);
    scene.folder.run(&[&CREATE[..], &["--out", "nowhere"]].concat(), &[]).is(1, &["is no folder"]);
    scene.folder.run(&["manifest", "github", "--org", "acme"], &[]).is(2, &["--create"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_browser_that_was_sent_to_github_comes_back_and_only_once() {
    let scene = Scene::new().await;
    let (mut program, address) = scene.begin(&[]);
    let origin = address.rsplit_once('/').unwrap().0.to_owned();
    let back = scene.at_github(&address).await;
    let (_, query) = back.split_once('?').unwrap();
    let field = |name: &str| {
        form_urlencoded::parse(query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
            .unwrap()
    };
    let (code, state) = (field("code"), field("state"));
    assert!(back.starts_with(&format!("{origin}/made?")) && state.len() == 43, "{back}");
    let wrong = "A".repeat(43);
    for query in [
        format!("code={code}"),
        format!("code={code}&state="),
        format!("code={code}&state={wrong}"),
        format!("code={code}&state={state}&state={state}"),
        format!("code={code}&state={}", &state[..42]),
        format!("state={state}"),
        format!("code=../../user&state={state}"),
        format!("code={}&state={state}", "a".repeat(201)),
    ] {
        let seen = scene.get(&format!("{origin}/made?{query}")).await;
        assert_eq!(seen.status, StatusCode::BAD_REQUEST, "{query}: {}", seen.text);
    }
    for url in [&address, &back] {
        let other = scene.browser.get(url).header("host", "evil.example.com");
        let seen = see(other).await;
        assert_eq!(seen.status, StatusCode::FORBIDDEN);
        assert!(!seen.text.contains(&state) && !seen.text.contains(address.rsplit_once('/').unwrap().1));
        assert_eq!(scene.browser.head(url).send().await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(scene.browser.post(url).send().await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);
    }
    for url in [format!("{origin}/"), format!("{origin}/{wrong}"), format!("{origin}/made/x")] {
        let seen = scene.get(&url).await;
        assert_eq!(seen.status, StatusCode::NOT_FOUND, "{url}");
        assert!(!seen.text.contains(&state));
    }
    assert_eq!((scene.conversions(), scene.files()), (0, Vec::new()), "nothing of it reached GitHub or a file");

    // Somebody else was faster with the code.
    let taken = scene.post(&format!("{}/app-manifests/{code}/conversions", scene.sandbox.url()), &[]).await;
    assert_eq!(taken.status, StatusCode::CREATED);
    let seen = scene.get(&back).await;
    assert_eq!(seen.status, StatusCode::BAD_GATEWAY);
    assert!(seen.text.contains("used before, or is older than an hour"), "{}", seen.text);
    program.says("It was used before, or is older than an hour (or `github.api_url` is not the API of");
    assert_eq!(
        scene.get(&back).await.status,
        StatusCode::BAD_GATEWAY,
        "it may be asked for again: it may be known elsewhere"
    );
    assert_eq!((scene.conversions(), scene.files()), (3, Vec::new()));
    scene.sandbox.control().clear();
    scene.sandbox.control().seed_demo().unwrap();

    // The same run goes on with another code.
    let back = scene.at_github(&address).await;
    assert_eq!(scene.get(&back).await.status, StatusCode::OK);
    assert!(program.ended(PATIENCE).success(), "{}", program.text());
    scene.secrets();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_there_is_never_written_over() {
    let scene = Scene::new().await;
    let (mut program, address) = scene.begin(&[]);
    let back = scene.at_github(&address).await;
    scene.folder.write("github-client.secret", "mine");
    for _ in 0..2 {
        let seen = scene.get(&back).await;
        assert_eq!(seen.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(seen.text.contains("is there already") && seen.text.contains("load this page again"), "{}", seen.text);
    }
    assert_eq!((scene.conversions(), scene.files()), (0, vec!["github-client.secret".to_owned()]));
    let path = scene.folder.path().join("github-client.secret");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    scene.folder.run(&CREATE, &[]).is(1, &["github-client.secret is there already, and nothing is written over it"]);

    // The code is still good.
    std::fs::remove_file(path).unwrap();
    assert_eq!(scene.get(&back).await.status, StatusCode::OK);
    assert!(program.ended(PATIENCE).success(), "{}", program.text());
    scene.secrets();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_is_told_and_nothing_is_sent_again() {
    let ways = [
        FaultKind::DropAfter,
        FaultKind::Truncate,
        FaultKind::StatusAfter { status: 502 },
        FaultKind::Html,
        FaultKind::NoId,
        FaultKind::Huge { bytes: 1024 * 1024 },
    ];
    for kind in ways {
        let scene = Scene::new().await;
        let (mut program, address) = scene.begin(&[]);
        let back = scene.at_github(&address).await;
        scene.sandbox.control().inject(Fault::new(kind.clone()).on("POST", "/app-manifests/"));
        let seen = scene.get(&back).await;
        assert_eq!(seen.status, StatusCode::BAD_GATEWAY, "{kind:?}: {}", seen.text);
        assert_eq!(program.ended(PATIENCE).code(), Some(1), "{kind:?}");
        let text = program.text();
        for told in
            ["its answer cannot be used", "The App is most likely there", "Generate a private key", "/settings/apps"]
        {
            assert!(text.contains(told) && seen.text.contains(told), "{kind:?}: {told} in {text}\n{}", seen.text);
        }
        assert_eq!((scene.conversions(), scene.files()), (1, Vec::new()), "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_way_before_the_code_is_looked_at_uses_nothing_up() {
    let scene = Scene::new().await;
    let (mut program, address) = scene.begin(&[]);
    let back = scene.at_github(&address).await;
    let elsewhere = Some(format!("{}/user", scene.sandbox.url()));
    for (kind, told) in [
        (FaultKind::Redirect { status: 307, location: elsewhere }, "look at `github.api_url`"),
        (FaultKind::PrimaryLimit { reset_in_s: 60 }, "GitHub does not answer this just now"),
        (FaultKind::SecondaryLimit { status: 429, retry_after: None }, "GitHub does not answer this just now"),
    ] {
        scene.sandbox.control().inject(Fault::new(kind).on("POST", "/app-manifests/").times(1));
        let seen = scene.get(&back).await;
        assert_eq!(seen.status, StatusCode::SERVICE_UNAVAILABLE, "{}", seen.text);
        assert!(seen.text.contains(told) && seen.text.contains("load this page again"), "{}", seen.text);
        program.says(told);
        assert_eq!(scene.files(), Vec::<String>::new());
    }
    assert_eq!(scene.sandbox.control().count_calls("POST", "/user"), 0, "no redirect is followed");
    assert_eq!(scene.get(&back).await.status, StatusCode::OK);
    assert!(program.ended(PATIENCE).success(), "{}", program.text());
    assert_eq!(scene.conversions(), 4);
    scene.secrets();
}
