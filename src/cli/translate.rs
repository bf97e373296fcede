//! The language of the messages that `wxpay` prints for people.

use std::borrow::Cow;
use std::sync::OnceLock;

use crate::proto::translate;

/// Whether messages are printed in Chinese: `WXPAY_LANG`, or else the locale.
pub(super) fn is_chinese() -> bool {
    static IS_CHINESE: OnceLock<bool> = OnceLock::new();
    *IS_CHINESE.get_or_init(|| is_chinese_locale(|name| std::env::var(name).ok().filter(|value| !value.is_empty())))
}

/// Follows POSIX's order of the variables, and GNU's `LANGUAGE`, which has no effect in the locales
/// `C` and `POSIX`.
fn is_chinese_locale(variable: impl Fn(&str) -> Option<String>) -> bool {
    let is_zh = |language: &str| language.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("zh"));
    if let Some(language) = variable("WXPAY_LANG") {
        return is_zh(&language);
    }
    let locale = |category: &str| ["LC_ALL", category, "LANG"].into_iter().find_map(&variable).unwrap_or_default();
    let (messages, characters) = (locale("LC_MESSAGES"), locale("LC_CTYPE"));
    // The output is UTF-8, which a terminal with another encoding cannot show.
    let encoding = characters.split_once('.').map_or("UTF-8", |(_, encoding)| encoding);
    if !matches!(encoding.to_lowercase().split('@').next(), Some("utf-8" | "utf8")) {
        return false;
    }
    let language = messages.split(['.', '@']).next().unwrap_or_default();
    if matches!(language, "" | "C" | "POSIX") {
        return false;
    }
    let preferences = variable("LANGUAGE").unwrap_or_default();
    let is_available = |language: &&str| is_zh(language) || language.starts_with("en");
    is_zh(preferences.split(':').find(is_available).unwrap_or(language))
}

/// The message in the language of the locale.
pub(super) fn message(message: &str) -> Cow<'_, str> {
    if is_chinese() { Cow::Owned(translate::chinese(message)) } else { Cow::Borrowed(message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn language_of_the_locale() {
        for (variables, expected) in [
            (&[][..], false),
            (&[("LANG", "zh_CN.UTF-8")], true),
            (&[("LANG", "zh_TW")], true),
            (&[("LANG", "zh_CN.GB18030")], false),
            (&[("LANG", "de_DE.UTF-8")], false),
            (&[("LANG", "zh_CN.UTF-8"), ("LC_MESSAGES", "en_US.UTF-8")], false),
            (&[("LANG", "en_US.UTF-8"), ("LC_MESSAGES", "zh_CN.UTF-8")], true),
            (&[("LC_MESSAGES", "zh_CN.UTF-8"), ("LC_ALL", "C.UTF-8")], false),
            (&[("LC_ALL", "zh_CN.utf8"), ("LC_MESSAGES", "C")], true),
            (&[("LANG", "en_US.UTF-8"), ("LANGUAGE", "zh_CN:en")], true),
            (&[("LANG", "zh_CN.UTF-8"), ("LANGUAGE", "en:zh_CN")], false),
            (&[("LANG", "zh_CN.UTF-8"), ("LANGUAGE", "fr")], true),
            (&[("LANG", "C"), ("LANGUAGE", "zh_CN")], false),
            (&[("LC_ALL", "C"), ("WXPAY_LANG", "zh")], true),
            (&[("LC_ALL", "zh_CN.UTF-8"), ("WXPAY_LANG", "en")], false),
        ] {
            let variable =
                |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            assert_eq!(is_chinese_locale(variable), expected, "{variables:?}");
        }
    }
}
