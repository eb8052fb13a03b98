//! What can be said of a template's text before it is parsed, and the engine's own faults in our words.

use minijinja::machinery::{Token, tokenize};

use super::TemplateFault;

/// Most signs and words of one pair of braces that can make its expression deeper: the parser and all that walks what it made
/// call themselves for each, and a thread's stack is gone at some thousands.
const LINKS: usize = 400;
/// Most `elif` of a template, for the same reason.
const BRANCHES: usize = 100;

/// Chains that are too long are refused before the parser sees them.
pub(super) fn length(text: &str) -> Result<(), TemplateFault> {
    let (mut links, mut branches) = (0_usize, 0_usize);
    // What is no sign or word, the parser tells.
    for (token, span) in tokenize(text, false, minijinja::syntax::SyntaxConfig::default()).map_while(Result::ok) {
        match token {
            Token::VariableStart | Token::BlockStart => links = 0,
            Token::Ident("elif") => branches += 1,
            Token::Ident("not" | "if" | "else" | "and" | "or" | "in" | "is") => links += 1,
            Token::Comma | Token::Colon | Token::Ident(_) | Token::TemplateData(_) => {}
            Token::BracketClose | Token::ParenClose | Token::BraceClose => {}
            Token::Str(_) | Token::String(_) | Token::Int(_) | Token::Int128(_) | Token::Float(_) => {}
            _ => links += 1,
        }
        let message = if links > LINKS {
            "this expression is too long; split it with `{% set … %}`".to_owned()
        } else if branches > BRANCHES {
            format!("a template has at most {BRANCHES} `elif`")
        } else {
            continue;
        };
        let line = text[..text.floor_char_boundary(span.start_offset as usize)].matches('\n').count() + 1;
        return Err(TemplateFault { message, line: Some(line), column: None });
    }
    Ok(())
}

pub(super) fn fault(error: &minijinja::Error) -> TemplateFault {
    TemplateFault { message: sentence(error), line: error.line(), column: None }
}

/// The engine's words, bounded.
pub(super) fn sentence(error: &minijinja::Error) -> String {
    let detail = error.detail().map_or_else(String::new, |detail| format!(": {detail}"));
    super::super::trust::clean_line(&format!("{}{detail}", error.kind()), 300)
}
