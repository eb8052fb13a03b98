//! What operators give, and comparisons that can never hold: of a number and a text, say.

use cel::common::ast::operators::{
    ADD, CONDITIONAL, EQUALS, GREATER, GREATER_EQUALS, IN, LESS, LESS_EQUALS, LOGICAL_AND, LOGICAL_NOT, LOGICAL_OR,
    NOT_EQUALS, NOT_STRICTLY_FALSE,
};
use cel::common::ast::{CallExpr, Expr, IdedExpr};

use super::super::view::Shape;
use super::expression::{literal, written};

/// What an operator gives for values of these shapes.
///
/// # Errors
/// What is wrong, in a sentence.
pub(super) fn check(call: &CallExpr, values: &[Shape]) -> Result<Shape, String> {
    match (call.func_name.as_str(), call.args.as_slice(), values) {
        (CONDITIONAL, [_, yes, no], [_, if_yes, if_no]) => Ok(match (collected(yes), collected(no)) {
            (true, _) => if_no.clone(),
            (_, true) => if_yes.clone(),
            _ => if_yes.clone().or(if_no.clone()),
        }),
        (ADD, [left, _], [_, more]) if collected(left) => Ok(more.clone()),
        (ADD, _, [left, right]) => Ok(left.clone().or(right.clone())),
        (EQUALS | NOT_EQUALS, [left, right], [one, other]) => {
            comparable((left, one), (right, other))?;
            Ok(Shape::Truth)
        }
        (IN, [_, list], [_, shape]) => match (shape, shape.in_words()) {
            (Shape::Text, _) => {
                let list = written(list);
                Err(format!("`in` looks into lists, and `{list}` is a text: write `{list}.contains(\"x\")`"))
            }
            (Shape::Number | Shape::Truth, Some(what)) => {
                Err(format!("`in` looks into lists, and `{}` is {what}", written(list)))
            }
            _ => Ok(Shape::Truth),
        },
        (
            LOGICAL_AND | LOGICAL_OR | LOGICAL_NOT | NOT_STRICTLY_FALSE | GREATER | GREATER_EQUALS | LESS | LESS_EQUALS,
            ..,
        ) => Ok(Shape::Truth),
        _ => Ok(Shape::Unknown),
    }
}

/// What a macro has collected so far; no rule can write this name.
fn collected(expression: &IdedExpr) -> bool {
    matches!(&expression.expr, Expr::Ident(name) if name.starts_with('@'))
}

fn comparable(left: (&IdedExpr, &Shape), right: (&IdedExpr, &Shape)) -> Result<(), String> {
    // What is written out stands on the right in the sentence.
    let ((of, shape), (with, other)) =
        if matches!(left.0.expr, Expr::Literal(_)) { (right, left) } else { (left, right) };
    let (Some(what), Some(than)) = (shape.in_words(), other.in_words()) else { return Ok(()) };
    if std::mem::discriminant(shape) == std::mem::discriminant(other) {
        return Ok(());
    }
    let of = written(of);
    let hint = match (shape, literal(with)) {
        (Shape::List(_), Some(_)) => format!(": write `\"x\" in {of}`"),
        (Shape::Number, Some(text)) if text.parse::<f64>().is_ok() => ": write it without quotes".to_owned(),
        (Shape::Truth, Some("true" | "false")) => ": write it without quotes".to_owned(),
        (Shape::Thing("actor" | "subject.author"), Some(_)) => format!(": write `{of}.login`"),
        (Shape::Thing("repo"), Some(_)) => format!(": write `{of}.full_name`"),
        (Shape::Thing("label" | "command"), Some(_)) => format!(": write `{of}.name`"),
        _ => String::new(),
    };
    Err(format!("`{of}` is {what} and never the same as {than}{hint}"))
}
