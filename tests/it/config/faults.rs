//! Slips in the sections: all at once, in order, each in its place, with advice.

use super::{faults, load_text, warnings};

/// The kinds of source, in their order.
const KINDS: &str = "`github`, `hmac`, `standard-webhooks`, `token`, `basic`, `gitlab`, `gitea`, `forgejo`, `bitbucket`, \
                     `jira`, `linear`, `sentry`, `pagerduty`, `grafana`, `stripe`, `azure-devops`, `slack`, `discord`, `mattermost` and `teams`";

/// Case 77.
#[test]
fn all_faults_come_at_once_in_the_order_of_the_file() {
    let text = "\
servr: {}
server:
  listen: 8080
  max_body_bytes: big
  max_connections: 0
  header_timeout: 10
  body_timeout:
tasks: { on_uncertain: wiat }
sources:
  a: { type: gihub }
  b: {}
  c: { type: github, secret: x }
rules:
  - name: a b
    on: { label: x }
    prompt: p
  - nme: x
    model: y
";
    assert_eq!(
        faults(text),
        [
            "t.yaml:1:1: servr: unknown key `servr` (did you mean `server`?)",
            "t.yaml:3:11: server.listen: wanted an address and a port: `127.0.0.1:8080` or `[::1]:8080`",
            "t.yaml:4:19: server.max_body_bytes: wanted a whole number, found a text",
            "t.yaml:5:20: server.max_connections: must be at least 1",
            "t.yaml:6:19: server.header_timeout: a length of time is one number and a unit (ms, s, m, h, d): \
             `90s`, `10m`, `2h`",
            "t.yaml:7:15: server.body_timeout: wanted a text, found nothing (give it a value, or remove the key)",
            "t.yaml:8:24: tasks.on_uncertain: `wiat` is not one of `restart` and `wait` (did you mean `wait`?)",
            &format!("t.yaml:10:14: sources.a.type: `gihub` is not one of {KINDS} (did you mean `github`?)"),
            &format!("t.yaml:11:6: sources.b: `type` is missing: one of {KINDS}"),
            "t.yaml:12:6: sources.c: `secrets` is missing",
            "t.yaml:12:22: sources.c.secret: unknown key `secret` (did you mean `secrets`?)",
            "t.yaml:14:11: rules[0].name: a name is 1 to 64 letters, digits, `.`, `_` or `-`, and starts with a letter \
             or digit",
            "t.yaml:17:5: rules[1]: `name` is missing",
            "t.yaml:17:5: rules[1]: `on` is missing",
            "t.yaml:17:5: rules[1].nme: unknown key `nme` (did you mean `name`?)",
            "t.yaml:18:5: rules[1].model: unknown key `model` (it belongs under `task`)",
        ]
    );
}

#[test]
fn values_that_contradict_each_other_are_refused() {
    let text = "\
server: { max_body_bytes: 2000, bodies_in_flight_bytes: 1500, body_timeout: 0s }
github: { timeout: 2m }
sweep: { interval_min: 1m, interval_max: 10s }
retention: { bodies: 10d, deliveries: 5d }
";
    let faults = faults(text);
    let starts = [
        "t.yaml:1:57: server.bodies_in_flight_bytes: smaller than",
        "t.yaml:1:77: server.body_timeout: must be longer than zero",
        "t.yaml:1:1: tasks.lease: must be longer than `github.timeout` (2m)",
        "t.yaml:3:42: sweep.interval_max: shorter than",
        "t.yaml:4:39: retention.deliveries: shorter than",
    ];
    // The lease is the default: it has no place of its own, so its fault stands at the top of the file.
    assert_eq!(faults.len(), starts.len(), "{faults:#?}");
    for start in starts {
        assert!(faults.iter().any(|fault| fault.starts_with(start)), "{start}: {faults:#?}");
    }
}

#[test]
fn without_a_source_nothing_could_come_in() {
    let reader = taskbridge::config::Reader::fixed(&[], &[("t.yaml", "rules: []\n")]);
    let faults = taskbridge::config::load(std::path::Path::new("t.yaml"), &reader).expect_err("no source");
    assert!(faults.to_string().contains("there is no source"), "{faults}");
}

#[test]
fn a_bad_source_name_is_refused_because_it_is_part_of_an_address() {
    let faults = faults("sources:\n  a/b: { type: github, secrets: \"${GITHUB_WEBHOOK_SECRET}\" }\n");
    assert!(faults[0].starts_with("t.yaml:2:8: sources.a/b: a name is"), "{faults:?}");
}

/// Case 78.
#[test]
fn addresses_carry_no_passwords_and_plain_http_is_warned_about() {
    assert!(
        faults("github: { web_url: https://me:pass@example.com }\n")[0].contains("must not carry a user or password")
    );
    assert!(faults("github: { web_url: ftp://example.com }\n")[0].contains("starts with `https://`"));
    assert!(faults("github: { web_url: 'https://example.com/?a=b' }\n")[0].contains("must not have `?`"));
    let rule = "rules: [{ name: a, on: { label: x }, prompt: p }]\n";
    for web in ["https://example.com", "http://localhost:8080", "http://[::1]:8080"] {
        let api = "https://example.com/api/v3";
        assert!(warnings(&format!("github: {{ web_url: '{web}', api_url: '{api}' }}\n{rule}")).is_empty(), "{web}");
        let found = warnings(&format!("github: {{ web_url: '{web}' }}\n{rule}"));
        assert!(found.len() == 1 && found[0].contains("not the web of `github.api_url`"), "{found:?}");
    }
    let found = warnings(&format!("github:\n  web_url: http://example.com\n  api_url: http://10.0.0.1\n{rule}"));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("t.yaml:2:12: github.web_url: plain http"), "{found:?}");
}

/// Whoever follows a chat's page only would have a bridge that nobody can use.
#[test]
fn a_chat_in_which_nobody_can_link_an_account_is_warned_about() {
    let chat = "server: { public_url: 'https://b.example' }\nsources: { team: { type: teams, secrets: \"${GITHUB_WEBHOOK_SECRET}\" } }\nrules: [{ name: a, on: { slash: /copilot }, prompt: p }]\n";
    let found = warnings(chat);
    assert!(
        found.iter().any(|text| text.contains("sources.team: nobody can link an account of this chat")),
        "{found:?}"
    );
}

#[test]
fn people_can_sign_in_only_where_github_can_send_them_back() {
    let sign_in = "github: { sign_in: { client_id: Iv1, client_secret: \"${KEY}\" } }\n";
    let found = faults(&sign_in.replace("${KEY}", "${NOBODY_SET_THIS}"));
    assert!(found.iter().any(|fault| fault.contains("server.public_url")), "{found:?}");
    assert!(found.iter().any(|fault| fault.contains("NOBODY_SET_THIS")), "{found:?}");
    let rule = "rules: [{ name: a, on: { label: x }, prompt: p }]\n";
    let open = faults(&format!("server: {{ public_url: 'http://bridge.example.com' }}\n{rule}"));
    assert!(open.len() == 1 && open[0].contains("sign in as others"), "{open:?}");
    assert!(warnings(&format!("server: {{ public_url: 'https://bridge.example.com' }}\n{rule}")).is_empty());
}

#[test]
fn an_empty_file_has_the_defaults_that_the_notes_promise() {
    let loaded = load_text("").expect("defaults are enough");
    let config = loaded.config;
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.max_body_bytes, 26_214_400);
    assert_eq!(config.tasks.uncertain_grace.to_string(), "10m");
    assert_eq!(config.limits.bounds().per_repo.started.map(|window| window.count), Some(30));
    assert!(config.database.url.is_none());
    assert_eq!(config.sources.keys().collect::<Vec<_>>(), ["github"]);
    assert_eq!(loaded.warnings.len(), 1);
    assert!(loaded.warnings[0].message.contains("there are no rules"));
}

#[test]
fn taking_the_loop_guard_away_is_warned_about() {
    let rule = "rules: [{ name: a, on: { label: x }, prompt: p }]\n";
    let found = warnings(&format!("limits: {{ per_repo: {{ live: 3 }} }}\n{rule}"));
    assert!(found.len() == 1 && found[0].contains("without `started`"), "{found:?}");
}

#[test]
fn a_rule_with_a_wrong_shape_still_tells_what_is_wrong_in_its_texts() {
    let rule =
        "rules:\n  - name: a\n    on: { labell: x }\n    when: 'event.name =='\n    prompt: 'Fix {{ isue.number }}'\n";
    let faults = faults(rule);
    let at = |place: &str| faults.iter().any(|fault| fault.starts_with(place));
    assert!(at("t.yaml:3:11: rules[0].on.labell"), "{faults:#?}");
    assert!(at("t.yaml:4:") && at("t.yaml:5:"), "{faults:#?}");
}
