//! `taskbridge people`: with whose tokens tasks run.

use std::io::{IsTerminal as _, Read as _};
use std::path::Path;

use clap::{Args, Subcommand};

use super::CliError;
use super::open::{Needs, beside, beside_and_ask};
use crate::config::{Loaded, Reader};
use crate::domain::rule::RunAs;
use crate::github::{DeviceAnswer, Next};
use crate::ids::PersonId;
use crate::pipeline::revoke::AtGithub;
use crate::pipeline::sign_in::{self, NotSignedIn};
use crate::pipeline::{Bridge, people};
use crate::secret::Secret;
use crate::store::people::Person;

/// Longest token read, in bytes; GitHub's have under 300.
const TOKEN_BYTES: u64 = 4096;

/// Add, list and remove the people with whose tokens tasks run.
#[derive(Debug, Args)]
pub(super) struct People {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Store a person's token, after asking GitHub whose it is; tasks that waited for it go on.
    ///
    /// The token comes on standard input: `taskbridge people add mona --token-stdin < token.txt`
    Add {
        /// Whose token it is: a GitHub login.
        login: String,
        /// Read the token from standard input.
        #[arg(long)]
        token_stdin: bool,
        /// Only here to be refused.
        #[arg(long, hide = true)]
        token: Option<String>,
    },
    /// Sign in on this terminal: GitHub shows where to type a code, and the token is stored for whoever types it.
    ///
    /// Needs `github.sign_in`, and the device flow enabled in the settings of that app.
    Connect,
    /// List all people, the state of their tokens and the rules they have agreed to.
    List,
    /// Remove a person with the token and all consents, and end at GitHub what came of a sign-in.
    Remove {
        /// A GitHub login or an account number.
        person: String,
    },
    /// Record that a person agrees that a rule runs with their token (`run_as: person:LOGIN`).
    Consent {
        /// A GitHub login.
        login: String,
        /// The rule; may be given several times.
        #[arg(long = "rule", value_name = "RULE", required = true)]
        rules: Vec<String>,
        /// Take the agreement back: what the rule has not started yet ends, and it starts nothing any more.
        #[arg(long)]
        withdraw: bool,
    },
}

impl People {
    pub(super) async fn run(self, config: &Path) -> Result<(), CliError> {
        match self.command {
            Command::Add { login, token_stdin, token } => {
                let token = token_of(token_stdin, token)?;
                beside_and_ask(config, Needs::AnyDatabase, async |_, bridge| add(bridge, &login, token).await).await
            }
            Command::Connect => {
                // Before a database is made for nothing.
                let loaded = crate::config::load(config, &Reader::system().without_secrets())?;
                if loaded.config.github.sign_in.is_none() {
                    return Err(not_signed_in(NotSignedIn::NotConfigured));
                }
                beside_and_ask(config, Needs::AnyDatabase, async |_, bridge| connect(bridge).await).await
            }
            Command::List => beside(config, Needs::ADatabaseWithContent, async |_, bridge| list(bridge).await).await,
            Command::Remove { person } => {
                beside_and_ask(config, Needs::ADatabaseWithContent, async |_, bridge| remove(bridge, &person).await)
                    .await
            }
            Command::Consent { login, rules, withdraw } => {
                beside(config, Needs::ADatabaseWithContent, async |loaded, bridge| match withdraw {
                    true => withdraw_consent(bridge, &login, &rules).await,
                    false => consent(loaded, bridge, &login, &rules).await,
                })
                .await
            }
        }
    }
}

fn token_of(stdin: bool, given: Option<String>) -> Result<Secret, CliError> {
    if given.is_some() || !stdin {
        return Err(CliError::Said(
            "give the token on standard input, with `--token-stdin`: on the command line every user of this machine, and \
             the history of the shell, would see it"
                .to_owned(),
        ));
    }
    if std::io::stdin().is_terminal() {
        eprintln!("Paste the token, then press Enter and Ctrl-D:");
    }
    let mut text = zeroize::Zeroizing::new(String::new());
    std::io::stdin()
        .take(TOKEN_BYTES)
        .read_to_string(&mut text)
        .map_err(|error| CliError::Said(format!("the token could not be read from standard input: {error}")))?;
    let token = text.trim();
    if token.is_empty() {
        return Err(CliError::Said("there was no token on standard input".to_owned()));
    }
    if token.contains(char::is_whitespace) || !token.is_ascii() {
        return Err(CliError::Said("what came on standard input is not one token".to_owned()));
    }
    Ok(Secret::new(token))
}

async fn add(bridge: &Bridge, login: &str, token: Secret) -> Result<(), CliError> {
    let login = login.trim_start_matches('@');
    let (id, released) = people::add(bridge, login, token).await.map_err(CliError::said)?;
    println!("The token is that of @{login} (account {id}); it is stored sealed.");
    println!("{}", went_on(released));
    Ok(())
}

async fn connect(bridge: &Bridge) -> Result<(), CliError> {
    let device = sign_in::begin_device(bridge).await.map_err(not_signed_in)?;
    println!("Open {} and type the code {}", device.verification_uri, device.user_code);
    println!("Whoever types it lets this taskbridge act for them. It waits until then (Ctrl-C ends it).");
    let mut interval = device.interval;
    loop {
        tokio::time::sleep(interval).await;
        if bridge.ground.now() >= device.expires_at {
            return Err(CliError::Said("the code was not typed in time; run the command again".to_owned()));
        }
        match sign_in::ask_device(bridge, &device.device_code).await {
            Ok(Ok(who)) => {
                println!("Signed in as @{} (account {}); the token is stored sealed.", who.login, who.id);
                println!("{}", went_on(who.released));
                return Ok(());
            }
            Ok(Err(DeviceAnswer::SlowDown(longer))) => interval = longer,
            Ok(Err(_)) => {}
            // Asking again does no harm: a device's code is used up only by an answer that brings a token.
            Err(NotSignedIn::OAuth(error)) if matches!(error.next(), Next::Retry | Next::Look) => {
                eprintln!("taskbridge: {error}; it is asked again");
            }
            Err(error) => return Err(not_signed_in(error)),
        }
    }
}

fn not_signed_in(error: NotSignedIn) -> CliError {
    match error {
        NotSignedIn::NotConfigured => CliError::Said(
            "nobody can sign in here yet: set `github.sign_in` in the configuration, or add a token with \
             `taskbridge people add LOGIN --token-stdin`"
                .to_owned(),
        ),
        NotSignedIn::OAuth(error) => CliError::Said(error.for_person()),
        other => CliError::said(other),
    }
}

fn went_on(released: usize) -> String {
    match released {
        0 => "No task waited for it.".to_owned(),
        1 => "One task that waited for it goes on.".to_owned(),
        more => format!("{more} tasks that waited for it go on."),
    }
}

async fn list(bridge: &Bridge) -> Result<(), CliError> {
    let now = bridge.ground.now();
    let mut after = None;
    loop {
        let page = bridge.store.people(after, 100).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id.0);
        for person in page {
            let rules = bridge.store.consents(person.id).await?;
            let agreed = if rules.is_empty() { String::new() } else { format!(", agreed to {}", rules.join(", ")) };
            println!("@{} (account {}): {}{agreed}", person.login, person.id, token_state(&person, now));
        }
    }
    if after.is_none() {
        println!("There is nobody. Add a person with `taskbridge people add LOGIN --token-stdin`.");
    }
    Ok(())
}

fn token_state(person: &Person, now: crate::store::Moment) -> String {
    let reason = person.token_reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    match (person.usable_token(now), person.token_expires_at) {
        (Some(_), Some(_)) if person.refresh_token.is_some() => "signed in, the token is renewed by itself".to_owned(),
        (Some(_), Some(end)) => format!("token good until {}", end.format("%Y-%m-%d %H:%M UTC")),
        (Some(_), None) => "token good".to_owned(),
        (None, _) if person.token.is_none() && reason.is_empty() => "no token".to_owned(),
        (None, _) => format!("token not usable any more{reason}"),
    }
}

async fn remove(bridge: &Bridge, person: &str) -> Result<(), CliError> {
    let found = match person.parse() {
        Ok(id) => bridge.store.person(PersonId(id)).await?.into_iter().collect(),
        Err(_) => bridge.store.people_by_login(person.trim_start_matches('@')).await?,
    };
    let one = only(found, person)?;
    let lent = bridge.store.consents(one.id).await?;
    let at_github = people::remove(bridge, one.id, people::REMOVED).await?;
    println!("@{} (account {}) was removed, with the token and all consents.", one.login, one.id);
    if !lent.is_empty() {
        println!("They had agreed to {}: a rule that runs as them starts nothing any more.", lent.join(", "));
    }
    match at_github {
        Some(AtGithub::Ended) => println!("What they had given the app was ended at GitHub."),
        Some(AtGithub::Alive { page, again }) => {
            let again = if again { "; `taskbridge serve` tries again for a day" } else { "" };
            println!("It could not be ended at GitHub{again}. They can do it themselves on {page}");
        }
        Some(AtGithub::NotOurs) if one.token.is_some() => {
            println!("The token was added by hand: whoever made it ends it at GitHub.");
        }
        Some(AtGithub::NotOurs) | None => {}
    }
    Ok(())
}

async fn consent(loaded: &Loaded, bridge: &Bridge, login: &str, rules: &[String]) -> Result<(), CliError> {
    if let Some(rule) = rules.iter().find(|rule| loaded.rules.by_name(rule).is_none()) {
        return Err(CliError::Said(super::said::no_such_rule(&loaded.rules, rule)));
    }
    let one = only(bridge.store.people_by_login(login.trim_start_matches('@')).await?, login)?;
    for rule in rules.iter().filter_map(|rule| loaded.rules.by_name(rule)) {
        let name = &rule.name;
        bridge.store.give_consent(one.id, name, bridge.ground.now()).await?;
        println!("Recorded: @{} (account {}) agrees that the rule `{name}` runs with their token.", one.login, one.id);
        match &rule.run_as {
            RunAs::Actor => {
                println!("  It runs as whoever asks, so this changes nothing until it says `run_as: person:{login}`.")
            }
            RunAs::Person(named)
                if named.id.map_or(named.login.eq_ignore_ascii_case(&one.login), |id| id == one.id.0) => {}
            RunAs::Person(named) => {
                println!("  It runs as @{named}, so this changes nothing until it names @{}.", one.login)
            }
        }
    }
    Ok(())
}

/// The rule may be gone from the file by now.
async fn withdraw_consent(bridge: &Bridge, login: &str, rules: &[String]) -> Result<(), CliError> {
    let one = only(bridge.store.people_by_login(login.trim_start_matches('@')).await?, login)?;
    for rule in rules {
        match bridge.store.withdraw_consent(one.id, rule).await? {
            true => println!(
                "Withdrawn: the rule `{rule}` runs with the token of @{} (account {}) no more.",
                one.login, one.id
            ),
            false => println!("@{} (account {}) has not agreed to the rule `{rule}`.", one.login, one.id),
        }
    }
    Ok(())
}

fn only(mut found: Vec<Person>, asked: &str) -> Result<Person, CliError> {
    match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(one),
        (None, _) => Err(CliError::Said(format!(
            "there is nobody called `{asked}` here; `taskbridge people list` shows who there is"
        ))),
        (Some(last), false) => {
            found.push(last);
            let ids: Vec<String> = found.iter().map(|person| person.id.to_string()).collect();
            Err(CliError::Said(format!(
                "several accounts were called `{asked}`: remove those that are gone by their number ({})",
                ids.join(", ")
            )))
        }
    }
}
