//! Faults of a template that can be known before any event comes: all its branches are gone through, with what is known of
//! each value. What is not known is never called a mistake.

mod filter;
mod read;

use std::collections::{BTreeMap, BTreeSet};

use minijinja::machinery::ast::{Call, CallArg, Expr, ForLoop, IfCond, Set, Stmt};

use super::super::trust::clean_line;
use super::super::view::{NAMES, Shape, unknown_name};
use super::TemplateFault;
use super::fault::MOST;
use super::words::{self, Given, Kind};
use read::{assigned, constant, end, no_method, path, start, written};

/// What a loop tells of itself.
const LOOP: [&str; 9] = ["index", "index0", "revindex", "revindex0", "first", "last", "length", "depth", "depth0"];

/// What a template mentions.
#[derive(Debug, Default)]
pub(super) struct Mentioned {
    /// The names at the top of the view.
    pub(super) names: BTreeSet<String>,
    /// The paths below them, each as far as it is written out.
    pub(super) paths: BTreeSet<String>,
}

/// Goes through a template that was parsed from `text`.
///
/// # Errors
/// The faults on the way, as many as are told at once.
pub(super) fn check(text: &str, template: &Stmt<'_>) -> Result<Mentioned, Vec<TemplateFault>> {
    let (scopes, mentioned) = (vec![BTreeMap::new()], Mentioned::default());
    let mut walk = Walk { text, scopes, loops: 0, mentioned, faults: Vec::new() };
    if let Err(fault) = walk.statement(template) {
        walk.note(fault);
    }
    if walk.faults.is_empty() { Ok(walk.mentioned) } else { Err(walk.faults) }
}

type Found = Result<Shape, TemplateFault>;

struct Walk<'a> {
    text: &'a str,
    /// What was set, the innermost last.
    scopes: Vec<BTreeMap<&'a str, Shape>>,
    /// How many loops are around.
    loops: usize,
    mentioned: Mentioned,
    faults: Vec<TemplateFault>,
}

impl<'a> Walk<'a> {
    fn statements(&mut self, statements: &[Stmt<'a>]) -> Result<(), TemplateFault> {
        statements.iter().try_for_each(|statement| self.statement(statement))
    }

    fn statement(&mut self, statement: &Stmt<'a>) -> Result<(), TemplateFault> {
        match statement {
            Stmt::Template(template) => self.statements(&template.children),
            Stmt::EmitExpr(emit) => self.value(&emit.expr).map(drop),
            Stmt::ForLoop(each) => self.each(each),
            Stmt::IfCond(choice) => self.choice(choice),
            Stmt::WithBlock(with) => {
                self.scopes.push(BTreeMap::new());
                for (target, value) in &with.assignments {
                    let shape = self.value(value)?;
                    self.assign(target, shape);
                }
                self.statements(&with.body)?;
                self.scopes.pop();
                Ok(())
            }
            Stmt::Set(set) => self.set(set),
            Stmt::SetBlock(set) => {
                self.statements(&set.body)?;
                let shape = match &set.filter {
                    Some(filter) => self.value(filter)?,
                    None => Shape::Text,
                };
                self.assign(&set.target, shape);
                Ok(())
            }
            Stmt::AutoEscape(escape) => {
                self.value(&escape.enabled)?;
                self.statements(&escape.body)
            }
            Stmt::FilterBlock(block) => {
                self.statements(&block.body)?;
                self.value(&block.filter).map(drop)
            }
            Stmt::Do(done) => {
                let outcome = self.call(&done.call);
                self.noted(outcome);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn set(&mut self, set: &Set<'a>) -> Result<(), TemplateFault> {
        match (&set.target, &set.expr) {
            (Expr::List(targets), Expr::Tuple(values)) if targets.items.len() == values.items.len() => {
                let shapes = values.items.iter().map(|value| self.value(value)).collect::<Result<Vec<_>, _>>()?;
                targets.items.iter().zip(shapes).for_each(|(target, shape)| self.assign(target, shape));
            }
            // A part of a namespace.
            (Expr::GetAttr(part), value) => {
                self.value(value)?;
                self.value(&part.expr)?;
            }
            (target, value) => {
                let shape = self.value(value)?;
                self.assign(target, shape);
            }
        }
        Ok(())
    }

    fn assign(&mut self, target: &Expr<'a>, shape: Shape) {
        match target {
            Expr::Var(name) => {
                if let Some(scope) = self.scopes.last_mut() {
                    scope.insert(name.id, shape);
                }
            }
            Expr::List(several) => several.items.iter().for_each(|target| self.assign(target, Shape::Unknown)),
            Expr::Tuple(several) => several.items.iter().for_each(|target| self.assign(target, Shape::Unknown)),
            _ => {}
        }
    }

    /// What is set in a branch is set behind it too: as this or as that, whichever was run.
    fn choice(&mut self, choice: &IfCond<'a>) -> Result<(), TemplateFault> {
        self.value(&choice.expr)?;
        let mut branches = Vec::new();
        for body in [&choice.true_body, &choice.false_body] {
            self.scopes.push(BTreeMap::new());
            self.statements(body)?;
            branches.extend(self.scopes.pop());
        }
        let names: BTreeSet<&'a str> = branches.iter().flat_map(|set| set.keys().copied()).collect();
        for name in names {
            let before = self.known(name);
            let shapes = branches.iter().filter_map(|set| set.get(name).cloned().or_else(|| before.clone()));
            let shape = shapes.reduce(Shape::or).unwrap_or(Shape::Unknown);
            if let Some(scope) = self.scopes.last_mut() {
                scope.insert(name, shape);
            }
        }
        Ok(())
    }

    fn each(&mut self, each: &ForLoop<'a>) -> Result<(), TemplateFault> {
        let over = self.value(&each.iter)?;
        if let (Shape::Number | Shape::Truth, Some(what)) = (&over, over.in_words()) {
            let message = format!("`{}` is {what}, and no list to go through", written(&each.iter));
            self.note(self.fault(start(&each.iter), message));
        }
        // A loop that calls itself goes through other things too.
        let entry = if each.recursive { Shape::Unknown } else { over.entry() };
        // What a round sets, the next one sees.
        let mut inner = BTreeMap::new();
        assigned(&each.body, &mut inner);
        self.scopes.push(inner);
        self.assign(&each.target, entry);
        if let Some(filter) = &each.filter_expr {
            self.value(filter)?;
        }
        self.loops += 1;
        self.statements(&each.body)?;
        self.loops -= 1;
        self.scopes.pop();
        self.statements(&each.else_body)
    }

    /// What is known of a name that the template sets.
    fn known(&self, name: &str) -> Option<Shape> {
        self.scopes.iter().rev().find_map(|scope| scope.get(name)).cloned()
    }

    fn note(&mut self, fault: TemplateFault) {
        if self.faults.len() < MOST && !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// A fault is noted, and what has it is unknown from there on, so that nothing follows from it.
    fn noted(&mut self, found: Found) -> Shape {
        found.unwrap_or_else(|fault| {
            self.note(fault);
            Shape::Unknown
        })
    }

    /// What an expression gives.
    fn value(&mut self, value: &Expr<'a>) -> Found {
        let found = self.of(value);
        let shape = self.noted(found);
        // The whole path counts, not the beginnings of it.
        if let Some(path) = path(value)
            && let Some(top) = path.split('.').next()
            && NAMES.contains(&top)
            && self.known(top).is_none()
        {
            self.mentioned.paths.insert(path);
        }
        Ok(shape)
    }

    fn of(&mut self, value: &Expr<'a>) -> Found {
        Ok(match value {
            Expr::Var(name) => return self.name(name.id, start(value)),
            Expr::Const(constant) => match constant.value.kind() {
                minijinja::value::ValueKind::String => Shape::Text,
                minijinja::value::ValueKind::Number => Shape::Number,
                minijinja::value::ValueKind::Bool => Shape::Truth,
                _ => Shape::Unknown,
            },
            Expr::Slice(slice) => {
                for bound in [&slice.start, &slice.stop, &slice.step].into_iter().flatten() {
                    self.value(bound)?;
                }
                match self.value(&slice.expr)? {
                    shape @ (Shape::Text | Shape::List(_) | Shape::Sent) => shape,
                    _ => Shape::Unknown,
                }
            }
            Expr::UnaryOp(operator) => {
                self.value(&operator.expr)?;
                Shape::Unknown
            }
            Expr::BinOp(operator) => {
                use minijinja::machinery::ast::BinOpKind::{Concat, ScAnd, ScOr};
                let (left, right) = (self.value(&operator.left)?, self.value(&operator.right)?);
                match operator.op {
                    Concat => Shape::Text,
                    ScAnd | ScOr => left.or(right),
                    _ => Shape::Unknown,
                }
            }
            Expr::Compare(compare) => {
                self.value(&compare.expr)?;
                compare.ops.iter().try_for_each(|operator| self.value(&operator.expr).map(drop))?;
                Shape::Truth
            }
            Expr::IfExpr(choice) => {
                self.value(&choice.test_expr)?;
                let yes = self.value(&choice.true_expr)?;
                match &choice.false_expr {
                    Some(no) => yes.or(self.value(no)?),
                    None => yes,
                }
            }
            Expr::Filter(filter) => return self.filter(filter, start(value)),
            Expr::Test(test) => return self.test(test, start(value)),
            Expr::GetAttr(part) => {
                let shape = self.of(&part.expr)?;
                let at = end(value).saturating_sub(part.name.len());
                return self.part(&part.expr, &shape, part.name, at);
            }
            Expr::GetItem(item) => {
                let shape = self.of(&item.expr)?;
                self.value(&item.subscript_expr)?;
                match (constant(&item.subscript_expr), &shape) {
                    (Some(name), _) => return self.part(&item.expr, &shape, name, start(&item.subscript_expr)),
                    (None, Shape::List(_) | Shape::Sent) => shape.entry(),
                    (None, _) => Shape::Unknown,
                }
            }
            Expr::Call(call) => return self.call(call),
            Expr::List(list) => {
                let entries = list.items.iter().map(|entry| self.value(entry)).collect::<Result<Vec<_>, _>>()?;
                entries.into_iter().reduce(Shape::or).unwrap_or(Shape::Unknown).listed()
            }
            Expr::Tuple(tuple) => {
                tuple.items.iter().try_for_each(|entry| self.value(entry).map(drop))?;
                Shape::Unknown
            }
            Expr::Map(map) => {
                map.keys.iter().chain(&map.values).try_for_each(|entry| self.value(entry).map(drop))?;
                Shape::Unknown
            }
        })
    }

    fn name(&mut self, name: &'a str, at: usize) -> Found {
        if let Some(shape) = self.known(name) {
            return Ok(shape);
        }
        if let Some(shape) = Shape::of_name(name) {
            self.mentioned.names.insert(name.to_owned());
            return Ok(shape);
        }
        match name {
            "loop" if self.loops > 0 => Ok(Shape::Unknown),
            "loop" => Err(self.fault(at, "`loop` is there inside of `{% for … %}` only".to_owned())),
            _ if words::FUNCTIONS.iter().any(|function| function.name == name) => Ok(Shape::Unknown),
            _ => Err(self.fault(at, unknown_name(name))),
        }
    }

    fn part(&mut self, of: &Expr<'a>, shape: &Shape, name: &str, at: usize) -> Found {
        if let Expr::Var(var) = of
            && var.id == "loop"
            && !LOOP.contains(&name)
        {
            let message = format!("`loop` has no `{}`; it has {}", clean_line(name, 60), LOOP.join(", "));
            return Err(self.fault(at, message));
        }
        let of = written(of);
        let length = matches!(name, "length" | "size" | "count" | "len");
        let part = match shape.in_words().filter(|_| length && !matches!(shape, Shape::Thing(_))) {
            Some(what) => Err(format!("`{of}` is {what} and has no `{name}`: write `{of} | length`")),
            None => shape.part(&of, name),
        };
        part.map_err(|message| self.fault(at, message))
    }

    fn call(&mut self, call: &Call<'a>) -> Found {
        match &call.expr {
            Expr::Var(name) if self.known(name.id).is_some() || name.id == "loop" => {
                self.value(&call.expr)?;
                self.arguments(&call.args)?;
                Ok(Shape::Unknown)
            }
            Expr::Var(name) if NAMES.contains(&name.id) => {
                Err(self.fault(start(&call.expr), format!("`{}` is no function", name.id)))
            }
            Expr::Var(name) => {
                let first = call.args.iter().find_map(|argument| match argument {
                    CallArg::Pos(value) => path(value),
                    _ => None,
                });
                let (given, _) = self.arguments(&call.args)?;
                words::find(Kind::Function, name.id, first.as_deref())
                    .and_then(|word| word.takes(Kind::Function, &given))
                    .map_err(|message| self.fault(start(&call.expr), message))?;
                Ok(if name.id == "range" { Shape::Number.listed() } else { Shape::Unknown })
            }
            Expr::GetAttr(method) => {
                let shape = self.value(&method.expr)?;
                self.arguments(&call.args)?;
                let is_loop = matches!(&method.expr, Expr::Var(name) if name.id == "loop");
                if is_loop && !matches!(method.name, "changed" | "cycle") || (!is_loop && shape != Shape::Unknown) {
                    let at = end(&call.expr).saturating_sub(method.name.len());
                    let of = written(&method.expr);
                    let message = match (&shape, shape.part(&of, method.name)) {
                        (Shape::Thing(_), Ok(_)) => format!("`{of}.{}` is no function", method.name),
                        _ => no_method(&of, method.name),
                    };
                    return Err(self.fault(at, message));
                }
                Ok(Shape::Unknown)
            }
            other => {
                self.value(other)?;
                self.arguments(&call.args)?;
                Ok(Shape::Unknown)
            }
        }
    }

    /// Goes through arguments, and counts them; what the first one is.
    fn arguments(&mut self, arguments: &[CallArg<'a>]) -> Result<(Given<'a>, Option<Shape>), TemplateFault> {
        let mut first = None;
        let mut given = Given { placed: Some(0), named: Vec::new() };
        for argument in arguments {
            match argument {
                CallArg::Pos(value) => {
                    let shape = self.value(value)?;
                    first.get_or_insert(shape);
                    given.placed = given.placed.map(|count| count + 1);
                }
                CallArg::Kwarg(name, value) => {
                    self.value(value)?;
                    given.named.push(name);
                }
                CallArg::PosSplat(value) | CallArg::KwargSplat(value) => {
                    self.value(value)?;
                    given.placed = None;
                }
            }
        }
        Ok((given, first))
    }

    fn fault(&self, at: usize, message: String) -> TemplateFault {
        let before = &self.text[..self.text.floor_char_boundary(at)];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        TemplateFault { message, line: Some(line), column: Some(column) }
    }
}
