//! What is refused when a condition is loaded. Each bound stands for a measured way to make the engine
//! slow: deep nesting, long chains, macros inside macros, and patterns that are built anew for each event.

use std::collections::BTreeSet;
use std::sync::Arc;

use cel::common::ast::{Expr, IdedExpr, LiteralValue, SourceInfo};
use cel::{Context, Env, ParseErrors};
use regex::{Regex, RegexBuilder};

use super::super::nearest::nearest;
use super::super::prompt::unknown_name;
use super::super::trust::clean_line;
use super::super::view::{NAMES, unknown_path};
use super::ConditionFault;
use super::outcome::{children, path};

const SOURCE_LIMIT: usize = 4_000;
const BRACKET_DEPTH: usize = 16;
const LINKS: usize = 500;
const NODES: usize = 600;
const DEPTH: usize = 64;
/// How deep the parser may call itself, which costs it more stack than anything else: for brackets and for `a ? b : c`.
const PARSER_DEPTH: u16 = 24;
/// Stack for the parser. Unoptimised, and while it looks for a way out of mistakes, so many calls of itself were seen to
/// need more than the 2 MiB that a thread has.
const PARSER_STACK: usize = 32 * 1024 * 1024;
const PATTERN_LIMIT: usize = 500;
const PATTERNS: usize = 16;
/// Bytes of a compiled pattern.
const PATTERN_SIZE: usize = 256 * 1024;

/// A condition that may be evaluated.
pub(super) struct Checked {
    pub(super) expression: IdedExpr,
    pub(super) names: BTreeSet<String>,
    pub(super) patterns: Vec<(String, Regex)>,
}

pub(super) fn check(text: &str, env: &Arc<Env>) -> Result<Checked, ConditionFault> {
    let start = |message: String| ConditionFault { message, line: 1, column: 1 };
    if text.trim().is_empty() {
        return Err(start("a condition is empty".to_owned()));
    }
    if text.len() > SOURCE_LIMIT {
        return Err(start(format!("a condition has at most {SOURCE_LIMIT} bytes")));
    }
    brackets(text)?;
    let parsed = with_stack(|| env.parser().max_recursion_depth(PARSER_DEPTH).parse_with_source_info(text));
    let parsed = parsed.ok_or_else(|| start("this condition could not be read".to_owned()))?;
    let (mut expression, info) = parsed.map_err(|errors| lone_equals(text).unwrap_or_else(|| syntax(&errors)))?;
    let functions = Context::with_env(Arc::clone(env));
    let mut walk = Walk { info: &info, functions, nodes: 0, names: BTreeSet::new(), patterns: Vec::new(), fault: None };
    walk.visit(&expression, 0, &mut Vec::new());
    if let Some(fault) = walk.fault {
        return Err(fault);
    }
    let (names, mut patterns) = (walk.names, walk.patterns);
    patterns.dedup_by(|a, b| a.0 == b.0);
    replace_patterns(&mut expression);
    Ok(Checked { expression, names, patterns })
}

/// Does `work` in a thread that has stack enough; `None` if it panics, or there can be no more threads.
fn with_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    std::thread::scope(|scope| {
        std::thread::Builder::new().stack_size(PARSER_STACK).spawn_scoped(scope, work).ok()?.join().ok()
    })
}

/// Nesting and long chains are refused before the parser sees them: each link costs it stack, and at some
/// 1,500 links (`a.a.a…`, `1<1<1…`) a thread's stack is gone. Texts in quotes count too, to be on the safe side. What
/// closes need not fit what is open: the parser skips it, and is held by its own bound then.
fn brackets(text: &str) -> Result<(), ConditionFault> {
    let (mut depth, mut links, mut line, mut column) = (0_usize, 0_usize, 1, 0);
    for c in text.chars() {
        column += 1;
        match c {
            '\n' => (line, column) = (line + 1, 0),
            '(' | '[' | '{' => (depth, links) = (depth + 1, links + 1),
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '.' | '<' | '>' | '=' | '+' | '-' | '*' | '/' | '%' | '!' | '?' => links += 1,
            _ => {}
        }
        let message = if depth > BRACKET_DEPTH {
            format!("brackets may be nested {BRACKET_DEPTH} deep at most")
        } else if links > LINKS {
            "this condition is too long; split it into several rules".to_owned()
        } else {
            continue;
        };
        return Err(ConditionFault { message, line, column });
    }
    Ok(())
}

/// What other languages write for `==`, outside of quotes.
fn lone_equals(text: &str) -> Option<ConditionFault> {
    let (mut quote, mut before, mut line, mut column) = (None, ' ', 1, 0);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        column += 1;
        match (c, quote) {
            ('\n', _) => (line, column) = (line + 1, 0),
            ('\\', Some(_)) => {
                column += usize::from(chars.next().is_some());
            }
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            ('=', None) if !matches!(before, '=' | '!' | '<' | '>') && chars.peek() != Some(&'=') => {
                let message = "`=` means nothing here: to compare, write `==`".to_owned();
                return Some(ConditionFault { message, line, column });
            }
            _ => {}
        }
        before = c;
    }
    None
}

fn syntax(errors: &ParseErrors) -> ConditionFault {
    let first = errors.errors.first();
    let at = |position: isize| usize::try_from(position).unwrap_or(1).max(1);
    let (line, column) = first.map_or((1, 1), |error| (at(error.pos.0), at(error.pos.1)));
    let message = first.map_or("no valid condition", |error| error.msg.as_str());
    ConditionFault { message: clean_line(message, 200), line, column }
}

struct Walk<'a> {
    info: &'a SourceInfo,
    /// Knows which functions there are.
    functions: Context<'static, 'static>,
    nodes: usize,
    names: BTreeSet<String>,
    patterns: Vec<(String, Regex)>,
    fault: Option<ConditionFault>,
}

impl Walk<'_> {
    /// `bound` holds the variables of the macros around this expression.
    fn visit(&mut self, expression: &IdedExpr, depth: usize, bound: &mut Vec<String>) {
        self.nodes += 1;
        if self.fault.is_some() {
            return;
        }
        if self.nodes > NODES || depth > DEPTH {
            return self.refuse(expression, "this condition is too long; split it into several rules".to_owned());
        }
        match &expression.expr {
            Expr::Ident(name) if name.starts_with('@') || bound.contains(name) => {}
            Expr::Ident(name) if NAMES.contains(&name.as_str()) => {
                self.names.insert(name.clone());
            }
            Expr::Ident(name) if TYPES.contains(&name.as_str()) => {}
            Expr::Ident(name) => self.refuse(expression, unknown_name(name)),
            Expr::Struct(_) => self.refuse(expression, "conditions cannot make objects".to_owned()),
            Expr::Comprehension(comprehension) => {
                if !bound.is_empty() {
                    let message = "all, exists, map and filter cannot stand inside one another".to_owned();
                    return self.refuse(expression, message);
                }
                self.visit(&comprehension.iter_range, depth + 1, bound);
                bound.push(comprehension.iter_var.clone());
                bound.extend(comprehension.iter_var2.clone());
                for inner in [
                    &comprehension.accu_init,
                    &comprehension.loop_cond,
                    &comprehension.loop_step,
                    &comprehension.result,
                ] {
                    self.visit(inner, depth + 1, bound);
                }
                bound.clear();
            }
            _ => {
                if let Some(path) = path(expression)
                    && let Some(top) = path.split('.').next()
                    && NAMES.contains(&top)
                    && !bound.iter().any(|name| name == top)
                    && let Some(message) = unknown_path(&path)
                {
                    return self.refuse(expression, message);
                }
                if let Expr::Call(call) = &expression.expr
                    && let Some(message) = self.unknown_function(&call.func_name)
                {
                    return self.refuse(expression, message);
                }
                if is_call(expression, "matches") {
                    self.pattern(expression);
                }
                children(expression, &mut |child| self.visit(child, depth + 1, bound));
            }
        }
    }

    /// What is wrong with the name of a function; nothing, if it is one or an operator.
    fn unknown_function(&mut self, name: &str) -> Option<String> {
        if !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
            return None;
        }
        if MACROS.contains(&name) {
            return Some(format!(
                "`{name}` is not written so: `{}`",
                if name == "has" { "has(issue.title)" } else { "issue.labels.exists(label, label == \"bug\")" }
            ));
        }
        // A name that the engine has cannot be given to another.
        if self.functions.add_function(name, || true).is_err() {
            return None;
        }
        let name = clean_line(name, 60);
        Some(match nearest(&name, FUNCTIONS.into_iter().chain(MACROS)) {
            Some(near) => format!("there is no function `{name}`; did you mean `{near}`?"),
            None => format!("there is no function `{name}`"),
        })
    }

    fn pattern(&mut self, call: &IdedExpr) {
        let Some(pattern) = literal_pattern(call) else {
            let message = "matches() takes its pattern as a literal text, so that it can be checked here".to_owned();
            return self.refuse(call, message);
        };
        if pattern.len() > PATTERN_LIMIT || self.patterns.len() >= PATTERNS {
            let message = format!("at most {PATTERNS} patterns of {PATTERN_LIMIT} bytes each can stand in a condition");
            return self.refuse(call, message);
        }
        match RegexBuilder::new(pattern).size_limit(PATTERN_SIZE).dfa_size_limit(PATTERN_SIZE * 4).build() {
            Ok(regex) => self.patterns.push((function_name(pattern), regex)),
            Err(regex::Error::CompiledTooBig(_)) => self.refuse(call, "this pattern is too large".to_owned()),
            Err(error) => {
                let reason = error.to_string();
                let last = reason.lines().last().unwrap_or("").trim_start_matches("error: ");
                self.refuse(call, format!("this pattern is not valid: {last}"));
            }
        }
    }

    fn refuse(&mut self, at: &IdedExpr, message: String) {
        let offset = self.info.offset_for(at.id).map_or(0, |(start, _)| start as usize);
        let before: String = self.info.source.chars().take(offset).collect();
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        self.fault.get_or_insert(ConditionFault { message, line, column });
    }
}

/// What the parser makes other things of, where it is written as it should be.
const MACROS: [&str; 6] = ["all", "exists", "exists_one", "filter", "has", "map"];

/// The functions that conditions have use for, to say what was meant.
const FUNCTIONS: [&str; 18] = [
    "bool",
    "bytes",
    "contains",
    "double",
    "duration",
    "endsWith",
    "getDayOfWeek",
    "getFullYear",
    "getHours",
    "getMinutes",
    "getMonth",
    "int",
    "matches",
    "size",
    "startsWith",
    "string",
    "timestamp",
    "uint",
];

/// Names that CEL itself knows as types.
const TYPES: [&str; 12] =
    ["bool", "bytes", "double", "duration", "dyn", "int", "list", "map", "null_type", "string", "timestamp", "uint"];

fn is_call(expression: &IdedExpr, name: &str) -> bool {
    matches!(&expression.expr, Expr::Call(call) if call.func_name == name)
}

/// The pattern of `text.matches("…")` or `matches(text, "…")`.
fn literal_pattern(call: &IdedExpr) -> Option<&str> {
    let Expr::Call(call) = &call.expr else { return None };
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

fn replace_patterns(expression: &mut IdedExpr) {
    let name = literal_pattern(expression).filter(|_| is_call(expression, "matches")).map(function_name);
    match (&mut expression.expr, name) {
        (Expr::Call(call), name) => {
            if let Some(name) = name {
                call.func_name = name;
                call.args.pop();
            }
            call.target.as_deref_mut().into_iter().chain(&mut call.args).for_each(replace_patterns);
        }
        (Expr::Comprehension(c), _) => {
            [&mut c.iter_range, &mut c.accu_init, &mut c.loop_cond, &mut c.loop_step, &mut c.result]
                .into_iter()
                .for_each(replace_patterns);
        }
        (Expr::List(list), _) => list.elements.iter_mut().for_each(replace_patterns),
        (Expr::Select(select), _) => replace_patterns(&mut select.operand),
        (Expr::Map(map), _) => {
            for entry in &mut map.entries {
                if let cel::common::ast::EntryExpr::MapEntry(entry) = &mut entry.expr {
                    replace_patterns(&mut entry.key);
                    replace_patterns(&mut entry.value);
                }
            }
        }
        _ => {}
    }
}
