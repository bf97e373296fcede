//! PHP's classes of exceptions, and what they are here.

use super::Porter;

/// The kinds that one class of exceptions stands for; `None` for those that take all.
pub(super) fn kinds(class: &str) -> Option<Option<&'static [&'static str]>> {
    Some(match class {
        "exception" | "throwable" | "error" => None,
        "runtimeexception" => Some(&[
            "ClientError",
            "ServerError",
            "Redirect",
            "Fail",
            "Verification",
            "Transport",
            "Connect",
            "Timeout",
            "Config",
            "Decode",
            "Sign",
            "Sink",
            "TooLarge",
            "Layer",
        ]),
        "guzzlehttp\\exception\\clientexception" => Some(&["ClientError"]),
        "guzzlehttp\\exception\\serverexception" => Some(&["ServerError"]),
        "guzzlehttp\\exception\\badresponseexception" => Some(&["ClientError", "ServerError"]),
        "guzzlehttp\\exception\\toomanyredirectsexception" => Some(&["Redirect"]),
        "guzzlehttp\\exception\\connectexception" => Some(&["Connect", "Timeout"]),
        "guzzlehttp\\exception\\requestexception" => {
            Some(&["ClientError", "ServerError", "Redirect", "Fail", "Verification", "Transport"])
        }
        // What the SDK rejects of APIv2: the answer says so, or its `sign` does not hold.
        "guzzlehttp\\promise\\rejectionexception" => Some(&["Fail", "Verification"]),
        "guzzlehttp\\exception\\transferexception" | "guzzlehttp\\exception\\guzzleexception" => {
            Some(&["ClientError", "ServerError", "Redirect", "Fail", "Verification", "Transport", "Connect", "Timeout"])
        }
        "invalidargumentexception"
        | "logicexception"
        | "wechatpay\\exception\\invalidargumentexception"
        | "wechatpay\\exception\\wechatpayexception" => Some(&["Config", "Path", "Options"]),
        "unexpectedvalueexception" => Some(&["Config", "Decode", "Sign", "Verification"]),
        _ => return None,
    })
}

/// Whether PHP's own class of exceptions is the other one, or one that is made of it.
fn is_a(class: &str, caught: &str) -> bool {
    class == caught
        || match caught {
            "runtimeexception" => ["outofbounds", "overflow", "range", "underflow", "unexpectedvalue"]
                .contains(&class.trim_end_matches("exception")),
            "logicexception" => {
                ["badfunctioncall", "badmethodcall", "domain", "invalidargument", "length", "outofrange"]
                    .contains(&class.trim_end_matches("exception"))
            }
            _ => false,
        }
}

/// Why an exception of the script's own is left.
pub(super) const MIXED: &str =
    "the script throws exceptions of this class and of others, which Rust does not tell apart: give them types";

/// Which of the exceptions that a script throws itself are of a class.
#[derive(PartialEq)]
pub(super) enum Own {
    All,
    Some,
    None,
}

impl Porter<'_> {
    /// An exception of the script's own is an error of another type than the crate's here, and has no class.
    pub(super) fn of_own(&self, class: &str) -> Own {
        let part = |c: char| c == '\\' || c == '_' || c.is_alphanumeric();
        let thrown = self.php.split("throw new").skip(1).map(|after| {
            let class: String = after.trim_start().chars().take_while(|c| part(*c)).collect();
            class.rsplit('\\').next().unwrap_or_default().to_lowercase()
        });
        let (mut some, mut all) = (false, true);
        for thrown in thrown {
            let is_one = is_a(&thrown, class);
            (some, all) = (some || is_one, all && is_one);
        }
        match (some, all) {
            (false, _) => Own::None,
            (true, true) => Own::All,
            (true, false) => Own::Some,
        }
    }
}
