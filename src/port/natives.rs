//! The names of PHP's own functions, which are no functions of the merchant's other files.

/// Functions of PHP 8.2 and its bundled extensions (`get_defined_functions()`).
const NAMES: &str = include_str!("natives.txt");

/// Extensions all of whose functions have a common beginning.
const PREFIXES: &[&str] = &[
    "apcu_",
    "bc",
    "cal_",
    "curl_",
    "dba_",
    "dom_",
    "exif_",
    "ftp_",
    "gmp_",
    "image",
    "imap_",
    "intl",
    "ldap_",
    "mb_",
    "msg_",
    "mysqli_",
    "oci_",
    "odbc_",
    "opcache_",
    "pcntl_",
    "pg_",
    "posix_",
    "readline_",
    "sem_",
    "shm",
    "simplexml_",
    "snmp",
    "soap_",
    "socket_",
    "sodium_",
    "sqlsrv_",
    "tidy_",
    "xml",
    "xsl_",
    "yaml_",
    "zip_",
    "mcrypt_",
];

/// Words that PHP parses as functions.
const WORDS: &[&str] = &["isset", "empty", "unset", "eval", "list", "array", "die", "exit", "compact"];

pub(super) fn is_native(name: &str) -> bool {
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || WORDS.contains(&name)
        || NAMES.lines().any(|known| known == name)
}
