//! Where in a JSON text one is, and what stands there (RFC 8259).

use std::borrow::Cow;

use super::Unreadable;

/// A place in a text.
pub(super) struct Reader<'de> {
    text: &'de str,
    at: usize,
}

impl<'de> Reader<'de> {
    pub(super) fn new(text: &'de str) -> Reader<'de> {
        Reader { text, at: 0 }
    }

    /// Makes sure that nothing follows.
    pub(super) fn end(&mut self) -> Result<(), Unreadable> {
        if self.peek() == 0 && self.at == self.text.len() { Ok(()) } else { Err(Unreadable) }
    }

    fn byte(&self) -> u8 {
        // A NUL is part of no JSON outside of strings, where it is looked for apart.
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    /// What comes next, blanks aside.
    fn peek(&mut self) -> u8 {
        while let b' ' | b'\n' | b'\r' | b'\t' = self.byte() {
            self.at += 1;
        }
        self.byte()
    }

    /// Goes over a sign, blanks aside.
    pub(super) fn open(&mut self, sign: u8) -> Result<(), Unreadable> {
        if self.peek() != sign {
            return Err(Unreadable);
        }
        self.at += 1;
        Ok(())
    }

    /// Goes to the next part of an object or a list; false at its end.
    pub(super) fn next_part(&mut self, first: bool, close: u8) -> Result<bool, Unreadable> {
        if self.peek() == close {
            self.at += 1;
            return Ok(false);
        }
        if !first {
            self.open(b',')?;
        }
        Ok(true)
    }

    fn word(&mut self, word: &str) -> Result<(), Unreadable> {
        if !self.text.as_bytes().get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
            return Err(Unreadable);
        }
        self.at += word.len();
        Ok(())
    }

    /// Goes over a null, if one is next.
    pub(super) fn null(&mut self) -> Result<bool, Unreadable> {
        if self.peek() != b'n' {
            return Ok(false);
        }
        self.word("null").map(|()| true)
    }

    pub(super) fn flag(&mut self) -> Result<bool, Unreadable> {
        let flag = self.peek() == b't';
        self.word(if flag { "true" } else { "false" })?;
        Ok(flag)
    }

    /// A whole number that is not negative.
    pub(super) fn number(&mut self) -> Result<u64, Unreadable> {
        self.peek();
        let from = self.at;
        self.skip_number()?;
        // Refuses signs, fractions and exponents.
        self.text[from..self.at].parse().map_err(|_| Unreadable)
    }

    pub(super) fn string(&mut self) -> Result<Cow<'de, str>, Unreadable> {
        self.open(b'"')?;
        let mut whole = String::new();
        loop {
            let from = self.at;
            let sign = self.sign()?;
            let plain = &self.text[from..self.at - 1];
            match sign {
                b'"' if whole.is_empty() => return Ok(Cow::Borrowed(plain)),
                b'"' => return Ok(Cow::Owned(whole + plain)),
                b'\\' => {
                    whole.push_str(plain);
                    whole.push(self.escape()?);
                }
                _ => return Err(Unreadable),
            }
        }
    }

    /// Goes behind the next sign that is more than a character of a string, and gives it.
    fn sign(&mut self) -> Result<u8, Unreadable> {
        let rest = &self.text.as_bytes()[self.at..];
        let at = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f)).ok_or(Unreadable)?;
        self.at += at + 1;
        Ok(rest[at])
    }

    /// What stands for a character behind a backslash.
    fn escape(&mut self) -> Result<char, Unreadable> {
        let sign = self.byte();
        self.at += 1;
        Ok(match sign {
            b'"' | b'\\' | b'/' => char::from(sign),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let mut code = self.hex()?;
                if let 0xd800..0xdc00 = code {
                    self.word("\\u")?;
                    let low = self.hex()?.wrapping_sub(0xdc00);
                    if low >= 0x400 {
                        return Err(Unreadable);
                    }
                    code = 0x10000 + ((code - 0xd800) << 10 | low);
                }
                // Half of a surrogate pair is no character.
                char::from_u32(code).ok_or(Unreadable)?
            }
            _ => return Err(Unreadable),
        })
    }

    fn hex(&mut self) -> Result<u32, Unreadable> {
        let mut code = 0;
        for _ in 0..4 {
            code = code << 4 | char::from(self.byte()).to_digit(16).ok_or(Unreadable)?;
            self.at += 1;
        }
        Ok(code)
    }

    /// The text of a whole value, whatever it is. Without recursion, so that no nesting can exhaust the stack.
    pub(super) fn value(&mut self) -> Result<&'de str, Unreadable> {
        self.peek();
        let from = self.at;
        let mut around = Vec::new();
        loop {
            let mut first = false;
            match self.peek() {
                open @ (b'{' | b'[') => {
                    self.at += 1;
                    // In ASCII, two behind the opening bracket.
                    around.push(open + 2);
                    first = true;
                }
                b'"' => self.skip_string()?,
                b'n' => self.word("null")?,
                b't' => self.word("true")?,
                b'f' => self.word("false")?,
                _ => self.skip_number()?,
            }
            loop {
                let Some(&close) = around.last() else { return Ok(&self.text[from..self.at]) };
                if self.next_part(first, close)? {
                    if close == b'}' {
                        self.open(b'"')?;
                        self.at -= 1;
                        self.skip_string()?;
                        self.open(b':')?;
                    }
                    break;
                }
                around.pop();
                first = false;
            }
        }
    }

    /// As in [`Reader::string`], but halves of surrogate pairs are let through: they are text all the same.
    fn skip_string(&mut self) -> Result<(), Unreadable> {
        self.at += 1;
        loop {
            match self.sign()? {
                b'"' => return Ok(()),
                b'\\' => {
                    let sign = self.byte();
                    self.at += 1;
                    match sign {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                        b'u' => _ = self.hex()?,
                        _ => return Err(Unreadable),
                    }
                }
                _ => return Err(Unreadable),
            }
        }
    }

    fn skip_number(&mut self) -> Result<(), Unreadable> {
        if self.byte() == b'-' {
            self.at += 1;
        }
        let zero = self.byte() == b'0';
        if self.digits()? > 1 && zero {
            return Err(Unreadable);
        }
        if self.byte() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if let b'e' | b'E' = self.byte() {
            self.at += 1;
            if let b'+' | b'-' = self.byte() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// Goes over one digit or more; says over how many.
    fn digits(&mut self) -> Result<usize, Unreadable> {
        let from = self.at;
        while self.byte().is_ascii_digit() {
            self.at += 1;
        }
        if self.at > from { Ok(self.at - from) } else { Err(Unreadable) }
    }
}
