//! The simulated sign-in is as strict as the real one, so that what is careless fails here first.

use serde_json::{Value, json};
use taskbridge::clock::Ground;
use taskbridge::sandbox::{Sandbox, SandboxConfig, UserSpec};

const BACK: &str = "http://127.0.0.1:9/connect/callback";
/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

async fn sandbox() -> Sandbox {
    let sandbox = Sandbox::start(SandboxConfig::new(Ground::system())).await.unwrap();
    sandbox.control().add_user(UserSpec::person(1001, "mona", "sandbox-mona-token")).unwrap();
    sandbox.control().set_sign_in("Iv23x", "the-client-secret", Some(BACK));
    sandbox
}

fn client() -> reqwest::Client {
    let none = reqwest::redirect::Policy::none();
    reqwest::Client::builder().no_proxy().user_agent("test").redirect(none).build().unwrap()
}

async fn ask(sandbox: &Sandbox, path: &str, fields: Value) -> Value {
    let mut all = json!({ "client_id": "Iv23x", "client_secret": "the-client-secret" });
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let answer = client().post(format!("{}{path}", sandbox.url())).json(&all).send().await.unwrap();
    assert_eq!(answer.status(), 200, "errors come with 200 too");
    answer.json().await.unwrap()
}

async fn exchange(sandbox: &Sandbox, fields: Value) -> Value {
    ask(sandbox, "/login/oauth/access_token", fields).await
}

fn authorize(sandbox: &Sandbox, more: &str) -> String {
    format!("{}/login/oauth/authorize?client_id=Iv23x&redirect_uri={BACK}&state=s1{more}", sandbox.url())
}

fn code_of(back: &str) -> &str {
    back.split_once("code=").unwrap().1.split('&').next().unwrap()
}

#[tokio::test]
async fn a_person_presses_a_button_and_the_browser_is_sent_back() {
    let sandbox = sandbox().await;
    let url = authorize(&sandbox, &format!("&code_challenge={CHALLENGE}&code_challenge_method=S256"));
    let page = client().get(&url).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("Authorize as mona") && page.contains("Cancel"), "{page}");
    let form = format!(
        "client_id=Iv23x&redirect_uri={BACK}&state=s1&code_challenge={CHALLENGE}&code_challenge_method=S256&login=mona"
    );
    let pressed = client().post(format!("{}/login/oauth/authorize", sandbox.url())).body(form).send().await.unwrap();
    assert_eq!(pressed.status(), 302);
    let back = pressed.headers()["location"].to_str().unwrap().to_owned();
    assert!(back.starts_with(BACK) && back.ends_with("&state=s1"), "{back}");
    let pair =
        exchange(&sandbox, json!({ "code": code_of(&back), "redirect_uri": BACK, "code_verifier": VERIFIER })).await;
    let token = pair["access_token"].as_str().unwrap();
    assert_eq!((pair["expires_in"].as_i64(), pair["scope"].as_str()), (Some(28_800), Some("")));
    let me = client().get(format!("{}/user", sandbox.url())).bearer_auth(token).send().await.unwrap();
    assert_eq!(me.json::<Value>().await.unwrap()["id"], 1001);
    for strange in ["&code_challenge=x&code_challenge_method=plain", "&client_id=other"] {
        let url = authorize(&sandbox, strange)
            .replace("client_id=Iv23x&", if strange.contains("client") { "" } else { "client_id=Iv23x&" });
        assert!(sandbox.control().approve(&url, Some("mona")).is_err(), "{strange}");
    }
    let elsewhere = authorize(&sandbox, "").replace(BACK, "http://evil.example/");
    assert!(sandbox.control().approve(&elsewhere, Some("mona")).is_err(), "another callback");
}

#[tokio::test]
async fn a_code_and_a_refresh_token_work_once_and_a_refresh_ends_what_was_before() {
    let sandbox = sandbox().await;
    let url = authorize(&sandbox, &format!("&code_challenge={CHALLENGE}&code_challenge_method=S256"));
    let wrong = sandbox.control().approve(&url, Some("mona")).unwrap();
    let refused = exchange(&sandbox, json!({ "code": code_of(&wrong), "code_verifier": "wrong" })).await;
    assert_eq!(refused["error"], "bad_verification_code", "the verifier is another");
    let refused = exchange(&sandbox, json!({ "code": code_of(&wrong), "code_verifier": VERIFIER })).await;
    assert_eq!(refused["error"], "bad_verification_code", "the code is used up");
    let back = sandbox.control().approve(&url, Some("mona")).unwrap();
    let first = exchange(&sandbox, json!({ "code": code_of(&back), "code_verifier": VERIFIER })).await;
    let renew = |pair: &Value| json!({ "grant_type": "refresh_token", "refresh_token": pair["refresh_token"] });
    let secret = exchange(&sandbox, json!({ "client_secret": "wrong", "grant_type": "refresh_token" })).await;
    assert_eq!(secret["error"], "incorrect_client_credentials");
    let second = exchange(&sandbox, renew(&first)).await;
    let good = |pair: &Value| sandbox.control().is_good("mona", pair["access_token"].as_str().unwrap());
    assert!(good(&second) && !good(&first), "the old access token ends too");
    assert_eq!(exchange(&sandbox, renew(&first)).await["error"], "bad_refresh_token");
    assert!(good(&second), "a second use harms the new pair not");
}

#[tokio::test]
async fn a_device_waits_is_told_to_slow_down_and_is_let_in() {
    let sandbox = sandbox().await;
    let device = ask(&sandbox, "/login/device/code", json!({})).await;
    let poll = json!({
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": device["device_code"],
    });
    assert_eq!(exchange(&sandbox, poll.clone()).await["error"], "authorization_pending");
    let slow = exchange(&sandbox, poll.clone()).await;
    assert_eq!((slow["error"].as_str(), slow["interval"].as_i64()), (Some("slow_down"), Some(10)));
    sandbox.control().let_device_in("mona", device["user_code"].as_str().unwrap()).unwrap();
    assert!(sandbox.control().let_device_in("mona", "0000-0000").is_err());
    assert_eq!(exchange(&sandbox, poll).await["error"], "slow_down", "still too fast");
}

#[tokio::test]
async fn the_app_ends_a_grant_with_its_own_credentials_only() {
    let sandbox = sandbox().await;
    let pair = |sandbox: &Sandbox| sandbox.control().approve(&authorize(sandbox, ""), Some("mona")).unwrap();
    let token = exchange(&sandbox, json!({ "code": code_of(&pair(&sandbox)) })).await["access_token"].clone();
    let url = format!("{}/applications/Iv23x/grant", sandbox.url());
    let ask = |secret: &str| {
        client().delete(&url).basic_auth("Iv23x", Some(secret)).json(&json!({ "access_token": token })).send()
    };
    assert_eq!(ask("wrong").await.unwrap().status(), 404);
    assert!(sandbox.control().is_good("mona", token.as_str().unwrap()));
    assert_eq!(ask("the-client-secret").await.unwrap().status(), 204);
    assert_eq!(sandbox.control().pairs("mona"), 0);
    assert!(sandbox.control().is_good("mona", "sandbox-mona-token"), "what she made herself stays");
}
