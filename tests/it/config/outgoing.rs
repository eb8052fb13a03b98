//! Receivers of outgoing webhooks: what cannot be right is refused in its place, what is doubtful is warned of.

use std::path::Path;

use taskbridge::config::{Loaded, Reader, load};

use super::HOOK_SECRET;

fn read(receivers: &str) -> Result<Loaded, Vec<String>> {
    let env = [
        ("GITHUB_WEBHOOK_SECRET", HOOK_SECRET),
        ("KEY", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ("PUBLIC", "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="),
    ];
    let rules = "rules:\n  - { name: fix, on: { label: fix }, prompt: Fix it. }\n";
    let text = format!("{rules}outgoing:\n{receivers}");
    let reader = Reader::fixed(&env, &[("t.yaml", &text)]);
    load(Path::new("t.yaml"), &reader).map_err(|faults| faults.0.iter().map(ToString::to_string).collect())
}

fn one(more: &str) -> String {
    format!("  - {{ name: board, secrets: '${{KEY}}', {more} }}\n")
}

#[test]
fn a_receiver_needs_a_name_an_address_and_a_secret() {
    let loaded = read(&one("url: 'https://board.example/hooks/'")).expect("good");
    let receiver = &loaded.config.outgoing[0];
    assert_eq!(receiver.url.as_str(), "https://board.example/hooks/", "kept as it is");
    assert!(!receiver.allow_private && loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    assert_eq!(receiver.timeout.std().as_secs(), 10);
    read(&one("url: 'https://b.example', states: [completed, failed], rules: [fix], timeout: 30s")).expect("good");
}

#[test]
fn what_cannot_be_right_is_refused_in_its_place() {
    for (more, wanted) in [
        ("url: 'ftp://b.example'", "t.yaml:4:44: outgoing[0].url"),
        ("url: 'https://u:p@b.example'", "must not carry a user or password"),
        ("url: 'https://b.example?token=1'", "must not have `?` or `#`"),
        ("url: 'https://b.example', timeout: 0s", "longer than zero and at most `30s`"),
        ("url: 'https://b.example', timeout: 31s", "longer than zero and at most `30s`"),
        ("url: 'https://b.example', states: done", "outgoing[0].states"),
        ("url: 'https://b.example', rules: fxi", "there is no rule `fxi`"),
        ("url: 'https://b.example', rules: fxi", "did you mean `fix`?"),
        ("url: 'https://b.example', method: put", "method"),
    ] {
        let faults = read(&one(more)).expect_err(more).join("\n");
        assert!(faults.contains(wanted), "{more}: {faults}");
    }
    for (secrets, wanted) in [
        ("'${PUBLIC}'", "a public key signs nothing"),
        ("'${GITHUB_WEBHOOK_SECRET}'", "a key to sign with begins with `whsec_`, and goes on with"),
        ("[]", "the list is empty"),
        (
            "['${KEY}', '${KEY}', '${KEY}', '${KEY}', '${KEY}', '${KEY}', '${KEY}', '${KEY}', '${KEY}']",
            "1 to 8 secrets",
        ),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "does not stand in this file"),
    ] {
        let faults = read(&format!("  - {{ name: b, url: 'https://b.example', secrets: {secrets} }}\n"));
        let faults = faults.expect_err(secrets).join("\n");
        assert!(faults.contains(wanted) && !faults.contains("MfKQ9r8GKY"), "{secrets}: {faults}");
        assert!(!faults.contains("whpk_"), "a public one signs nothing: {faults}");
    }
    let twice = one("url: 'https://b.example'").repeat(2);
    assert!(read(&twice).expect_err("twice")[0].contains("there is a receiver `board` already"));
    let many: String =
        (0..17).map(|nth| one("url: 'https://b.example'").replace("board", &format!("b{nth}"))).collect();
    assert!(read(&many).expect_err("many")[0].contains("more than 16 receivers"));
    let slow = format!("{}tasks: {{ lease: 25s }}\n", one("url: 'https://b.example', timeout: 28s"));
    assert!(read(&slow).expect_err("slow")[0].contains("shorter than `tasks.lease`"));
}

#[test]
fn plain_http_and_private_addresses_are_warned_of() {
    for (url, more, words) in [
        ("http://b.example/", "", vec!["plain http"]),
        ("http://10.0.0.1/", "", vec!["plain http", "not an address of the whole internet"]),
        ("http://10.0.0.1/", ", allow_private: true", vec!["plain http"]),
        ("https://169.254.169.254/", "", vec!["not an address of the whole internet"]),
        ("https://[::1]/", "", vec!["not an address of the whole internet"]),
        ("https://localhost/", "", vec!["not an address of the whole internet"]),
        ("http://127.0.0.1:1/", ", allow_private: true", vec![]),
        ("https://1.1.1.1/", "", vec![]),
    ] {
        let loaded = read(&one(&format!("url: '{url}'{more}"))).expect(url);
        let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(warnings.len(), words.len(), "{url}: {warnings:?}");
        let all = warnings.join("\n");
        assert!(words.iter().all(|word| all.contains(word)), "{url}: {all}");
    }
}

/// Commands beside the service send nothing and need no keys, as they need none of the senders.
#[test]
fn commands_that_need_no_secret_of_hooks_need_none_of_receivers() {
    let text = "rules: []\noutgoing:\n  - { name: b, url: 'https://b.example', secrets: '${NOT_SET}' }\n";
    let reader = || Reader::fixed(&[("GITHUB_WEBHOOK_SECRET", HOOK_SECRET)], &[("t.yaml", text)]);
    assert!(load(Path::new("t.yaml"), &reader()).is_err());
    load(Path::new("t.yaml"), &reader().without_hook_secrets()).expect("not asked for");
    load(Path::new("t.yaml"), &reader().with_own_secrets()).expect("not asked for");
}

/// What GitHub is asked with may be missing for those that ask it nothing, and no other own secret; health looks at none.
#[test]
fn commands_that_ask_github_nothing_do_without_its_secrets() {
    let text = "rules: []\nserver: { public_url: 'https://b.example' }\ngithub: { sign_in: { client_id: Iv1.a, client_secret: '${C}' } }\n";
    let with_keys = format!("{text}vault: {{ keys: '${{K}}' }}\n");
    let reader = |text: &str| Reader::fixed(&[("GITHUB_WEBHOOK_SECRET", HOOK_SECRET)], &[("t.yaml", text)]);
    assert!(load(Path::new("t.yaml"), &reader(text).without_hook_secrets()).is_err(), "half the work would be done");
    load(Path::new("t.yaml"), &reader(text).with_own_secrets()).expect("not needed");
    assert!(load(Path::new("t.yaml"), &reader(&with_keys).with_own_secrets()).is_err());
    load(Path::new("t.yaml"), &reader(&with_keys).without_secrets()).expect("nothing is needed");
}
