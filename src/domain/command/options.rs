//! The options of a command. They are cut from the front of the line word by word (so that free text is never
//! tokenised), unquoted by shell rules, and given to a real argument parser.

use clap::{Arg, ArgAction};

/// Longest value of an option, in characters.
pub const VALUE_LIMIT: usize = 200;

/// One well-formed command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Command {
    /// The declared name, as declared; empty for free text.
    pub name: String,
    /// The text after the name and options, with the lines below it.
    pub text: String,
    /// `--model`.
    pub model: Option<String>,
    /// `--base`: the branch to start from.
    pub base: Option<String>,
    /// `--agent`: a custom agent.
    pub agent: Option<String>,
    /// `--pr` or `--no-pr`: whether a pull request is to be opened.
    pub create_pull_request: Option<bool>,
}

const WITH_VALUE: [&str; 3] = ["--model", "--base", "--agent"];
const FLAGS: [&str; 3] = ["--pr", "--no-pr", "--help"];
/// Most words that options may take.
const WORDS: usize = 20;

#[derive(Debug, Default)]
pub(super) struct Options {
    words: Vec<String>,
    /// Whether `--` ended them.
    pub(super) ended: bool,
}

/// What the options said.
pub(super) struct Said {
    pub(super) command: Command,
    pub(super) help: bool,
    pub(super) any: bool,
}

impl Options {
    /// Takes options off the front of `text` and gives what is left.
    pub(super) fn take<'a>(&mut self, text: &'a str) -> Result<&'a str, String> {
        let mut rest = text.trim_start();
        while let Some(option) = option(rest) {
            let (word, after) = raw_word(rest)?;
            rest = after.trim_start();
            if option == "--" {
                self.ended = true;
                return Ok(rest);
            }
            let value = word.split_once('=').map(|(_, value)| value);
            let takes_value = WITH_VALUE.contains(&option.as_str());
            self.words.push(match value {
                Some(value) if !takes_value => format!("{option}={value}"),
                _ => option.clone(),
            });
            match value {
                Some(value) if takes_value => self.words.push(unquote(value)?),
                None if takes_value => {
                    if rest.is_empty() || self::option(rest).is_some() {
                        return Err(format!("`{option}` needs a value, as in `{option} NAME`"));
                    }
                    let (value, after) = raw_word(rest)?;
                    self.words.push(unquote(value)?);
                    rest = after.trim_start();
                }
                _ => {}
            }
            if self.words.len() > WORDS {
                return Err("there are too many options".to_owned());
            }
        }
        Ok(rest)
    }

    pub(super) fn parse(&self) -> Result<Said, String> {
        let matches = parser().try_get_matches_from(self.joined()).map_err(|error| sentence(&error))?;
        let value = |name: &str| matches.get_one::<String>(name).cloned();
        let create_pull_request = match (matches.get_flag("pr"), matches.get_flag("no-pr")) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        };
        let command = Command {
            model: value("model"),
            base: value("base"),
            agent: value("agent"),
            create_pull_request,
            ..Command::default()
        };
        Ok(Said { command, help: matches.get_flag("help"), any: !self.words.is_empty() })
    }

    /// `--name=value`, so that a value that looks like an option is still a value.
    fn joined(&self) -> Vec<String> {
        let mut joined: Vec<String> = Vec::new();
        for word in &self.words {
            let takes = joined.last().is_some_and(|last| WITH_VALUE.contains(&last.as_str()));
            match joined.last_mut().filter(|_| takes) {
                Some(last) => *last = format!("{last}={word}"),
                None => joined.push(word.clone()),
            }
        }
        joined
    }
}

/// The option's name if `text` begins with one: `--` alone, or dashes and a letter. Telephones turn `--` into
/// a long dash; that is understood for the names we know.
fn option(text: &str) -> Option<String> {
    let word = text.split_whitespace().next()?;
    let name = word.split_once('=').map_or(word, |(name, _)| name);
    if let Some(rest) = name.strip_prefix(['—', '–']) {
        let option = format!("--{rest}");
        return is_known(&option).then_some(option);
    }
    let rest = name.strip_prefix("--")?;
    (rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_alphabetic())).then(|| name.to_owned())
}

fn is_known(option: &str) -> bool {
    WITH_VALUE.contains(&option) || FLAGS.contains(&option)
}

/// One of our options standing as a word of the text.
pub(super) fn misplaced(word: &str) -> Option<String> {
    option(word).filter(|option| is_known(option) && option != "--help")
}

/// The first word with its quotes, and what follows it.
fn raw_word(text: &str) -> Result<(&str, &str), String> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, c) if c.is_whitespace() => return Ok(text.split_at(at)),
            (None, _) => {}
        }
    }
    if quote.is_some() { Err("a quotation mark is not closed".to_owned()) } else { Ok((text, "")) }
}

fn unquote(word: &str) -> Result<String, String> {
    // Only quotes count: outside of them a backslash or a hash is what it is.
    if !word.contains(['"', '\'']) {
        return Ok(word.to_owned());
    }
    match shlex::split(word) {
        Some(words) => Ok(words.concat()),
        None => Err("a quotation mark is not closed".to_owned()),
    }
}

fn parser() -> clap::Command {
    let value = |name: &'static str, check: fn(&str) -> Result<String, String>| {
        Arg::new(name).long(name).num_args(1).value_parser(check)
    };
    let flag = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    clap::Command::new("command")
        .no_binary_name(true)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .color(clap::ColorChoice::Never)
        .arg(value("model", plain))
        .arg(value("base", branch))
        .arg(value("agent", agent))
        .arg(flag("pr").conflicts_with("no-pr"))
        .arg(flag("no-pr"))
        .arg(flag("help"))
}

fn plain(value: &str) -> Result<String, String> {
    if value.trim().is_empty() {
        return Err("is empty".to_owned());
    }
    if value.chars().nth(VALUE_LIMIT).is_some() {
        return Err(format!("has more than {VALUE_LIMIT} characters"));
    }
    if value.contains(char::is_control) || super::super::trust::clean_line(value, VALUE_LIMIT) != value {
        return Err("has characters that cannot be seen or printed".to_owned());
    }
    Ok(value.to_owned())
}

/// Loosely what git allows (`git help check-ref-format`).
fn branch(value: &str) -> Result<String, String> {
    let value = plain(value)?;
    let parts_fit = value.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock"));
    let bad = value.contains([' ', '~', '^', ':', '?', '*', '[', '\\']) || value.contains("..") || value.contains("@{");
    let ends = value.starts_with('-') || value.ends_with('.') || value == "@";
    if bad || ends || !parts_fit { Err("is not a branch name".to_owned()) } else { Ok(value) }
}

fn agent(value: &str) -> Result<String, String> {
    let value = plain(value)?;
    let fits = value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    if fits && !value.starts_with(['.', '-']) {
        Ok(value)
    } else {
        Err("is not an agent's name: letters, digits, `.`, `_` and `-` only".to_owned())
    }
}

/// An argument parser's error as one short sentence.
fn sentence(error: &clap::Error) -> String {
    use clap::error::{ContextKind, ErrorKind};
    let context = |kind| error.get(kind).map(|value| super::super::trust::clean_line(&value.to_string(), 60));
    let argument = context(ContextKind::InvalidArg).unwrap_or_default();
    let option = argument.split([' ', '=']).next().unwrap_or("");
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let near = [WITH_VALUE, FLAGS]
                .concat()
                .into_iter()
                .map(|known| (strsim::damerau_levenshtein(option, known), known))
                .min()
                .filter(|(distance, _)| *distance <= 2);
            match near {
                Some((_, known)) => format!("there is no option `{option}`; did you mean `{known}`?"),
                None => format!("there is no option `{option}`; put `--` before the text if it belongs to the text"),
            }
        }
        ErrorKind::ArgumentConflict if context(ContextKind::PriorArg).is_some_and(|prior| prior != argument) => {
            "`--pr` and `--no-pr` exclude each other".to_owned()
        }
        ErrorKind::ArgumentConflict => format!("`{option}` is given twice"),
        ErrorKind::TooManyValues => format!("`{option}` takes no value"),
        ErrorKind::ValueValidation => {
            let reason = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
            format!("the value of `{option}` {reason}")
        }
        _ => format!("the option `{option}` cannot be read"),
    }
}
