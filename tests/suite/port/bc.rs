//! The `bc` functions of `wechatpay_chain::php` return the same as PHP's extension bcmath.

use std::fmt::Write as _;

use wechatpay_chain::php;

use crate::port::corpus::php as run_php;
use crate::port::rustc::folder;

/// A generator of pseudo-random numbers (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn digits(&mut self, most: u64) -> String {
        let count = self.below(most + 1);
        (0..count).map(|_| char::from(b'0' + u8::try_from(self.below(10)).expect("a digit"))).collect()
    }

    /// A number in one of the forms that PHP accepts, and now and then one that it does not.
    fn number(&mut self, whole: u64, fraction: u64) -> String {
        let sign = ["", "", "", "-", "-", "+"][usize::try_from(self.below(6)).expect("small")];
        let (whole, fraction) = (self.digits(whole), self.digits(fraction));
        match self.below(40) {
            0 => "1e3".to_owned(),
            1 => format!(" {whole}"),
            2 => format!("{whole}x"),
            3 => format!("{sign}00{whole}.{fraction}00"),
            4 => format!("{sign}0.000{fraction}"),
            5 => "-0.00".to_owned(),
            6..=12 => format!("{sign}{whole}"),
            13 => format!("{sign}{whole}."),
            14 => format!("{sign}.{fraction}"),
            _ => format!("{sign}{whole}.{fraction}"),
        }
    }
}

const FUNCTIONS: [&str; 5] = ["bcadd", "bcsub", "bcmul", "bcdiv", "bccomp"];

/// The result as text. An error is `!` and the message of division by zero, or `!`.
fn calculated(function: &str, a: &str, b: &str, scale: i64) -> String {
    let result = match function {
        "bcadd" => php::bcadd(a, b, scale),
        "bcsub" => php::bcsub(a, b, scale),
        "bcmul" => php::bcmul(a, b, scale),
        "bcdiv" => php::bcdiv(a, b, scale),
        _ => php::bccomp(a, b, scale).map(|order| order.to_string()),
    };
    result.unwrap_or_else(|error| match error.to_string() {
        zero if zero == "Division by zero" => format!("!{zero}"),
        large if large.contains("38 digits") => "too large".to_owned(),
        _ => "!".to_owned(),
    })
}

#[test]
fn bc_functions_return_the_same_as_bcmath() {
    let mut random = Random(20_260_101);
    let mut calls = Vec::new();
    for number in 0..20_000 {
        let function = FUNCTIONS[number % FUNCTIONS.len()];
        // Every tenth call may exceed 38 digits.
        let (whole, fraction) = if number % 50 >= 45 { (30, 12) } else { (9, 7) };
        let (a, b) = (random.number(whole, fraction), random.number(whole, fraction));
        let scale = i64::try_from(random.below(12)).expect("small") - i64::from(random.below(100) == 0);
        calls.push((function, a, b, scale));
    }
    let mut script = "<?php\nif (!extension_loaded('bcmath')) exit(3);\n\
                      function c($f, $a, $b, $s) {\n\
                      try { echo $f($a, $b, $s), \"\\n\"; }\n\
                      catch (DivisionByZeroError $e) { echo '!', $e->getMessage(), \"\\n\"; }\n\
                      catch (ValueError $e) { echo \"!\\n\"; }\n}\n"
        .to_owned();
    for (function, a, b, scale) in &calls {
        let _ = writeln!(script, "c('{function}', '{a}', '{b}', {scale});");
    }
    let folder = folder("bc");
    std::fs::write(folder.join("bc.php"), script).expect("written");
    let Some(output) = run_php(&folder, &["bc.php"]) else { return };
    if output.status.code() == Some(3) {
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "SKIPPED: php has no bcmath (apt-get install php-bcmath)");
        return;
    }
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(printed.lines().count(), calls.len());
    let mut too_large = 0;
    for (number, ((function, a, b, scale), expected)) in calls.iter().zip(printed.lines()).enumerate() {
        let found = calculated(function, a, b, *scale);
        if found == "too large" {
            assert!(number % 50 >= 45, "{function}('{a}', '{b}', {scale}): {expected}");
            too_large += 1;
            continue;
        }
        assert_eq!(found, expected, "{function}('{a}', '{b}', {scale})");
    }
    assert!(too_large < 2_000, "{too_large}");
}
