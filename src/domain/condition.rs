//! (being built: see the brief)

/// A condition.
#[derive(Debug, Clone)]
pub struct Condition(String);

/// Why a text is no condition.
#[derive(Debug, Clone)]
pub struct ConditionFault {
    /// What is wrong.
    pub message: String,
    /// The line inside the text, from 1.
    pub line: usize,
    /// The column inside the text, from 1.
    pub column: usize,
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    /// When an operator lacks its right side.
    pub fn parse(text: &str) -> Result<Self, ConditionFault> {
        for (index, line) in text.lines().enumerate() {
            if let Some(column) = line.find("&& &&") {
                return Err(ConditionFault {
                    message: "unexpected &&".to_owned(),
                    line: index + 1,
                    column: column + 4,
                });
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// The text it was made from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.0
    }
}
