//! The names of PHP's own functions, which are no functions of the merchant's other files.

use super::value::Type;

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

/// The type that a function of PHP returns which depends on the settings of PHP, on the request of
/// the web server, or on chance. It becomes a stub.
pub(super) fn of_environment(name: &str) -> Option<Type> {
    Some(match name {
        "date" | "gmdate" | "php_sapi_name" | "gethostname" | "php_uname" | "sys_get_temp_dir" => Type::Text,
        "mktime" | "mt_rand" | "rand" | "random_int" | "getmypid" => Type::Int,
        "lcg_value" => Type::Float,
        "strtotime" | "getallheaders" | "apache_request_headers" | "session_id" => Type::Value,
        "header" | "http_response_code" | "setcookie" | "session_start" | "headers_sent" | "header_remove" => {
            Type::Value
        }
        _ => return None,
    })
}

/// The name of the stub of a variable that PHP fills from the request.
pub(super) fn of_request(variable: &str) -> Option<&'static str> {
    Some(match variable {
        "_SERVER" => "server",
        "_GET" => "query",
        "_POST" => "post",
        "_REQUEST" => "request",
        "_COOKIE" => "cookies",
        "_FILES" => "files",
        "_SESSION" => "session",
        "_ENV" => "environment",
        _ => return None,
    })
}

/// Why a change to a variable of the web server is listed: the stub that reads it, also in other
/// functions and files, does not contain the change.
pub(super) const CHANGED: &str = "a variable of the web server is changed: pass the value as a parameter";

/// Whether PHP fills a variable from the request, or with the global variables.
pub(super) fn is_of_server(variable: &str) -> bool {
    variable == "GLOBALS" || of_request(variable).is_some()
}
