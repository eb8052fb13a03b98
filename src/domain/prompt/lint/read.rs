//! What an expression says by itself: a path, a text that is written out, a place, names that are set.

use std::collections::BTreeMap;

use minijinja::machinery::ast::{Expr, Stmt};

use super::super::super::trust::clean_line;
use super::super::super::view::Shape;
use super::super::words::{self, Kind};

/// A filter does what elsewhere a method does.
pub(super) fn no_method(of: &str, name: &str) -> String {
    let said = format!("templates have no methods such as `{}()`", clean_line(name, 60));
    match words::find(Kind::Filter, name, Some(of)) {
        Ok(word) => format!("{said}: write `{of} | {}`", word.name),
        Err(_) => match words::elsewhere(name) {
            Some(hint) => format!("{said}: {hint}"),
            None => format!("{said}; filters stand behind a bar, as in `{of} | trim`"),
        },
    }
}

/// The names that these statements set where they stand.
pub(super) fn assigned<'a>(statements: &[Stmt<'a>], into: &mut BTreeMap<&'a str, Shape>) {
    let mut target = |target: &Expr<'a>| match target {
        Expr::Var(name) => drop(into.insert(name.id, Shape::Unknown)),
        Expr::List(several) => several.items.iter().for_each(|item| {
            if let Expr::Var(name) = item {
                into.insert(name.id, Shape::Unknown);
            }
        }),
        _ => {}
    };
    for statement in statements {
        match statement {
            Stmt::Set(set) => target(&set.target),
            Stmt::SetBlock(set) => target(&set.target),
            _ => {}
        }
    }
    for statement in statements {
        match statement {
            Stmt::IfCond(choice) => {
                assigned(&choice.true_body, into);
                assigned(&choice.false_body, into);
            }
            Stmt::SetBlock(set) => assigned(&set.body, into),
            Stmt::AutoEscape(escape) => assigned(&escape.body, into),
            Stmt::FilterBlock(block) => assigned(&block.body, into),
            Stmt::ForLoop(each) => assigned(&each.else_body, into),
            _ => {}
        }
    }
}

/// The path, if the expression is a name and parts of it, also when they are written `["part"]`.
pub(super) fn path(value: &Expr<'_>) -> Option<String> {
    match value {
        Expr::Var(name) => Some(name.id.to_owned()),
        Expr::GetAttr(part) => Some(format!("{}.{}", path(&part.expr)?, part.name)),
        Expr::GetItem(item) => {
            let name = constant(&item.subscript_expr).filter(|name| !name.is_empty() && !name.contains('.'))?;
            Some(format!("{}.{name}", path(&item.expr)?))
        }
        _ => None,
    }
}

/// A value as a fault names it.
pub(super) fn written(value: &Expr<'_>) -> String {
    path(value).map_or_else(|| "it".to_owned(), |path| clean_line(&path, 120))
}

pub(super) fn constant<'v>(value: &'v Expr<'_>) -> Option<&'v str> {
    match value {
        Expr::Const(constant) => constant.value.as_str(),
        _ => None,
    }
}

pub(super) fn start(value: &Expr<'_>) -> usize {
    value.span().start_offset as usize
}

pub(super) fn end(value: &Expr<'_>) -> usize {
    value.span().end_offset as usize
}
