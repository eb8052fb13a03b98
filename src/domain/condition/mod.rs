//! `when` of a rule: a CEL condition. The engine has no limit on steps, so all that could make a condition
//! slow is refused when it is loaded; what is left is evaluated in microseconds, and can say what it saw.

mod expression;
mod fault;
mod functions;
mod lint;
mod operators;
mod outcome;
mod pattern;
mod redact;
mod text;
mod values;

pub use fault::ConditionFault;
pub use outcome::{ConditionError, Outcome};

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use cel::common::ast::operators::LOGICAL_AND;
use cel::common::ast::{Expr, IdedExpr};
use cel::extractors::This;
use cel::{Context, Env, Value};
use regex::Regex;

use super::view::View;
use outcome::Part;
use values::Names;

/// The standard functions and macros, without the optional-value syntax.
static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib().with_optional_support(false)));

/// A checked condition. Cheap to clone.
#[derive(Clone)]
pub struct Condition(Arc<Inner>);

struct Inner {
    source: String,
    /// The parts of the outermost `&&` chain: true together, and one of them is why it is false.
    parts: Vec<Part>,
    names: BTreeSet<String>,
    patterns: Vec<(String, Regex)>,
}

impl Condition {
    /// Reads and checks a condition.
    ///
    /// # Errors
    /// The first mistake in the text, or that there is more of it than can be evaluated quickly whatever the event.
    pub fn parse(text: &str) -> Result<Self, ConditionFault> {
        Self::parse_all(text).map_err(|faults| faults.into_iter().next().unwrap_or_else(ConditionFault::unknown))
    }

    /// The same, which tells all mistakes that can be found at once, at most ten.
    ///
    /// # Errors
    /// The mistakes.
    pub fn parse_all(text: &str) -> Result<Self, Vec<ConditionFault>> {
        let lint::Checked { expression, names, patterns } = lint::check(text, &ENV)?;
        let mut parts = Vec::new();
        conjuncts(expression, &mut parts);
        let parts = parts
            .into_iter()
            .map(|expression| {
                let paths = outcome::paths(&expression);
                Part { expression, paths }
            })
            .collect();
        Ok(Self(Arc::new(Inner { source: text.to_owned(), parts, names, patterns })))
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

    /// Whether it holds for an event. As in CEL, a false part of `&&` outweighs an error in another.
    ///
    /// # Errors
    /// A field that the event does not have (unless `has()` asked first), values that cannot be compared,
    /// or a result that is neither true nor false.
    pub fn evaluate(&self, view: &View) -> Result<Outcome, ConditionError> {
        let names = Names(view);
        let mut context = Context::with_env(Arc::clone(&ENV));
        context.set_variable_resolver(&names);
        for (name, regex) in &self.0.patterns {
            let regex = regex.clone();
            let matches = move |This(text): This<Arc<String>>| regex.is_match(&text);
            context
                .add_function(name, matches)
                .map_err(|error| ConditionError { message: outcome::short(&error.to_string()) })?;
        }
        let mut failure = None;
        for part in &self.0.parts {
            match Value::resolve(&part.expression, &context) {
                Ok(Value::Bool(true)) => {}
                Ok(Value::Bool(false)) => {
                    return Ok(Outcome { holds: false, saw: outcome::saw(&part.paths, view) });
                }
                Ok(other) => {
                    let message = format!("gives a {}, not true or false", other.type_of());
                    failure.get_or_insert(ConditionError { message });
                }
                Err(error) => {
                    failure.get_or_insert_with(|| outcome::explain(&error, part, view));
                }
            }
        }
        failure.map_or(Ok(Outcome { holds: true, saw: Vec::new() }), Err)
    }
}

impl std::fmt::Debug for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Condition").field(&self.0.source).finish()
    }
}

/// The members of an `&&` chain from left to right.
fn conjuncts(expression: IdedExpr, into: &mut Vec<IdedExpr>) {
    match expression.expr {
        Expr::Call(call) if call.func_name == LOGICAL_AND && call.target.is_none() => {
            for member in call.args {
                conjuncts(member, into);
            }
        }
        _ => into.push(expression),
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod told;
