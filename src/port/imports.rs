//! The names that a program imports, or that it takes from `helpers.rs`.

/// A name of another crate, or the name of a helper. A piece that displays one needs it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Import {
    /// Its number among all.
    number: u32,
    /// Its path in its crate.
    path: &'static str,
}

const fn import(number: u32, path: &'static str) -> Import {
    Import { number, path }
}

pub(super) const VALUE: Import = import(0, "Value");
pub(super) const JSON: Import = import(1, "json");
pub(super) const APIV3_KEY: Import = import(2, "Apiv3Key");
pub(super) const BOX_ERROR: Import = import(3, "BoxError");
pub(super) const CERTIFICATE: Import = import(4, "Certificate");
pub(super) const CHAIN: Import = import(5, "Chain");
pub(super) const CLIENT: Import = import(6, "Client");
pub(super) const ERROR: Import = import(7, "Error");
pub(super) const ERROR_KIND: Import = import(8, "ErrorKind");
pub(super) const MEDIA: Import = import(9, "Media");
pub(super) const OPTIONS: Import = import(10, "Options");
pub(super) const PRIVATE_KEY: Import = import(11, "PrivateKey");
pub(super) const PROMISE: Import = import(12, "Promise");
pub(super) const PUBLIC_KEY: Import = import(13, "PublicKey");
pub(super) const RESPONSE: Import = import(14, "Response");
pub(super) const SECRET: Import = import(15, "Secret");
/// The macro.
pub(super) const CHAINED: Import = import(16, "chain");
pub(super) const AES_ECB: Import = import(17, "crypto::aes_ecb");
pub(super) const HASH: Import = import(18, "crypto::hash");
pub(super) const FORMATTER: Import = import(19, "formatter");
pub(super) const VERIFIER: Import = import(20, "notify::NotificationVerifier");
pub(super) const PHP: Import = import(21, "php");
pub(super) const TRANSFORMER: Import = import(22, "transformer");
pub(super) const FIELDS: Import = import(23, "php_fields");
pub(super) const UNIQID: Import = import(24, "php_uniqid");
pub(super) const BASE64: Import = import(25, "php_base64");
pub(super) const UNBASE64: Import = import(26, "php_unbase64");
pub(super) const WAIT_ALL: Import = import(27, "php_wait_all");
pub(super) const CLIENT_BUILDER: Import = import(28, "ClientBuilder");

/// Everything that a program may import, `serde_json` first.
const IMPORTS: [Import; 24] = [
    VALUE,
    JSON,
    APIV3_KEY,
    BOX_ERROR,
    CERTIFICATE,
    CHAIN,
    CLIENT,
    CLIENT_BUILDER,
    ERROR,
    ERROR_KIND,
    MEDIA,
    OPTIONS,
    PRIVATE_KEY,
    PROMISE,
    PUBLIC_KEY,
    RESPONSE,
    SECRET,
    CHAINED,
    AES_ECB,
    HASH,
    FORMATTER,
    VERIFIER,
    PHP,
    TRANSFORMER,
];

impl Import {
    /// The name by which a program uses it.
    pub(super) fn name(&self) -> &'static str {
        self.path.rsplit("::").next().unwrap_or_default()
    }
}

/// A set of names.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Imports(u32);

impl Imports {
    pub(super) fn insert(&mut self, import: Import) {
        self.0 |= 1 << import.number;
    }

    pub(super) fn join(&mut self, other: Imports) {
        self.0 |= other.0;
    }

    pub(super) fn contains(self, import: Import) -> bool {
        self.0 & 1 << import.number != 0
    }

    /// The `use` lines of a program.
    pub(super) fn use_lines(self) -> String {
        let used = IMPORTS.iter().copied().filter(|import| self.contains(*import));
        let (json, own): (Vec<Import>, Vec<Import>) = used.partition(|import| [VALUE, JSON].contains(import));
        let list = |imports: Vec<Import>| match imports.as_slice() {
            [one] => one.path.to_owned(),
            all => format!("{{{}}}", all.iter().map(|import| import.path).collect::<Vec<_>>().join(", ")),
        };
        let mut out = String::new();
        if !json.is_empty() {
            out.push_str(&format!("use serde_json::{};\n", list(json)));
        }
        if !own.is_empty() {
            out.push_str(&format!("use wechatpay_chain::{};\n", list(own)));
        }
        out
    }
}

/// The names of Rust's prelude that a program uses.
const PRELUDE: [&str; 10] = ["Vec", "String", "Result", "Option", "Box", "Some", "None", "Ok", "Err", "Self"];

/// Whether a name would hide one that a program may import.
pub(super) fn is_imported(name: &str) -> bool {
    IMPORTS.iter().any(|import| import.name() == name) || PRELUDE.contains(&name)
}
