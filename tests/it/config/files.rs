//! More than one file: included rules, the version of a rule set, change of contents.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use taskbridge::config::{FileText, Reader, fingerprint, load};

const ENV: [(&str, &str); 1] = [("GITHUB_WEBHOOK_SECRET", "0123456789abcdef0123456789abcdef")];
const A: &str = "rules: [{ name: a, on: { label: a }, prompt: p }]\n";
const B: &str = "rules: [{ name: b, on: { label: b }, prompt: p }]\n";

fn names(files: &[(&str, &str)]) -> Result<Vec<String>, Vec<String>> {
    match load(Path::new("etc/t.yaml"), &Reader::fixed(&ENV, files)) {
        Ok(loaded) => Ok(loaded.rules.rules.into_iter().map(|rule| rule.name).collect()),
        Err(faults) => Err(faults.0.iter().map(ToString::to_string).collect()),
    }
}

#[test]
fn rules_of_other_files_follow_in_order_each_file_once() {
    let main = "rules_from: [one.yaml, rules, 'rules/*.yaml']\nrules: [{ name: main, on: { label: m }, prompt: p }]\n";
    let one = "rules: [{ name: one, on: { label: o }, prompt: p }]\n";
    let files = [
        ("etc/t.yaml", main),
        ("etc/one.yaml", one),
        ("etc/rules/b.yml", B),
        ("etc/rules/a.yaml", A),
        ("etc/rules/notes.txt", "not rules"),
    ];
    assert_eq!(names(&files).expect("good"), ["main", "one", "a", "b"]);
}

#[test]
fn faults_of_an_included_file_name_that_file() {
    let bad = "rules:\n  - { name: a, on: { label: b }, prompt: '{{ x' }\n  - { name: c, on: { label: d }, promt: p }\nserver: {}\n";
    let files = [("etc/t.yaml", "rules_from: rules\nrulez: []\n"), ("etc/rules/a.yaml", A), ("etc/rules/z.yaml", bad)];
    let faults = names(&files).expect_err("bad");
    let places: Vec<&str> = faults.iter().map(|fault| fault.split(": ").next().unwrap_or_default()).collect();
    assert_eq!(
        places,
        [
            "etc/rules/z.yaml:2:13",
            "etc/rules/z.yaml:2:43",
            "etc/rules/z.yaml:3:34",
            "etc/rules/z.yaml:4:1",
            "etc/t.yaml:2:1"
        ]
    );
    assert!(faults[0].contains("a rule named `a` stands already at etc/rules/a.yaml:1:17"), "{faults:#?}");
    assert!(faults[2].ends_with("(did you mean `prompt`?)"), "{faults:#?}");
}

#[test]
fn files_that_are_not_there_are_told_at_the_key_that_names_them() {
    let faults = names(&[("etc/t.yaml", "rules_from: [gone, 'x*/y.yaml', gone.yaml]\n")]).expect_err("bad");
    assert_eq!(faults.len(), 3, "{faults:#?}");
    assert_eq!(faults[0], "etc/gone.yaml: there is no such file");
    assert!(faults[1].starts_with("etc/t.yaml:1:14: rules_from[0]: the folder cannot be read"), "{faults:#?}");
    assert!(faults[2].starts_with("etc/t.yaml:1:20: rules_from[1]: `*` may stand in the name"), "{faults:#?}");
    let faults = load(Path::new("nowhere.yaml"), &Reader::fixed(&ENV, &[])).expect_err("no file");
    let says = "nowhere.yaml: there is no such file: say where it is with `--config FILE`";
    assert!(faults.to_string().starts_with(says), "{faults}");
}

#[test]
fn the_version_follows_what_rules_say_and_not_how_they_are_laid_out() {
    let version = |text: &str| {
        let reader = Reader::fixed(&ENV, &[("t.yaml", text)]);
        load(Path::new("t.yaml"), &reader).expect("good").rules.version
    };
    let first = version("rules: [{ name: a, on: { label: x }, prompt: p, once_per: k }]\n");
    assert!(first.len() == 16 && first.bytes().all(|byte| byte.is_ascii_hexdigit()), "{first}");
    let same = "sweep: { overlap: 9m }\nrules:\n  - once_per: { key: k, idle_for: 24h }\n    # a word\n    task: { prompt: p }\n    \
                on:\n      label: [x]\n    name: a\n";
    assert_eq!(version(same), first);
    assert_ne!(version("rules: [{ name: a, on: { label: x }, prompt: q, once_per: k }]\n"), first);
}

#[test]
fn the_fingerprint_changes_with_every_file_that_is_involved() {
    let main = "rules_from: rules\nvault: { keys: [{ file: key }] }\n";
    let of = |files: &[(&str, &str)]| fingerprint(Path::new("etc/t.yaml"), &Reader::fixed(&[], files));
    let base = of(&[("etc/t.yaml", main), ("etc/rules/a.yaml", A), ("etc/key", "k")]);
    assert_eq!(base, of(&[("etc/t.yaml", main), ("etc/rules/a.yaml", A), ("etc/key", "k"), ("etc/other", "x")]));
    for changed in [
        vec![
            ("etc/t.yaml", "rules_from: rules\nvault: { keys: [{ file: key }] }\n# word\n"),
            ("etc/rules/a.yaml", A),
            ("etc/key", "k"),
        ],
        vec![("etc/t.yaml", main), ("etc/rules/a.yaml", B), ("etc/key", "k")],
        vec![("etc/t.yaml", main), ("etc/rules/a.yaml", A), ("etc/rules/b.yaml", B), ("etc/key", "k")],
        vec![("etc/t.yaml", main), ("etc/rules/a.yaml", A), ("etc/key", "new")],
        vec![("etc/t.yaml", main), ("etc/rules/a.yaml", A)],
        vec![],
    ] {
        assert_ne!(of(&changed), base, "{changed:?}");
    }
}

#[test]
fn relative_paths_are_seen_from_the_folder_of_the_file() {
    let reader = Reader::fixed(&ENV, &[("etc/t.yaml", "data_dir: data\n")]);
    let loaded = load(Path::new("etc/t.yaml"), &reader).expect("good");
    assert_eq!(loaded.config.data_dir, Path::new("etc/data"));
    let reader = Reader::fixed(&ENV, &[("etc/t.yaml", "github: { extra_ca_file: ca.pem }\n"), ("etc/ca.pem", "no")]);
    let faults = load(Path::new("etc/t.yaml"), &reader).expect_err("no certificate");
    assert!(faults.to_string().contains("holds no PEM certificate"), "{faults}");
}

#[test]
fn the_real_machine_is_read_within_bounds() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("config-files");
    std::fs::create_dir_all(folder.join("rules")).expect("a folder of our own");
    let main = folder.join("t.yaml");
    let source = "sources: { hub: { type: github, secrets: { file: hook } } }\nrules_from: rules\n";
    std::fs::write(&main, source).expect("written");
    std::fs::write(folder.join("hook"), "0123456789abcdef0123456789abcdef\n").expect("written");
    std::fs::write(folder.join("rules/a.yaml"), A).expect("written");
    let loaded = load(&main, &Reader::system()).expect("good");
    assert_eq!(loaded.rules.rules.len(), 1);

    std::fs::write(&main, source.replace("file: hook", "file: rules")).expect("written");
    let faults = load(&main, &Reader::system()).expect_err("a folder is no secret");
    assert!(faults.to_string().contains("not a regular file"), "{faults}");
    std::fs::write(folder.join("hook"), "x".repeat(100_000)).expect("written");
    std::fs::write(&main, source).expect("written");
    let faults = load(&main, &Reader::system()).expect_err("too large for a secret");
    assert!(faults.to_string().contains("larger than 65536 bytes"), "{faults}");
}

#[test]
fn a_file_that_is_not_text_is_refused() {
    let files: BTreeMap<PathBuf, FileText> =
        [("t.yaml".into(), FileText { bytes: vec![b'a', 0xff, 0xfe], mode: None })].into();
    let faults = load(Path::new("t.yaml"), &Reader::of(BTreeMap::new(), files)).expect_err("bytes");
    assert_eq!(faults.to_string(), "t.yaml: the file is not UTF-8 text");
}
