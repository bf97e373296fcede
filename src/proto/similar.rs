//! "Did you mean": the known name that is most similar to an unknown one.

/// The longest name that is compared, in bytes. The comparison takes quadratic time.
const MAX_LEN: usize = 128;
/// The least similarity of a suggestion, from 0 to 1.
const MIN_SIMILARITY: f64 = 0.6;
/// The least number of characters that two names with the same beginning have in common, and the
/// least similarity of such names.
const MIN_BEGINNING: usize = 4;
const SAME_BEGINNING: f64 = 0.75;

/// The most similar of the known names, if one is similar. Capitals, `_` and `-` do not count.
///
/// ```text
/// jsn      json        one letter is missing
/// retries  retry       the same beginning, up to the last letter of the shorter name
/// colour   (none)
/// ```
pub(crate) fn similar<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if unknown.len() > MAX_LEN {
        return None;
    }
    let unknown = letters(unknown);
    let rated = known.into_iter().map(|name| (similarity(&unknown, &letters(name)), name));
    let best = rated.filter(|(similarity, _)| *similarity >= MIN_SIMILARITY).max_by(|a, b| a.0.total_cmp(&b.0));
    best.map(|(_, name)| name)
}

fn letters(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

fn similarity(a: &str, b: &str) -> f64 {
    let similarity = strsim::normalized_damerau_levenshtein(a, b);
    let beginning = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    let shorter = a.chars().count().min(b.chars().count());
    if beginning >= MIN_BEGINNING && beginning + 1 >= shorter { similarity.max(SAME_BEGINNING) } else { similarity }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_similar_names_are_suggested() {
        let options =
            ["json", "xml", "query", "headers", "retry", "read_timeout", "timeout", "allow_redirects", "sink"];
        for (unknown, expected) in [
            ("jsn", Some("json")),
            ("JSON", Some("json")),
            ("retries", Some("retry")),
            ("retrys", Some("retry")),
            ("retain", None),
            ("read", Some("read_timeout")),
            ("readTimeout", Some("read_timeout")),
            ("timeouts", Some("timeout")),
            ("time", Some("timeout")),
            ("header", Some("headers")),
            ("querystring", Some("query")),
            ("quota", None),
            ("out_trade_no", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(similar(unknown, options), expected, "{unknown}");
        }
        let long = "json".repeat(33);
        assert_eq!((similar(&long, [&*long]), similar(&long[..128], [&long[..128]])), (None, Some(&long[..128])));
    }
}
