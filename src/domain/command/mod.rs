//! The command line that people write in comments and in chats.
//!
//! A command is the first line that starts with the prefix (in any case, after at most three spaces) outside
//! quotations, code blocks and HTML comments. After the prefix come, in this order, a declared name, options,
//! and text; options may also stand before the name. The text is taken as it is written, so an apostrophe in
//! it is only an apostrophe; only an option's value can be quoted. The lines below belong to the text. An
//! option after the text has begun is refused, not silently read as text: `--` in front of the text allows it.

mod find;
mod help;
mod options;
mod own;
/// Where work said in a chat is to be done.
pub mod place;

pub use help::{chat_help, thread_help};
pub use options::{Command, VALUE_LIMIT};
pub use own::{Own, OwnWord};

use super::nearest::nearest;
use options::Options;

/// Words that rules cannot declare as commands: they are commands of taskbridge itself.
pub const RESERVED: &[&str] = &["help", "status", "list", "why", "retry", "cancel", "approve", "link", "unlink"];

/// Longest text of a command, in characters.
pub const TEXT_LIMIT: usize = 20_000;
/// What can be written where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grammar {
    /// What a command line starts with, for example `/copilot`.
    pub prefix: String,
    /// The names that rules declare.
    pub names: Vec<String>,
    /// Whether a rule takes text without a name.
    pub free_text: bool,
    /// Which of our own commands can be written here.
    pub own: Vec<OwnWord>,
}

/// What a comment says to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// Nothing.
    None,
    /// A command.
    Command(Command),
    /// One of our own commands.
    Own(Own),
    /// Where our own commands are not in force: what waits there for approval may go on, the task of this id or all.
    Approve(Option<String>),
    /// A wish to know what can be written here: see [`chat_help`] and [`thread_help`].
    Help,
    /// Something that was meant for us but cannot be done.
    Bad {
        /// What is wrong and the nearest right form; for the one who wrote it.
        message: String,
    },
}

/// Reads a comment.
#[must_use]
pub fn parse(text: &str, grammar: &Grammar) -> Parsed {
    let Some((line, below)) = find::command_line(text, &grammar.prefix) else {
        return Parsed::None;
    };
    read(line, below, grammar).unwrap_or_else(|message| Parsed::Bad { message })
}

/// Reads what was said to us in a chat, where no prefix stands in front.
#[must_use]
pub fn parse_said(text: &str, grammar: &Grammar) -> Parsed {
    let (line, below) = text.trim_start().split_once('\n').unwrap_or((text.trim_start(), ""));
    read(line.trim(), below, grammar).unwrap_or_else(|message| Parsed::Bad { message })
}

/// Whether a text said to us in a chat is a wish for help or one of our own words that changes nothing, whatever rules take.
#[must_use]
pub fn only_reads(text: &str) -> bool {
    let grammar = Grammar { prefix: String::new(), names: Vec::new(), free_text: true, own: OwnWord::ALL.to_vec() };
    match parse_said(text, &grammar) {
        Parsed::Own(own) => matches!(own.word, OwnWord::Status | OwnWord::List | OwnWord::Why),
        Parsed::Help => !text.trim().is_empty(),
        _ => false,
    }
}

fn read(line: &str, below: &str, grammar: &Grammar) -> Result<Parsed, String> {
    let mut options = Options::default();
    let mut rest = options.take(line)?;
    let mut name = None;
    if !options.ended {
        let has_options = rest.trim() != line.trim();
        if let Some((word, fits)) = reserved_use(rest, grammar, has_options) {
            return match OwnWord::parse(word) {
                Some(_) if !fits => Err(own_needs(word, grammar)),
                None => Ok(Parsed::Help),
                Some(own) if grammar.own.contains(&own) => {
                    let argument: String = rest.split_whitespace().skip(1).collect();
                    let argument = Some(argument).filter(|argument| !argument.is_empty());
                    Ok(Parsed::Own(Own { word: own, argument }))
                }
                // Where our words are in force, whoever answers says what is instead of one that means nothing there.
                Some(own) if !grammar.own.is_empty() => Ok(Parsed::Own(Own { word: own, argument: None })),
                Some(OwnWord::Approve) => Ok(Parsed::Approve(rest.split_whitespace().nth(1).map(str::to_owned))),
                Some(_) => Err(not_here(word, grammar)),
            };
        }
        let first = first_word(rest);
        name = grammar.names.iter().find(|name| !first.is_empty() && name.eq_ignore_ascii_case(first));
        if name.is_some() {
            rest = options.take(rest[first.len()..].trim_start())?;
        }
    }
    let parsed = options.parse()?;
    if parsed.help {
        return Ok(Parsed::Help);
    }
    let text = [rest.trim_end(), below.trim_end()].join("\n");
    let text = text.trim_matches(['\n', '\r']).to_owned();
    if name.is_none() && text.trim().is_empty() {
        return if parsed.any { Err(format!("say what to do: {}", example(grammar))) } else { Ok(Parsed::Help) };
    }
    if name.is_none() && !grammar.free_text {
        return Err(unknown(first_word(rest), grammar));
    }
    let said = first_word(&text);
    let known = || RESERVED.iter().copied().chain(grammar.names.iter().map(String::as_str));
    if name.is_none()
        && !options.ended
        && !parsed.any
        && text.trim() == said
        && said.bytes().all(|byte| byte.is_ascii_alphabetic())
        && let Some(near) = nearest(said, known())
    {
        // A slip must not become work for an agent.
        return Err(format!(
            "`{said}` is no command; did you mean `{near}`? If it is the work itself, write `-- {said}`"
        ));
    }
    if !options.ended
        && let Some(option) = rest.split_whitespace().find_map(options::misplaced)
    {
        let dashes = "or put `--` before the text if it belongs to the text";
        return Err(format!("write `{option}` before the text, {dashes}: {} --model NAME text", grammar.prefix));
    }
    if text.chars().nth(TEXT_LIMIT).is_some() {
        return Err(format!("the text of a command has at most {TEXT_LIMIT} characters"));
    }
    Ok(Parsed::Command(Command { name: name.cloned().unwrap_or_default(), text, ..parsed.command }))
}

fn first_word(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or("")
}

/// A reserved word is meant as a command when it stands alone, or when one argument that can be a task or a person follows. With
/// more behind it, it begins free text where that is taken: `help me`, `status pages are slow`. The words that move a task never do,
/// so that none is started by who wanted to move one; options in front, or `--`, say that it is work. Answers the word, and whether
/// what follows it fits.
fn reserved_use(rest: &str, grammar: &Grammar, has_options: bool) -> Option<(&'static str, bool)> {
    let mut words = rest.split_whitespace();
    let first = words.next()?;
    let word = RESERVED.iter().find(|word| word.eq_ignore_ascii_case(first))?;
    let own = OwnWord::parse(word);
    let in_force = own.is_some_and(|own| grammar.own.contains(&own));
    let fits = match (words.next(), words.next()) {
        (None, _) => true,
        // A code may be of letters alone, or typed in two halves: that is no work.
        (Some(_), None) if *word == "link" && in_force => true,
        (Some(one), Some(two)) if *word == "link" && in_force => {
            let half =
                |text: &str| text.len() == 4 && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
            half(one) && half(two) && words.next().is_none()
        }
        (Some(argument), None) => argument.starts_with(['#', '@']) || argument.contains(|c: char| c.is_ascii_digit()),
        _ => false,
    };
    let moves = own.is_some_and(OwnWord::moves_a_task);
    match fits || !grammar.free_text || moves && !has_options {
        // Where it means nothing, that is said, whatever follows.
        true => Some((word, fits || !(in_force || own == Some(OwnWord::Approve)))),
        false => None,
    }
}

/// What one of our own words takes.
fn own_needs(word: &str, grammar: &Grammar) -> String {
    let prefix = &grammar.prefix;
    let takes = match OwnWord::parse(word) {
        Some(OwnWord::Link) => "nothing, or the code that you were shown",
        Some(OwnWord::Unlink) => "nothing",
        Some(OwnWord::Why | OwnWord::Status | OwnWord::List) => "nothing, a link or the id of a task",
        _ => "nothing, or the id of one task",
    };
    let work = if grammar.free_text {
        format!("; if it begins what is to be done: `{prefix} -- {word} …`")
    } else {
        String::new()
    };
    format!("nothing was done: behind `{word}` stands {takes}{work}")
}

fn not_here(word: &str, grammar: &Grammar) -> String {
    format!("`{word}` is not available here; `{} help` shows what is", grammar.prefix)
}

fn unknown(word: &str, grammar: &Grammar) -> String {
    let shown = super::trust::clean_line(word, 40);
    // A long word is no misspelt name, and comparing it would cost a stranger nothing and us much.
    let short = Some(word).filter(|word| word.len() <= 64).map(str::to_lowercase);
    let near = short
        .iter()
        .flat_map(|word| grammar.names.iter().map(move |name| (word, name)))
        .map(|(word, name)| (strsim::damerau_levenshtein(word, &name.to_lowercase()), name))
        .min()
        .filter(|(distance, name)| *distance <= 2 && *distance < name.len());
    match near {
        Some((_, name)) => format!("there is no command `{shown}`; did you mean `{} {name}`?", grammar.prefix),
        None => format!("there is no command `{shown}`; `{} help` shows what there is", grammar.prefix),
    }
}

/// The nearest right form.
fn example(grammar: &Grammar) -> String {
    match grammar.names.first() {
        Some(name) if !grammar.free_text => format!("`{} {name}`", grammar.prefix),
        _ => format!("`{} fix the failing test`", grammar.prefix),
    }
}

#[cfg(test)]
mod tests;
