//! (being built: see the brief)

/// A template.
#[derive(Debug, Clone)]
pub struct Template(String);

/// Why a text is no template.
#[derive(Debug, Clone)]
pub struct TemplateFault {
    /// What is wrong.
    pub message: String,
    /// The line inside the text, from 1.
    pub line: Option<usize>,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// When a placeholder is not closed.
    pub fn parse(text: &str) -> Result<Self, TemplateFault> {
        match text.lines().position(|line| line.matches("{{").count() != line.matches("}}").count()) {
            Some(line) => Err(TemplateFault { message: "unclosed".to_owned(), line: Some(line + 1) }),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// The text it was made from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.0
    }
}
