//! What is refused when a condition is loaded. Each bound stands for a measured way to make the engine
//! slow: deep nesting, long chains, macros inside macros, and patterns that are built anew for each event.

use std::collections::BTreeSet;
use std::sync::Arc;

use cel::Env;
use cel::common::ast::operators::INDEX;
use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, ListExpr, LiteralValue, SelectExpr, SourceInfo};
use regex::Regex;

use super::super::stack::with_room;
use super::super::view::{Shape, unknown_name};
use super::expression::{children, literal, written};
use super::fault::MOST;
use super::text::{brackets, lone_equals, name_before, name_behind, place, syntax};
use super::{ConditionFault, functions, operators, pattern};

const SOURCE_LIMIT: usize = 4_000;
const NODES: usize = 600;
const DEPTH: usize = 64;
/// How deep the parser may call itself, which costs it more stack than anything else: for brackets and for `a ? b : c`.
const PARSER_DEPTH: u16 = 24;

/// A condition that may be evaluated.
pub(super) struct Checked {
    pub(super) expression: IdedExpr,
    pub(super) names: BTreeSet<String>,
    pub(super) patterns: Vec<(String, Regex)>,
}

/// Checks a condition.
///
/// # Errors
/// What is wrong with it, in the order in which it is come upon: all that can be told at once.
pub(super) fn check(text: &str, env: &Arc<Env>) -> Result<Checked, Vec<ConditionFault>> {
    let start = |message: String| vec![ConditionFault { message, line: 1, column: 1 }];
    if text.trim().is_empty() {
        return Err(start("a condition is empty".to_owned()));
    }
    if text.len() > SOURCE_LIMIT {
        return Err(start(format!("a condition has at most {SOURCE_LIMIT} bytes")));
    }
    brackets(text).map_err(|fault| vec![fault])?;
    let parsed = with_room(|| env.parser().max_recursion_depth(PARSER_DEPTH).parse_with_source_info(text));
    let parsed = parsed.ok_or_else(|| vec![ConditionFault::unknown()])?;
    let (mut expression, info) = parsed.map_err(|errors| vec![lone_equals(text).unwrap_or_else(|| syntax(&errors))])?;
    let (bound, names, patterns) = (Vec::new(), BTreeSet::new(), Vec::new());
    let mut walk = Walk { info: &info, nodes: 0, bound, names, patterns, faults: Vec::new(), ended: false };
    walk.visit(&expression, 0);
    if !walk.faults.is_empty() {
        return Err(walk.faults);
    }
    let (names, mut patterns) = (walk.names, walk.patterns);
    patterns.dedup_by(|a, b| a.0 == b.0);
    pattern::replace(&mut expression);
    Ok(Checked { expression, names, patterns })
}

struct Walk<'a> {
    info: &'a SourceInfo,
    nodes: usize,
    /// The variables of the macro around this expression, and what they stand for.
    bound: Vec<(String, Shape)>,
    names: BTreeSet<String>,
    patterns: Vec<(String, Regex)>,
    /// What is faulty counts as unknown, so that nothing follows from it.
    faults: Vec<ConditionFault>,
    /// Whether nothing more is looked at.
    ended: bool,
}

impl Walk<'_> {
    /// What the expression gives, as far as it is known before an event comes.
    fn visit(&mut self, expression: &IdedExpr, depth: usize) -> Shape {
        self.nodes += 1;
        if self.ended {
            return Shape::Unknown;
        }
        if self.nodes > NODES || depth > DEPTH {
            self.ended = true;
            return self.refuse(expression, "this condition is too long; split it into several rules".to_owned());
        }
        match &expression.expr {
            Expr::Ident(name) => self.name(expression, name),
            Expr::Literal(literal) => match literal {
                LiteralValue::Boolean(_) => Shape::Truth,
                LiteralValue::Double(_) | LiteralValue::Int(_) | LiteralValue::UInt(_) => Shape::Number,
                LiteralValue::String(_) => Shape::Text,
                LiteralValue::Bytes(_) | LiteralValue::Null => Shape::Unknown,
            },
            Expr::Struct(_) => self.refuse(expression, "conditions cannot make objects".to_owned()),
            Expr::Comprehension(comprehension) => self.comprehension(expression, comprehension, depth),
            Expr::Select(select) => self.select(expression, select, depth),
            Expr::Call(call) => self.call(expression, call, depth),
            Expr::List(list) => self.list(list, depth),
            Expr::Map(_) | Expr::Unspecified => {
                children(expression, &mut |child| {
                    self.visit(child, depth + 1);
                });
                Shape::Unknown
            }
        }
    }

    fn name(&mut self, expression: &IdedExpr, name: &str) -> Shape {
        if name.starts_with('@') || TYPES.contains(&name) {
            return Shape::Unknown;
        }
        if let Some((_, shape)) = self.bound.iter().find(|(bound, _)| bound == name) {
            return shape.clone();
        }
        match Shape::of_name(name) {
            Some(shape) => {
                self.names.insert(name.to_owned());
                shape
            }
            None => self.refuse(expression, unknown_name(name)),
        }
    }

    fn list(&mut self, list: &ListExpr, depth: usize) -> Shape {
        let entries: Vec<_> = list.elements.iter().map(|entry| self.visit(entry, depth + 1)).collect();
        entries.into_iter().reduce(Shape::or).unwrap_or(Shape::Unknown).listed()
    }

    fn comprehension(&mut self, expression: &IdedExpr, comprehension: &ComprehensionExpr, depth: usize) -> Shape {
        if !self.bound.is_empty() {
            let message = "all, exists, map and filter cannot stand inside one another".to_owned();
            return self.refuse(expression, message);
        }
        let range = self.visit(&comprehension.iter_range, depth + 1);
        if let (Shape::Text | Shape::Number | Shape::Truth, Some(what)) = (&range, range.in_words()) {
            let message = format!("`{}` is {what}, and no list to go through", written(&comprehension.iter_range));
            return self.refuse(&comprehension.iter_range, message);
        }
        let second = comprehension.iter_var2.as_ref();
        // With two variables the first one is the place in the list.
        let entry = if second.is_some() { Shape::Unknown } else { range.entry() };
        self.bound.push((comprehension.iter_var.clone(), entry));
        self.bound.extend(second.map(|name| (name.clone(), Shape::Unknown)));
        self.visit(&comprehension.accu_init, depth + 1);
        self.visit(&comprehension.loop_cond, depth + 1);
        let step = self.visit(&comprehension.loop_step, depth + 1);
        self.visit(&comprehension.result, depth + 1);
        self.bound.clear();
        match comprehension.result.expr {
            Expr::Ident(_) => step,
            _ => Shape::Truth,
        }
    }

    fn select(&mut self, expression: &IdedExpr, select: &SelectExpr, depth: usize) -> Shape {
        let inner = self.visit(&select.operand, depth + 1);
        let of = written(&select.operand);
        self.part(&inner, &of, &select.field).unwrap_or_else(|message| self.refuse(expression, message))
    }

    fn part(&self, shape: &Shape, of: &str, name: &str) -> Result<Shape, String> {
        match (shape, name) {
            (Shape::Text | Shape::List(_), "length" | "size" | "count" | "len") => {
                let what = shape.in_words().unwrap_or_default();
                Err(format!("`{of}` is {what} and has no `{name}`: write `size({of})`"))
            }
            _ => shape.part(of, name),
        }
    }

    fn call(&mut self, expression: &IdedExpr, call: &CallExpr, depth: usize) -> Shape {
        // The engine's own names for operators have signs in them.
        if !call.func_name.chars().all(|c| c.is_alphanumeric() || c == '_') {
            let values = self.values(call, depth);
            return self.operator(expression, call, &values);
        }
        let target = call.target.as_deref().map(|target| self.visit(target, depth + 1));
        let said = functions::Call { name: &call.func_name, behind: target.is_some(), values: call.args.len() };
        let gives = match functions::check(&said) {
            Ok(gives) => gives,
            Err(message) => return self.refuse(expression, message),
        };
        let values = self.values(call, depth);
        let asked = call.target.as_deref().or(call.args.first()).zip(target.as_ref().or(values.first()));
        if let Some((asked, shape)) = asked
            && let Err(message) = functions::asks(said.name, &written(asked), shape)
        {
            return self.refuse(expression, message);
        }
        if said.name == "matches"
            && let Err(message) = pattern::build(expression, &mut self.patterns)
        {
            return self.refuse(expression, message);
        }
        gives
    }

    fn values(&mut self, call: &CallExpr, depth: usize) -> Vec<Shape> {
        call.args.iter().map(|value| self.visit(value, depth + 1)).collect()
    }

    fn operator(&mut self, expression: &IdedExpr, call: &CallExpr, values: &[Shape]) -> Shape {
        let checked = match (call.args.as_slice(), values) {
            ([of, place], [shape, _]) if call.func_name == INDEX => match literal(place) {
                Some(name) => self.part(shape, &written(of), name).map_err(|message| (self.offset(place), message)),
                None => Ok(match shape {
                    Shape::List(_) | Shape::Sent => shape.entry(),
                    _ => Shape::Unknown,
                }),
            },
            _ => operators::check(call, values).map_err(|message| (self.offset(expression), message)),
        };
        checked.unwrap_or_else(|(at, message)| self.refuse_at(at, message))
    }

    /// Where it is told, in characters: a part and a function at their names.
    fn place(&self, expression: &IdedExpr) -> usize {
        let source = &self.info.source;
        let named = match &expression.expr {
            Expr::Select(select) => name_behind(source, self.offset(&select.operand), &select.field),
            Expr::Call(CallExpr { func_name, target: Some(target), .. }) => {
                name_behind(source, self.offset(target), func_name)
            }
            Expr::Call(call) => name_before(source, self.offset(expression), &call.func_name),
            _ => None,
        };
        named.unwrap_or_else(|| self.offset(expression))
    }

    /// Where the parser has it: of a part the point before it, of a call the bracket.
    fn offset(&self, expression: &IdedExpr) -> usize {
        self.info.offset_for(expression.id).map_or(0, |(start, _)| start as usize)
    }

    fn refuse(&mut self, at: &IdedExpr, message: String) -> Shape {
        self.refuse_at(self.place(at), message)
    }

    fn refuse_at(&mut self, offset: usize, message: String) -> Shape {
        let (line, column) = place(&self.info.source, offset);
        let fault = ConditionFault { message, line, column };
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
        self.ended |= self.faults.len() >= MOST;
        Shape::Unknown
    }
}

/// Names that CEL itself knows as types.
const TYPES: [&str; 12] =
    ["bool", "bytes", "double", "duration", "dyn", "int", "list", "map", "null_type", "string", "timestamp", "uint"];
