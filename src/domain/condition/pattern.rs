//! Patterns of `matches`: built once when the condition is loaded, with a bound on their size, because the engine would
//! build them anew for each event.

use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue};
use regex::{Regex, RegexBuilder};

const PATTERN_LIMIT: usize = 500;
const PATTERNS: usize = 16;
/// Bytes of a compiled pattern.
const PATTERN_SIZE: usize = 256 * 1024;

/// Adds the pattern of this call of `matches` to those that there are.
///
/// # Errors
/// What is wrong with it, in a sentence.
pub(super) fn build(call: &IdedExpr, patterns: &mut Vec<(String, Regex)>) -> Result<(), String> {
    let Some(pattern) = literal(call) else {
        return Err("matches() takes its pattern as a literal text, so that it can be checked here".to_owned());
    };
    if pattern.len() > PATTERN_LIMIT || patterns.len() >= PATTERNS {
        return Err(format!("at most {PATTERNS} patterns of {PATTERN_LIMIT} bytes each can stand in a condition"));
    }
    match RegexBuilder::new(pattern).size_limit(PATTERN_SIZE).dfa_size_limit(PATTERN_SIZE * 4).build() {
        Ok(regex) => {
            patterns.push((function_name(pattern), regex));
            Ok(())
        }
        Err(regex::Error::CompiledTooBig(_)) => Err("this pattern is too large".to_owned()),
        Err(error) => {
            let reason = error.to_string();
            let last = reason.lines().last().unwrap_or("").trim_start_matches("error: ");
            Err(format!("this pattern is not valid: {last}"))
        }
    }
}

/// The pattern of `text.matches("…")` or `matches(text, "…")`.
fn literal(call: &IdedExpr) -> Option<&str> {
    let Expr::Call(call) = &call.expr else { return None };
    if call.func_name != "matches" {
        return None;
    }
    let arguments = if call.target.is_some() { 1 } else { 2 };
    match (&call.args.last()?.expr, call.args.len() == arguments) {
        (Expr::Literal(LiteralValue::String(pattern)), true) => Some(pattern.inner()),
        _ => None,
    }
}

/// Each pattern becomes a function of its own that holds it ready; no rule can write this name.
fn function_name(pattern: &str) -> String {
    format!("@matches {pattern}")
}

/// Puts those functions in the place of the calls.
pub(super) fn replace(expression: &mut IdedExpr) {
    let name = literal(expression).map(function_name);
    match (&mut expression.expr, name) {
        (Expr::Call(call), name) => {
            if let Some(name) = name {
                call.func_name = name;
                call.args.pop();
            }
            call.target.as_deref_mut().into_iter().chain(&mut call.args).for_each(replace);
        }
        (Expr::Comprehension(c), _) => {
            [&mut c.iter_range, &mut c.accu_init, &mut c.loop_cond, &mut c.loop_step, &mut c.result]
                .into_iter()
                .for_each(replace);
        }
        (Expr::List(list), _) => list.elements.iter_mut().for_each(replace),
        (Expr::Select(select), _) => replace(&mut select.operand),
        (Expr::Map(map), _) => {
            for entry in &mut map.entries {
                if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                    replace(&mut entry.key);
                    replace(&mut entry.value);
                }
            }
        }
        _ => {}
    }
}
