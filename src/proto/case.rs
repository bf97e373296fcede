//! The case rule of the PHP SDK for the names of a chain, and errors for names that it would
//! corrupt.

use std::borrow::Cow;

use super::excerpt::excerpt;
use super::template::query_of;
use crate::error::Error;

/// Converts one name or a whole path, as written in `seg`, `chain` or `[...]`, into template text.
///
/// As in PHP, `_x_` is the variable `{x}`, and a camelCase word becomes kebab-case. Text inside
/// `{...}` and `<...>` and percent triplets are unchanged. Text with capitals that is not a plain
/// camelCase word is almost always a value that was pasted into the path. PHP converts it to lower
/// case silently; here it is an error.
///
/// ```text
/// permissionTokens                    permission-tokens
/// complaintsV2                        complaints-v2
/// Pay                                 pay                  (PascalCase, only at the start)
/// _card_id_                           {card_id}
/// v3/merchantService/complaints/{Id}  v3/merchant-service/complaints/{Id}
/// v3/cards/pbLatjvWOibDc5             an error: looks like a value
/// v3/cards/_card_id_                  an error: inside a path it is {card_id}
/// v3/cards/:card_id                   an error: it is written {card_id}
/// payScore{?limit}{&offset}           pay-score{?limit}{&offset}
/// _a/b_                               an error: a variable has no slash
/// ```
pub(crate) fn normalize(name: &str) -> Result<Cow<'_, str>, Error> {
    if !name.is_empty() && !name.bytes().any(|byte| byte.is_ascii_uppercase() || matches!(byte, b'_' | b':')) {
        return Ok(Cow::Borrowed(name));
    }
    let mut out = vec![0; max_len(name)];
    let written = write(name.as_bytes(), &mut out, 0).map_err(|fault| fault.into_error(name))?;
    out.truncate(written);
    // Only ASCII is inserted, so the result is UTF-8 like the name.
    String::from_utf8(out).map(Cow::Owned).map_err(|_| Error::path("the path is not UTF-8 text"))
}

/// As [`normalize`], for a path that a program builds at run time. A segment with capitals is an
/// error, also if it is a camelCase word: it may be a value, which the conversion would change.
pub(crate) fn without_capitals(path: &str) -> Result<Cow<'_, str>, Error> {
    let text = normalize(path)?;
    let (name, query) = (path.as_bytes(), query_of(path.as_bytes()));
    if underscored(name, 0, name.len()).is_some() || !has_capital(name, 0, query, true) {
        return Ok(text);
    }
    let mut start = 0;
    while start <= query {
        let end = segment_end(name, start, query);
        if has_capital(name, start, end, true) {
            return Err(has_capitals(path, path.get(start..end).unwrap_or(path)));
        }
        start = end + 1;
    }
    Ok(text)
}

fn has_capitals(path: &str, segment: &str) -> Error {
    if is_url(path) {
        return Fault::Value(0, path.len()).into_error(path);
    }
    let (shown, name) = (excerpt(segment), normalize(segment).unwrap_or_default());
    Error::path(format!(
        "the path segment {shown:?} has capitals, which a path that is built at run time does not convert: write {:?} if it is a \
         name of the API; give a value as a variable, such as \"{{id}}\", with the option {{\"id\": {shown:?}}}",
        excerpt(&name)
    ))
}

fn is_url(path: &str) -> bool {
    ["https://", "http://"].iter().any(|scheme| path.starts_with(scheme))
}

/// An upper bound for the length of the text that [`write()`] makes of `name`.
pub(crate) const fn max_len(name: &str) -> usize {
    2 * name.len() + 2
}

/// The reason why a name is invalid, with the range of bytes.
#[derive(Clone, Copy)]
pub(crate) enum Fault {
    Empty,
    /// `_x_` as one segment of several.
    Underscored(usize, usize),
    /// `_x_` with an `x` that cannot be the name of a variable.
    NotAVariable(usize, usize),
    /// `:x`, a variable in other template languages.
    Colon(usize, usize),
    /// A capital in the query, which begins at this byte.
    Query(usize),
    /// A segment that looks like a value.
    Value(usize, usize),
}

impl Fault {
    /// The message for a compile error, where the compiler shows the location.
    pub(crate) const fn message(self) -> &'static str {
        match self {
            Fault::Empty => "the name of a path segment is empty",
            Fault::Underscored(..) => "\"_x_\" is a variable only as a complete name: inside a path write {x}",
            Fault::NotAVariable(..) => {
                "\"_x_\" is a variable only if x is the name of one: write {x} for each variable of a path"
            }
            Fault::Colon(..) => "\":x\" is not a variable: write {x}",
            Fault::Query(_) => {
                "the query of a path contains capitals, which are not preserved: give it with the option \"query\""
            }
            Fault::Value(..) => {
                "a path segment looks like a value, or is not plain camelCase, and would lose its capitals: write a \
                 variable such as {id} instead, and give the value in the options"
            }
        }
    }

    fn into_error(self, name: &str) -> Error {
        let part = |from: usize, to: usize| name.get(from..to).unwrap_or(name);
        let is_url = is_url(name);
        match self {
            Fault::Empty => Error::path(self.message()),
            Fault::Query(_) | Fault::Value(..) if is_url => Error::path(
                "the path is a URL with capitals, which are not preserved: for a download_url, give its response to \
                 Client::download; call any other URL with Client::request, which does not change it",
            ),
            Fault::Underscored(from, to) => {
                let variable = part(from, to);
                Error::path(format!(
                    "the path has the segment \"_{variable}_\", which is a variable only as a complete name: inside a path write {{{variable}}}"
                ))
            }
            Fault::NotAVariable(from, to) => Error::path(format!(
                "{:?} begins and ends with \"_\" like a variable, and is not one: write {{x}} for each variable of a path, such as \
                 \"v3/cards/{{card_id}}\"",
                excerpt(part(from, to))
            )),
            Fault::Colon(from, to) => {
                let variable = part(from + 1, to);
                Error::path(format!(
                    "the path has the segment \":{variable}\", which is not a variable: write {{{variable}}}"
                ))
            }
            Fault::Query(at) => Error::path(format!(
                "the query of the path {:?} contains capitals, which are not preserved: give it as an option, \
                 {{\"query\": {{\"name\": \"value\"}}}}",
                excerpt(part(0, at))
            )),
            Fault::Value(from, to) => looks_like_a_value(part(from, to)),
        }
    }
}

/// Writes `name` as template text to `out` at the index `at`, and returns the index of its end. It
/// is `const` for [`chain!`](crate::chain!), which runs it at compile time, so it works on bytes
/// and indices.
pub(crate) const fn write(name: &[u8], out: &mut [u8], at: usize) -> Result<usize, Fault> {
    if name.is_empty() {
        return Err(Fault::Empty);
    }
    if let Some((from, to)) = underscored(name, 0, name.len()) {
        out[at] = b'{';
        let end = copy(name, from, to, out, at + 1);
        out[end] = b'}';
        return Ok(end + 1);
    }
    let query = query_of(name);
    if is_between_underscores(name, 0, query) && underscored(name, 0, query).is_none() {
        return Err(Fault::NotAVariable(0, query));
    }
    let mut start = 0;
    while start <= query {
        let end = segment_end(name, start, query);
        let word = word_end(name, start, end);
        if let Some((from, to)) = underscored(name, start, word) {
            return Err(Fault::Underscored(from, to));
        }
        if is_between_underscores(name, start, end) {
            return Err(Fault::NotAVariable(start, end));
        }
        if word > start + 1 && name[start] == b':' && name[start + 1].is_ascii_alphabetic() {
            return Err(Fault::Colon(start, word));
        }
        start = end + 1;
    }
    if has_capital(name, query, name.len(), false) {
        return Err(Fault::Query(query));
    }
    let (mut start, mut end) = (0, at);
    while start <= query {
        let stop = segment_end(name, start, query);
        if start > 0 {
            out[end] = b'/';
            end += 1;
        }
        let word = word_end(name, start, stop);
        if is_camel_case(name, start, word, start == 0) && !has_capital(name, word, stop, true) {
            let mut i = start;
            while i < word {
                if name[i].is_ascii_uppercase() && i > start {
                    out[end] = b'-';
                    end += 1;
                }
                out[end] = name[i].to_ascii_lowercase();
                end += 1;
                i += 1;
            }
            end = copy(name, word, stop, out, end);
        } else if has_capital(name, start, stop, true) {
            return Err(Fault::Value(start, stop));
        } else {
            end = copy(name, start, stop, out, end);
        }
        start = stop + 1;
    }
    Ok(copy(name, query, name.len(), out, end))
}

const fn copy(from: &[u8], start: usize, stop: usize, out: &mut [u8], at: usize) -> usize {
    let mut i = start;
    while i < stop {
        out[at + i - start] = from[i];
        i += 1;
    }
    at + stop - start
}

/// The end of a segment: the first slash outside `{...}` and `<...>`, such as that of `{/x}`.
const fn segment_end(name: &[u8], start: usize, limit: usize) -> usize {
    let (mut end, mut inside) = (start, false);
    while end < limit {
        match name[end] {
            b'{' | b'<' => inside = true,
            b'}' | b'>' => inside = false,
            b'/' if !inside => return end,
            _ => {}
        }
        end += 1;
    }
    end
}

/// The end of the text of a segment before an expression that writes its own separator: `{?x}`,
/// `{&x}`, `{/x}`, `{;x}`, `{.x}` and `{#x}`.
const fn word_end(name: &[u8], start: usize, end: usize) -> usize {
    let mut at = start;
    while at < end && !matches!(name[at], b'{' | b'<') {
        at += 1;
    }
    if at + 1 < end && name[at] == b'{' && matches!(name[at + 1], b'?' | b'&' | b'/' | b';' | b'.' | b'#') {
        at
    } else {
        end
    }
}

/// Whether a text begins and ends with `_`, and has something between.
const fn is_between_underscores(name: &[u8], start: usize, end: usize) -> bool {
    end > start + 2 && name[start] == b'_' && name[end - 1] == b'_'
}

/// The range of `x` in a segment `_x_`.
const fn underscored(name: &[u8], start: usize, end: usize) -> Option<(usize, usize)> {
    if end < start + 2 || name[start] != b'_' || name[end - 1] != b'_' {
        return None;
    }
    let mut i = start;
    while i < end {
        if matches!(name[i], b'/' | b'{' | b'}' | b'<' | b'>') {
            return None;
        }
        i += 1;
    }
    Some((start + 1, end - 1))
}

/// Whether a text has a capital outside `{...}` and `<...>`. With `triplets`, those in percent
/// triplets do not count.
const fn has_capital(name: &[u8], start: usize, end: usize, triplets: bool) -> bool {
    let (mut at, mut inside) = (start, false);
    while at < end {
        let byte = name[at];
        if inside {
            inside = !matches!(byte, b'}' | b'>');
        } else if matches!(byte, b'{' | b'<') {
            inside = true;
        } else if byte.is_ascii_uppercase() {
            return true;
        } else if triplets
            && byte == b'%'
            && at + 2 < end
            && name[at + 1].is_ascii_hexdigit()
            && name[at + 2].is_ascii_hexdigit()
        {
            at += 2;
        }
        at += 1;
    }
    false
}

/// Whether a segment is a plain camelCase word, like the names of the API: `membercardOpen`,
/// `h5Presign`, `complaintsV2`, `applyment4subState`. A capital begins a word of letters, or is
/// followed by one digit, or is the last character. The first word may contain one digit.
/// PascalCase is accepted only at the start of a path, where PHP converts it as well.
///
/// ```text
/// [a-z]+ [0-9]? [a-z]*  ( [A-Z] ( [a-z]+ | [0-9] ) )*  [A-Z]?
/// ```
const fn is_camel_case(name: &[u8], start: usize, end: usize, at_start: bool) -> bool {
    let (mut at, mut digits, mut capital_before) = (start, 0, false);
    while at < end {
        // 0 marks the end: it is neither a letter nor a digit.
        let next = if at + 1 < end { name[at + 1] } else { 0 };
        let followed = next.is_ascii_lowercase() || next.is_ascii_digit();
        match name[at] {
            b'a'..=b'z' => capital_before = false,
            b'A'..=b'Z' if at == start => {
                if !at_start || !followed {
                    return false;
                }
            }
            b'A'..=b'Z' => {
                if at + 1 < end && !followed {
                    return false;
                }
                capital_before = true;
                // The first word has ended: from here on a digit must follow a capital.
                digits = 2;
            }
            b'0'..=b'9' if at > start && (capital_before || digits == 0) => {
                if capital_before && at + 1 < end && !next.is_ascii_uppercase() {
                    return false;
                }
                capital_before = false;
                digits += 1;
            }
            _ => return false,
        }
        at += 1;
    }
    end > start
}

fn looks_like_a_value(segment: &str) -> Error {
    let segment = excerpt(segment);
    Error::path(format!(
        "the path segment {segment:?} looks like a value, or is not plain camelCase, and would lose its capitals: write a \
         variable such as \"{{id}}\" instead, and give the value in the options, {{\"id\": {segment:?}}}; if it is a name of the \
         API, write it as the API does"
    ))
}
