//! Commands as people write them, and as they should not be understood.

use proptest::prelude::*;

use super::*;
use crate::domain::chat::Address;

fn grammar() -> Grammar {
    Grammar {
        prefix: "/copilot".to_owned(),
        names: vec!["fix".to_owned(), "review".to_owned()],
        free_text: true,
        own: Vec::new(),
    }
}

fn command(text: &str) -> Command {
    match parse(text, &grammar()) {
        Parsed::Command(command) => command,
        other => panic!("{text:?}: {other:?}"),
    }
}

fn bad(text: &str, grammar: &Grammar) -> String {
    match parse(text, grammar) {
        Parsed::Bad { message } => message,
        other => panic!("{text:?}: {other:?}"),
    }
}

/// A slip must not become work for an agent; a word that is meant can be said all the same.
#[test]
fn a_word_near_one_of_ours_is_asked_about() {
    for (slip, meant) in
        [("statsu", "status"), ("LSIT", "list"), ("hepl", "help"), ("reveiw", "review"), ("aprove", "approve")]
    {
        let message = bad(&format!("/copilot {slip}"), &grammar());
        assert!(message.contains(&format!("did you mean `{meant}`?")), "{message}");
        assert!(message.contains(&format!("write `-- {slip}`")), "{message}");
        assert_eq!(command(&format!("/copilot -- {slip}")).text, slip);
        assert_eq!(command(&format!("/copilot {slip} of the build")).text, format!("{slip} of the build"));
        assert_eq!(command(&format!("/copilot {slip}\nand more")).text, format!("{slip}\nand more"));
    }
    assert_eq!(command("/copilot refactor").text, "refactor");
    // It is said back, so it is a plain word.
    assert_eq!(command("/copilot h\u{0}elp").text, "h\u{0}elp");
}

#[test]
fn a_name_options_and_text() {
    let parsed =
        command("Hello\n  /Copilot FIX --model gpt-5 --base=\"release/1.0\" --no-pr don't break \"it\r\nplease\n");
    assert_eq!(
        parsed,
        Command {
            name: "fix".to_owned(),
            text: "don't break \"it\nplease".to_owned(),
            model: Some("gpt-5".to_owned()),
            base: Some("release/1.0".to_owned()),
            agent: None,
            create_pull_request: Some(false),
        }
    );
    let parsed = command("/copilot --agent docs-writer --pr review");
    assert_eq!(
        (parsed.name.as_str(), parsed.agent.as_deref(), parsed.create_pull_request),
        ("review", Some("docs-writer"), Some(true))
    );
    let parsed = command("/copilot make it 'so");
    assert_eq!((parsed.name.as_str(), parsed.text.as_str()), ("", "make it 'so"));
    assert_eq!(command("/copilot \u{2014}model 'GPT 5' go").model.as_deref(), Some("GPT 5"));
}

#[test]
fn a_double_dash_ends_options() {
    let parsed = command("/copilot fix -- --model is documented wrongly");
    assert_eq!((parsed.text.as_str(), parsed.model), ("--model is documented wrongly", None));
    assert_eq!(command("/copilot -- fix it").name, "", "after it a name is text too");
}

#[test]
fn only_a_line_of_its_own_in_plain_text_counts() {
    for text in [
        "",
        "please /copilot fix",
        "/copilots fix",
        "/copilot-fix",
        "> /copilot fix",
        "    /copilot fix",
        "```\n/copilot fix\n```",
        "~~~~\n```\n/copilot fix\n",
        "<!-- x\n/copilot fix\n-->",
        "text <!-- x --> more <!--\n/copilot fix",
    ] {
        assert_eq!(parse(text, &grammar()), Parsed::None, "{text:?}");
    }
    assert_eq!(command("```\ncode\n```\n/copilot fix").name, "fix");
    assert_eq!(command("<!-- x -->\n/copilot fix").name, "fix");
}

#[test]
fn help_and_reserved_words() {
    for text in ["/copilot", "/copilot help", "/copilot --help", "/copilot fix --help", "/copilot  HELP "] {
        assert_eq!(parse(text, &grammar()), Parsed::Help, "{text:?}");
    }
    assert_eq!(command("/copilot help me with the build").text, "help me with the build");
    assert_eq!(command("/copilot status pages are slow").text, "status pages are slow");
    assert_eq!(command("/copilot list the things").text, "list the things");
    for text in ["/copilot status", "/copilot retry #12", "/copilot why 0198", "/copilot link @ann"] {
        assert!(bad(text, &grammar()).contains("not available here"), "{text:?}");
    }
    assert_eq!(parse("/copilot approve", &grammar()), Parsed::Approve(None));
    assert_eq!(parse("/copilot Approve 0198-a", &grammar()), Parsed::Approve(Some("0198-a".to_owned())));
    assert!(bad("/copilot approve the pull request", &grammar()).contains("the id of one task"));
    assert_eq!(command("/copilot -- approve the pull request").text, "approve the pull request");
    let named = Grammar { free_text: false, ..grammar() };
    assert!(bad("/copilot cancel the last one", &named).contains("`cancel` is not available"));
    let help = thread_help(&named, false);
    assert!(help.contains("`/copilot fix [options] [text]`") && !help.contains("what to do"));
    assert!(thread_help(&grammar(), false).contains("`/copilot [options] what to do`"));
}

#[test]
fn in_a_comment_our_own_words_are_commands_and_what_belongs_to_chats_is_told_so() {
    let thread = Grammar { own: OwnWord::IN_THREADS.to_vec(), ..grammar() };
    let own = |word, argument: Option<&str>| Parsed::Own(Own { word, argument: argument.map(str::to_owned) });
    assert_eq!(parse("/copilot status", &thread), own(OwnWord::Status, None));
    assert_eq!(parse("/copilot why #42", &thread), own(OwnWord::Why, Some("#42")));
    assert_eq!(parse("/copilot approve 0198-a", &thread), own(OwnWord::Approve, Some("0198-a")));
    assert_eq!(parse("/copilot link", &thread), own(OwnWord::Link, None));
    assert_eq!(command("/copilot link this page").text, "link this page");
    assert!(matches!(parse("/copilot link docs", &thread), Parsed::Command(_)), "no code is typed here: it is work");
    let help = thread_help(&thread, false);
    assert!(help.contains("`/copilot why [LINK or TASK]`") && help.contains("`/copilot fix [options]"), "{help}");
    assert_eq!(help.matches("/copilot approve").count(), 1, "{help}");
    let nothing = thread_help(&Grammar { names: Vec::new(), free_text: false, ..grammar() }, true);
    assert!(nothing.starts_with("No rule takes commands here.") && nothing.contains("/copilot approve"), "{nothing}");
}

#[test]
fn mistakes_name_the_nearest_right_form() {
    let named = Grammar { free_text: false, ..grammar() };
    assert_eq!(bad("/copilot reviw it", &named), "there is no command `reviw`; did you mean `/copilot review`?");
    for (text, wanted) in [
        ("/copilot --modle x fix", "did you mean `--model`?"),
        ("/copilot --frobnicate fix", "there is no option `--frobnicate`"),
        ("/copilot fix --model", "`--model` needs a value"),
        ("/copilot fix --model --pr", "`--model` needs a value"),
        ("/copilot --model 'a fix", "quotation mark is not closed"),
        ("/copilot --model '' fix", "the value of `--model` is empty"),
        ("/copilot --pr --no-pr fix", "exclude each other"),
        ("/copilot --pr --pr fix", "`--pr` is given twice"),
        ("/copilot --model a --model b fix", "`--model` is given twice"),
        ("/copilot --base a..b fix", "is not a branch name"),
        ("/copilot --base refs/x.lock fix", "is not a branch name"),
        ("/copilot --agent ../x fix", "is not an agent's name"),
        ("/copilot --pr=yes fix", "`--pr` takes no value"),
        ("/copilot fix the test --model gpt-5", "write `--model` before the text"),
        ("/copilot --model x", "say what to do"),
    ] {
        let message = bad(text, &grammar());
        assert!(message.contains(wanted), "{text:?}: {message}");
        assert!(!message.contains('\n') && !message.contains('\u{1b}') && message.len() < 200, "{message:?}");
    }
    assert!(bad(&format!("/copilot --model {} x", "m".repeat(201)), &grammar()).contains("more than 200"));
    assert!(bad(&format!("/copilot {}", "m".repeat(20_001)), &grammar()).contains("at most 20000"));
    assert!(bad("/copilot --model a\u{202e}b x", &grammar()).contains("cannot be seen"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn never_panics(text in "(.|\n){0,200}", line in "[-—a-z'\"=#@ \\\\]{0,60}") {
        let _ = parse(&text, &grammar());
        let _ = parse(&format!("/copilot {line}\n{text}"), &grammar());
    }

    #[test]
    fn options_and_text_round_trip(
        model in "[a-zA-Z0-9]{1,8}( [a-zA-Z0-9.:-]{1,8}){0,2}", base in "[a-z]{1,8}(/[a-z0-9]{1,8}){0,2}",
        agent in proptest::option::of("[a-z][a-z0-9-]{0,10}"), pr: Option<bool>,
        text in "[A-Za-z'][a-zA-Z0-9'\"`<>!?,. é日-]{0,60}[a-z.]", below in "([a-z' /]{1,20}\n){0,3}[a-z']{1,10}",
        name in proptest::sample::select(&["fix", "review"][..]),
    ) {
        let mut line = format!("/copilot {name} --model '{model}' --base {base}");
        if let Some(agent) = &agent {
            line.push_str(&format!(" --agent={agent}"));
        }
        match pr {
            Some(true) => line.push_str(" --pr"),
            Some(false) => line.push_str(" --no-pr"),
            None => {}
        }
        let parsed = command(&format!("{line} {text}\n{below}"));
        let wanted = Command {
            name: name.to_owned(), text: format!("{text}\n{below}"), model: Some(model), base: Some(base), agent,
            create_pull_request: pr,
        };
        prop_assert_eq!(parsed, wanted);
    }
}

#[test]
fn in_a_chat_our_own_words_are_commands_and_all_else_is_work() {
    let chat = Grammar { names: Vec::new(), own: OwnWord::ALL.to_vec(), ..grammar() };
    let own = |word, argument: Option<&str>| Parsed::Own(Own { word, argument: argument.map(str::to_owned) });
    assert_eq!(parse_said("status", &chat), own(OwnWord::Status, None));
    assert_eq!(parse_said(" Retry 0190-1 ", &chat), own(OwnWord::Retry, Some("0190-1")));
    let link = "https://github.com/acme/widgets/issues/42";
    assert_eq!(parse_said(&format!("why {link}"), &chat), own(OwnWord::Why, Some(link)));
    assert_eq!(parse_said("link ABCD-EFGH", &chat), own(OwnWord::Link, Some("ABCD-EFGH")), "a code is no work");
    assert_eq!(parse_said("link ABCD E7GH", &chat), own(OwnWord::Link, Some("ABCDE7GH")));
    assert!(matches!(parse_said("link this page", &chat), Parsed::Command(_)));
    assert_eq!(parse_said("help", &chat), Parsed::Help);
    for (text, model, below) in
        [("link the two pages", None, ""), ("--model m retry the upload", Some("m"), "\nthen stop")]
    {
        let Parsed::Command(command) = parse_said(&format!("{text}{below}"), &chat) else { panic!("{text} is work") };
        assert_eq!((command.model.as_deref(), command.text.ends_with(below)), (model, true));
    }
    let help = chat_help(
        &Grammar { free_text: false, ..chat.clone() },
        &["/copilot".to_owned(), "/fix".to_owned()],
        Address::Command,
    );
    assert!(help.contains("- `/copilot [options] what to do`\n- `/fix [options] what to do`"), "{help}");
    assert!(help.contains("`/copilot unlink`") && help.contains("what to do"), "{help}");
    let stranger =
        chat_help(&Grammar { free_text: false, own: vec![OwnWord::Link], ..chat.clone() }, &[], Address::Command);
    assert!(
        stranger.contains("/copilot link") && !stranger.contains("status") && !stranger.contains("--model"),
        "{stranger}"
    );
    let commands = ["/copilot".to_owned(), "/fix".to_owned()];
    let mentioned = chat_help(&Grammar { free_text: false, ..chat }, &commands, Address::Mention);
    assert!(mentioned.contains(":\n\n- `[options] what to do`\n- `status`: "), "{mentioned}");
    assert!(mentioned.contains("- `link`: ") && !mentioned.contains("/copilot"), "{mentioned}");
}

#[test]
fn who_wants_to_move_a_task_starts_none_and_who_writes_work_is_heard() {
    let free = Grammar { own: OwnWord::ALL.to_vec(), ..grammar() };
    let named = Grammar { free_text: false, ..free.clone() };
    for word in ["retry", "cancel", "Approve"] {
        for rest in ["the last one", "it", "please", "0198-a and 0198-b"] {
            for grammar in [&free, &named] {
                let text = format!("{word} {rest}");
                let Parsed::Bad { message } = parse_said(&text, grammar) else { panic!("{text}") };
                assert!(
                    message.contains("nothing was done") && message.contains("the id of one task"),
                    "{text}: {message}"
                );
                assert_eq!(message.contains("/copilot -- "), grammar.free_text, "{text}: {message}");
            }
        }
        for work in [format!("-- {word} the last one"), format!("--model m {word} the last one")] {
            assert!(matches!(parse_said(&work, &free), Parsed::Command(_)), "{work}");
        }
    }
    for text in ["status please look at it", "list the things", "why is it slow", "status please"] {
        assert!(matches!(parse_said(text, &free), Parsed::Command(command) if command.text == text), "{text}");
        let Parsed::Bad { message } = parse_said(text, &named) else { panic!("{text}") };
        assert!(message.contains("a link or the id of a task") && !message.contains("--"), "{text}: {message}");
    }
    let told = bad("/copilot unlink all of them", &named);
    assert!(told.ends_with("behind `unlink` stands nothing"), "{told}");
    assert_eq!(parse_said("help me with it", &named), Parsed::Help);
}
