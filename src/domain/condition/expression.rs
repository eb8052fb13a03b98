//! What a part of a condition says by itself.

use cel::common::ast::operators::INDEX;
use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue};

use super::super::trust::clean_line;

/// `a.b.c` if the expression is only that, also inside `has()`, and also when it is written `a["b"].c`.
pub(super) fn path(expression: &IdedExpr) -> Option<String> {
    match &expression.expr {
        Expr::Ident(name) => Some(name.clone()),
        Expr::Select(select) => Some(format!("{}.{}", path(&select.operand)?, select.field)),
        Expr::Call(call) if call.func_name == INDEX => match call.args.as_slice() {
            [of, name] => {
                let name = literal(name).filter(|name| !name.is_empty() && !name.contains('.'))?;
                Some(format!("{}.{name}", path(of)?))
            }
            _ => None,
        },
        _ => None,
    }
}

/// A value as a fault names it: its path, or what stands for a value that has none.
pub(super) fn written(expression: &IdedExpr) -> String {
    path(expression).map_or_else(|| "it".to_owned(), |path| clean_line(&path, 120))
}

/// The text, if the expression is one that is written out.
pub(super) fn literal(expression: &IdedExpr) -> Option<&str> {
    match &expression.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

/// Calls `visit` for each direct part of an expression.
pub(super) fn children<'a>(expression: &'a IdedExpr, visit: &mut dyn FnMut(&'a IdedExpr)) {
    match &expression.expr {
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).for_each(visit),
        Expr::Comprehension(comprehension) => {
            let c = comprehension;
            [&c.iter_range, &c.accu_init, &c.loop_cond, &c.loop_step, &c.result].into_iter().for_each(visit);
        }
        Expr::List(list) => list.elements.iter().for_each(visit),
        Expr::Select(select) => visit(&select.operand),
        Expr::Map(map) => map.entries.iter().for_each(|entry| entry_children(&entry.expr, visit)),
        Expr::Struct(fields) => fields.entries.iter().for_each(|entry| entry_children(&entry.expr, visit)),
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => {}
    }
}

fn entry_children<'a>(entry: &'a EntryExpr, visit: &mut dyn FnMut(&'a IdedExpr)) {
    match entry {
        EntryExpr::MapEntry(entry) => [&entry.key, &entry.value].into_iter().for_each(visit),
        EntryExpr::StructField(field) => visit(&field.value),
    }
}
