//! Filters and tests: whether there are such, what they are given, and what comes out.

use minijinja::machinery::ast::{CallArg, Filter, Test};

use super::super::super::trust::clean_line;
use super::super::super::view::Shape;
use super::super::TemplateFault;
use super::super::words::{self, Kind};
use super::read::{constant, path, start, written};
use super::{Found, Walk};

impl<'a> Walk<'a> {
    pub(super) fn filter(&mut self, filter: &Filter<'a>, at: usize) -> Found {
        let shape = match &filter.expr {
            Some(value) => self.value(value)?,
            // A block of text.
            None => Shape::Text,
        };
        let (given, first) = self.arguments(&filter.args)?;
        let of = filter.expr.as_ref().and_then(path);
        words::find(Kind::Filter, filter.name, of.as_deref())
            .and_then(|word| word.takes(Kind::Filter, &given))
            .map_err(|message| self.fault(at, message))?;
        self.named_words(filter)?;
        self.attributes(filter, &shape)?;
        Ok(gives(filter, shape, first))
    }

    pub(super) fn test(&mut self, test: &Test<'a>, at: usize) -> Found {
        self.value(&test.expr)?;
        let (given, _) = self.arguments(&test.args)?;
        words::find(Kind::Test, test.name, path(&test.expr).as_deref())
            .and_then(|word| word.takes(Kind::Test, &given))
            .map_err(|message| self.fault(at, message))?;
        Ok(Shape::Truth)
    }

    /// Filters and tests that are named in quotes: `map("upper")`.
    fn named_words(&self, filter: &Filter<'a>) -> Result<(), TemplateFault> {
        let (kind, place) = match filter.name {
            "map" => (Kind::Filter, 0),
            "select" | "reject" => (Kind::Test, 0),
            "selectattr" | "rejectattr" => (Kind::Test, 1),
            _ => return Ok(()),
        };
        let Some(CallArg::Pos(name)) = filter.args.get(place) else { return Ok(()) };
        // Of tests there are also those that are signs.
        let Some(word) = constant(name).filter(|word| word.starts_with(|c: char| c.is_alphabetic())) else {
            return Ok(());
        };
        words::find(kind, word, None).map(drop).map_err(|message| self.fault(start(name), message))
    }

    /// Parts that are named in quotes, of the value or of each of its entries: `map(attribute="login")`.
    fn attributes(&self, filter: &Filter<'a>, shape: &Shape) -> Result<(), TemplateFault> {
        let by_name = filter.args.iter().find_map(|argument| match argument {
            CallArg::Kwarg("attribute", value) => Some(value),
            _ => None,
        });
        let by_place = match (filter.name, filter.args.first()) {
            ("attr" | "groupby" | "rejectattr" | "selectattr" | "sum", Some(CallArg::Pos(value))) => Some(value),
            _ => None,
        };
        let Some(value) = by_place.or(by_name) else { return Ok(()) };
        let Some(name) = constant(value) else { return Ok(()) };
        let of = filter.expr.as_ref().map_or_else(|| "it".to_owned(), written);
        if filter.name == "attr" {
            return shape.part(&of, name).map(drop).map_err(|message| self.fault(start(value), message));
        }
        let Shape::List(entry) = shape else { return Ok(()) };
        let first = name.split('.').next().unwrap_or_default();
        // A number is a place in the entry.
        if first.parse::<i64>().is_ok() || entry.part(&of, first).is_ok() {
            return Ok(());
        }
        let what = entry.in_words().unwrap_or_default();
        let name = clean_line(first, 60);
        let hint = if filter.name == "map" { format!(": write `{of}` alone") } else { String::new() };
        Err(self.fault(start(value), format!("each entry of `{of}` is {what} and has no `{name}`{hint}")))
    }
}

/// What a filter makes of a value.
fn gives(filter: &Filter<'_>, shape: Shape, first: Option<Shape>) -> Shape {
    match filter.name {
        "count" | "float" | "int" | "length" | "round" => Shape::Number,
        "capitalize" | "e" | "escape" | "format" | "indent" | "join" | "lower" | "pprint" | "replace" | "safe"
        | "string" | "title" | "trim" | "upper" => Shape::Text,
        "bool" => Shape::Truth,
        "lines" | "split" => Shape::Text.listed(),
        "first" | "last" | "max" | "min" => match shape {
            Shape::List(_) | Shape::Sent => shape.entry(),
            _ => Shape::Unknown,
        },
        "list" | "reject" | "rejectattr" | "reverse" | "select" | "selectattr" | "sort" | "unique" => match shape {
            Shape::List(_) | Shape::Sent => shape,
            _ => Shape::Unknown,
        },
        "d" | "default" => shape.or(first.unwrap_or(Shape::Text)),
        _ => Shape::Unknown,
    }
}
