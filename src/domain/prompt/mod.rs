//! Templates of a rule: strict about what is missing, bounded in work and size, and blind to what looks like
//! a template inside a value. Parsed once when the rules are loaded; rendering only looks values up.

mod check;
mod fault;
mod lint;
mod words;

pub use fault::TemplateFault;

use std::collections::BTreeSet;
use std::sync::Arc;

use minijinja::machinery::parse;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Object;
use minijinja::{Environment, ErrorKind, UndefinedBehavior};

use super::stack;
use super::trust;
use super::view::View;

/// Longest template, in bytes.
const SOURCE_LIMIT: usize = 64 * 1024;
/// Longest prompt, in characters.
pub const PROMPT_LIMIT: usize = 60_000;
/// Work a rendering may do: instructions, and one for each 64 bytes made (so memory is bounded too).
const FUEL: u64 = 20_000;
/// The only template of an environment has this name, so none can name another.
const NAME: &str = "prompt";

/// A parsed template. Cheap to clone.
#[derive(Clone)]
pub struct Template(Arc<Inner>);

struct Inner {
    source: String,
    environment: Environment<'static>,
    names: BTreeSet<String>,
    paths: Vec<String>,
}

/// A finished prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The text.
    pub text: String,
    /// Whether it was longer than a prompt may be; the text then ends with a note that says so.
    pub cut: bool,
}

/// Why a template could not be rendered for an event. Trying again changes nothing: the rule must be
/// mended, or the event is none for it. The message may be shown to anyone who may see the decision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RenderError {
    /// What is missing or went wrong, and on which line of the template.
    pub message: String,
}

impl Template {
    /// Reads a template (Jinja syntax, as minijinja has it, without includes, imports and macros).
    ///
    /// # Errors
    /// The first mistake in the text: syntax, a name that no event has, a filter that does not exist, or its size.
    pub fn parse(text: &str) -> Result<Self, TemplateFault> {
        Self::parse_all(text).map_err(|faults| faults.into_iter().next().unwrap_or_else(|| unread(NOT_READ)))
    }

    /// The same, which tells all mistakes that can be found at once, at most ten.
    ///
    /// # Errors
    /// The mistakes.
    pub fn parse_all(text: &str) -> Result<Self, Vec<TemplateFault>> {
        if text.len() > SOURCE_LIMIT {
            return Err(vec![unread(&format!("a template has at most {SOURCE_LIMIT} bytes"))]);
        }
        check::length(text).map_err(|fault| vec![fault])?;
        let read = stack::with_room(|| {
            let mut environment = environment(UndefinedBehavior::Strict);
            environment.add_template_owned(NAME, text.to_owned()).map_err(|error| vec![check::fault(&error)])?;
            let parsed = parse(text, NAME, SyntaxConfig::default()).map_err(|error| vec![check::fault(&error)])?;
            Ok((environment, lint::check(text, &parsed)?))
        });
        let read = read.unwrap_or_else(|| Err(vec![unread(NOT_READ)]));
        let (environment, lint::Mentioned { names, paths }) = read?;
        let paths = paths.into_iter().collect();
        Ok(Self(Arc::new(Inner { source: text.to_owned(), environment, names, paths })))
    }

    /// The text it was made from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// Whether it mentions the top-level `name`, for example `payload`.
    #[must_use]
    pub fn uses(&self, name: &str) -> bool {
        self.0.names.contains(name)
    }

    /// The text for one event.
    ///
    /// # Errors
    /// Something that this event does not have, or too much work.
    pub fn render(&self, view: &View) -> Result<Rendered, RenderError> {
        let template = self.0.environment.get_template(NAME).map_err(|error| self.explain(&error, view))?;
        let root = minijinja::Value::from_object(Root(view.clone()));
        let text = template.render(root).map_err(|error| self.explain(&error, view))?;
        // Parts that are harmless alone can make a marker line together.
        let text = trust::strip_markers(&text);
        Ok(cap(text))
    }

    fn explain(&self, error: &minijinja::Error, view: &View) -> RenderError {
        let line = error.line();
        let place = line.map_or_else(String::new, |line| format!(" (template line {line})"));
        let message = match error.kind() {
            ErrorKind::UndefinedError => match self.missing(line, view) {
                Some(path) => format!("this event has no `{}`{place}", shown(path)),
                None => format!("the template uses something that this event does not have{place}"),
            },
            ErrorKind::OutOfFuel => format!("the template does too much work{place}"),
            _ => format!("{}{place}", check::sentence(error)),
        };
        RenderError { message }
    }

    /// The first path mentioned on `line` (or anywhere after it, for an expression over several lines) that the event lacks.
    fn missing(&self, line: Option<usize>, view: &View) -> Option<&str> {
        let absent = |path: &&String| !self.has(path, view);
        let on_line = line.and_then(|line| self.0.source.lines().nth(line.saturating_sub(1))).unwrap_or("");
        let mut absent_paths: Vec<_> = self.0.paths.iter().filter(absent).collect();
        absent_paths.sort_by_key(|path| (!on_line.contains(path.as_str()), std::cmp::Reverse(path.len())));
        absent_paths.first().map(|path| path.as_str())
    }

    fn has(&self, path: &str, view: &View) -> bool {
        let mut parts = path.split('.');
        let top = parts.next().and_then(|name| view.shown(name));
        let found = parts.try_fold(top, |value, part| match value {
            Some(value) => value.get_attr(part).ok().map(Some),
            None => Some(None),
        });
        matches!(found, Some(Some(value)) if !value.is_undefined())
    }
}

impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Template").field(&self.0.source).finish()
    }
}

const NOT_READ: &str = "this template could not be read";

/// A fault of the whole text.
fn unread(message: &str) -> TemplateFault {
    TemplateFault { message: message.to_owned(), line: None, column: None }
}

/// The view as a template's root: names are made on first use.
#[derive(Debug)]
struct Root(View);

impl Object for Root {
    fn get_value(self: &Arc<Self>, key: &minijinja::Value) -> Option<minijinja::Value> {
        self.0.shown(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<minijinja::Value> {
        self.0.shown(key)
    }
}

fn environment(undefined: UndefinedBehavior) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(undefined);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(64);
    environment.remove_global("debug");
    // What an event leaves empty (`command.model`) prints as nothing, not as the word "none".
    environment.set_formatter(
        |out, state, value| {
            if value.is_none() { Ok(()) } else { minijinja::escape_formatter(out, state, value) }
        },
    );
    environment
}

fn cap(mut text: String) -> Rendered {
    const MARK: &str = "\n\n[… cut: the prompt was longer than 60000 characters]";
    if text.len() <= PROMPT_LIMIT || text.chars().nth(PROMPT_LIMIT).is_none() {
        return Rendered { text, cut: false };
    }
    let end = text.char_indices().nth(PROMPT_LIMIT - MARK.chars().count()).map_or(text.len(), |(end, _)| end);
    text.truncate(end);
    text.push_str(MARK);
    Rendered { text, cut: true }
}

/// A path as it is named in an error: no longer than anybody reads.
fn shown(path: &str) -> String {
    const LONGEST: usize = 120;
    match path.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &path[..end]),
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod told;
