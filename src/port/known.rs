//! Names of functions, methods and classes with a known effect, for `--calls`.

/// Functions of PHP that only calculate.
const QUIET: &str = "\
    abs addslashes basename bin2hex boolval ceil chr chunk_split count ctype_digit dirname empty \
    explode floatval floor fmod hex2bin htmlspecialchars http_build_query iconv implode in_array \
    intval is_array is_bool is_float is_int is_null is_numeric is_object is_string isset join \
    json_decode json_encode key_exists lcfirst ltrim max md5 min nl2br number_format ord pow \
    preg_quote preg_replace range rawurldecode rawurlencode round rtrim sha1 sizeof sprintf \
    str_contains str_ends_with str_pad str_repeat str_replace str_split str_starts_with strcasecmp \
    strcmp stripos strlen strpos strrev strrpos strstr strtolower strtoupper strtr strval substr \
    substr_count trim ucfirst ucwords urldecode urlencode vsprintf wordwrap array_merge array_keys \
    array_values array_column array_combine array_diff array_diff_key array_fill array_flip \
    array_intersect_key array_key_exists array_key_first array_key_last array_reverse array_search \
    array_slice array_sum array_unique base64_decode base64_encode hash hash_equals hash_hmac \
    mb_strlen mb_substr mb_strtolower mb_strtoupper mb_strpos bcadd bcsub bcmul bcdiv bccomp \
    openssl_x509_read openssl_x509_parse openssl_get_publickey openssl_get_privatekey \
    openssl_pkey_get_public openssl_pkey_get_private crc32 gettype";

/// Functions of PHP that call their arguments, and otherwise only calculate.
const CALLING: &str = "\
    array_filter array_map array_walk uasort uksort usort";

/// Functions of PHP and of frameworks that only return a value, which other code may change.
const READING: &str = "\
    config env getenv constant defined getallheaders";

/// Functions of PHP that only return a value, which differs between calls.
const CHANGING: &str = "\
    time date gmdate microtime uniqid random_bytes random_int mt_rand rand hrtime strtotime \
    mktime file_exists file_get_contents is_file realpath";

/// Methods of responses.
const RESPONSE: &str = "\
    getbody getcontents getstatuscode getheaderline getheader getheaders getreasonphrase \
    __tostring";

/// Classes of frameworks whose static methods do not change their arguments.
const STATIC: &str = "\
    log db cache redis yii carbon json str config event";

/// Functions of frameworks that do not change their arguments.
const BY_VALUE: &str = "\
    logger info dd dump response view redirect event dispatch json success trace app collect \
    var_dump print_r var_export file_put_contents error_log date number_format";

/// What a call of a function does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Effect {
    /// Calculates a value from its arguments.
    Nothing,
    /// Reads a value that other code may change.
    Reads,
    /// Returns a value that differs between calls.
    Differs,
    /// Calculates, and changes its first argument.
    Argument,
    /// May change anything.
    Unknown,
}

fn has(names: &str, name: &str) -> bool {
    names.split_whitespace().any(|known| known == name)
}

/// Whether a function of PHP only calculates.
pub(super) fn is_quiet(name: &str) -> bool {
    has(QUIET, name)
}

/// Whether a function of PHP calls its arguments, and otherwise only calculates.
pub(super) fn is_calling(name: &str) -> bool {
    has(CALLING, name)
}

/// Whether a function only reads a value that other code may change.
pub(super) fn is_reading(name: &str) -> bool {
    has(READING, name)
}

/// Whether a function only returns a value, which differs between calls.
pub(super) fn is_changing(name: &str) -> bool {
    has(CHANGING, name)
}

/// Whether a function only returns a value.
pub(super) fn only_returns(name: &str) -> bool {
    is_quiet(name) || is_reading(name) || is_changing(name) || matches!(name, "array_filter" | "array_map")
}

/// Whether a function of a framework takes its arguments by value.
pub(super) fn is_by_value_of_framework(name: &str) -> bool {
    has(BY_VALUE, name)
}

/// Whether responses have a method of this name.
pub(super) fn is_of_response(name: &str) -> bool {
    has(RESPONSE, name)
}

/// Whether the static methods of a class take their arguments by value.
pub(super) fn has_static_by_value(class: &str) -> bool {
    has(STATIC, class)
}

/// Whether a function of the SDK returns an object.
pub(super) fn is_object(name: &str) -> bool {
    has("Rsa::from PemUtil::loadPrivateKey PemUtil::loadCertificate", name) || name == "new MediaUtil"
}
