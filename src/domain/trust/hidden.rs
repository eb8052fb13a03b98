//! The characters that a reader cannot see but a language model can. Kept as one list, because each
//! forgotten range is a hidden channel.

/// Removes invisible characters; every kind of line end becomes `\n`.
pub(super) fn remove_invisible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let mut before = '\n';
    while let Some(c) = chars.next() {
        let kept = match c {
            '\r' => {
                chars.next_if_eq(&'\n');
                '\n'
            }
            '\u{85}' | '\u{2028}' | '\u{2029}' => '\n',
            // Variation selectors 15 and 16 choose how a symbol is drawn; anywhere else they only hide data.
            '\u{FE0E}' | '\u{FE0F}' if is_symbol(before) => c,
            _ if is_invisible(c) => continue,
            _ => c,
        };
        out.push(kept);
        before = kept;
    }
    out
}

/// Characters that have a drawing as text and one as emoji, widely.
pub(super) fn is_symbol(c: char) -> bool {
    matches!(c, '#' | '*' | '0'..='9' | '©' | '®' | '‼' | '⁉' | '\u{2100}'..='\u{2BFF}' | '〰' | '〽' | '㊗' | '㊙'
        | '\u{1F000}'..='\u{1FAFF}')
}

/// Control, format, filler, tag and variation characters (after Unicode's `Default_Ignorable_Code_Point`), and
/// signs that are drawn as nothing: the empty braille pattern and the null note head.
pub(super) fn is_invisible(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control() && c != '\n' && c != '\t';
    }
    matches!(c,
        '\u{80}'..='\u{9F}' | '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
        | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}'
        | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D159}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}
