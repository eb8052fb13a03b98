//! Slack's tokens are easily taken for each other, and mean different things: each fault names the key and says what to do.

use std::path::Path;

use taskbridge::config::{Reader, load};

const APP: &str = "xapp-1-A0001-123-abcdef";
const BOT: &str = "xoxb-123-456-abcdef";

/// The faults of a source of Slack with these lines beside its type.
fn faults(lines: &str) -> Vec<String> {
    let env = [("APP", APP), ("BOT", BOT), ("USER", "xoxp-123-456"), ("SIGNING", super::HOOK_SECRET), ("EMPTY", "")];
    let text = format!("sources:\n  team: {{ type: slack, {lines} }}\nrules: []\n");
    match load(Path::new("t.yaml"), &Reader::fixed(&env, &[("t.yaml", &text)])) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.0.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn either_way_in_will_do_and_both_together_too() {
    for good in [
        "bot_token: '${BOT}', app_token: '${APP}'",
        "bot_token: '${BOT}', signing_secret: '${SIGNING}'",
        "bot_token: '${BOT}', signing_secret: '${SIGNING}', app_token: '${APP}'",
    ] {
        assert_eq!(faults(good), [""; 0], "{good}");
    }
}

#[test]
fn what_is_no_token_of_its_kind_is_named_with_where_the_right_one_is() {
    for (bad, key, to_do) in [
        ("bot_token: '${BOT}'", "sources.team: ", "or `app_token` (Socket Mode) is needed"),
        ("bot_token: '${BOT}', signing_secret: []", "sources.team.signing_secret: ", "the list is empty"),
        (
            "bot_token: '${BOT}', app_token: '${BOT}'",
            "sources.team.app_token: ",
            "under Basic Information → App-Level Tokens",
        ),
        ("bot_token: '${BOT}', app_token: '${SIGNING}'", "sources.team.app_token: ", "begins with `xapp-`"),
        ("bot_token: '${BOT}', app_token: '${EMPTY}'", "sources.team.app_token: ", "the secret is empty"),
        ("bot_token: '${BOT}', app_token: '${NOWHERE}'", "sources.team.app_token: ", "NOWHERE"),
        (
            "bot_token: '${BOT}', app_token: xapp-1-in-the-file",
            "sources.team.app_token: ",
            "say where it is, as `${NAME}`",
        ),
        ("bot_token: '${BOT}', app_token: ['${APP}']", "sources.team.app_token", ""),
        ("bot_token: '${APP}', app_token: '${APP}'", "sources.team.bot_token: ", "under OAuth & Permissions"),
        ("bot_token: '${USER}', app_token: '${APP}'", "sources.team.bot_token: ", "begins with `xoxb-`"),
        ("bot_token: '${BOT}', app-token: '${APP}'", "sources.team.app-token: ", "app_token"),
        ("app_token: '${APP}'", "sources.team", "bot_token"),
    ] {
        let told = faults(bad);
        let all = told.join("\n");
        assert!(told.iter().any(|fault| fault.contains(key) && fault.contains(to_do)), "{bad}: {all}");
        assert!(![APP, BOT, "xoxp-123", "xapp-1-in"].iter().any(|secret| all.contains(secret)), "{bad}: {all}");
    }
}
